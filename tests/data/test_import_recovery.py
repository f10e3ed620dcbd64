"""Mangled files of several generators come back as what they were; broken ones are named."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import shapegen
from benchmarks.imports.__main__ import LEAST, main
from benchmarks.imports.mangling import STYLES, Case, mangle, regrouped
from benchmarks.imports.scoring import MEASURES, Score, compare
from benchmarks.imports.spoiling import BROKEN, spoil
from shapegen.cli import app
from shapegen.data.furniture import furniture
from shapegen.data.importing import import_folder
from shapegen.structures.part_tree import PartTree

SOUND = 12


def test_the_measured_recovery_is_what_it_must_be(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--count", "4", "--seed", "7", "--out", str(tmp_path / "files")]) == 0
    told = capsys.readouterr()
    result = json.loads(told.out)
    assert result["files"] >= 24
    assert result["broken_named"] == result["broken"] == len(BROKEN)
    for name in MEASURES:
        assert result[name.replace(" ", "_")] >= LEAST, told.err
    for name in ("boxes", "labels", "groups", "relations that hold"):
        assert result[name.replace(" ", "_")] == 1, told.err


def perfect(style: str = "nodes") -> tuple[Case, PartTree]:
    """A shape and what a perfect import of it would give."""
    tree = furniture(1, category="chair", seed=3)[0]
    kept = regrouped(tree, set())
    labels = tuple(label.rpartition("/")[2] for label in kept.label)
    return Case(Path("0.glb"), "chair", style, replace(kept, label=labels), kept.box), tree


def test_the_scores_see_every_kind_of_mistake() -> None:
    case, tree = perfect()
    counts = compare(case, tree)
    for name in ("boxes", "listed contacts found", "listed symmetries found", "labels", "groups"):
        assert counts[name][0] == counts[name][1] > 0, name
    moved = tree.box.copy()
    last = int(np.flatnonzero(tree.is_leaf)[-1])
    moved[last, 0] += 0.1
    right, total = compare(case, replace(tree, box=moved))["boxes"]
    assert right == total - 1
    swapped = tree.box.copy()
    swapped[:, [3, 4]] = tree.box[:, [4, 3]]
    swapped[:, 6:9], swapped[:, 9:] = tree.box[:, 9:], tree.box[:, 6:9]
    assert compare(case, replace(tree, box=swapped))["boxes"] == (total, total)
    bare = compare(case, replace(tree, edges=()))
    assert bare["contacts found"][0] == bare["symmetries found"][0] == 0
    crossed = replace(tree, edges=tuple(replace(e, params=tuple(2 * p + 1 for p in e.params))
                                        for e in tree.edges))  # fmt: skip
    held = compare(case, crossed)["relations that hold"]
    assert held[0] < held[1]
    called = replace(tree, label=(*tree.label[:-1], "chair/thing"))
    assert compare(case, called)["labels"] == (len(tree) - 2, len(tree) - 1)
    flat = regrouped(tree, {n for n in range(1, len(tree)) if not tree.is_leaf[n]})
    right, total = compare(case, flat)["groups"]
    assert right < total
    score = Score()
    score.add(case, flat)
    assert score.missed[0].startswith("0.glb (chair, nodes): ")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sound files in a subfolder, and broken ones."""
    path = tmp_path_factory.mktemp("files")
    rng = np.random.default_rng(1)
    (path / "sound").mkdir()
    for number, tree in enumerate(furniture(SOUND, seed=1)):
        style = STYLES[number % (len(STYLES) - 1)]
        mangle(tree, path / "sound" / f"{number:02d}", "furniture", style, "y", rng)
    spoil(furniture(1, seed=2)[0], path)
    return path


def test_broken_files_are_named_with_the_reason(folder: Path) -> None:
    found = import_folder(folder)
    assert len(found.trees) == SOUND
    assert sorted(failure.source for failure in found.failures) == sorted(BROKEN)
    for failure in found.failures:
        assert BROKEN[failure.source][1] in failure.reason, failure
        assert failure.source in failure.reason
        assert "\n" not in failure.reason


def test_the_verb_reports_what_it_left_out(folder: Path, tmp_path: Path) -> None:
    done = CliRunner().invoke(
        app, ["data", "import", str(folder), "--out", str(tmp_path / "all.jsonl.gz")]
    )
    assert done.exit_code == 0, done.output
    lines = done.stderr.splitlines()
    assert len(lines) == len(BROKEN) + ("repaired" in done.stderr)
    for name in BROKEN:
        assert sum(name in line and line.startswith("left out: ") for line in lines) == 1
    assert f"{SOUND} shapes in" in done.stdout
    assert f"{len(BROKEN)} left out" in done.stdout
    back = shapegen.read(tmp_path / "all.jsonl.gz")
    assert [tree.name for tree in back] == [f"sound/{number:02d}" for number in range(SOUND)]
    ids = [each for split in ("train", "val", "test") for each in _ids(tmp_path, split)]
    assert sorted(ids) == [tree.name for tree in back]


def _ids(folder: Path, split: str) -> list[str]:
    path = folder / f"all.{split}.txt"
    return path.read_text().splitlines() if path.exists() else []
