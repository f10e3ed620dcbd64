"""Cards and recipes are complete, and the samples are what they say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml

from shapegen.data.catalog import catalog
from shapegen.data.furniture import furniture
from shapegen.structures.partnet_json import read_partnet

DATASETS = Path(__file__).resolve().parents[2] / "datasets"
RECIPES = sorted(DATASETS.glob("*/recipe.yaml"))
KEYS = {"name", "kind", "licence", "source", "frame", "units", "files", "prepare", "sets"}


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.parent.name)
def test_a_recipe_is_complete_and_has_a_card(path: Path) -> None:
    recipe = yaml.safe_load(path.read_text())
    assert recipe.keys() == KEYS
    assert recipe["name"] == path.parent.name
    assert f"{recipe['name']}/README.md" in (DATASETS / "README.md").read_text()
    card = (path.parent / "README.md").read_text()
    for word in ("Licence", "Frame", "Traps"):
        assert f"**{word}" in card
    for file in recipe["files"]:
        assert Path(file).name in card or "_{train,val}" in (DATASETS / "README.md").read_text()


def test_every_data_set_has_a_recipe() -> None:
    assert len(RECIPES) == 7
    made = [
        yaml.safe_load((DATASETS / f"{name}/recipe.yaml").read_text())["sets"]
        for name in ("furniture", "graphs", "digits")
    ]
    assert {name for sets in made for name in sets} == catalog().keys()


def test_files_of_the_recipes_lie_where_they_say(data_path: Path) -> None:
    for path in RECIPES:
        for file in yaml.safe_load(path.read_text())["files"]:
            assert (data_path / file).is_file()


def test_the_sample_is_the_procedural_set() -> None:
    path = DATASETS / "samples/furniture.jsonl.gz"
    assert path.stat().st_size < 20_000
    sample = read_partnet(path, repair="fix")
    for tree, made in zip(sample, furniture(8, seed=0), strict=True):
        assert tree.name == made.name
        assert tree.label == made.label
        edges = [sorted((e.kind, e.a, e.b) for e in t.edges) for t in (tree, made)]
        assert edges[0] == edges[1]
        np.testing.assert_allclose(tree.box, made.box, atol=1e-4)
