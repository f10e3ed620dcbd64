"""Figures of hierarchies: counted by hand, and against a plain recursion."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.optimize import linear_sum_assignment

from shapegen.data.furniture import furniture
from shapegen.metrics.hierarchies import hierarchy_figures, leaf_chamfers
from shapegen.structures.box_points import box_loss, quaternion_boxes
from shapegen.structures.part_tree import PartTree, PartTrees, Relation, RelationKind


@pytest.fixture(scope="module")
def shapes() -> PartTrees:
    return furniture(30, seed=5)


def tree(
    labels: list[str], parents: list[int], places: list[float], *pairs: tuple[int, int]
) -> PartTree:
    box = np.array([[x, 0, 0, 1, 1, 1, 1, 0, 0, 0, 1, 0] for x in places], dtype=float)
    edges = tuple(Relation(RelationKind.ADJ, a, b) for a, b in pairs)
    return PartTree(box, np.array(parents), tuple(labels), edges)


def test_a_perfect_copy_is_perfect(shapes: PartTrees) -> None:
    found = hierarchy_figures(shapes, shapes)
    assert found.exact.all()
    means = found.means()
    assert means.pop("structure_distance") == 0
    assert set(means.values()) == {1.0}
    np.testing.assert_allclose(leaf_chamfers(shapes[:3], shapes[:3]), 0, atol=1e-12)


def test_figures_counted_by_hand() -> None:
    true = tree(["t", "t/a", "t/a", "t/b"], [-1, 0, 0, 0], [0, 1, 3, 5], (1, 2), (2, 3))
    # The a at 3 is missing, there is a c, and the a at 1 touches b.
    ours = tree(["t", "t/a", "t/b", "t/c"], [-1, 0, 0, 0], [0, 1.1, 5, 9], (1, 2), (2, 3))
    found = hierarchy_figures([ours], [true])
    assert found.structure_distance == pytest.approx([2 / 4])
    assert (found.matched, found.predicted, found.true) == (2, 3, 3)
    assert (found.edge_precision, found.edge_recall) == (0, 0)
    near = tree(["t", "t/a", "t/b"], [-1, 0, 0], [0, 2.9, 5], (1, 2))
    # Its a is the one at 3, whose relation to b is there.
    found = hierarchy_figures([near], [true])
    assert (found.edge_precision, found.edge_recall) == (1, 0.5)
    # As a list of directions, one direction of two.
    found = hierarchy_figures([near], [true], directed=True)
    assert (found.edge_precision, found.edge_recall) == (1, 0.25)


def test_a_leaf_for_a_group_costs_what_is_below() -> None:
    true = tree(["t", "t/a", "t/a/x", "t/a/y"], [-1, 0, 1, 1], [0, 1, 1, 2])
    leaf = tree(["t", "t/a"], [-1, 0], [0, 1])
    assert hierarchy_figures([leaf], [true]).structure_distance == pytest.approx([2 / 4])
    assert hierarchy_figures([true], [leaf]).structure_distance == pytest.approx([2 / 2])


def test_no_relations_are_precise_and_complete() -> None:
    one = tree(["t", "t/a"], [-1, 0], [0, 1])
    found = hierarchy_figures([one], [one])
    assert (found.edge_precision, found.edge_recall) == (1, 1)


def test_figures_equal_the_plain_recursion(shapes: PartTrees) -> None:
    noise = np.random.default_rng(0)
    others = [shapes[(i * 7) % len(shapes)] for i in range(len(shapes))]
    moved = [
        replace(
            other,
            box=other.box + np.pad(0.05 * noise.normal(size=(len(other), 3)), ((0, 0), (0, 9))),
        )
        for other in others
    ]
    found = hierarchy_figures(moved, shapes)
    for number, (ours, true) in enumerate(zip(moved, shapes, strict=True)):
        match: dict[int, int] = {}
        missing = plain(ours, true, 0, 0, match)
        assert found.structure_distance[number] == pytest.approx(missing / len(true))
        assert found.matched[number] == len(match) - 1
        listed = {(e.a, e.b, e.kind) for e in ours.edges}
        both = listed | {(b, a, kind) for a, b, kind in listed}
        hits = sum(
            (match.get(a), match.get(b), e.kind) in both
            for e in true.edges
            for a, b in ((e.a, e.b), (e.b, e.a))
        )
        assert found.edge_precision[number] == pytest.approx(hits / len(both))
        assert found.edge_recall[number] == pytest.approx(hits / (2 * len(true.edges)))


def plain(ours: PartTree, true: PartTree, a: int, b: int, match: dict[int, int]) -> int:
    """Nodes without a partner below two matched nodes."""

    def size(tree: PartTree, node: int) -> int:
        return 1 + sum(size(tree, child) for child in tree.children[node])

    match[b] = a
    missing = 0
    labels = {
        t.label[n].split("/")[-1] for t, top in ((ours, a), (true, b)) for n in t.children[top]
    }
    for label in labels:
        mine = [n for n in ours.children[a] if ours.label[n].split("/")[-1] == label]
        theirs = [n for n in true.children[b] if true.label[n].split("/")[-1] == label]
        cost = np.zeros((len(mine), len(theirs)))
        for i, m in enumerate(mine):
            for j, t in enumerate(theirs):
                pair = [
                    quaternion_boxes(torch.from_numpy(x.box[[n]]))
                    for x, n in ((ours, m), (true, t))
                ]
                cost[i, j] = box_loss(*pair)
        rows, columns = linear_sum_assignment(cost)
        for i, j in zip(rows, columns, strict=True):
            missing += plain(ours, true, mine[i], theirs[j], match)
        missing += sum(size(ours, m) for i, m in enumerate(mine) if i not in rows)
        missing += sum(size(true, t) for j, t in enumerate(theirs) if j not in columns)
    return missing


def test_unequal_sets_are_refused(shapes: PartTrees) -> None:
    with pytest.raises(ValueError, match="as many"):
        hierarchy_figures(shapes[:2], shapes[:3])
    with pytest.raises(ValueError, match="as many"):
        hierarchy_figures([], [])
