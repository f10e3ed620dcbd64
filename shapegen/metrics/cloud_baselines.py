"""A generator of clouds that any model should beat: a Gaussian of principal components.

Points have no order; they get one from a k-d tree that cuts every cloud in halves along x, y and z
in turn, so that points of one number lie at like places of like shapes.

Reference: Gadelha et al., *Shape Generation using Spatially Partitioned Point Clouds*, 2017,
https://arxiv.org/abs/1707.06267.
"""

from __future__ import annotations

import torch
from torch import Tensor

from shapegen.core.noise import standard_normal

COMPONENTS = 80
"""Most principal components."""
MOST = 2000
"""Most shapes that components are found of: the first ones."""


def tree_order(points: Tensor) -> Tensor:
    """Sort the points of clouds ``(n, 2^k, 3)`` along the leaves of a k-d tree.

    Raises:
        ValueError: The number of points is no power of two.
    """
    shapes, count, _ = points.shape
    if count < 1 or count & (count - 1):
        raise ValueError(f"the number of points must be a power of two; got {count}")
    cells = points
    for level in range(count.bit_length() - 1):
        cells = cells.reshape(-1, count >> level, 3)
        index = cells[:, :, level % 3].argsort(dim=1, stable=True)
        cells = cells.gather(1, index[:, :, None].expand(-1, -1, 3))
    return cells.reshape(shapes, count, 3)


class PcaClouds:
    """A Gaussian over the principal components of training clouds.

    Args:
        points: ``(n, points, 3)``, at least two shapes; as many of their first points count as
            there are in the largest power of two.

    Raises:
        ValueError: Fewer than two shapes.
    """

    def __init__(self, points: Tensor) -> None:
        if len(points) < 2:
            raise ValueError(f"principal components need at least 2 shapes; got {len(points)}")
        self.count = 1 << (points.shape[1].bit_length() - 1)
        rows = self._rows(points[:MOST])
        self.mean = rows.mean(0)
        rows = rows - self.mean
        # Of the shapes' products: there are far fewer shapes than coordinates.
        values, vectors = torch.linalg.eigh(rows @ rows.T)
        kept = values > 1e-12 * values[-1].clamp_min(1e-30)
        values, vectors = values[kept][-COMPONENTS:], vectors[:, kept][:, -COMPONENTS:]
        self.axes = (rows.T @ vectors) / values.sqrt()
        self.spread = (values / (len(rows) - 1)).sqrt()

    def sample(self, n: int, *, rng: torch.Generator | None = None) -> Tensor:
        """Draw clouds ``(n, count, 3)``."""
        noise = standard_normal((n, len(self.spread)), like=self.mean, rng=rng)
        return self._clouds(noise * self.spread)

    def reconstruct(self, points: Tensor) -> Tensor:
        """Clouds ``(n, count, 3)`` of the components of the first ``count`` points of clouds."""
        return self._clouds((self._rows(points) - self.mean) @ self.axes)

    def _rows(self, points: Tensor) -> Tensor:
        return tree_order(points[:, : self.count].double()).reshape(len(points), -1)

    def _clouds(self, values: Tensor) -> Tensor:
        return (self.mean + values @ self.axes.T).reshape(len(values), -1, 3).float()
