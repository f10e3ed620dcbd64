"""Reconstruction figures on hand-made trees and against enumeration."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest
from numpy.typing import NDArray

from shapegen.metrics.boxes import box_set_distance, corner_distance
from shapegen.metrics.reconstruction import matched, matched_distances, structure
from shapegen.structures.merge_tree import ADJ, BOX, SYM, MergeTree

Array = NDArray[np.float64]

REFLECTION = np.array([1.0, 1, 0, 0, 0, 0, 0, 0])


def merge(ops: list[int], syms: list[Array] | None = None, seed: int = 0) -> MergeTree:
    boxes = np.random.default_rng(seed).normal(size=(ops.count(BOX), 12))
    vectors = [REFLECTION] * ops.count(SYM) if syms is None else syms
    return MergeTree(np.array(ops), boxes, np.array(vectors).reshape(-1, 8))


def random_boxes(n: int, seed: int) -> Array:
    return np.random.default_rng(seed).normal(size=(n, 12))


@pytest.mark.parametrize(("n", "m"), [(1, 1), (3, 5), (5, 3), (4, 4)])
def test_matching_is_the_best_of_all(n: int, m: int) -> None:
    a, b = random_boxes(n, 0), random_boxes(m, 1)
    distance = corner_distance(a, b) if n <= m else corner_distance(b, a)
    least = min(
        sum(distance[i, j] for i, j in enumerate(chosen))
        for chosen in permutations(range(max(n, m)), min(n, m))
    )
    found = matched_distances(a, b)
    assert len(found) == min(n, m)
    assert found.sum() == pytest.approx(least)


def test_box_figures_are_those_of_the_definition() -> None:
    pairs = [
        (random_boxes(3, 2), random_boxes(5, 3)),
        (random_boxes(4, 4), random_boxes(4, 5)),
        (random_boxes(6, 6), random_boxes(5, 7)),
    ]
    figures = matched(pairs)
    distances = [matched_distances(*pair) for pair in pairs]
    rmse = [np.sqrt(np.mean(d**2)) for d in distances]
    assert figures["matched_rmse"] == pytest.approx(np.mean(rmse))
    assert figures["matched_mean"] == pytest.approx(np.mean([d.mean() for d in distances]))
    pooled = np.sqrt(sum((d**2).sum() for d in distances) / (3 + 4 + 5))
    assert figures["matched_rmse_pooled"] == pytest.approx(pooled)
    assert figures["missing_boxes"] == pytest.approx(2 / 3)
    assert figures["extra_boxes"] == pytest.approx(1 / 3)
    assert figures["count_mae"] == pytest.approx(1.0)
    assert figures["count_equal_share"] == pytest.approx(1 / 3)
    expected = np.mean([box_set_distance(*pair) for pair in pairs])
    assert figures["box_set_distance"] == pytest.approx(expected)


def test_a_shape_that_did_not_decode_has_no_box_figures() -> None:
    a, b = random_boxes(3, 8), random_boxes(3, 9)
    assert matched([(a, b), (None, b)]) == matched([(a, b)])
    assert all(np.isnan(value) for value in matched([(None, b)]).values())


def test_equal_trees_are_exact() -> None:
    true = merge([BOX, BOX, SYM, ADJ, BOX, ADJ])
    assert structure([(true, true)]) == {
        "op_sequence_exact_share": 1.0,
        "node_prefix_share": 1.0,
        "node_ancestor_share": 1.0,
        "sym_type_unexpanded_share": 0.0,
        "symmetry_kind_share": 1.0,
        "symmetry_error": 0.0,
    }


def test_prefix_stops_at_the_first_wrong_type_and_ancestors_do_not() -> None:
    # Root ADJ with right child r and left child l. Post-order: right subtree, left subtree, root.
    true = merge([BOX, BOX, ADJ, BOX, SYM, ADJ])  # r = ADJ(box, box), l = SYM(box)
    wrong_right = merge([BOX, BOX, SYM, ADJ])  # r = BOX, l = SYM(box)
    wrong_left = merge([BOX, BOX, ADJ, BOX, ADJ])  # r = ADJ(box, box), l = BOX
    figures = structure([(wrong_right, true)])
    # Pre-order, right first: ADJ ADJ BOX BOX SYM BOX against ADJ BOX SYM BOX.
    assert figures["node_prefix_share"] == pytest.approx(1 / 6)
    assert figures["node_ancestor_share"] == pytest.approx(3 / 6)  # root, SYM, its box
    figures = structure([(wrong_left, true)])
    assert figures["node_prefix_share"] == pytest.approx(4 / 6)
    assert figures["node_ancestor_share"] == pytest.approx(4 / 6)
    assert figures["op_sequence_exact_share"] == 0.0


def test_shares_of_nodes_are_pooled_and_those_of_trees_are_not() -> None:
    small, large = merge([BOX]), merge([BOX, BOX, ADJ, BOX, ADJ, BOX, ADJ])
    figures = structure([(small, small), (small, large)])
    assert figures["op_sequence_exact_share"] == 0.5
    assert figures["node_prefix_share"] == pytest.approx(1 / 8)
    figures = structure([(None, small), (large, large)])
    assert figures["op_sequence_exact_share"] == 0.5
    assert figures["node_ancestor_share"] == pytest.approx(7 / 8)


@pytest.mark.parametrize(
    ("kind", "dropped"), [(1.0, 0), (0.86, 0), (0.85, 1), (0.5, 1), (-0.8, 1), (0.14, 0)]
)
def test_types_far_from_every_kind_are_counted(kind: float, dropped: float) -> None:
    true = merge([BOX, SYM])
    vector = REFLECTION.copy()
    vector[0] = kind
    predicted = merge([BOX, SYM], [vector])
    assert structure([(predicted, true)])["sym_type_unexpanded_share"] == dropped


def test_symmetry_error_is_how_far_the_copies_are_off() -> None:
    ops = [BOX, BOX, ADJ, SYM, BOX, ADJ]
    true = merge(ops)
    shifted = REFLECTION.copy()
    shifted[4] = 0.25  # a plane moved by d moves the image by 2 d
    predicted = merge(ops, [shifted], seed=5)
    assert structure([(predicted, true)])["symmetry_error"] == pytest.approx(0.5)
    same_plane = REFLECTION.copy()
    same_plane[1:4], same_plane[5] = (-1, 0, 0), 9.0  # other numbers, same mirror
    predicted = merge(ops, [same_plane])
    assert structure([(predicted, true)])["symmetry_error"] == pytest.approx(0.0, abs=1e-9)
    step = np.array([0.0, 0, 1, 0, 0, 2, 0, 0])
    longer = step.copy()
    longer[2] = 1.5
    figures = structure([(merge(ops, [longer]), merge(ops, [step]))])
    assert figures["symmetry_error"] == pytest.approx(0.5)
    figures = structure([(merge(ops, [step]), true)])
    assert figures["symmetry_kind_share"] == 0.0
    assert np.isnan(figures["symmetry_error"])


def test_symmetry_error_of_a_rotation() -> None:
    quarter = np.array([-1.0, 0, 1, 0, 0, 0, 0, 0.25])
    third = replace(
        merge([BOX, SYM], [quarter]), boxes=np.array([[2.0] + [0] * 5 + [1, 0, 0, 0, 1, 0]])
    )
    other = replace(third, syms=np.array([[-1.0, 0, 1, 0, 0, 0, 0, 1 / 3]]))
    # Points at radius 2, 30 degrees apart.
    error = structure([(other, third)])["symmetry_error"]
    assert error == pytest.approx(4 * np.sin(np.radians(15)), abs=1e-3)


def test_bad_input_is_refused() -> None:
    for figures in (matched, structure):
        with pytest.raises(ValueError, match="at least one"):
            figures([])
    with pytest.raises(ValueError, match="no boxes"):
        matched([(np.zeros((0, 12)), random_boxes(1, 0))])
    with pytest.raises(ValueError, match=r"\(n, 12\)"):
        matched([(np.zeros((2, 11)), random_boxes(1, 0))])
