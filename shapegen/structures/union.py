"""The outer surface of a union of boxes as triangles: what is inside another box is cut away."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from shapegen.core import boxes as box_algebra

Array = NDArray[np.float64]


def union_surface(boxes: ArrayLike) -> tuple[Array, NDArray[np.int64], NDArray[np.int64]]:
    """Cut every face by the other boxes, exactly.

    The triangles enclose the union without inner walls; where a face was cut, corners may lie on
    the edges of neighbours (the surface is closed, its mesh not always edge to edge).

    Args:
        boxes: ``(n, 12)``; the box of every pair of equal faces that comes first keeps its own.

    Returns:
        Vertices ``(v, 3)``, faces ``(f, 3)`` counter-clockwise seen from outside, and the number
        ``(f,)`` of the box that each face belongs to.

    Raises:
        ValueError: There are no boxes, or none has a volume or a face.
    """
    boxes = box_algebra.as_boxes(boxes)
    low, high = box_algebra.bounds(boxes)
    tolerance = 1e-9 * max(float(np.linalg.norm(high - low)), 1e-12)
    corners = box_algebra.corners(boxes)
    normals, offsets = _planes(boxes)
    pieces: list[tuple[int, Array]] = []
    for number in range(len(boxes)):
        near = _overlapping(corners, number, tolerance)
        for face in range(6):
            left = [corners[number, box_algebra.QUADS[face]]]
            plane = normals[number, face], offsets[number, face]
            for other in near:
                solid = normals[other], offsets[other]
                first = other < number
                left = [
                    part
                    for piece in left
                    for part in _outside(piece, plane, solid, first, tolerance)
                ]
            pieces += [(number, piece) for piece in left if _area(piece) > tolerance**2]
    if not pieces:
        raise ValueError("the boxes have no surface: all their lengths are zero")
    return _triangles(pieces, tolerance)


def _planes(boxes: Array) -> tuple[Array, Array]:
    """Outward unit normals ``(n, 6, 3)`` and offsets ``(n, 6)`` in the order of QUADS."""
    axes = box_algebra.axes(boxes)
    normals = np.stack([-axes, axes], axis=2).reshape(-1, 6, 3)
    reach = np.repeat(0.5 * np.abs(boxes[:, 3:6]), 2, axis=1)
    return normals, np.einsum("nfd,nd->nf", normals, boxes[:, :3]) + reach


def _overlapping(corners: Array, number: int, tolerance: float) -> list[int]:
    low, high = corners.min(1), corners.max(1)
    apart = (low > high[number] + tolerance) | (high < low[number] - tolerance)
    return [int(other) for other in np.flatnonzero(~apart.any(1)) if other != number]


def _outside(
    piece: Array,
    plane: tuple[Array, float],
    solid: tuple[Array, Array],
    first: bool,
    tolerance: float,
) -> list[Array]:
    """The parts of a polygon outside a convex solid; the polygon itself if they do not meet."""
    kept: list[Array] = []
    inside = piece
    for normal, offset in zip(*solid, strict=True):
        distance = inside @ normal - offset
        if (np.abs(distance) <= tolerance).all():
            # In one plane: a wall between the two goes, of two equal faces the first box's stays.
            if plane[0] @ normal > 0 and not first:
                return [piece]
            continue
        if (distance >= -tolerance).all():
            return [piece]
        if (distance > tolerance).any():
            kept.append(_clipped(inside, distance))
            inside = _clipped(inside, -distance)
    return kept if _area(inside) > tolerance**2 else [piece]


def _clipped(polygon: Array, distance: Array) -> Array:
    """The part of a convex polygon where ``distance`` is not negative."""
    points = []
    for a, b, at_a, at_b in zip(
        polygon, np.roll(polygon, -1, 0), distance, np.roll(distance, -1), strict=True
    ):
        if at_a >= 0:
            points.append(a)
        if (at_a < 0) != (at_b < 0):
            points.append(a + at_a / (at_a - at_b) * (b - a))
    return np.array(points)


def _area(polygon: Array) -> float:
    if len(polygon) < 3:
        return 0.0
    spokes = polygon[1:] - polygon[0]
    return 0.5 * float(np.linalg.norm(np.cross(spokes[:-1], spokes[1:]).sum(0)))


def _triangles(
    pieces: list[tuple[int, Array]], tolerance: float
) -> tuple[Array, NDArray[np.int64], NDArray[np.int64]]:
    points = np.concatenate([piece for _, piece in pieces])
    grid = np.round(points / (100 * tolerance)).astype(np.int64)
    _, first, names = np.unique(grid, axis=0, return_index=True, return_inverse=True)
    faces, source, start = [], [], 0
    for number, piece in pieces:
        ring = names.reshape(-1)[start : start + len(piece)]
        start += len(piece)
        fan = np.stack([np.full(len(ring) - 2, ring[0]), ring[1:-1], ring[2:]], axis=1)
        distinct = (fan != np.roll(fan, 1, axis=1)).all(1)
        faces.append(fan[distinct])
        source += [number] * int(distinct.sum())
    return points[first], np.concatenate(faces), np.array(source)
