"""Oriented boxes around points."""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray

from shapegen.core import boxes as box_algebra

UPRIGHT_SHARE = 1.05
"""An axis-aligned box is preferred up to this multiple of the smallest box's volume."""
_IS_BOX = 0.999
"""A part that fills this share of its smallest box is a box, whose axes are no matter of taste."""
_ORDERS = tuple(itertools.permutations(range(3)))


def oriented_box(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """A small box ``(12,)`` around points ``(n, 3)``, its axes as close to x, y, z as they can be.

    It is the smallest one, or the axis-aligned one where that has at most 1.05 times the volume
    and the points are not those of a box.

    Raises:
        ValueError: There are no points, or they are not finite.
    """
    import trimesh
    from scipy.spatial import ConvexHull

    if not len(points) or not np.isfinite(points).all():
        raise ValueError("a box is fitted to at least one point, all of them finite")
    low, high = points.min(0), points.max(0)
    upright = upright_box(low, high)
    size = high - low
    flat = 1e-6 * max(float(size.max()), 1e-30)
    if _thickness(points) <= flat:
        return _flat_box(points, upright)
    try:
        hull = ConvexHull(points)
        corners = points[hull.vertices]
        matrix, sides = trimesh.bounds.oriented_bounds(corners)
    # Points in a plane or on a line have no hull.
    except Exception:
        return _flat_box(points, upright)
    volume = float(np.prod(np.maximum(size, flat)))
    smallest = float(np.prod(np.maximum(sides, flat)))
    share = 1.0 + 1e-9 if float(hull.volume) >= _IS_BOX * smallest else UPRIGHT_SHARE
    if volume <= share * smallest:
        return upright
    # The matrix moves points into the box's frame: its rows are the axes.
    frame = np.asarray(matrix)[:3, :3]
    return _canonical(-frame.T @ np.asarray(matrix)[:3, 3], np.asarray(sides), frame)


def _thickness(points: NDArray[np.float64]) -> float:
    """Extent of the points along their least principal axis."""
    centred = points - points.mean(0)
    normal = np.linalg.eigh(centred.T @ centred)[1][:, 0]
    return float(np.ptp(centred @ normal))


def _flat_box(points: NDArray[np.float64], upright: NDArray[np.float64]) -> NDArray[np.float64]:
    """The smallest rectangle in the plane of the points, unless the upright box is as flat."""
    import trimesh

    centre = points.mean(0)
    centred = points - centre
    frame = np.linalg.eigh(centred.T @ centred)[1].T[::-1].copy()
    frame[2] = np.cross(frame[0], frame[1])
    inner = centred @ frame.T
    # Points on a line have no rectangle; the line is the first principal axis.
    if np.ptp(inner[:, 1]) > 1e-6 * max(float(np.ptp(inner[:, 0])), 1e-30):
        turn = trimesh.bounds.oriented_bounds_2D(inner[:, :2])[0][:2, :2]
        frame[:2] = turn @ frame[:2]
        inner = centred @ frame.T
    low, high = inner.min(0), inner.max(0)
    area = np.sort(high - low)[1:].prod()
    if np.sort(upright[3:6])[1:].prod() <= UPRIGHT_SHARE * area and upright[3:6].min() <= 1e-9:
        return upright
    return _canonical(centre + 0.5 * (low + high) @ frame, high - low, frame)


def upright_box(low: NDArray[np.float64], high: NDArray[np.float64]) -> NDArray[np.float64]:
    """Make the axis-aligned box ``(12,)`` between two corners ``(3,)``."""
    return np.concatenate([0.5 * (low + high), high - low, [1.0, 0, 0, 0, 1.0, 0]])


def canonical_box(box: NDArray[np.float64]) -> NDArray[np.float64]:
    """The same box ``(12,)`` with its axes named and turned to be closest to x, y, z."""
    return _canonical(box[:3], box[3:6], box_algebra.axes(box[None])[0])


def _canonical(
    centre: NDArray[np.float64], sides: NDArray[np.float64], frame: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The same box with its axes named and turned to be closest to x, y, z."""
    traces = [sum(abs(frame[row, axis]) for axis, row in enumerate(order)) for order in _ORDERS]
    order = list(_ORDERS[int(np.argmax(traces))])
    axes, sides = frame[order], sides[order]
    # z is x cross y whatever sign it has: only two signs can be chosen.
    signs = np.where(np.diag(axes)[:2] < 0, -1.0, 1.0)
    x, y = axes[:2] * signs[:, None]
    return box_algebra.orthonormalised(np.concatenate([centre, sides, x, y])[None])[0]
