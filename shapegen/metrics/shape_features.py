"""Closed-form features of box shapes, for a Frechet distance that needs no trained network.

The paper's FPD is measured on a PointNet that was never published. These features are fixed: of
:data:`~shapegen.metrics.chamfer.PAIR_POINTS` surface points, where they are (shares of the points
at the nodes of a lattice over the training shapes, linearly interpolated), their moments of first
and second order, and the distribution of their distances from one another (D2). Each of the three
has the same total variance over the training shapes, 1 all together; their leading principal
components are kept. A distance of 1 is thus as far as the training shapes spread.

Reference: Osada et al., *Shape Distributions*, 2002 (D2).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from shapegen.metrics.chamfer import PAIR_POINTS, surface_points

Array = NDArray[np.float64]

COMPONENTS = 16
"""Kept directions: their covariance is well conditioned with a hundred shapes."""
NODES = 7
"""Lattice nodes along each axis."""
BINS = 32
"""Of the D2 distribution."""
D2_STRIDE = 4
"""Of the points, so many apart are taken for the D2 distribution: all pairs of 512 of them."""


class ShapeFeatures:
    """Features whose scales and principal components are those of a training set.

    Args:
        shapes: Its leaf boxes, arrays ``(k, 12)``; at least two.

    Raises:
        ValueError: Fewer than two shapes, or shapes that are all the same.
    """

    name = "occupancy+moments+d2, principal components of the training shapes"

    def __init__(self, shapes: Sequence[Array]) -> None:
        if len(shapes) < 2:
            raise ValueError(f"features need at least 2 training shapes; got {len(shapes)}")
        clouds = [surface_points(shape, PAIR_POINTS) for shape in shapes]
        self._low = np.min([cloud.min(0) for cloud in clouds], axis=0)
        self._high = np.max([cloud.max(0) for cloud in clouds], axis=0)
        blocks = [np.stack(block) for block in zip(*map(self._blocks, clouds), strict=True)]
        spreads = [_spread(block) for block in blocks]
        if not any(spreads):
            raise ValueError(f"the {len(shapes)} training shapes are all the same")
        self._scale = [1.0 / spread if spread else 0.0 for spread in spreads]
        raw = np.concatenate([b * s for b, s in zip(blocks, self._scale, strict=True)], axis=1)
        self._mean = raw.mean(0)
        _, values, axes = np.linalg.svd(raw - self._mean, full_matrices=False)
        self._axes = axes[: min(COMPONENTS, len(shapes) - 1)]
        self.explained = float(
            np.square(values[: len(self._axes)]).sum() / np.square(values).sum()
        )
        """Share of the training shapes' variance along the kept directions."""

    def __len__(self) -> int:
        return len(self._axes)

    def __call__(self, shapes: Sequence[Array]) -> Array:
        """Features ``(n, d)`` of leaf boxes."""
        rows = []
        for shape in shapes:
            blocks = self._blocks(surface_points(shape, PAIR_POINTS))
            rows.append(np.concatenate([b * s for b, s in zip(blocks, self._scale, strict=True)]))
        features: Array = (np.stack(rows) - self._mean) @ self._axes.T
        return features

    def _blocks(self, cloud: Array) -> tuple[Array, Array, Array]:
        middle = cloud.mean(0)
        centred = cloud - middle
        second = (centred.T @ centred / len(cloud))[np.triu_indices(3)]
        return self._occupancy(cloud), np.append(middle, second), self._distances(cloud)

    def _occupancy(self, cloud: Array) -> Array:
        """Share of the points at every lattice node."""
        size = np.maximum(self._high - self._low, 1e-12)
        place = np.clip((cloud - self._low) / size, 0.0, 1.0) * (NODES - 1)
        near = np.clip(1.0 - np.abs(place[:, :, None] - np.arange(NODES)), 0.0, None)
        plane = (near[:, 0, :, None] * near[:, 1, None, :]).reshape(len(cloud), -1)
        shares: Array = (plane.T @ near[:, 2]).ravel() / len(cloud)
        return shares

    def _distances(self, cloud: Array) -> Array:
        """The D2 distribution, up to the diagonal of the training shapes."""
        from scipy.spatial.distance import pdist

        longest = max(float(np.linalg.norm(self._high - self._low)), 1e-12)
        place = (pdist(cloud[::D2_STRIDE]) * (BINS / longest)).astype(np.int64)
        return np.bincount(np.minimum(place, BINS - 1), minlength=BINS) / len(place)


def _spread(block: Array) -> float:
    """What brings the total variance of one of the three blocks to a third; 0 if it has none."""
    total = float(block.var(0).sum())
    # Equal shapes differ by rounding, which must not be blown up.
    return float(np.sqrt(3.0 * total)) if total > 1e-20 * np.square(block).mean() else 0.0
