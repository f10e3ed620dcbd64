"""Distances of clouds against brute force, and the laws that hold for them."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from shapegen.metrics import cloud_distances
from shapegen.metrics.cloud_distances import (
    chamfer_matrix,
    chamfer_pairs,
    emd_matrix,
    emd_pairs,
)
from shapegen.metrics.sinkhorn import sinkhorn_bounds

Array = NDArray[np.float64]


def clouds(count: int, points: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).normal(size=(count, points, 3))


def looped_chamfer(a: Array, b: Array, *, squared: bool) -> float:
    sides = []
    for ours, theirs in ((a, b), (b, a)):
        nearest = [min(float(((x - y) ** 2).sum()) for y in theirs) for x in ours]
        sides.append(sum(d if squared else d**0.5 for d in nearest) / len(nearest))
    return sum(sides) if squared else 0.5 * sum(sides)


@pytest.mark.parametrize("squared", [True, False])
@pytest.mark.parametrize("sizes", [(12, 12), (9, 14)])
def test_chamfer_is_that_of_plain_loops(squared: bool, sizes: tuple[int, int]) -> None:
    a, b = clouds(3, sizes[0]), clouds(2, sizes[1], seed=1)
    found = chamfer_matrix(a, torch.from_numpy(b), squared=squared)
    for i, j in itertools.product(range(3), range(2)):
        assert found[i, j] == pytest.approx(looped_chamfer(a[i], b[j], squared=squared))
    pairs = chamfer_pairs(a[:2], b, squared=squared)
    np.testing.assert_allclose(pairs, np.diagonal(found), atol=1e-12)


@pytest.mark.parametrize("sizes", [(300, 300), (130, 40), (40, 257)])
def test_blocks_of_all_distances_give_what_trees_give(sizes: tuple[int, int]) -> None:
    a, b = 0.3 * clouds(3, sizes[0]) + 5.0, 0.3 * clouds(2, sizes[1], seed=1) + 5.0
    found = chamfer_matrix(a, b, method="blocks")
    np.testing.assert_allclose(found, chamfer_matrix(a, b, method="trees"), atol=2e-7, rtol=0)


def test_the_faster_method_is_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[str] = []
    for name in ("mean_nearest", "mean_nearest_squares"):

        def noted(a: Any, b: Any, name: str = name, **_: Any) -> Any:
            taken.append(name)
            both = torch.zeros(len(a), len(b))
            return both.numpy() if name == "mean_nearest" else (both, both)

        monkeypatch.setattr(cloud_distances, name, noted)
    for points, squared in ((512, True), (513, True), (4096, True), (4097, True), (1024, False)):
        chamfer_matrix(np.zeros((1, points, 3)), squared=squared)
    blocks, trees = "mean_nearest_squares", "mean_nearest"
    assert taken == [trees, blocks, blocks, trees, trees]


def test_emd_is_the_cheapest_of_all_matches() -> None:
    a, b = clouds(2, 6), clouds(2, 6, seed=1)
    found = emd_matrix(a, b)
    for i, j in itertools.product(range(2), range(2)):
        distance = np.linalg.norm(a[i][:, None] - b[j][None], axis=2)
        best = min(
            float(distance[np.arange(6), list(match)].mean())
            for match in itertools.permutations(range(6))
        )
        assert found[i, j] == pytest.approx(best)
    np.testing.assert_allclose(emd_pairs(a, b), np.diagonal(found))


@pytest.mark.parametrize("matrix", [chamfer_matrix, emd_matrix])
def test_a_set_alone_is_the_set_against_itself(matrix: object) -> None:
    assert callable(matrix)
    a = clouds(4, 15)
    found = matrix(a)
    np.testing.assert_allclose(found, matrix(a, a), atol=1e-12)
    np.testing.assert_allclose(found, found.T, atol=1e-12)
    np.testing.assert_allclose(np.diagonal(found), 0.0, atol=1e-12)


@pytest.mark.parametrize("matrix", [chamfer_matrix, emd_matrix])
def test_the_order_of_points_does_not_matter_and_motions_do_not(matrix: object) -> None:
    assert callable(matrix)
    a, b = clouds(2, 20), clouds(3, 20, seed=1)
    found = matrix(a, b)
    stream = np.random.default_rng(2)
    shuffled = np.stack([cloud[stream.permutation(20)] for cloud in b])
    np.testing.assert_allclose(matrix(a, shuffled), found, atol=1e-12)
    turn, _ = np.linalg.qr(stream.normal(size=(3, 3)))
    np.testing.assert_allclose(matrix(a @ turn + 5.0, b @ turn + 5.0), found, atol=1e-9)


def test_scale_tells_squared_from_unsquared() -> None:
    a, b = clouds(2, 20), clouds(2, 20, seed=1)
    for squared, power in ((True, 9.0), (False, 3.0)):
        large = chamfer_matrix(3 * a, 3 * b, squared=squared)
        np.testing.assert_allclose(large, power * chamfer_matrix(a, b, squared=squared))
    np.testing.assert_allclose(emd_matrix(3 * a, 3 * b), 3 * emd_matrix(a, b))


def test_emd_obeys_the_triangle_and_bounds_chamfer() -> None:
    a = clouds(6, 16)
    emd = emd_matrix(a)
    for i, j, k in itertools.permutations(range(6), 3):
        assert emd[i, k] <= emd[i, j] + emd[j, k] + 1e-12
    # A match has no shorter distances than the nearest points.
    assert (chamfer_matrix(a, squared=False) <= emd + 1e-12).all()


def test_sinkhorn_bounds_hold_the_exact_distance() -> None:
    a, b = clouds(4, 60), clouds(4, 60, seed=1)
    exact = emd_pairs(a, b)
    lower, upper = sinkhorn_bounds(torch.from_numpy(a), torch.from_numpy(b))
    assert (lower.numpy() <= exact + 1e-9).all()
    assert (exact <= upper.numpy() + 1e-9).all()
    # How tight they are is a matter of the iterations; this is what is promised.
    assert (lower.numpy() >= 0.97 * exact).all()
    assert (upper.numpy() <= 1.06 * exact).all()
    np.testing.assert_allclose(emd_matrix(a, b, kind="sinkhorn").diagonal(), upper, rtol=1e-3)


def test_bounds_hold_where_nothing_has_converged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shapegen.metrics.sinkhorn.STEPS", 2)
    monkeypatch.setattr("shapegen.metrics.sinkhorn.POLISH", 0)
    a, b = clouds(3, 30), clouds(3, 30, seed=1)
    lower, upper = sinkhorn_bounds(torch.from_numpy(a), torch.from_numpy(b))
    exact = emd_pairs(a, b)
    assert (lower.numpy() <= exact + 1e-9).all()
    assert (exact <= upper.numpy() + 1e-9).all()


@pytest.mark.parametrize("shape", [(4, 3), (0, 5, 3), (2, 0, 3), (2, 5, 2)])
def test_what_is_no_cloud_is_refused(shape: tuple[int, ...]) -> None:
    for matrix in (chamfer_matrix, emd_matrix):
        with pytest.raises(ValueError, match=r"clouds must be \(clouds, points, 3\), not empty"):
            matrix(np.ones(shape))


def test_other_mistakes_are_refused() -> None:
    a = clouds(2, 9)
    with pytest.raises(ValueError, match="clouds must be finite"):
        chamfer_matrix(np.full_like(a, np.nan), a)
    with pytest.raises(ValueError, match="equally many; got 9 and 8"):
        emd_matrix(a, a[:, :8])
    with pytest.raises(ValueError, match=r"must be one of \('exact', 'sinkhorn'\); got 'auction'"):
        emd_matrix(a, kind="auction")  # type: ignore[arg-type]
    for method, squared in (("fast", True), ("blocks", False)):
        with pytest.raises(ValueError, match=r"method must be 'auto', 'trees' or, of squared"):
            chamfer_matrix(a, squared=squared, method=method)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="pairs need equally many clouds; got 2 and 1"):
        emd_pairs(a, a[:1])
