"""Whether boxes hang together and stand: what a shape needs to be a thing."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from shapegen.core import boxes as box_algebra
from shapegen.structures.contact import gaps, pairs_of

Array = NDArray[np.float64]

TOLERANCE = 0.02
"""Of the diagonal of the shape's bounding box: gaps, deviations from a relation, and ground."""

_EDGES = np.array(
    [[a, b] for a in range(8) for b in range(a + 1, 8) if bin(a ^ b).count("1") == 1]
)


def pieces(boxes: ArrayLike, *, tolerance: float = TOLERANCE) -> NDArray[np.int64]:
    """Number ``(n,)`` of the piece of every box; gaps up to the tolerance hold together."""
    boxes = box_algebra.as_boxes(boxes)
    reach = tolerance * shape_diagonal(boxes)
    pairs = pairs_of(len(boxes))
    root = np.arange(len(boxes))
    for a, b in pairs[gaps(boxes, pairs, beyond=reach) <= reach]:
        root[root == root[b]] = root[a]
    return root


def connected(boxes: ArrayLike, *, tolerance: float = TOLERANCE) -> bool:
    """Whether boxes ``(n, 12)`` with gaps up to the tolerance in between are one piece."""
    root = pieces(boxes, tolerance=tolerance)
    return bool((root == root[0]).all())


def standing(boxes: ArrayLike, *, tolerance: float = TOLERANCE) -> bool:
    """Whether the centre of mass lies over the hull of what is near the ground."""
    boxes = box_algebra.as_boxes(boxes)
    return _inside_hull(centre_of_mass(boxes)[[0, 2]], feet(boxes, tolerance=tolerance))


def centre_of_mass(boxes: ArrayLike) -> Array:
    """Centre ``(3,)`` of boxes of unit density; overlaps count twice."""
    boxes = box_algebra.as_boxes(boxes)
    volume = np.abs(boxes[:, 3:6]).prod(1)
    # Without any volume every box weighs the same.
    weight = volume / volume.sum() if volume.sum() > 0 else np.full(len(boxes), 1 / len(boxes))
    centre: Array = weight @ boxes[:, :3]
    return centre


def feet(boxes: ArrayLike, *, tolerance: float = TOLERANCE) -> Array:
    """Ground plan ``(k, 2)`` (x, z) of all points up to the tolerance above the lowest.

    These are the corners there and the cuts of edges with that height; their hull is the hull of
    everything there.
    """
    boxes = box_algebra.as_boxes(boxes)
    corners = box_algebra.corners(boxes)
    height = corners[:, :, 1].min() + tolerance * shape_diagonal(boxes)
    low = corners[corners[:, :, 1] <= height][:, [0, 2]]
    a, b = corners[:, _EDGES[:, 0]].reshape(-1, 3), corners[:, _EDGES[:, 1]].reshape(-1, 3)
    crossing = (a[:, 1] <= height) != (b[:, 1] <= height)
    a, b = a[crossing], b[crossing]
    share = (height - a[:, 1]) / (b[:, 1] - a[:, 1])
    return np.concatenate([low, (a + share[:, None] * (b - a))[:, [0, 2]]])


def _inside_hull(point: Array, feet: Array) -> bool:
    """Whether a point lies in the convex hull: no half plane at it is free of points."""
    towards = feet - point
    length = np.linalg.norm(towards, axis=1)
    if (length < 1e-9).any():
        return True
    angle = np.sort(np.arctan2(towards[:, 1], towards[:, 0]))
    widest = np.diff(angle, append=angle[0] + 2 * np.pi).max()
    return bool(widest <= np.pi + 1e-9)


def shape_diagonal(boxes: Array) -> float:
    """Diagonal of the axis-aligned bounds of all boxes."""
    low, high = box_algebra.bounds(boxes)
    return float(np.linalg.norm(high - low))
