"""Cards and recipes are complete, and the samples are what they say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from shapegen.config.settings import DataConfig
from shapegen.data.catalog import catalog
from shapegen.data.furniture import furniture
from shapegen.images.files import read_images
from shapegen.images.images import Images
from shapegen.images.validity import BINARY_SEED
from shapegen.structures.partnet_json import read_partnet
from shapegen.train.data import load_data

DATASETS = Path(__file__).resolve().parents[2] / "datasets"
RECIPES = sorted(DATASETS.glob("*/recipe.yaml"))
KEYS = {"name", "kind", "licence", "source", "frame", "units", "files", "prepare", "sets"}
OF_IMAGES = [path for path in RECIPES if "reading" in yaml.safe_load(path.read_text())]


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.parent.name)
def test_a_recipe_is_complete_and_has_a_card(path: Path) -> None:
    recipe = yaml.safe_load(path.read_text())
    assert recipe.keys() - {"reading"} == KEYS
    assert recipe["name"] == path.parent.name
    assert f"{recipe['name']}/README.md" in (DATASETS / "README.md").read_text()
    card = (path.parent / "README.md").read_text()
    for word in ("Licence", "Frame", "Traps"):
        assert f"**{word}" in card
    for file in recipe["files"]:
        assert Path(file).name in card or "_{train,val}" in (DATASETS / "README.md").read_text()


def test_every_data_set_has_a_recipe() -> None:
    assert len(RECIPES) == 11
    made = [
        yaml.safe_load((DATASETS / f"{name}/recipe.yaml").read_text())["sets"]
        for name in ("furniture", "graphs", "digits", "scenes")
    ]
    assert {name for sets in made for name in sets} == catalog().keys()


def test_files_of_the_recipes_lie_where_they_say(data_path: Path) -> None:
    for path in RECIPES:
        for file in yaml.safe_load(path.read_text())["files"]:
            assert (data_path / file).is_file()


@pytest.mark.parametrize("path", OF_IMAGES, ids=lambda path: path.parent.name)
def test_images_are_read_as_their_recipe_says(path: Path, data_path: Path) -> None:
    reading = yaml.safe_load(path.read_text())["reading"]
    images = read_images(data_path / reading["path"])
    assert list(images.pixels.shape) == reading["shape"]
    assert -1 <= images.pixels.min() < images.pixels.max() <= 1
    classes = [] if images.labels is None else images.labels.unique().tolist()
    assert classes == list(range(reading["classes"]))
    if "holdout" in reading:
        settings = {key: reading[key] for key in ("holdout", "split_seed")}
        split = load_data(DataConfig(path=str(data_path / reading["path"]), **settings))
        order = np.random.RandomState(reading["split_seed"]).permutation(len(images))
        held_out = images[order[-reading["holdout"] :]]
        assert isinstance(split.holdout, Images)
        assert torch.equal(split.holdout.pixels, held_out.pixels)
        assert reading["binary_seed"] == BINARY_SEED


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
