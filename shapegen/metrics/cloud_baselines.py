"""A generator of clouds that any model should beat: a Gaussian of principal components.

Points have no order; they get one from a k-d tree that cuts every cloud in halves along x, y and z
in turn, so that points of one number lie at like places of like shapes.

Reference: Gadelha et al., *Shape Generation using Spatially Partitioned Point Clouds*, 2017,
https://arxiv.org/abs/1707.06267.
"""

from __future__ import annotations

import torch
from torch import Tensor

from shapegen.metrics.principal import MOST, GaussianRows


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
        self.gaussian = GaussianRows(self._rows(points[:MOST]))

    def sample(self, n: int, *, rng: torch.Generator | None = None) -> Tensor:
        """Draw clouds ``(n, count, 3)``."""
        return self._clouds(self.gaussian.sample(n, rng=rng))

    def reconstruct(self, points: Tensor) -> Tensor:
        """Clouds ``(n, count, 3)`` of the components of the first ``count`` points of clouds."""
        return self._clouds(self.gaussian.reconstruct(self._rows(points)))

    def _rows(self, points: Tensor) -> Tensor:
        return tree_order(points[:, : self.count].double()).reshape(len(points), -1)

    def _clouds(self, rows: Tensor) -> Tensor:
        return rows.reshape(len(rows), -1, 3).float()
