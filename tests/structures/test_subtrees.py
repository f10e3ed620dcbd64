"""Subtrees taken out and put in, and the images that relations state."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from shapegen.data.furniture import furniture
from shapegen.structures.motion import corner_distances
from shapegen.structures.part_tree import PartTree, Relation, RelationKind
from shapegen.structures.subtrees import (
    Motion,
    below,
    grafted,
    images,
    mask_below,
    pruned,
    subtree,
)
from tests.structures.structurenet_cases import random_tree


@pytest.fixture(params=range(1, 6))
def tree(request: pytest.FixtureRequest) -> PartTree:
    return random_tree(request.param)


def relations(tree: PartTree) -> set[tuple[int, int, RelationKind, tuple[float, ...]]]:
    ids = tree.instance
    return {(int(ids[e.a]), int(ids[e.b]), e.kind, e.params) for e in tree.edges}


def test_a_subtree_is_what_is_below(tree: PartTree) -> None:
    for node in range(len(tree)):
        rows = list(below(tree, node))
        inside = [n for n in range(len(tree)) if n == node or _above(tree, n, node)]
        assert rows == inside
        piece = subtree(tree, node)
        np.testing.assert_array_equal(piece.box, tree.box[rows])
        assert piece.label == tuple(tree.label[n] for n in rows)
        ids = set(tree.instance[rows[1:]].tolist())
        assert relations(piece) == {e for e in relations(tree) if e[0] in ids and e[1] in ids}


def _above(tree: PartTree, node: int, other: int) -> bool:
    while node >= 0:
        node = int(tree.parent[node])
        if node == other:
            return True
    return False


def test_a_subtree_put_back_makes_the_tree(tree: PartTree) -> None:
    for node in range(1, len(tree)):
        result = grafted(tree, {node: subtree(tree, node)})
        np.testing.assert_array_equal(result.tree.box, tree.box)
        np.testing.assert_array_equal(result.tree.parent, tree.parent)
        assert result.tree.label == tree.label
        assert {(e.a, e.b, e.kind) for e in result.tree.edges} == {
            (e.a, e.b, e.kind) for e in tree.edges
        }
        assert result.place == {node: node}
        fresh = mask_below(tree, [node])
        assert (result.tree.instance[fresh] > tree.instance.max()).all()
        np.testing.assert_array_equal(result.tree.instance[~fresh], tree.instance[~fresh])
        np.testing.assert_array_equal(result.origin >= 0, ~fresh | (np.arange(len(tree)) == node))


def test_an_added_part_is_the_last_child(tree: PartTree) -> None:
    piece = subtree(tree, len(tree) - 1)
    result = grafted(tree, {}, [(0, piece), (0, piece)])
    assert len(result.tree) == len(tree) + 2 * len(piece)
    assert list(result.tree.children[0][-2:]) == list(result.added)
    kept = result.origin >= 0
    assert relations(pruned(result.tree, kept)) == relations(tree)


def test_pruning_keeps_relations_of_what_stays(tree: PartTree) -> None:
    last = tree.children[0][-1]
    kept = ~mask_below(tree, [last])
    result = pruned(tree, kept)
    ids = set(tree.instance[kept].tolist())
    assert relations(result) == {e for e in relations(tree) if e[0] in ids and e[1] in ids}
    assert list(result.label) == [c for c, k in zip(tree.label, kept, strict=True) if k]


def test_points_of_parts_stay_with_them(tree: PartTree) -> None:
    cloudy = replace(tree, part_points=np.arange(len(tree) * 6.0).reshape(-1, 2, 3))
    last = tree.children[0][-1]
    kept = ~mask_below(tree, [last])
    points = cloudy.part_points
    assert points is not None
    np.testing.assert_array_equal(pruned(cloudy, kept).part_points, points[kept])
    np.testing.assert_array_equal(subtree(cloudy, last).part_points, points[~kept])
    assert grafted(cloudy, {last: subtree(cloudy, last)}).tree.part_points is None


def test_images_are_where_the_relations_lead() -> None:
    for tree in furniture(5, seed=3):
        for node in range(1, len(tree)):
            for other, there in images(tree, node).items():
                image = subtree(tree, node).transformed(
                    rotation=there.matrix, translation=there.offset
                )
                assert corner_distances(image.box[:1], tree.box[[other]])[0] < 1e-6
                assert tree.label[other] == tree.label[node]


def test_images_are_found_through_others_and_through_what_is_above() -> None:
    tree = next(t for t in furniture(30, category="chair", seed=0) if "chair/chair_arm" in t.label)
    arms = [node for node, label in enumerate(tree.label) if label == "chair/chair_arm"]
    assert set(images(tree, arms[0])) == {arms[1]}
    assert set(images(tree, arms[1] + 1)) == {arms[0] + 1}
    step = RelationKind.TRANS_SYM
    row = PartTree(
        np.array([[k, 0, 0, 1, 1, 1, 1, 0, 0, 0, 1, 0] for k in (1, 0, 1, 2)], dtype=float),
        np.array([-1, 0, 0, 0]),
        ("s", "s/p", "s/p", "s/p"),
        (Relation(step, 1, 2, (1.0, 0, 0)), Relation(step, 2, 3, (1.0, 0, 0))),
    )
    found = images(row, 3)
    np.testing.assert_allclose(found[1].offset, [-2, 0, 0])
    np.testing.assert_allclose(found[2].offset, [-1, 0, 0])
    assert not images(replace(row, edges=()), 3)


def test_motions_are_composed_and_undone() -> None:
    turn = np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    first, second = Motion(turn, np.array([1.0, 2, 3])), Motion(np.diag([-1.0, 1, 1]), np.ones(3))
    point = np.array([0.3, -0.2, 0.7])

    def at(motion: Motion, x: np.ndarray) -> np.ndarray:
        return motion.matrix @ x + motion.offset

    np.testing.assert_allclose(at(second.after(first), point), at(second, at(first, point)))
    assert first.undone().after(first).still
    assert not first.still
