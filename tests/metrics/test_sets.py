"""The figures of sets against plain loops and hand-made matrices."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from shapegen.metrics.sets import boxes_w1, coverage, diversity, mmd, one_nna, quality

Array = NDArray[np.float64]


def matrices(g: int, r: int, seed: int) -> tuple[Array, Array, Array]:
    """Distances of points on a coarse grid: many ties."""
    stream = np.random.default_rng(seed)
    ours, theirs = stream.integers(0, 6, (g, 2)), stream.integers(0, 6, (r, 2))

    def distance(a: Array, b: Array) -> Array:
        return np.abs(a[:, None] - b[None]).sum(2).astype(float)

    return distance(ours, ours), distance(ours, theirs), distance(theirs, theirs)


def looped_one_nna(gg: Array, gr: Array, rr: Array) -> float:
    k = min(gr.shape)
    sides = []
    for inside, across in ((gg, gr), (rr, gr.T)):
        right = 0
        for i in range(k):
            own = min([inside[i, j] for j in range(k) if j != i], default=np.inf)
            right += own < min(across[i, j] for j in range(k))
        sides.append(right / k)
    return sum(sides) / 2


@pytest.mark.parametrize(("g", "r", "seed"), [(5, 5, 0), (9, 4, 1), (4, 9, 2), (1, 3, 3)])
def test_figures_are_those_of_plain_loops(g: int, r: int, seed: int) -> None:
    gg, gr, rr = matrices(g, r, seed)
    hit = set()
    for i in range(g):
        best = 0
        for j in range(r):
            if gr[i, j] < gr[i, best]:
                best = j
        hit.add(best)
    assert coverage(gr) == pytest.approx(len(hit) / r)
    assert mmd(gr) == pytest.approx(sum(min(gr[:, j]) for j in range(r)) / r)
    assert quality(gr) == pytest.approx(sum(min(gr[i]) for i in range(g)) / g)
    assert one_nna(gg, gr, rr) == pytest.approx(looped_one_nna(gg, gr, rr))
    if g > 1:
        nearest = [min(gg[i, j] for j in range(g) if j != i) for i in range(g)]
        assert diversity(gg) == pytest.approx(sum(nearest) / g)


def test_hand_made_values() -> None:
    gr = np.array([[1.0, 2, 5], [3, 3, 4]])
    assert coverage(gr) == pytest.approx(1 / 3)  # the tie goes to the first
    assert mmd(gr) == pytest.approx((1 + 2 + 4) / 3)
    assert quality(gr) == pytest.approx((1 + 3) / 2)


def test_one_nna_tells_copies_from_strangers() -> None:
    points = np.random.default_rng(0).normal(size=(40, 3))
    inside = np.linalg.norm(points[:, None] - points[None], axis=2)
    assert one_nna(inside, inside, inside) == 0.0  # every shape has its copy in the other set
    assert one_nna(inside, inside + 100, inside) == 1.0
    tied = np.ones((6, 6))
    assert one_nna(tied, tied, tied) == 0.0  # a tie counts as the other set


def test_only_the_first_k_of_the_larger_set_are_told_apart() -> None:
    gg, gr, rr = matrices(12, 5, 4)
    cut = one_nna(gg[:5, :5], gr[:5], rr)
    assert one_nna(gg, gr, rr) == cut


def test_infinite_entries_that_are_not_smallest_change_nothing() -> None:
    gg, gr, rr = matrices(8, 8, 5)
    pruned = np.where((gr > gr.min(0)) & (gr > gr.min(1)[:, None]), np.inf, gr)
    assert np.isinf(pruned).any()
    assert coverage(pruned) == coverage(gr)
    assert mmd(pruned) == mmd(gr)
    assert one_nna(gg, pruned, rr) == one_nna(gg, gr, rr)


def test_the_diagonal_of_a_set_is_not_a_neighbour_and_is_not_changed() -> None:
    gg, _, _ = matrices(6, 6, 6)
    before = gg.copy()
    assert diversity(gg) == diversity(gg + np.diag(np.full(6, np.inf)))
    np.testing.assert_array_equal(gg, before)


def test_boxes_w1_is_the_distance_of_quantiles() -> None:
    assert boxes_w1([4, 5, 6], [6, 5, 4]) == 0.0
    assert boxes_w1([4, 5, 6], [7, 8, 9]) == pytest.approx(3.0)
    assert boxes_w1([0, 1], [0, 0]) == pytest.approx(0.5)
    # Means agree, distributions do not; between the middle two the quantiles are interpolated.
    assert boxes_w1([5, 5, 5, 5], [3, 3, 7, 7]) == pytest.approx(5 / 3, abs=0.001)


@pytest.mark.parametrize(
    "bad", [np.zeros((0, 3)), np.zeros((3, 0)), np.zeros(3), np.full((2, 2), np.nan), [[-1.0]]]
)
def test_bad_matrices_are_refused(bad: Array) -> None:
    for figure in (coverage, mmd, quality, diversity):
        with pytest.raises(ValueError, match="distances"):
            figure(bad)


def test_mismatched_and_too_small_sets_are_refused() -> None:
    _, gr, rr = matrices(5, 4, 7)
    with pytest.raises(ValueError, match=r"\(5, 5\)"):
        one_nna(rr, gr, rr)
    with pytest.raises(ValueError, match="square"):
        diversity(gr)
    with pytest.raises(ValueError, match="at least 2"):
        diversity([[0.0]])
    with pytest.raises(ValueError, match="numbers of boxes"):
        boxes_w1([], [1])
