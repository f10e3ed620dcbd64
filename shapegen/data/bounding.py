"""Oriented boxes around points."""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray

from shapegen.core import boxes as box_algebra

UPRIGHT_SHARE = 1.05
"""A box along given directions is preferred up to this multiple of the smallest box's volume."""
_IS_BOX = 0.999
"""A part that fills this share of its smallest box is a box, whose axes are no matter of taste."""
_ORDERS = tuple(itertools.permutations(range(3)))
_MANY = 1000
"""More corners of a hull than this are thinned before boxes are tried: each of its faces is."""
_FLAT = 1e-6
_UP = np.array([0.0, 1.0, 0.0])


def oriented_box(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """A small box ``(12,)`` around points ``(n, 3)``, its axes as close to x, y, z as they can be.

    Points of a box get that box. Others have several boxes of nearly the smallest volume: a round
    part may be turned about its axis, a tapered one lies along any of its sides. For copies to
    get like boxes, one within 1.05 times that volume is preferred that is upright; else along a
    principal axis and level; else along a principal axis.

    Raises:
        ValueError: There are no points, or they are not finite.
    """
    if not len(points) or not np.isfinite(points).all():
        raise ValueError("a box is fitted to at least one point, all of them finite")
    low, high = points.min(0), points.max(0)
    scale = float((high - low).max())
    if scale == 0:
        return upright_box(low, high)
    # Libraries take lengths for small by themselves, not beside the part's.
    local = (points - 0.5 * (low + high)) / scale
    frame = _frame(local)
    if frame is None:
        return upright_box(low, high)
    inner = local @ frame.T
    least, most = inner.min(0), inner.max(0)
    middle = 0.5 * (low + high) + scale * (0.5 * (least + most) @ frame)
    return _canonical(middle, scale * (most - least), frame)


def _frame(points: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """Axes ``(3, 3)``, a row each, of the box around points of size 1; None for x, y, z."""
    import trimesh
    from scipy.spatial import ConvexHull

    if _thickness(points) <= _FLAT:
        return _flat_frame(points)
    try:
        hull = ConvexHull(points)
        corners = _thinned(points[hull.vertices])
        matrix = np.asarray(trimesh.bounds.oriented_bounds(corners)[0])[:3, :3]
    # Points in a plane or on a line have no hull.
    except Exception:
        return _flat_frame(points)
    smallest = _volumes(corners, matrix[None])[0]
    upright = _volumes(corners, np.eye(3)[None])[0]
    if float(hull.volume) >= _IS_BOX * smallest:
        return None if upright <= smallest * (1 + 1e-9) else matrix
    if upright <= UPRIGHT_SHARE * smallest:
        return None
    principal = np.linalg.eigh(np.cov(corners.T))[1].T
    along = np.concatenate([principal, matrix])
    level = _frames(along, np.cross(_UP, along))
    straight = _frames(np.repeat(principal, 3, axis=0), np.tile(matrix, (3, 1)))
    for frames in (level, straight):
        volumes = _volumes(corners, frames)
        best = int(volumes.argmin())
        if volumes[best] <= UPRIGHT_SHARE * smallest:
            return np.asarray(frames[best])
    return matrix


def _frames(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    """Frames ``(f, 3, 3)`` with the axes ``first (f, 3)``, and others near ``second (f, 3)``."""
    second = second - (first * second).sum(1, keepdims=True) * first
    length = np.linalg.norm(second, axis=1, keepdims=True)
    # Directions that are nearly parallel say nothing.
    usable = length[:, 0] > 0.1
    first, second = first[usable], second[usable] / length[usable]
    return np.stack([first, second, np.cross(first, second)], axis=1)


def _volumes(points: NDArray[np.float64], frames: NDArray[np.float64]) -> NDArray[np.float64]:
    """Volumes ``(f,)`` of the boxes around points along frames ``(f, 3, 3)``."""
    inner = points @ frames.transpose(0, 2, 1)
    return np.asarray(np.maximum(np.ptp(inner, axis=1), _FLAT).prod(1))


def _thinned(corners: NDArray[np.float64]) -> NDArray[np.float64]:
    """The corners of a hull that are outermost in one of many directions, even on a sphere."""
    if len(corners) <= _MANY:
        return corners
    turn = np.arange(_MANY) * np.pi * (3 - np.sqrt(5.0))
    height = (2 * np.arange(_MANY) + 1) / _MANY - 1
    radius = np.sqrt(1 - height**2)
    directions = np.stack([radius * np.cos(turn), height, radius * np.sin(turn)], axis=1)
    # In blocks: the table of all products may be large.
    blocks = np.array_split(directions, 50)
    return corners[np.unique([(block @ corners.T).argmax(1) for block in blocks])]


def _thickness(points: NDArray[np.float64]) -> float:
    """Extent of the points along their least principal axis."""
    centred = points - points.mean(0)
    normal = np.linalg.eigh(centred.T @ centred)[1][:, 0]
    return float(np.ptp(centred @ normal))


def _flat_frame(points: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """Axes of the smallest rectangle in the points' plane, unless x, y, z are as good."""
    import trimesh

    centred = points - points.mean(0)
    frame = np.linalg.eigh(centred.T @ centred)[1].T[::-1].copy()
    frame[2] = np.cross(frame[0], frame[1])
    inner = centred @ frame.T
    # Points on a line have no rectangle; the line is the first principal axis.
    if np.ptp(inner[:, 1]) > _FLAT * float(np.ptp(inner[:, 0])):
        turn = trimesh.bounds.oriented_bounds_2D(inner[:, :2])[0][:2, :2]
        frame[:2] = turn @ frame[:2]
        inner = centred @ frame.T
    area = np.sort(np.ptp(inner, axis=0))[1:].prod()
    upright = np.sort(np.ptp(points, axis=0))
    if upright[1:].prod() <= UPRIGHT_SHARE * area and upright[0] <= _FLAT:
        return None
    return frame


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
