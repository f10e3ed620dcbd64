"""Clouds moved to the middle and scaled to unit spread, and points drawn from clouds.

The statistics are PointFlow's: the mean of every axis, and one standard deviation of all
coordinates together unless one an axis is asked for.

Reference: Yang et al., *PointFlow*, 2019, and the authors' code (datasets.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

Over = Literal["set", "shape"]
Spread = Literal["scalar", "axis"]
Compat = Literal["none", "official"]


@dataclass(frozen=True)
class Normalisation:
    """``x -> (x - mean) / std``."""

    mean: Tensor
    """``(1 or batch, 1, 3)``."""
    std: Tensor
    """``(1 or batch, 1, 1 or 3)``."""

    def apply(self, points: Tensor) -> Tensor:
        """Points ``(batch, n, 3)`` of the data, normalised."""
        return (points - self.mean) / self.std

    def undo(self, points: Tensor) -> Tensor:
        """Normalised points ``(batch, n, 3)`` in the unit of the data."""
        return points * self.std + self.mean

    @property
    def log_volume(self) -> Tensor:
        """Log of a normalised unit cube's volume in the data's units ``(1 or batch, 1)``."""
        return self.std.double().expand(-1, 1, 3).log().sum(2)


def measure(
    points: Tensor, *, over: Over = "set", spread: Spread = "scalar", compat: Compat = "none"
) -> Normalisation:
    """Measure mean and spread of clouds.

    Args:
        points: ``(batch, n, 3)``; for validation and test data use the training set's statistics.
        over: ``"set"``: of all shapes together; ``"shape"``: of each by itself.
        spread: ``"scalar"``: one standard deviation of all coordinates; ``"axis"``: one an axis.
        compat: ``"official"`` takes the scalar about the coordinates' common mean, as the authors
            do: it then grows with how far the axes' means lie apart, of which nothing is left
            once every axis is moved to its own.

    Raises:
        ValueError: Another shape of ``points``, unknown options, or no extent.
    """
    if points.ndim != 3 or points.shape[2] != 3 or not points.numel():
        raise ValueError(f"points must be (batch, points, 3); got {tuple(points.shape)}")
    if over not in ("set", "shape") or spread not in ("scalar", "axis"):
        raise ValueError(
            f"over must be 'set' or 'shape', spread 'scalar' or 'axis'; got {over!r}, {spread!r}"
        )
    groups = points.double() if over == "shape" else points.double().reshape(1, -1, 3)
    mean = groups.mean(1, keepdim=True)
    about = groups if compat == "official" else groups - mean
    std = about.std(1 if spread == "axis" else (1, 2), unbiased=False, keepdim=True)
    if not (std > 0).all():
        raise ValueError("the points have no extent along an axis or at all: nothing to scale by")
    return Normalisation(mean.to(points.dtype), std.to(points.dtype))


def fit_box(points: Tensor) -> Tensor:
    """Move the bounding box of every cloud to the origin and scale its longest side to 1.

    Raises:
        ValueError: A cloud has no extent.

    Reference: the per-shape box of LION (Zeng et al., 2022, the authors' ``norm_box``), which is
    half of Luo and Hu's (2021) ``shape_bbox``.
    """
    low, high = points.amin(1, keepdim=True), points.amax(1, keepdim=True)
    size = (high - low).amax(2, keepdim=True)
    if not (size > 0).all():
        number = int((size <= 0).flatten().nonzero()[0, 0])
        raise ValueError(f"cloud {number} has no extent: nothing to scale by")
    return (points - 0.5 * (low + high)) / size


def resample(
    points: Tensor, count: int, *, replace: bool = True, rng: torch.Generator | None = None
) -> Tensor:
    """Draw ``count`` points of every cloud: ``(batch, n, 3)`` to ``(batch, count, 3)``.

    Args:
        points: Clouds.
        count: At least 1.
        replace: With replacement, as PointFlow trains; without, ``count`` must be at most n.
        rng: Source of the draws, on the CPU.

    Raises:
        ValueError: ``count`` is out of its range.
    """
    shapes, size = points.shape[:2]
    if count < 1 or (not replace and count > size):
        most = "" if replace else f" and at most {size}"
        raise ValueError(f"the number of points must be at least 1{most}; got {count}")
    if replace:
        index = torch.randint(size, (shapes, count), generator=rng)
    else:
        index = torch.rand(shapes, size, generator=rng).argsort(1)[:, :count]
    return points.gather(1, index.to(points.device)[:, :, None].expand(-1, -1, points.shape[2]))
