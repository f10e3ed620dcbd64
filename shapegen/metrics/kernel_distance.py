r"""Kernel distance of two sets of features: the squared MMD of a cubic kernel, without bias.

.. math:: \widehat{\mathrm{MMD}}^2 = \frac{1}{n(n-1)} \sum_{i \ne j} k(x_i, x_j)
    + \frac{1}{m(m-1)} \sum_{i \ne j} k(y_i, y_j) - \frac{2}{nm} \sum_{i,j} k(x_i, y_j),
    \qquad k(x, y) = \left(\frac{x^\top y}{d} + 1\right)^3

The KID of images is this in the features of a network. Its mean does not depend on the number of
samples, as that of a Frechet distance does; of one distribution it is around 0, on either side.

References: Binkowski et al., *Demystifying MMD GANs*, 2018, section 4,
https://arxiv.org/abs/1801.01401; Gretton et al., *A Kernel Two-Sample Test*, 2012, equation 3;
Shao and Wu, *A General Theory for Jackknife Variance Estimation*, 1989 (the standard error).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

SUBSETS, SUBSET_SIZE = 100, 1000
"""How many subsets, and samples of either side in one at most."""


class KernelDistance(NamedTuple):
    """An estimate."""

    value: float
    """Mean over the subsets."""
    error: float
    """Standard error; not a number of a single subset."""
    size: int
    """Samples of either side in a subset."""


def kernel_distance(
    a: ArrayLike,
    b: ArrayLike,
    *,
    subsets: int = SUBSETS,
    size: int | None = None,
    rng: torch.Generator | None = None,
) -> KernelDistance:
    """Mean of the unbiased estimates of random subsets.

    The standard error is the jackknife's: subsets of ``s`` of ``n`` samples overlap, so that their
    spread is not that of independent ones, and is multiplied by ``sqrt(s / (n - s))``. Where both
    sides are of one distribution it is too large rather than too small.

    Args:
        a: Features ``(n, d)``.
        b: Features ``(m, d)``.
        subsets: How many are drawn; of whole sets one is enough.
        size: Samples of either side in a subset, 2 to the smaller of n and m; default half of
            that, 1000 at most.
        rng: Draws the subsets.

    Raises:
        ValueError: Too few samples, other features on either side, or not finite.
    """
    ours, theirs = checked_features(a, b)
    most = min(len(ours), len(theirs))
    size = max(2, min(SUBSET_SIZE, most // 2)) if size is None else size
    if subsets < 1 or not 2 <= size <= most:
        raise ValueError(
            f"subsets must be at least 1, of 2 to {most} samples, which both sides have; "
            f"got {subsets} of {size}"
        )
    values = np.empty(subsets)
    for number in range(subsets):
        chosen = [
            rows[torch.randperm(len(rows), generator=rng)[:size].numpy()]
            for rows in (ours, theirs)
        ]
        values[number] = squared_mmd(*chosen)
    if subsets == 1 or size == most:
        return KernelDistance(float(values.mean()), math.nan, size)
    error = values.std(ddof=1) * math.sqrt(size / (most - size))
    return KernelDistance(float(values.mean()), float(error), size)


def squared_mmd(a: ArrayLike, b: ArrayLike) -> float:
    """The unbiased estimate from all pairs of features ``(n, d)`` and ``(m, d)``.

    Raises:
        ValueError: Fewer than two samples, other features on either side, or not finite.
    """
    ours, theirs = checked_features(a, b)
    inside = sum(_mean_off_diagonal(_kernel(rows, rows)) for rows in (ours, theirs))
    return float(inside - 2 * _kernel(ours, theirs).mean())


def checked_features(a: ArrayLike, b: ArrayLike) -> tuple[Array, Array]:
    """Two sets of features as rows of float64.

    Raises:
        ValueError: Fewer than two samples, other features on either side, or not finite.
    """
    sides = [np.asarray(side, dtype=np.float64) for side in (a, b)]
    for rows in sides:
        if rows.ndim != 2 or len(rows) < 2 or not rows.shape[1]:
            raise ValueError(f"features must be (n, d), n >= 2 and d >= 1; got {rows.shape}")
        if not np.isfinite(rows).all():
            raise ValueError("features must be finite; got NaN or infinity")
    if sides[0].shape[1] != sides[1].shape[1]:
        lengths = " and ".join(str(rows.shape[1]) for rows in sides)
        raise ValueError(f"both sides need the same features; got {lengths} of them")
    return sides[0], sides[1]


def _kernel(a: Array, b: Array) -> Array:
    values: Array = (a @ b.T / a.shape[1] + 1) ** 3
    return values


def _mean_off_diagonal(kernel: Array) -> float:
    n = len(kernel)
    return float((kernel.sum() - np.trace(kernel)) / (n * (n - 1)))
