"""GRASS's arrays: the same numbers in and out, frames, repairs, and malformed files."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from shapegen.core.boxes import axes
from shapegen.formats.mat import write_mat
from shapegen.formats.npz import read_arrays, write_arrays
from shapegen.structures.grass_arrays import read_grass_arrays
from shapegen.structures.grass_files import read_grass, write_grass
from shapegen.structures.merge_tree import ADJ, BOX, REFLECTIVE, SYM, MergeTree
from shapegen.structures.repair import RepairReport, RepairWarning

UNIT = [1.0, 0, 0, 0, 1, 0]
SEAT = [0.0, 0.25, 0, 0.5, 0.125, 0.5, *UNIT]
LEG = [0.25, 0, 0.125, 0.125, 0.5, 0.125, *UNIT]
MIRROR = [REFLECTIVE, 0, 0, 1, 0, 0, 0, 0]


def arrays(count: int = 3) -> dict[str, Any]:
    """A seat and a mirrored leg, ``count`` times, with padding of odd sizes."""
    ops = np.full((count, 7), -1, dtype=np.int8)
    boxes = np.zeros((count, 5, 12), dtype=np.float32)
    syms = np.zeros((count, 2, 8), dtype=np.float32)
    ops[:, :4] = [BOX, BOX, SYM, ADJ]
    boxes[:, 0], boxes[:, 1] = SEAT, LEG
    boxes[:, 0, 1] += np.arange(count) / 8
    syms[:, 0] = MIRROR
    return {"boxes": boxes, "ops": ops, "syms": syms, "index": np.arange(count) * 10}


def put(folder: Path, **changes: Any) -> Path:
    values = arrays() | changes
    write_arrays(folder / "a.npz", {k: v for k, v in values.items() if v is not None})
    return folder / "a.npz"


def mat(folder: Path, **changes: Any) -> Path:
    values = arrays()
    flat = {
        "boxes": values["boxes"].reshape(-1, 12).T.astype(np.float64),
        "ops": values["ops"].T.astype(np.int16),
        "syms": values["syms"].reshape(-1, 8).T.astype(np.float64),
    } | changes
    for name, stem in (("boxes", "box"), ("ops", "op"), ("syms", "sym")):
        write_mat(folder / f"{stem}_data.mat", {name: flat[name]})
    return folder


def merge_of(tree: Any) -> MergeTree:
    assert tree.merge is not None
    return tree.merge  # type: ignore[no-any-return]


def test_the_file_frame_has_the_numbers_of_the_file(tmp_path: Path) -> None:
    trees = read_grass(put(tmp_path), frame="file")
    assert [tree.name for tree in trees] == ["0", "10", "20"]
    for number, tree in enumerate(trees):
        merge = merge_of(tree)
        assert tree.front == "+x"
        np.testing.assert_array_equal(merge.boxes, arrays()["boxes"][number, :2])
        np.testing.assert_array_equal(merge.syms, arrays()["syms"][number, :1])
        assert merge.ops.tolist() == [BOX, BOX, SYM, ADJ]


def test_the_toolkit_frame_is_a_quarter_turn(tmp_path: Path) -> None:
    path = put(tmp_path)
    for own, turned in zip(read_grass(path, frame="file"), read_grass(path), strict=True):
        assert turned.front == "+z"
        # Left-right of the file is z, and the mirror's normal; here it is x.
        assert np.abs(merge_of(turned).syms[0, 1:4]).tolist() == [1, 0, 0]
        np.testing.assert_array_equal(merge_of(own.facing("+z")).boxes, merge_of(turned).boxes)
        np.testing.assert_allclose(own.facing("+z").boxes(), turned.boxes(), atol=1e-12)
        back = merge_of(turned.facing("+x"))
        np.testing.assert_array_equal(back.boxes, merge_of(own).boxes)
        np.testing.assert_array_equal(back.syms, merge_of(own).syms)


def test_symmetries_are_expanded(tmp_path: Path) -> None:
    (tree, *_) = read_grass(put(tmp_path))
    leaves = tree.boxes()
    assert len(leaves) == 3
    legs = leaves[np.argsort(leaves[:, 4])[-2:]]
    np.testing.assert_allclose(np.sort(legs[:, 0]), [-0.125, 0.125], atol=1e-12)
    np.testing.assert_allclose(legs[:, 2], 0.25, atol=1e-12)


@pytest.mark.parametrize("target", ["b.npz", "b.mat", "folder", "box_data.mat", "deep/er"])
def test_writing_and_reading_gives_the_same_numbers(tmp_path: Path, target: str) -> None:
    trees = read_grass(put(tmp_path))
    write_grass(trees, tmp_path / target)
    again = read_grass(tmp_path / target)
    assert len(again) == len(trees)
    for one, other in zip(trees, again, strict=True):
        np.testing.assert_array_equal(merge_of(one).ops, merge_of(other).ops)
        np.testing.assert_array_equal(merge_of(one).boxes, merge_of(other).boxes)
        np.testing.assert_array_equal(merge_of(one).syms, merge_of(other).syms)
        np.testing.assert_array_equal(one.box, other.box)
    assert read_grass_arrays(tmp_path / target).ops.shape == (3, 50)


@pytest.mark.parametrize("name", ["b.npz", "b.mat"])
def test_equal_trees_give_equal_bytes(tmp_path: Path, name: str) -> None:
    trees = read_grass(put(tmp_path))
    write_grass(trees, tmp_path / name)
    write_grass(trees, tmp_path / f"2{name}")
    assert (tmp_path / name).read_bytes() == (tmp_path / f"2{name}").read_bytes()


def test_the_padding_is_that_of_the_file_and_grows_with_the_trees(tmp_path: Path) -> None:
    count = 40
    boxes = np.tile(LEG, (1, count, 1))
    boxes[0, :, 0] = np.arange(count)
    ops = np.array([[BOX] * count + [ADJ] * (count - 1)])
    path = put(tmp_path, boxes=boxes, ops=ops, syms=np.zeros((1, 0, 8)), index=None)
    trees = read_grass(path)
    assert trees[0].name == "0"
    write_grass(trees, tmp_path / "b.npz")
    written = read_grass_arrays(tmp_path / "b.npz")
    assert (written.boxes.shape, written.ops.shape) == ((1, 40, 12), (1, 79))
    assert written.syms.shape == (1, 10, 8)


def test_any_of_the_three_files_stands_for_all(tmp_path: Path) -> None:
    folder = mat(tmp_path)
    for path in (folder, folder / "op_data.mat", folder / "sym_data.mat"):
        trees = read_grass(path)
        assert [tree.name for tree in trees] == ["0", "1", "2"]
    np.testing.assert_array_equal(
        merge_of(read_grass(folder, frame="file")[1]).boxes, arrays()["boxes"][1, :2]
    )


def test_bad_boxes_are_mended_but_not_in_the_merge_tree(tmp_path: Path) -> None:
    boxes = arrays()["boxes"]
    boxes[1, 1, 6:9] = [0.75, 0, 0]
    boxes[2, 0, 4] = 0
    path = put(tmp_path, boxes=boxes)
    with pytest.warns(RepairWarning, match=r"a\.npz: 1 not unit .*, 1 zero side .*; 6 boxes$"):
        trees = read_grass(path)
    assert np.linalg.norm(merge_of(trees[1]).boxes[1, 6:9]) == 0.75
    np.testing.assert_allclose(np.linalg.norm(trees[1].box[:, 6:9], axis=1), 1, atol=1e-12)
    assert merge_of(trees[2]).boxes[0, 4] == 0
    assert trees[2].boxes()[:, 3:6].min() > 0
    for tree in trees:
        frames = axes(tree.box)
        np.testing.assert_allclose(frames[:, 0], tree.box[:, 6:9], atol=1e-9)
    report = RepairReport()
    read_grass(path, report=report)
    assert report.counts == {"not unit": 1, "zero side": 1}
    with pytest.raises(ValueError, match="shape 1: box 1: not unit"):
        read_grass(path, repair="refuse")
    kept = read_grass(path, repair="keep", report=RepairReport())
    assert merge_of(kept[1]).boxes[1, 6:9].tolist() == merge_of(trees[1]).boxes[1, 6:9].tolist()


def changed(name: str, index: Any, value: Any) -> dict[str, Any]:
    array = arrays()[name].astype(np.float64)
    array[index] = value
    return {name: array}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"syms": None}, "boxes, ops and syms are needed; no syms"),
        ({"boxes": np.zeros((3, 5, 10))}, r"boxes must be an array \(3, any, 12\)"),
        ({"boxes": np.zeros((2, 5, 12))}, r"boxes must be an array \(3, any, 12\)"),
        ({"syms": np.zeros((3, 8))}, r"syms must be an array \(3, any, 8\)"),
        ({"ops": np.zeros((3, 7, 1))}, r"ops must be an array \(3, any\)"),
        ({"ops": np.full((3, 7), "a")}, "of numbers; got .*U1"),
        ({"index": np.arange(2)}, r"index must be an array \(3\)"),
        ({"index": np.arange(3) * 0.5}, "index must be whole numbers"),
        ({k: v[:0] for k, v in arrays().items()}, "holds no shapes"),
        (changed("ops", (1, 1), 3), "shape 1: ops must be 0"),
        (changed("ops", (1, 1), 0.5), "shape 1: ops must be 0"),
        (changed("ops", (1, 1), np.nan), "shape 1: ops must be 0"),
        (changed("ops", (1, 1), -1), "shape 1: ops must be at least one box, then padding"),
        (changed("ops", (1, slice(None)), -1), "shape 1: ops must be at least one box"),
        (changed("ops", (1, 3), BOX), "shape 1: ops must be one tree in post-order"),
        (changed("ops", (1, 0), ADJ), "shape 1: ops must be one tree in post-order"),
        (changed("ops", (1, slice(None)), BOX), "name 7 boxes and 0 .* room for 5 and 2"),
        (changed("boxes", (2, 1, 3), np.nan), "shape 2: box 1: a box must be finite"),
        (changed("boxes", (2, 1, 3), 1e9), "shape 2: box 1: numbers of a box"),
        (changed("syms", (0, 0, 1), np.inf), "shape 0: boxes and symmetries must be finite"),
    ],
)
def test_what_is_malformed_is_named(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    path = put(tmp_path, **changes)
    with pytest.raises(ValueError, match=message) as caught:
        read_grass(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_what_stands_in_the_padding_does_not_matter(tmp_path: Path) -> None:
    trees = read_grass(put(tmp_path, **changed("boxes", (slice(None), 4), np.nan)))
    assert len(trees) == 3


def test_reading_goes_on_where_it_is_asked_to(tmp_path: Path) -> None:
    rejects: list[str] = []
    path = put(tmp_path, **changed("ops", (1, 3), BOX))
    assert [tree.name for tree in read_grass(path, rejects=rejects)] == ["0", "20"]
    assert len(rejects) == 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"boxes": np.zeros((12, 16))}, "columns for each of the 3 shapes of ops; got 16"),
        ({"boxes": np.zeros((10, 15))}, r"boxes must be an array \(12, any\)"),
        ({"ops": np.zeros((0, 0))}, "shapes of ops"),
    ],
)
def test_a_malformed_mat_is_named(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_grass(mat(tmp_path, **changes))


def test_a_missing_mat_file_is_named(tmp_path: Path) -> None:
    (mat(tmp_path) / "sym_data.mat").unlink()
    with pytest.raises(FileNotFoundError, match=r"no such file or folder: .*sym_data\.mat"):
        read_grass(tmp_path)


def test_the_published_chairs(data_path: Path, tmp_path: Path) -> None:
    report = RepairReport()
    started = time.process_time()
    trees = read_grass(data_path / "grass" / "grass_chairs.npz", report=report)
    assert time.process_time() - started < 15  # 2 s where this was written
    assert len(trees) == 2000
    assert report.counts["zero side"] == 15
    # The back of a chair is behind: the highest leaves' mean z is negative.
    behind = [tree.boxes()[tree.boxes()[:, 1].argmax(), 2] < 0 for tree in trees]
    assert np.mean(behind) > 0.9
    write_grass(trees, tmp_path / "a.npz")
    given = read_arrays(data_path / "grass" / "grass_chairs.npz")
    written = read_arrays(tmp_path / "a.npz")
    for name, array in given.items():
        np.testing.assert_array_equal(written[name], array)


def test_the_published_mat_sample(data_path: Path) -> None:
    report = RepairReport()
    trees = read_grass(data_path / "grass" / "mat_sample", frame="file", report=report)
    assert len(trees) == 64
    stored = read_grass_arrays(data_path / "grass" / "mat_sample")
    assert stored.boxes.shape == (64, 30, 12)
    for number, tree in enumerate(trees):
        merge = merge_of(tree)
        np.testing.assert_array_equal(merge.boxes, stored.boxes[number, : len(merge.boxes)])
