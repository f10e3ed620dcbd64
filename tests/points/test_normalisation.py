"""Normalisation and resampling against NumPy, and their laws."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from shapegen.points.normalisation import fit_box, measure, resample


def stretched(rng: torch.Generator) -> torch.Tensor:
    scale = torch.tensor([1.0, 2.0, 5.0])
    return torch.randn(4, 50, 3, generator=rng) * scale + torch.tensor([3.0, 0.0, -1.0])


@pytest.mark.parametrize("compat", ["none", "official"])
def test_statistics_are_those_of_numpy(rng: torch.Generator, compat: Any) -> None:
    points = stretched(rng)
    array = points.numpy().astype(np.float64)
    both: list[tuple[Any, Any]] = [("set", array.reshape(1, -1, 3)), ("shape", array)]
    for over, groups in both:
        scalar = measure(points, over=over, compat=compat)
        mean = groups.mean(1, keepdims=True)
        np.testing.assert_allclose(scalar.mean.numpy(), mean, rtol=1e-5)
        # The authors' one number is about the coordinates' common mean, not about each axis's.
        about = groups if compat == "official" else groups - mean
        std = about.std((1, 2), keepdims=True)
        np.testing.assert_allclose(scalar.std.numpy(), std, rtol=1e-5)
        by_axis = measure(points, over=over, spread="axis", compat=compat)
        np.testing.assert_allclose(by_axis.std.numpy(), groups.std(1, keepdims=True), rtol=1e-5)


def test_a_move_leaves_the_spread_but_the_authors(rng: torch.Generator) -> None:
    points = stretched(rng)
    moved = points + torch.tensor([20.0, 0.0, 0.0])
    torch.testing.assert_close(measure(moved).std, measure(points).std, rtol=1e-5, atol=0)
    authors = [measure(each, compat="official") for each in (points, moved)]
    assert authors[1].std > 2 * authors[0].std


@pytest.mark.parametrize("over", ["set", "shape"])
@pytest.mark.parametrize("spread", ["scalar", "axis"])
def test_undone_normalisation_is_nothing(rng: torch.Generator, over: Any, spread: Any) -> None:
    points = stretched(rng)
    found = measure(points, over=over, spread=spread)
    normal = found.apply(points)
    torch.testing.assert_close(normal.mean((0, 1)), torch.zeros(3), atol=1e-5, rtol=0)
    torch.testing.assert_close(normal.std(unbiased=False), torch.tensor(1.0), atol=1e-5, rtol=0)
    torch.testing.assert_close(found.undo(normal), points, atol=1e-5, rtol=0)


def test_boxes_fit_whatever_the_scale_and_the_place(rng: torch.Generator) -> None:
    points = stretched(rng)
    fitted = fit_box(points)
    low, high = fitted.amin(1), fitted.amax(1)
    torch.testing.assert_close((high - low).amax(1), torch.ones(4))
    torch.testing.assert_close(low, -high)
    torch.testing.assert_close(fit_box(7 * points - 2), fitted, atol=1e-5, rtol=0)


def test_drawn_points_are_the_clouds_own(rng: torch.Generator) -> None:
    points = stretched(rng)
    drawn = resample(points, 80, rng=rng)
    assert drawn.shape == (4, 80, 3)
    for cloud, own in zip(drawn, points, strict=True):
        assert {tuple(row) for row in cloud.tolist()} <= {tuple(row) for row in own.tolist()}
    assert len({tuple(row) for row in drawn[0].tolist()}) < 50  # with replacement
    without = resample(points, 50, replace=False, rng=rng)
    torch.testing.assert_close(without.sort(1).values, points.sort(1).values)
    again = [resample(points, 9, rng=torch.Generator().manual_seed(3)) for _ in range(2)]
    torch.testing.assert_close(*again)


def test_bad_arguments_are_refused(rng: torch.Generator) -> None:
    with pytest.raises(ValueError, match=r"points must be \(batch, points, 3\); got \(5, 3\)"):
        measure(torch.ones(5, 3))
    with pytest.raises(ValueError, match="no extent along an axis or at all"):
        measure(torch.ones(2, 5, 3))
    unknown: Any = {"over": "batch"}
    with pytest.raises(ValueError, match=r"over must be 'set' or 'shape'.*got 'batch'"):
        measure(stretched(rng), **unknown)
    with pytest.raises(ValueError, match="cloud 1 has no extent"):
        fit_box(torch.stack([torch.rand(9, 3, generator=rng), torch.ones(9, 3)]))
    with pytest.raises(ValueError, match="at least 1 and at most 50; got 51"):
        resample(stretched(rng), 51, replace=False)
    with pytest.raises(ValueError, match="at least 1; got 0"):
        resample(stretched(rng), 0)
