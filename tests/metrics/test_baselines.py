"""Trivial generators: their expansion against the plain recursion, their laws by sampling."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from shapegen.data.furniture import furniture
from shapegen.metrics.baselines import (
    PcaGaussian,
    draw,
    expanded,
    jitter,
    jitter_boxes,
    jitter_trees,
    large_groups,
)
from shapegen.structures.merge_tree import ADJ, BOX, SYM, MergeTree

Array = NDArray[np.float64]

MIRROR = [1.0, 1, 0, 0, 0, 0, 0, 0]
RING = [-1.0, 0, 1, 0, 0, 0, 0, 0.25]
ROW = [0.0, 0, 0, 0.5, 0, 0, 1.5, 0]


def stream(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def random_merge(seed: int, ops: list[int], syms: list[list[float]]) -> MergeTree:
    boxes = np.random.default_rng(seed).normal(size=(ops.count(BOX), 12))
    return MergeTree(np.array(ops), boxes, np.array(syms).reshape(-1, 8))


def reflected(box: Array, sym: Array) -> Array:
    normal, point = sym[1:4] / np.linalg.norm(sym[1:4]), sym[4:7]
    out = box.copy()
    out[:3] += 2 * np.dot(point - box[:3], normal) * normal
    for j in (6, 9):
        out[j : j + 3] -= 2 * np.dot(normal, box[j : j + 3]) * normal
    return out


def recursed(tree: MergeTree) -> Array:
    """Right child first, the inner symmetry replaces the outer: one node at a time."""
    children = tree.children()
    box_row, sym_row = np.cumsum(tree.ops == BOX) - 1, np.cumsum(tree.ops == SYM) - 1
    out: list[Array] = []

    def visit(node: int, sym: Array | None) -> None:
        if tree.ops[node] == ADJ:
            visit(children[node][1], sym)
            visit(children[node][0], sym)
        elif tree.ops[node] == SYM:
            visit(children[node][0], tree.syms[sym_row[node]])
        else:
            box = tree.boxes[box_row[node]]
            out.append(box)
            if sym is not None and sym[0] == 1.0:
                out.append(reflected(box, sym))
            elif sym is not None:
                steps = round(np.linalg.norm(sym[4:7] - box[:3]) / np.linalg.norm(sym[1:4]))
                for step in range(1, steps + 1):
                    out.append(box + np.concatenate([step * sym[1:4], np.zeros(9)]))

    visit(len(tree) - 1, None)
    return np.array(out)


def test_expansion_is_the_plain_recursion() -> None:
    tilted = [1.0, 2, 1, -1, 0.3, 0, 0.1, 0]
    trees = [
        random_merge(0, [BOX, BOX, BOX, ADJ, SYM, ADJ], [MIRROR]),
        random_merge(1, [BOX, SYM, BOX, ADJ, SYM, BOX, SYM, ADJ], [ROW, tilted, MIRROR]),
        random_merge(2, [BOX], []),
    ]
    for found, tree in zip(expanded(trees), trees, strict=True):
        np.testing.assert_allclose(found, recursed(tree), atol=1e-12)
    assert expanded([]) == []


def test_a_generator_of_two_boxes_has_one_count_unless_read_the_official_way() -> None:
    tree = random_merge(0, [BOX, BOX, ADJ, SYM, BOX, ADJ], [ROW])
    centres = np.array([[0.0, 0, 0], [0, 0, 0.6], [9, 9, 9]])
    tree = MergeTree(tree.ops, np.hstack([centres, tree.boxes[:, 3:]]), tree.syms)
    # The end at 1.5 is 3 steps of .5 from 0, 1.8 from .6, 2.4 from the mean, .3.
    assert len(expanded([tree])[0]) == (1 + 3) + (1 + 2) + 1
    assert len(expanded([tree], official=False)[0]) == (1 + 2) + (1 + 2) + 1


def chairs(count: int) -> list[MergeTree]:
    """Two structures that differ in folds only, in the ratio 3 to 1, and one rare one."""
    ops = [BOX, SYM, BOX, ADJ]
    third = [*RING[:7], 1 / 3]
    trees = [random_merge(i, ops, [RING if i % 4 else third]) for i in range(count)]
    return [*trees, random_merge(99, [BOX, BOX, ADJ], [])]


def test_groups_share_types_and_folds() -> None:
    groups = large_groups(chairs(80))
    assert sorted(map(len, groups)) == [20, 60]
    for group in groups:
        assert len({float(tree.syms[0, 7]) for tree in group}) == 1


def test_samples_keep_the_groups_folds_and_come_by_its_size() -> None:
    counts = [len(boxes) for boxes in PcaGaussian(chairs(80)).sample(400, rng=stream(0))]
    assert set(counts) == {4, 5}  # a box and a ring of 3 or 4
    assert np.mean(np.array(counts) == 5) == pytest.approx(0.75, abs=0.07)  # 3 sd


def test_samples_have_the_groups_mean_and_covariance() -> None:
    stream_ = np.random.default_rng(3)
    mixing = stream_.normal(size=(24, 24))
    numbers = stream_.normal(size=(60, 24)) @ mixing + 5.0
    trees = [
        MergeTree(np.array([BOX, BOX, ADJ]), row.reshape(2, 12), np.zeros((0, 8)))
        for row in numbers
    ]
    # The right child was pushed first and is decoded first: the order of the slots.
    drawn = np.array(PcaGaussian(trees).sample(4000, rng=stream(1))).reshape(4000, 24)
    spread = numbers.std(0, ddof=1)
    np.testing.assert_allclose(drawn.mean(0), numbers.mean(0), atol=5 * spread.max() / 60)
    covariance = np.cov(numbers.T)
    error = np.abs(np.cov(drawn.T) - covariance).max() / np.abs(covariance).max()
    assert error < 0.15  # sampling error of 4000 draws is about .03


def test_no_large_group_is_refused() -> None:
    with pytest.raises(ValueError, match="10 or more of the 6"):
        PcaGaussian(chairs(5))


def test_jitter_moves_centres_and_lengths_of_generators_only() -> None:
    tree = random_merge(5, [BOX, SYM, BOX, ADJ], [MIRROR])
    noisy = np.array(jitter([tree], 2000, rng=stream(2))) - expanded([tree])[0]
    assert np.abs(noisy[:, :, 6:]).max() == 0.0
    np.testing.assert_allclose(noisy[:, :, :6].std(0), 0.03, rtol=0.1)
    # Right child first: the generator, then its mirror image, which moves along with it.
    np.testing.assert_allclose(noisy[:, 1, 0], -noisy[:, 0, 0], atol=1e-12)
    still = jitter([tree], 1, scale=0.0, rng=stream(3))
    np.testing.assert_array_equal(still[0], expanded([tree])[0])


def test_jitter_of_plain_boxes_leaves_the_shapes_alone() -> None:
    shapes = [np.ones((2, 12)), np.zeros((3, 12))]
    noisy = jitter_boxes(shapes, 50, rng=stream(4))
    assert {len(boxes) for boxes in noisy} == {2, 3}
    assert all((boxes[:, 6:] == boxes[0, 6]).all() for boxes in noisy)
    assert (shapes[0] == 1).all()


def test_jitter_of_trees_is_that_of_their_leaves() -> None:
    trees = furniture(5, seed=0)
    found = jitter_trees(trees, 8, rng=stream(1))
    expected = jitter_boxes([tree.boxes() for tree in trees], 8, rng=stream(1))
    source = {tree.label: tree for tree in trees}
    for tree, boxes in zip(found, expected, strict=True):
        np.testing.assert_array_equal(tree.boxes(), boxes)
        inner = ~tree.is_leaf
        np.testing.assert_array_equal(tree.box[inner], source[tree.label].box[inner])


def test_draws_are_subsets_without_repetition_and_follow_the_stream() -> None:
    numbers = draw(30, 50, rng=stream(5))
    assert len(set(numbers.tolist())) == 30
    assert set(numbers) <= set(range(50))
    np.testing.assert_array_equal(numbers, draw(30, 50, rng=stream(5)))
    assert (numbers != draw(30, 50, rng=stream(6))).any()
    with pytest.raises(ValueError, match="got 51"):
        draw(51, 50)
