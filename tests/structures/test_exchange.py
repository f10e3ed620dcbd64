"""Two shapes exchange a part: twice is nothing, the rest stays; scenes give their trees back."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest

from shapegen.core import boxes as box_algebra
from shapegen.data.furniture import furniture
from shapegen.scene import Node, Points, Scene
from shapegen.structures.exchange import exchange
from shapegen.structures.lowering import part_tree_scene
from shapegen.structures.motion import rotation
from shapegen.structures.part_tree import PartTree, Relation, RelationKind
from shapegen.structures.relations import residuals
from shapegen.structures.scene_trees import tree_of_scene
from shapegen.structures.subtrees import below


def shared(a: PartTree, b: PartTree) -> list[tuple[int, int]]:
    """All pairs of parts with equal labels, the first of each label."""
    return [
        (a.label.index(label), b.label.index(label))
        for label in dict.fromkeys(a.label[1:])
        if label in b.label[1:]
    ]


@pytest.fixture(scope="module")
def chairs() -> list[PartTree]:
    return list(furniture(4, category="chair", seed=3))


def region(box: np.ndarray) -> np.ndarray:
    corners = box_algebra.corners(box[None])[0].round(9)
    return np.unique(corners, axis=0)


def test_exchanged_twice_is_nothing(chairs: list[PartTree]) -> None:
    moved = 0.0
    for a, b in zip(chairs[::2], chairs[1::2], strict=True):
        for own, other in shared(a, b):
            first, second = exchange(a, own, b, other)
            moved = max(moved, *(_apart(first, a), _apart(second, b)))
            for back, before in zip(exchange(first, own, second, other), (a, b), strict=True):
                np.testing.assert_allclose(back.box, before.box, atol=1e-9)
                assert back.label == before.label
                np.testing.assert_array_equal(back.parent, before.parent)
                assert len(back.edges) == len(before.edges)
                for one, two in zip(_sorted(back), _sorted(before), strict=True):
                    assert (one.kind, one.a, one.b) == (two.kind, two.a, two.b)
                    np.testing.assert_allclose(one.params, two.params, atol=1e-9)
    assert moved > 0.01


def _apart(a: PartTree, b: PartTree) -> float:
    """How far boxes moved; of trees of other sizes: far."""
    return float(np.abs(a.box - b.box).max()) if len(a) == len(b) else 1.0


def _sorted(tree: PartTree) -> list[Relation]:
    return sorted(tree.edges, key=lambda edge: (edge.a, edge.b, edge.kind))


def test_parts_fill_the_box_of_the_other_and_the_rest_stays(chairs: list[PartTree]) -> None:
    sizes = set()
    for a, b in itertools.pairwise(chairs):
        for own, other in shared(a, b):
            first, second = exchange(a, own, b, other)
            mine, theirs = len(below(a, own)), len(below(b, other))
            sizes.add(theirs - mine)
            assert len(first) == len(a) - mine + theirs
            assert len(first) + len(second) == len(a) + len(b)
            np.testing.assert_array_equal(region(first.box[own]), region(a.box[own]))
            np.testing.assert_array_equal(region(second.box[other]), region(b.box[other]))
            for after, before, at, gone, came in (
                (first, a, own, mine, theirs),
                (second, b, other, theirs, mine),
            ):
                keep = np.delete(before.box, slice(at, at + gone), axis=0)
                np.testing.assert_array_equal(
                    np.delete(after.box, slice(at, at + came), axis=0), keep
                )
                assert after.label[:at] == before.label[:at]
                assert after.label[at + came :] == before.label[at + gone :]
                np.testing.assert_array_equal(after.instance[: at + 1], before.instance[: at + 1])
                assert len(set(after.instance.tolist())) == len(after)
            assert first.label[own : own + theirs] == b.label[other : other + theirs]
    assert len(sizes) > 1  # parts of different numbers of parts were among them


def table(x_scale: float, kind: RelationKind, params: tuple[float, ...]) -> PartTree:
    """A base of two legs with a relation, under a root."""
    rows = [[0, 0.5, 0, 2, 1, 1], [0, 0.5, 0, 2, 1, 1], [-0.9, 0.5, 0, 0.2, 1, 0.2]]
    rows.append([0.9, 0.5, 0, 0.2, 1, 0.2])
    boxes = np.array([[*row, 1, 0, 0, 0, 1, 0] for row in rows])
    boxes[:, [0, 3]] *= x_scale
    label = ("table", "table/base", *["table/base/leg"] * 2)
    return PartTree(boxes, np.array([-1, 0, 1, 1]), label, (Relation(kind, 2, 3, params),))


@pytest.mark.parametrize(
    ("kind", "params"),
    [
        (RelationKind.REF_SYM, (0.0, 0.3, 0.2, 1.0, 0.0, 0.0)),
        (RelationKind.TRANS_SYM, (1.8, 0.0, 0.0)),
        (RelationKind.ROT_SYM, (0.0, 0.0, 0.0, 0.0, 1.0, 0.0, np.pi)),
        (RelationKind.ADJ, ()),
    ],
)
def test_relations_inside_hold_of_the_stretched_parts(
    kind: RelationKind, params: tuple[float, ...]
) -> None:
    a = table(1.0, kind, params)
    lean = replace(a, box=a.box * [1, 1, 1, 0.5, 1, 2, *[1] * 6] + 2 * np.eye(12)[0], edges=())
    first, second = exchange(a, 1, lean, 1)
    assert not first.edges
    assert [(edge.kind, edge.a, edge.b) for edge in second.edges] == [(kind, 2, 3)]
    if kind is not RelationKind.ADJ:
        assert residuals(a) == pytest.approx(0, abs=1e-9)
        assert residuals(second) == pytest.approx(0, abs=1e-9)
    np.testing.assert_allclose(second.box[2, :6], [2 - 0.45, 0.5, 0, 0.1, 1, 0.4])


def test_planes_go_where_their_points_go() -> None:
    a = table(1.0, RelationKind.REF_SYM, (0.5, 0.3, 0.2, 0.6, 0.0, 0.8))
    b = replace(a, box=a.box * [1, 1, 1, 0.5, 1, 2, *[1] * 6] + 2 * np.eye(12)[0], edges=())
    point, normal = np.reshape(exchange(a, 1, b, 1)[1].edges[0].params, (2, 3))
    # Of the box of a to that of b: half as wide, twice as deep, two to the right.
    for own in ([0.5, 0.3, 0.2], [0.5, 9.0, 0.2], [0.5 - 0.8, 0.3, 0.2 + 0.6]):
        there = np.array(own) * [0.5, 1, 2] + [2, 0, 0]
        assert (there - point) @ normal == pytest.approx(0, abs=1e-12)
    assert np.linalg.norm(normal) == pytest.approx(1)


def test_fronts_may_differ(chairs: list[PartTree]) -> None:
    a, b = chairs[:2]
    own, other = shared(a, b)[0]
    straight = exchange(a, own, b, other)
    turned = exchange(a.facing("+x"), own, b, other)
    assert turned[0].front == "+x"
    np.testing.assert_allclose(turned[0].facing("+z").box, straight[0].box, atol=1e-9)
    np.testing.assert_allclose(turned[1].box, straight[1].box, atol=1e-9)


def test_tilted_parts_fill_tilted_boxes() -> None:
    a = table(1.0, RelationKind.ADJ, ())
    b = a.transformed(rotation=rotation(np.eye(3)[1], 0.3), scale=2.0)
    first, second = exchange(a, 1, b, 1)
    np.testing.assert_allclose(first.box, a.box, atol=1e-12)
    np.testing.assert_allclose(second.box, b.box, atol=1e-12)


def test_other_labels_and_roots_are_refused(chairs: list[PartTree]) -> None:
    a, b = chairs[:2]
    seat, back = a.label.index("chair/chair_seat"), b.label.index("chair/chair_back")
    with pytest.raises(ValueError, match="equal labels; got 'chair/chair_seat' and 'chair/chair_"):
        exchange(a, seat, b, back)
    with pytest.raises(ValueError, match="root is the whole shape; name a part to exchange"):
        exchange(a, seat, b, 0)
    with pytest.raises(ValueError, match=f"from 1 to {len(a) - 1}; got {len(a)}"):
        exchange(a, len(a), b, back)


def test_scenes_give_their_trees_back(chairs: list[PartTree]) -> None:
    for tree in (*chairs, table(1.0, RelationKind.TRANS_SYM, (1.8, 0.0, 0.0))):
        found = tree_of_scene(part_tree_scene(tree))
        assert (found.label, found.name, found.front) == (tree.label, tree.name, "+z")
        np.testing.assert_array_equal(found.box, tree.facing("+z").box)
        np.testing.assert_array_equal(found.parent, tree.parent)
        np.testing.assert_array_equal(found.instance, tree.instance)
        bare = [replace(edge, dist=None) for edge in tree.edges]
        assert {(e.kind, e.a, e.b, e.params) for e in found.edges} == {
            (e.kind, e.a, e.b, tuple(map(float, e.params))) for e in bare
        }
    with pytest.raises(ValueError, match="it is no part tree"):
        tree_of_scene(Scene((Node("a", primitive=Points(np.eye(3))),)))
    nodes = part_tree_scene(chairs[0]).nodes
    cloud = replace(nodes[-1], primitive=Points(np.eye(3)))
    with pytest.raises(ValueError, match="only parts that are boxes"):
        tree_of_scene(Scene((*nodes[:-1], cloud)))
