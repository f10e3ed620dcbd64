"""Any file of shapes: chosen by extension and content, and refused clearly."""

from __future__ import annotations

import json
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from shapegen.data.files import read
from shapegen.structures.files import WRITE_EXTENSIONS, read_part_trees, write_part_trees
from shapegen.structures.part_tree import PartTrees
from shapegen.structures.repair import RepairWarning
from tests.hand_made import UNIT, stools


@pytest.mark.parametrize(
    "name", ["a.json", "a.json.gz", "a.jsonl", "a.jsonl.gz", "a.npz", "a.mat", "a", "A.JSONL"]
)
def test_shapes_come_back(tmp_path: Path, name: str) -> None:
    trees = stools()
    write_part_trees(trees, tmp_path / name)
    again = read(tmp_path / name)
    assert len(again) == 2
    for one, other in zip(trees, again, strict=True):
        np.testing.assert_allclose(one.boxes(), other.boxes(), atol=1e-12)
        if name != "a.mat":
            assert one.label == other.label
            # JSON lists relations by parent.
            assert set(one.edges) == set(other.edges)
            assert len(one.edges) == len(other.edges)
            np.testing.assert_array_equal(one.box, other.box)


def test_a_folder_gets_a_file_a_shape(tmp_path: Path) -> None:
    stools().write(tmp_path / "out")
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["0000.json", "0001.json"]
    root = json.loads((tmp_path / "out" / "0001.json").read_text())
    assert root["name"] == "1"
    (tmp_path / "out" / "manifest.json").write_text("{}")
    write_part_trees(stools(), tmp_path / "out" / "samples.jsonl")
    assert len(read(tmp_path / "out")) == 2
    write_part_trees(stools(), tmp_path / "npz", extension="npz")
    assert sorted(p.name for p in (tmp_path / "npz").iterdir()) == ["0000.npz", "0001.npz"]
    assert len(read(tmp_path / "npz")) == 2
    with pytest.raises(ValueError, match=r"part trees are written as \.json"):
        write_part_trees(stools(), tmp_path / "other", extension="exe")
    assert not (tmp_path / "other").exists()


def test_one_shape_is_written_through_its_own_method(tmp_path: Path) -> None:
    stools()[1].write(tmp_path / "a.json")
    assert read(tmp_path / "a.json")[0].name == "1"


@pytest.mark.parametrize("extension", [".glb", ".obj", ".ply", ".stl", ".png"])
def test_scenes_are_written(tmp_path: Path, extension: str) -> None:
    write_part_trees(stools(), tmp_path / f"a{extension}")
    assert (tmp_path / f"a{extension}").stat().st_size > 100


def test_a_glb_of_ours_gives_its_trees_back(tmp_path: Path) -> None:
    trees = stools()
    for number, tree in enumerate(trees):
        tree.write(tmp_path / f"{number}.glb")
        (again,) = read(tmp_path / f"{number}.glb")
        assert (again.label, again.name) == (tree.label, tree.name)
        assert {replace(e, dist=None) for e in tree.edges} == set(again.edges)
        np.testing.assert_array_equal(again.box, tree.box)
        np.testing.assert_array_equal(again.instance, tree.instance)
    trees.write(tmp_path / "both.glb")
    assert [tree.name for tree in read(tmp_path / "both.glb")] == ["0", "1"]


def test_a_glb_that_another_program_saved_is_measured(tmp_path: Path) -> None:
    stools()[1].write(tmp_path / "a.glb")
    data = (tmp_path / "a.glb").read_bytes()
    # As long, so that the declared lengths stay true.
    (tmp_path / "a.glb").write_bytes(data.replace(b'"shapegen"', b'"sculptor"'))
    (tree,) = read(tmp_path / "a.glb")
    given = stools()[1]
    assert sorted(tree.label) == sorted(given.label)
    np.testing.assert_allclose(
        np.sort(tree.boxes()[:, :3], axis=0), np.sort(given.boxes()[:, :3], axis=0), atol=1e-6
    )


def test_another_extension_is_refused_with_the_accepted_ones(tmp_path: Path) -> None:
    with pytest.raises(ValueError) as caught:
        write_part_trees(stools(), tmp_path / "a.docx")
    assert all(extension in str(caught.value) for extension in WRITE_EXTENSIONS)
    assert "got .docx" in str(caught.value)
    (tmp_path / "a.docx").touch()
    for reader in (read, read_part_trees):
        with pytest.raises(ValueError, match=r"\.jsonl\.gz, \.npz, \.mat.* got \.docx"):
            reader(tmp_path / "a.docx")
    with pytest.raises(ValueError, match="at least one shape"):
        write_part_trees(PartTrees([]), tmp_path / "a.json")
    assert [p.name for p in tmp_path.iterdir()] == ["a.docx"]


def test_a_missing_file_or_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"^no such file or folder: .*chairs\.json$"):
        read(tmp_path / "chairs.json")
    with pytest.raises(ValueError, match="holds no file of part trees; accepted are"):
        read(tmp_path)


def test_point_clouds_are_not_part_trees(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", points=np.zeros((2, 8, 3)))
    with pytest.raises(ValueError, match="boxes, ops and syms are needed"):
        read_part_trees(tmp_path / "a.npz")


def test_the_warning_points_at_the_caller(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    box = [0, 0, 0, 1, 1, 0, *UNIT]
    path.write_text(json.dumps({"id": 0, "label": "a", "box": box}))
    for reader in (read, read_part_trees):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            reader(path)
        assert [(w.category, w.filename) for w in caught] == [(RepairWarning, __file__)]


def test_an_old_file_survives_a_failure(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    write_part_trees(stools(), path)
    before = path.read_bytes()
    twins = stools()[0]
    twins.instance[:] = 0
    with pytest.raises(ValueError, match="instance ids must be unique"):
        write_part_trees([twins], path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["a.jsonl"]
