"""Point clouds of parts beside their hierarchies: the right rows, or one clear line."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from shapegen.data.check import check
from shapegen.data.part_points import read_geometry, read_part_points, write_geometry
from shapegen.structures.part_tree import PartTree
from tests.hand_made import chair

NODES = 16


def shuffled() -> PartTree:
    """A chair whose ids are not in the order of its nodes."""
    ids = np.random.default_rng(0).permutation(NODES)
    return replace(chair(), instance=ids, name="7")


def clouds(rows: int = NODES, points: int = 9) -> np.ndarray:
    return np.random.default_rng(1).normal(size=(rows, points, 3)).astype(np.float32)


def test_rows_are_found_by_id(tmp_path: Path) -> None:
    tree, parts = shuffled(), clouds()
    np.savez(tmp_path / "7.npz", parts=parts.astype(np.float64))
    found = read_part_points(tmp_path / "7.npz", tree)
    assert found.dtype == np.float32
    for node, identity in enumerate(tree.instance):
        np.testing.assert_array_equal(found[node], parts[identity])
    (again,) = read_geometry(tmp_path, [tree])
    np.testing.assert_array_equal(again, found)


def test_unlabelled_parts_are_found_by_their_parents(tmp_path: Path) -> None:
    ids = np.array([0, 1, 2, 3, 4, 5, -2, 6, 7, 8, 9, 10, 11, 12, 13, -1])
    tree = replace(chair(), instance=ids, name="7")
    parts, others = clouds(14), clouds(2) + 9
    np.savez(tmp_path / "7.npz", parts=parts, other_parts=others, other_ids=[6, 2])
    found = read_part_points(tmp_path / "7.npz", tree)
    np.testing.assert_array_equal(found[6], others[1])  # under node 2, which has the id 2
    np.testing.assert_array_equal(found[15], others[0])  # under node 7, which has the id 6
    np.testing.assert_array_equal(found[12], parts[11])
    assert check(tmp_path / "7.npz").counts == {"nodes": 16}
    np.savez(tmp_path / "7.npz", parts=parts)
    with pytest.raises(ValueError, match="'other_ids' has no row for node 6"):
        read_part_points(tmp_path / "7.npz", tree)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    ids = np.array([0, 1, 2, 3, 4, 5, -2, 6, 7, 8, 9, 10, 11, 12, 13, -1])
    trees = [replace(shuffled(), name="a"), replace(chair(), instance=ids, name="b")]
    points = [clouds(), clouds() + 1]
    write_geometry(tmp_path / "geo", trees, points)
    for given, found in zip(points, read_geometry(tmp_path / "geo", trees), strict=True):
        np.testing.assert_array_equal(given, found)
    with pytest.raises(ValueError, match="one cloud a node \\(16\\) is due; got 3"):
        write_geometry(tmp_path / "geo", trees[:1], [clouds(3)])
    with pytest.raises(ValueError, match=r"ids must be 0\.\.15"):
        write_geometry(tmp_path, [replace(chair(), instance=np.arange(NODES) + 1)], [clouds()])


def test_spare_rows_are_accepted_where_asked(tmp_path: Path) -> None:
    np.savez(tmp_path / "7.npz", parts=clouds(NODES + 2))
    assert len(read_part_points(tmp_path / "7.npz", shuffled(), spare=True)) == NODES


def holed() -> np.ndarray:
    parts = clouds()
    parts[3, 4, 1] = np.nan
    return parts


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "one node less": ({"parts": clouds(15)}, r"one row a node of shape '7' \(16\); got 15"),
    "two nodes more": ({"parts": clouds(18)}, r"one row a node of shape '7' \(16\); got 18"),
    "flat": ({"parts": clouds()[0]}, r"must be \(nodes, points, 3\) float; got \(9, 3\)"),
    "2D points": ({"parts": clouds()[..., :2]}, r"must be \(nodes, points, 3\)"),
    "no points": ({"parts": clouds(points=0)}, r"must be \(nodes, points, 3\)"),
    "integers": ({"parts": clouds().astype(int)}, "float; got .* int64"),
    "NaN": ({"parts": holed()}, r"must be finite; parts\[3, 4, 1\] is not"),
    "other arrays": ({"points": clouds()}, "'parts' .* is needed; its arrays are points"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_does_not_fit_is_said_in_one_line(tmp_path: Path, case: str) -> None:
    arrays, said = WRONG[case]
    np.savez(tmp_path / "7.npz", **arrays)
    with pytest.raises(ValueError, match=said) as caught:
        read_part_points(tmp_path / "7.npz", shuffled())
    assert "7.npz" in str(caught.value)
    assert "\n" not in str(caught.value)
    if "row" not in said and "parts" in arrays:
        assert not check(tmp_path / "7.npz").ok


def test_ids_beyond_the_rows_and_other_sizes_are_refused(tmp_path: Path) -> None:
    tree = replace(chair(), instance=np.arange(NODES) + 1, name="7")
    np.savez(tmp_path / "7.npz", parts=clouds())
    with pytest.raises(
        ValueError, match=r"node 15 .* has the id 16; 'parts' has the rows 0\.\.15"
    ):
        read_part_points(tmp_path / "7.npz", tree)
    np.savez(tmp_path / "8.npz", parts=clouds(points=8))
    trees = [shuffled(), replace(shuffled(), name="8")]
    with pytest.raises(ValueError, match="equally many points a part; got 9 of '7', 8 of '8'"):
        read_geometry(tmp_path, trees)
    with pytest.raises(FileNotFoundError, match=r"9\.npz"):
        read_geometry(tmp_path, [replace(shuffled(), name="9")])
    with pytest.raises(ValueError, match="must be that of a file"):
        read_geometry(tmp_path, [replace(shuffled(), name="../7")])


def test_a_mismatch_of_the_unlabelled_rows_is_said(tmp_path: Path) -> None:
    ids = np.array([*range(15), -1])
    tree = replace(chair(), instance=ids, name="7")
    np.savez(tmp_path / "7.npz", parts=clouds(15), other_parts=clouds(2), other_ids=[7])
    with pytest.raises(ValueError, match=r"one entry a row of 'other_parts' \(2\); got 1"):
        read_part_points(tmp_path / "7.npz", tree)
    np.savez(tmp_path / "7.npz", parts=clouds(15), other_parts=clouds(1, 8), other_ids=[7])
    with pytest.raises(ValueError, match=r"'other_parts' must be \(rows, 9, 3\)"):
        read_part_points(tmp_path / "7.npz", tree)
