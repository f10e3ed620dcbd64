"""Where the points of whole sets of clouds lie: occupancy of a grid, and its divergence.

The grid has ``resolution`` nodes a side on [-1/2, 1/2]; those within the sphere of radius 1/2 are
kept (10,144 of 28^3), and every point belongs to the nearest of them, points outside too. Clouds
are not rescaled: the figure means something for shapes of about unit size.

Reference: Achlioptas et al., *Learning Representations and Generative Models for 3D Point Clouds*,
2018, section 4 (JSD); Yang et al., *PointFlow*, 2019, and the authors' code.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

Array = NDArray[np.float64]
RESOLUTION = 28


@lru_cache(maxsize=4)
def sphere_nodes(resolution: int = RESOLUTION) -> Array:
    """Nodes ``(n, 3)`` of the grid within the sphere, the last axis fastest."""
    if resolution < 2:
        raise ValueError(f"a grid needs at least 2 nodes a side; got {resolution}")
    # In whole numbers, so that no rounding decides about the border.
    half = resolution - 1
    axis = 2 * np.arange(resolution) - half
    nodes = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1).reshape(-1, 3)
    inside = nodes[np.square(nodes).sum(1) <= half**2]
    return np.asarray(inside / (2.0 * half))


def occupancy(clouds: Any, resolution: int = RESOLUTION) -> NDArray[np.int64]:
    """Number of points ``(clouds, nodes)`` at every node of :func:`sphere_nodes`."""
    from scipy.spatial import cKDTree

    points = np.asarray(clouds, dtype=np.float64)
    if points.ndim != 3 or points.shape[2] != 3 or not points.size:
        raise ValueError(f"clouds must be (clouds, points, 3), not empty; got {points.shape}")
    tree = cKDTree(sphere_nodes(resolution))
    found = tree.query(points.reshape(-1, 3), workers=torch.get_num_threads())[1]
    place = found.reshape(len(points), -1) + tree.n * np.arange(len(points))[:, None]
    counts = np.bincount(place.reshape(-1), minlength=len(points) * tree.n)
    return np.asarray(counts.reshape(len(points), tree.n))


def jensen_shannon(p: ArrayLike, q: ArrayLike) -> float:
    """Divergence in bits of two distributions given by counts ``(n,)``: from 0 to 1.

    Raises:
        ValueError: Different lengths, negative numbers, or a sum of 0.
    """
    sides = [np.asarray(counts, dtype=np.float64) for counts in (p, q)]
    if sides[0].ndim != 1 or sides[0].shape != sides[1].shape:
        raise ValueError(f"counts must be (n,), both; got {sides[0].shape}, {sides[1].shape}")
    if any((side < 0).any() or not side.sum() > 0 for side in sides):
        raise ValueError("counts must not be negative, nor all 0")
    ours, theirs = (side / side.sum() for side in sides)
    middle = _bits(0.5 * (ours + theirs))
    return max(middle - 0.5 * (_bits(ours) + _bits(theirs)), 0.0)


def jsd(samples: Any, reference: Any, resolution: int = RESOLUTION) -> float:
    """Jensen-Shannon divergence of where the points of two sets of clouds lie, in bits."""
    p, q = (occupancy(_array(clouds), resolution).sum(0) for clouds in (samples, reference))
    return jensen_shannon(p, q)


def occupancy_entropy(clouds: Any, resolution: int = RESOLUTION) -> float:
    """Mean over the nodes of the entropy, in nats, of whether a cloud has points there."""
    share = (occupancy(_array(clouds), resolution) > 0).mean(0)
    both = np.stack([share, 1 - share])
    return float(-(both * np.log(np.where(both > 0, both, 1))).sum(0).mean())


def _bits(p: Array) -> float:
    """Entropy of a distribution."""
    return float(-(p * np.log2(np.where(p > 0, p, 1))).sum())


def _array(clouds: Any) -> Any:
    return clouds.detach().cpu().numpy() if isinstance(clouds, Tensor) else clouds
