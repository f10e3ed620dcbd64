"""Folders of StructureNet's layout from end to end: subset, labels, frozen splits, geometry."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

import shapegen
from shapegen.cli import app
from shapegen.core.boxes import corners
from shapegen.data.check import check
from shapegen.data.furniture import furniture
from shapegen.data.id_lists import read_ids, write_ids
from shapegen.data.importing import import_folder
from shapegen.data.part_points import read_geometry, write_geometry
from shapegen.structures.part_tree import PartTree
from shapegen.structures.partnet_writing import write_partnet
from shapegen.structures.vocabulary import read_vocabulary, vocabulary_of

SUBSET = "no_other_less_than_10_parts"


def run(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


def shapes() -> list[PartTree]:
    trees = furniture(8, category="chair", seed=4)
    return [replace(tree, name=str(100 + number)) for number, tree in enumerate(trees)]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """``chair_hier``, ``chair_geo``, split files and ``part_semantics``, as they are published."""
    hier = tmp_path / "chair_hier"
    hier.mkdir()
    for tree in shapes():
        write_partnet([tree], hier / f"{tree.name}.json")
    write_geometry(tmp_path / "chair_geo", shapes(), [corners(tree.box) for tree in shapes()])
    for split, ids in (("train", "100 103 101"), ("val", "104"), ("test", "106")):
        write_ids(hier / f"{split}_{SUBSET}.txt", ids.split())
    (tmp_path / "part_semantics").mkdir()
    vocabulary_of(shapes()).write(tmp_path / "part_semantics" / "Chair.txt")
    return tmp_path


def test_a_subset_is_imported_with_its_labels_and_splits(place: Path) -> None:
    table, out = place / "part_semantics" / "Chair.txt", place / "out" / "chairs.jsonl.gz"
    words = ("data", "import", place / "chair_hier", "--subset", SUBSET, "--labels", table)
    done = run(*words, "--out", out)
    assert done.exit_code == 0, done.output
    assert done.stderr == ""
    trees = shapegen.read(out)
    assert [tree.name for tree in trees] == ["100", "101", "103", "104", "106"]
    for tree in trees:
        (given,) = [each for each in shapes() if each.name == tree.name]
        np.testing.assert_array_equal(tree.box, given.box)
        assert tree.label == given.label
        assert len(tree.edges) == len(given.edges)
    assert read_ids(place / "out" / "chairs.train.txt") == ("100", "101", "103")
    assert read_ids(place / "out" / "chairs.val.txt") == ("104",)
    assert read_vocabulary(place / "out" / "chairs.labels.txt") == read_vocabulary(table)
    # Points are found by the ids of what was imported.
    points = read_geometry(place / "chair_geo", trees)
    np.testing.assert_allclose(points[4], corners(trees[4].box), atol=1e-6)


def test_the_split_of_an_id_is_frozen_whatever_else_is_in_the_folder(place: Path) -> None:
    hier = place / "chair_hier"
    for file in hier.glob("*.txt"):
        file.unlink()

    def lists(name: str) -> dict[str, str]:
        assert run("data", "import", hier, "--out", place / f"{name}.npz").exit_code == 0
        files = {split: place / f"{name}.{split}.txt" for split in ("train", "val", "test")}
        return {i: split for split, file in files.items() if file.exists() for i in read_ids(file)}

    before = lists("a")
    assert len(before) == 8
    shutil.copy(hier / "100.json", hier / "1.json")
    (hier / "103.json").unlink()
    (hier / "104.json").write_text("{")
    after = lists("b")
    assert sorted(after) == ["1", "100", "101", "102", "105", "106", "107"]
    assert all(after[each] == before[each] for each in after if each in before)


def test_sound_geometry_is_held_against_its_hierarchies(place: Path) -> None:
    for name in ("chair_hier", "chair_geo"):
        report = check(place / name)
        assert report.ok, report
        assert report.counts["shapes with points"] == 8
        assert not report.notes
    (place / "chair_geo" / "102.npz").unlink()
    report = check(place / "chair_hier")
    assert report.ok
    assert "1 shapes of" in report.notes[-1]
    shutil.rmtree(place / "chair_geo")
    assert "shapes with points" not in check(place / "chair_hier").counts


def test_geometry_of_the_wrong_number_of_nodes_is_found(place: Path) -> None:
    nodes = len(shapes()[3])
    path = place / "chair_geo" / "103.npz"
    np.savez(path, parts=np.load(path)["parts"][:-2])
    said = rf"103\.npz: 'parts' must have one row a node of shape '103' \({nodes}\); got"
    for name in ("chair_hier", "chair_geo"):
        done = run("data", "check", place / name)
        assert done.exit_code == 2
        (line,) = done.stderr.splitlines()
        assert f"({nodes}); got {nodes - 2}" in line
        assert len(check(place / name).problems) == 1
    with pytest.raises(ValueError, match=said):
        read_geometry(place / "chair_geo", shapes())


def test_a_damaged_file_leaves_the_others(place: Path) -> None:
    folder = place / "sets"
    folder.mkdir()
    shapegen.read(place / "chair_hier").write(folder / "good.npz")
    (folder / "cut.npz").write_bytes((folder / "good.npz").read_bytes()[:999])
    shutil.copy(place / "chair_geo" / "100.npz", folder / "points.npz")
    found = import_folder(folder)
    assert len(found.trees) == 8
    assert [failure.source for failure in found.failures] == ["cut.npz", "points.npz"]
    assert "damaged or cut off" in found.rejects[0]
