"""Part trees to merge trees and back: no box is lost, symmetries fold, hierarchies are found."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from shapegen.core import boxes as box_algebra
from shapegen.structures import symmetry
from shapegen.structures.merge_tree import ADJ, BOX, SYM, MergeTree
from shapegen.structures.merging import to_merge_tree, to_part_tree
from shapegen.structures.motion import corner_distances, mapped, set_distance
from shapegen.structures.part_tree import PartTree, Relation, RelationKind
from shapegen.structures.relations import residuals
from tests.hand_made import box, chair

Array = NDArray[np.float64]

REF_X = [1.0, 1, 0, 0, 0, 0, 0, 0]


def permuted(tree: PartTree, seed: int) -> PartTree:
    """The same tree with siblings in another order."""
    rng = np.random.RandomState(seed)
    order: list[int] = []
    stack = [0]
    while stack:
        node = stack.pop()
        order.append(node)
        stack.extend(rng.permutation(np.array(tree.children[node], dtype=int)).tolist())
    new = {old: number for number, old in enumerate(order)}
    parents = [new[int(tree.parent[old])] if tree.parent[old] >= 0 else -1 for old in order]
    edges = tuple(dataclasses.replace(edge, a=new[edge.a], b=new[edge.b]) for edge in tree.edges)
    return PartTree(
        tree.box[order], np.array(parents), tuple(tree.label[old] for old in order), edges
    )


def flat_expansion(merge: MergeTree, *, official: bool) -> Array:
    """The official stack decoding, box by box (specification of GRASS, section 4)."""
    children = merge.children()
    number = {int(n): i for i, n in enumerate(np.flatnonzero(merge.ops == BOX))}
    vector = {int(n): i for i, n in enumerate(np.flatnonzero(merge.ops == SYM))}
    none = np.full(8, 10.0)
    stack = [(len(merge) - 1, none)]
    emitted = []
    while stack:
        node, active = stack.pop()
        if merge.ops[node] == BOX:
            row = merge.boxes[[number[node]]]
            emitted.append(symmetry.expand(row, active[None], official=official)[0])
        elif merge.ops[node] == SYM:
            stack.append((children[node][0], merge.syms[vector[node]]))
        else:
            stack.extend((child, active) for child in children[node])
    return np.concatenate(emitted)


# To merge trees


def test_a_chair_folds_its_symmetries() -> None:
    merge = to_merge_tree(chair())
    # Seat, two leg pairs, post pair, rail, slat row: six boxes of thirteen, four symmetries.
    assert (len(merge.boxes), len(merge.syms)) == (6, 4)
    assert sorted(merge.syms[:, 0]) == [0, 1, 1, 1]
    parts = ["seat", "base/leg", "base/leg", "back/post", "back/rail", "back/slat"]
    assert sorted(merge.labels) == sorted(f"chair/{part}" for part in parts)
    for official in (False, True):
        assert set_distance(flat_expansion(merge, official=official), chair().boxes()) < 1e-7


def test_the_order_of_siblings_does_not_matter() -> None:
    merge = to_merge_tree(chair())
    for seed in range(5):
        other = to_merge_tree(permuted(chair(), seed))
        np.testing.assert_array_equal(other.ops, merge.ops)
        np.testing.assert_allclose(other.boxes, merge.boxes, atol=1e-12)
        np.testing.assert_allclose(other.syms, merge.syms, atol=1e-12)
        assert other.labels == merge.labels


def test_a_tree_that_has_a_merge_tree_keeps_it() -> None:
    merge = MergeTree(np.array([BOX]), box((0, 0, 0), (1, 1, 1))[None], np.empty((0, 8)))
    assert to_merge_tree(dataclasses.replace(chair(), merge=merge)) is merge


def test_a_tree_without_relations_gets_them() -> None:
    bare = dataclasses.replace(chair(), edges=())
    np.testing.assert_array_equal(to_merge_tree(bare).ops, to_merge_tree(chair()).ops)


def test_false_relations_do_not_lose_boxes() -> None:
    tree = chair()
    bent = tree.box.copy()
    bent[3, :3] += [0.05, 0.1, 0.0]
    merge = to_merge_tree(dataclasses.replace(tree, box=bent))
    expanded = flat_expansion(merge, official=False)
    assert len(merge.syms) == 3
    assert set_distance(expanded, dataclasses.replace(tree, box=bent).boxes()) < 1e-7


def drawers(rows: int, handles: int) -> PartTree:
    """A row of drawers, every one a front with a row of handles."""
    parts = [(box((0, 0.4 * (rows - 1) / 2, 0), (2, 0.4 * rows, 1)), "s", -1)]
    edges = []
    first_drawer = 1
    for row in range(rows):
        start = len(parts)
        y = 0.4 * row
        parts.append((box((0, y, 0.05), (1.9, 0.3, 0.2)), "s/drawer", 0))
        parts.append((box((0, y, 0), (1.9, 0.3, 0.1)), "s/drawer/front", start))
        for handle in range(handles):
            x = 0.2 * handle - 0.1 * (handles - 1)
            parts.append((box((x, y, 0.1), (0.1, 0.05, 0.1)), "s/drawer/handle", start))
            edges.append(Relation(RelationKind.ADJ, start + 1, start + 2 + handle))
            if handle:
                step = (0.2 * handle, 0.0, 0.0)
                edges.append(Relation(RelationKind.TRANS_SYM, start + 2, start + 2 + handle, step))
        if row:
            step = (0.0, 0.4 * row, 0.0)
            edges.append(Relation(RelationKind.TRANS_SYM, first_drawer, start, step))
    boxes, labels, parents = zip(*parts, strict=True)
    return PartTree(np.stack(boxes), np.array(parents), labels, tuple(edges))


@pytest.mark.parametrize(
    ("rows", "handles", "boxes"),
    [(4, 1, 2), (4, 2, 3), (2, 8, 4)],
    ids=["leaf", "outer saves more", "inner saves more"],
)
def test_of_nested_symmetries_the_more_saving_one_is_folded(
    rows: int, handles: int, boxes: int
) -> None:
    tree = drawers(rows, handles)
    merge = to_merge_tree(tree)
    assert len(merge.boxes) == boxes
    children = merge.children()
    for node in np.flatnonzero(merge.ops == SYM):
        below = list(children[node])
        while below:
            inner = below.pop()
            assert merge.ops[inner] != SYM
            below.extend(children[inner])
    for official in (False, True):
        assert set_distance(flat_expansion(merge, official=official), tree.boxes()) < 1e-7


def test_one_node_and_chains() -> None:
    one = PartTree(box((0, 0, 0), (1, 1, 1))[None], np.array([-1]), ("s",))
    assert to_merge_tree(one).ops.tolist() == [BOX]
    chain = PartTree(
        np.tile(box((0, 0, 0), (1, 1, 1)), (3, 1)), np.array([-1, 0, 1]), ("s", "s/a", "s/a/b")
    )
    merge = to_merge_tree(chain)
    assert (merge.ops.tolist(), merge.labels) == ([BOX], ("s/a/b",))


# To part trees


def test_a_merge_tree_becomes_a_part_tree() -> None:
    seat, leg, arm = (
        box((0, 1, 0), (2, 0.2, 2)),
        box((0.9, 0, 0.9), (0.1, 1, 0.1)),
        box((0.9, 1.5, 0), (0.1, 0.1, 1)),
    )
    ring = [-1.0, 0, 1, 0, 0, 0, 0, 0.25]
    ops = [BOX, SYM, BOX, SYM, BOX, ADJ, ADJ]
    merge = MergeTree(np.array(ops), np.stack([leg, arm, seat]), np.array([ring, REF_X]))
    tree = to_part_tree(merge, name="7", label="chair")
    assert (tree.name, tree.front, tree.merge is merge) == ("7", "+z", True)
    assert len(tree.boxes()) == 4 + 2 + 1
    assert tree.label[0] == "chair"
    kinds = [edge.kind for edge in tree.edges]
    assert kinds.count(RelationKind.ROT_SYM) == 3
    assert kinds.count(RelationKind.REF_SYM) == 1
    assert kinds.count(RelationKind.ADJ) == 2
    symmetric = [edge.kind is not RelationKind.ADJ for edge in tree.edges]
    np.testing.assert_allclose(residuals(tree)[symmetric], 0, atol=1e-6)


def test_labels_of_leaves_are_kept() -> None:
    merge = to_merge_tree(chair())
    assert sorted(to_part_tree(merge).labels()) == sorted(chair().labels())


def test_a_lone_box_is_a_one_node_tree() -> None:
    merge = MergeTree(np.array([BOX]), box((0, 0, 0), (1, 1, 1))[None], np.empty((0, 8)))
    tree = to_part_tree(merge, label="cube")
    assert (len(tree), tree.label, tree.edges) == (1, ("cube",), ())


def test_a_generator_of_several_boxes_is_copied_whole() -> None:
    post, rest = box((1, 0, 0), (0.1, 1, 0.1)), box((1, 0.5, 0.3), (0.1, 0.1, 1))
    merge = MergeTree(
        np.array([BOX, BOX, ADJ, SYM]), np.stack([post, rest]), np.array([REF_X]), ("post", "rest")
    )
    tree = to_part_tree(merge)
    assert len(tree) == 7
    first, second = tree.children[0]
    assert len(tree.children[first]) == len(tree.children[second]) == 2
    assert tree.labels() == ["rest", "post", "rest", "post"]
    assert sum(edge.kind is RelationKind.ADJ for edge in tree.edges) == 2
    np.testing.assert_allclose(residuals(tree)[[0, 2]], 0, atol=1e-6)


def test_an_inner_symmetry_takes_the_outer_ones_place() -> None:
    leg, bar = box((1, 0, 1), (0.1, 1, 0.1)), box((0.4, 0, 0), (0.1, 0.1, 0.1))
    row = [0.0, 0, 1, 0, 0.4, 2, 0, 0]
    merge = MergeTree(
        np.array([BOX, BOX, SYM, ADJ, SYM]), np.stack([leg, bar]), np.array([row, REF_X])
    )
    tree = to_part_tree(merge)
    # The leg has a mirror image; the bar has two copies above it, but no mirror image.
    assert len(tree.boxes()) == 2 + 3
    assert set_distance(tree.boxes(), flat_expansion(merge, official=False)) < 1e-7
    # A SYM directly above a SYM has no box of its own.
    double = MergeTree(np.array([BOX, SYM, SYM]), leg[None], np.array([REF_X, row]))
    assert (
        set_distance(to_part_tree(double).boxes(), flat_expansion(double, official=False)) < 1e-7
    )


def random_merge(seed: int) -> MergeTree:
    """A random tree with random symmetries, nested ones included."""
    rng = np.random.RandomState(seed)
    ops: list[int] = []
    height = 0
    while len(ops) < 24 or height > 1:
        options = [BOX] if len(ops) < 24 else []
        options += [SYM] if height and rng.rand() < 0.5 else []
        options += [ADJ] if height > 1 else []
        op = int(rng.choice(options or [BOX]))
        ops.append(op)
        height += {BOX: 1, ADJ: -1, SYM: 0}[op]
    boxes = rng.normal(size=(ops.count(BOX), 12))
    boxes[:, 3:6] = np.abs(boxes[:, 3:6])
    boxes = box_algebra.orthonormalised(boxes)
    syms = rng.normal(size=(ops.count(SYM), 8))
    syms[:, 0] = rng.choice([-1.0, 0.0, 1.0], size=len(syms))
    syms[:, 7] = np.where(syms[:, 0] == -1, 1 / rng.randint(2, 6, len(syms)), 0)
    syms[syms[:, 0] == 0, 4:7] *= 3
    return MergeTree(np.array(ops), boxes, syms)


@pytest.mark.parametrize("seed", range(20))
def test_leaves_equal_the_official_flat_expansion(seed: int) -> None:
    merge = random_merge(seed)
    tree = to_part_tree(merge, official=True)
    expected = flat_expansion(merge, official=True)
    assert len(tree.boxes()) == len(expected) > len(merge.boxes)
    assert set_distance(tree.boxes(), expected) < 1e-6
    # Every copy is the image of its generator that the relation states.
    edges = [edge for edge in tree.edges if edge.kind is not RelationKind.ADJ]
    leaf = tree.is_leaf
    whole = [edge for edge in edges if leaf[edge.a] and leaf[edge.b]]
    for edge in whole:
        image = mapped(tree.box[[edge.a]], edge.kind, edge.params)
        assert corner_distances(image, tree.box[[edge.b]])[0] < 1e-6


# Round trips


def worst_distance(tree: PartTree, merge: MergeTree) -> float:
    """Largest corner distance of the expansion from the leaves, in diagonals of the shape."""
    low, high = box_algebra.bounds(tree.boxes())
    leaves = to_part_tree(merge).boxes()
    return set_distance(leaves, tree.boxes()) / float(np.linalg.norm(high - low))


def test_procedural_shapes_come_back_exactly() -> None:
    furniture = pytest.importorskip("shapegen.data.furniture")
    trees = list(furniture.furniture(60, seed=3))
    merges = [to_merge_tree(tree) for tree in trees]
    worst = [worst_distance(*pair) for pair in zip(trees, merges, strict=True)]
    # Parts may be all but equal; then one is folded as the other's image.
    assert max(worst) < 0.01
    assert np.median(worst) < 1e-6
    assert np.mean([len(merge.syms) > 0 for merge in merges]) > 0.9
    again = [to_merge_tree(to_part_tree(merge)) for merge in merges]
    assert all(a is b for a, b in zip(again, merges, strict=True))


def test_partnet_chairs_come_back(data_path: Path) -> None:
    from shapegen.structures.files import read_part_trees

    trees = list(read_part_trees(data_path / "partnet_boxes" / "chair_val.jsonl.gz"))
    merges = [to_merge_tree(tree) for tree in trees]
    worst = [worst_distance(*pair) for pair in zip(trees, merges, strict=True)]
    assert max(worst) < 0.01
    assert np.mean([len(merge.syms) > 0 for merge in merges]) > 0.85  # measured .904
