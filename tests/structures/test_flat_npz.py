"""Our own archive of part trees: nothing is lost, and nothing that is damaged passes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from shapegen.formats.npz import read_arrays, write_arrays
from shapegen.structures.flat_npz import read_flat, write_flat
from shapegen.structures.merge_tree import ADJ, BOX, SYM, MergeTree
from shapegen.structures.part_tree import PartTree, Relation, RelationKind

BOXES = np.tile([0.1, 0, 0, 1, 1 / 3, 1, 1.0, 0, 0, 0, 1, 0], (4, 1))
MIRROR = [1.0, 1, 0, 0, 0, 0, 0, 0]


def trees() -> list[PartTree]:
    edges = (
        Relation(RelationKind.ADJ, 1, 2, (), 0.25),
        Relation(RelationKind.REF_SYM, 1, 3, (0.0, 0.1, 0.2, 1.0, 0.0, 0.0)),
        Relation(RelationKind.ROT_SYM, 2, 3, (0, 0, 0, 0, 1, 0, 1.5), 1e-17),
    )
    merge = MergeTree(ops=np.array([BOX, BOX, SYM, ADJ]), boxes=BOXES[:2], syms=np.array([MIRROR]))
    tree = PartTree(
        box=BOXES,
        parent=np.array([-1, 0, 0, 0]),
        label=("a", "a/b", "a/ü\0", ""),
        edges=edges,
        instance=np.array([7, 3, -2, 9]),
        name="first\n",
        front="+x",
        merge=merge,
    )
    labelled = replace(merge, labels=("a/b", "x"))
    points = np.arange(4 * 2 * 3, dtype=np.float32).reshape(4, 2, 3) / 7
    return [
        replace(tree, part_points=points),
        PartTree(BOXES[:1], np.array([-1]), ("lamp",)),
        replace(tree, merge=labelled, part_points=points[:, :1] + 1),
    ]


def test_nothing_is_lost(tmp_path: Path) -> None:
    write_flat(trees(), tmp_path / "a.npz")
    read = read_flat(tmp_path / "a.npz")
    for one, other in zip(trees(), read, strict=True):
        np.testing.assert_array_equal(one.box, other.box)
        np.testing.assert_array_equal(one.parent, other.parent)
        np.testing.assert_array_equal(one.instance, other.instance)
        assert (one.label, one.edges, one.name, one.front) == (
            other.label,
            other.edges,
            other.name,
            other.front,
        )
        np.testing.assert_array_equal(one.part_points, other.part_points)
        assert (one.merge is None) == (other.merge is None)
        if one.merge is not None and other.merge is not None:
            np.testing.assert_array_equal(one.merge.ops, other.merge.ops)
            np.testing.assert_array_equal(one.merge.boxes, other.merge.boxes)
            np.testing.assert_array_equal(one.merge.syms, other.merge.syms)
            assert one.merge.labels == other.merge.labels
    write_flat(read, tmp_path / "b.npz")
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


@pytest.mark.parametrize(
    ("name", "index", "value", "message"),
    [
        ("box", (1, 0), np.nan, "shape 0: node 1: a box must be finite"),
        ("parent", 2, 3, "shape 0: parents must come before"),
        ("label", 1, 99, "shape 0: label must be 0"),
        ("label", 1, -1, "shape 0: label must be 0"),
        ("nodes", 0, 5, "nodes must add up to the rows"),
        ("nodes", 0, -1, "one count a shape"),
        ("nodes", 1, 0, "at least one node"),
        ("edges", 0, 2**62, "edges must add up to the rows"),
        ("edge_kind", 0, 4, "shape 0: edge_kind must be 0..3; got 4"),
        ("edge_nodes", (0, 0), 9, "shape 0: a relation must link nodes"),
        ("edge_params", (1, 0), np.inf, "shape 0: parameters of a relation must be finite"),
        ("merge_nodes", 0, 3, "merge_nodes must add up"),
        ("merge_ops", 0, 1, "merge_boxes must have 3 rows"),
        ("merge_syms", (0, 1), np.nan, "shape 0: boxes and symmetries must be finite"),
        ("text", 0, 0, "not valid JSON"),
        ("points", 0, 5, r"part_points must be \(24, 3\) float, as points says; got \(12, 3\)"),
        ("points", 1, -1, "points must have one count a shape"),
        ("part_points", (0, 0), np.nan, "shape 0: points must be finite"),
    ],
)
def test_what_is_damaged_is_named(
    tmp_path: Path, name: str, index: Any, value: Any, message: str
) -> None:
    path = tmp_path / "a.npz"
    write_flat(trees(), path)
    arrays = read_arrays(path)
    arrays[name][index] = value
    write_arrays(path, arrays)
    with pytest.raises(ValueError, match=message) as caught:
        read_flat(path)
    assert str(caught.value).startswith(str(path))


@pytest.mark.parametrize("name", ["box", "text", "edge_kind"])
def test_another_shape_or_type_is_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / "a.npz"
    write_flat(trees(), path)
    arrays = read_arrays(path)
    write_arrays(path, arrays | {name: arrays[name].astype(np.complex128)})
    with pytest.raises(ValueError, match=f"{name} must be an array .* complex128"):
        read_flat(path)


def test_one_bad_shape_can_be_left_out(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    write_flat(trees(), path)
    arrays = read_arrays(path)
    arrays["parent"][2] = 3
    write_arrays(path, arrays)
    rejects: list[str] = []
    assert len(read_flat(path, rejects=rejects)) == 2
    assert len(rejects) == 1


def test_nothing_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="at least one shape"):
        write_flat([], tmp_path / "a.npz")
