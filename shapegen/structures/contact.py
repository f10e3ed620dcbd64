"""How far oriented boxes are from one another: exact, for many pairs at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from shapegen.core import boxes as box_algebra

Array = NDArray[np.float64]
Pairs = NDArray[np.int64]

_EDGE_AXIS = np.repeat(np.arange(3), 4)
_EDGE_SIGNS = np.zeros((12, 3))
for _axis in range(3):
    for _corner in range(4):
        _EDGE_SIGNS[4 * _axis + _corner, (_axis + 1) % 3] = 2 * (_corner % 2) - 1
        _EDGE_SIGNS[4 * _axis + _corner, (_axis + 2) % 3] = 2 * (_corner // 2) - 1
_NEXT, _LAST = [1, 2, 0], [2, 0, 1]


def pairs_of(n: int) -> Pairs:
    """All pairs ``(n (n - 1) / 2, 2)`` of ``n`` things, the lower number first."""
    return np.stack(np.triu_indices(n, 1), axis=1)


def gaps(boxes: ArrayLike, pairs: ArrayLike | None = None, *, beyond: float = np.inf) -> Array:
    """Smallest distance between the boxes of every pair; 0 where they touch or overlap.

    Two convex polyhedra that do not meet are closest at a corner and a face or at two edges, so
    the least over all such features is exact; whether they meet is decided by the fifteen
    separating axes of two boxes (Gottschalk, Lin and Manocha, *OBBTree*, 1996, section 5).

    Args:
        boxes: ``(n, 12)``.
        pairs: ``(m, 2)`` box numbers; default :func:`pairs_of` all.
        beyond: Pairs that are surely farther apart than this get a lower bound of their distance,
            which is larger than ``beyond``; that is faster.

    Returns:
        Distances ``(m,)`` in the unit of the boxes.
    """
    boxes = box_algebra.as_boxes(boxes)
    pairs = pairs_of(len(boxes)) if pairs is None else np.asarray(pairs, dtype=np.int64)
    if pairs.ndim != 2 or pairs.shape[1] != 2:
        raise ValueError(f"pairs must be (m, 2) box numbers; got {pairs.shape}")
    if not np.isfinite(boxes).all():
        raise ValueError("boxes must be finite; got NaN or infinity")
    centres, half = boxes[:, :3], box_algebra.half_axes(boxes)
    frame = box_algebra.axes(boxes)
    radius = 0.5 * box_algebra.diagonals(boxes)
    a, b = pairs.T
    offset = centres[b] - centres[a]
    lower: Array = np.maximum(np.linalg.norm(offset, axis=1) - radius[a] - radius[b], 0.0)
    near = np.flatnonzero(lower <= beyond)
    a, b, offset = a[near], b[near], offset[near]
    separation, parallel = _separation(offset, half[a], half[b], frame[a], frame[b])
    lower[near] = np.maximum(separation, lower[near])
    open_ = (separation > 0) & ~parallel & (separation <= beyond)
    if open_.any():
        rows = np.flatnonzero(open_)
        lower[near[rows]] = _feature_distance(
            offset[rows], half[a[rows]], half[b[rows]], frame[a[rows]], frame[b[rows]]
        )
    lower[near[separation <= 0]] = 0.0
    return lower


def gap(a: ArrayLike, b: ArrayLike) -> float:
    """Smallest distance between two boxes ``(12,)`` each; 0 where they touch or overlap."""
    return float(gaps(np.stack([np.asarray(a), np.asarray(b)]), [[0, 1]])[0])


def set_gap(a: ArrayLike, b: ArrayLike) -> float:
    """Smallest distance between any of the boxes ``a (n, 12)`` and any of ``b (m, 12)``."""
    first, second = box_algebra.as_boxes(a), box_algebra.as_boxes(b)
    if not (len(first) and len(second)):
        raise ValueError(f"both sets need a box; got {len(first)} and {len(second)}")
    rows, columns = np.indices((len(first), len(second))).reshape(2, -1)
    pairs = np.stack([rows, columns + len(first)], axis=1)
    return float(gaps(np.concatenate([first, second]), pairs).min())


def _separation(
    offset: Array, half_a: Array, half_b: Array, frame_a: Array, frame_b: Array
) -> tuple[Array, NDArray[np.bool_]]:
    """Largest separation over the fifteen axes ``(m,)``; <= 0 where the boxes meet.

    Where the axes are parallel (second result) it is the exact distance instead.
    """
    extent_a, extent_b = (np.linalg.norm(half, axis=2) for half in (half_a, half_b))
    cosine = frame_a @ frame_b.transpose(0, 2, 1)  # (m, axis of a, axis of b)
    mixed = np.abs(cosine)
    along_a = np.abs(np.einsum("maj,mj->ma", frame_a, offset))
    along_b = np.abs(np.einsum("mbj,mj->mb", frame_b, offset))
    face_a = along_a - extent_a - np.einsum("mab,mb->ma", mixed, extent_b)
    face_b = along_b - extent_b - np.einsum("mab,ma->mb", mixed, extent_a)
    best = np.maximum(face_a.max(1), face_b.max(1))
    parallel = np.sort(mixed, axis=2)[:, :, :2].max((1, 2)) < 1e-9
    best[parallel] = np.where(
        best[parallel] > 0, np.linalg.norm(np.maximum(face_a[parallel], 0), axis=1), best[parallel]
    )
    rest = np.flatnonzero(~parallel & (best <= 0))
    if len(rest):
        cross = np.cross(frame_a[rest, :, None], frame_b[rest, None, :]).reshape(-1, 9, 3)
        length = np.linalg.norm(cross, axis=2)
        reach = np.abs(np.einsum("mxj,mhj->mxh", cross, half_a[rest])).sum(2)
        reach += np.abs(np.einsum("mxj,mhj->mxh", cross, half_b[rest])).sum(2)
        apart = np.abs(np.einsum("mxj,mj->mx", cross, offset[rest])) - reach
        # Parallel edges have no common normal; the faces' axes decide those.
        apart = np.where(length > 1e-7, apart / np.maximum(length, 1e-7), -np.inf)
        best[rest] = np.maximum(best[rest], apart.max(1))
    return best, parallel


def _feature_distance(
    offset: Array, half_a: Array, half_b: Array, frame_a: Array, frame_b: Array
) -> Array:
    """Least distance ``(m,)`` over corner-to-box and edge-to-edge of boxes that do not meet."""
    distance = np.minimum(
        _corner_distance(offset, half_a, half_b, frame_a),
        _corner_distance(-offset, half_b, half_a, frame_b),
    )
    return np.minimum(distance, _edge_distance(offset, half_a, half_b))


def _corner_distance(offset: Array, half_a: Array, half_b: Array, frame_a: Array) -> Array:
    """Least distance ``(m,)`` from the corners of b to the solid box a (a at the origin)."""
    points = offset[:, None] + np.einsum("ck,mkj->mcj", box_algebra.CORNER_SIGNS, half_b)
    local = np.abs(np.einsum("mcj,maj->mca", points, frame_a))
    outside = np.maximum(local - np.linalg.norm(half_a, axis=2)[:, None], 0.0)
    least: Array = np.sqrt((outside**2).sum(2).min(1))
    return least


def _edge_distance(offset: Array, half_a: Array, half_b: Array) -> Array:
    """Least distance ``(m,)`` between the interiors of two edges, one a box.

    With end points in the way a corner is closest, which :func:`_corner_distance` covers; so only
    pairs of lines whose closest points lie on both edges count.
    """
    mid_a = np.einsum("ek,mkj->mej", _EDGE_SIGNS, half_a)[:, :, None]
    mid_b = (offset[:, None] + np.einsum("ek,mkj->mej", _EDGE_SIGNS, half_b))[:, None]
    u, v = half_a[:, _EDGE_AXIS][:, :, None], half_b[:, _EDGE_AXIS][:, None]
    between = mid_b - mid_a  # (m, 12, 12, 3)
    uu, vv, uv = (u * u).sum(3), (v * v).sum(3), (u * v).sum(3)
    ud, vd = (u * between).sum(3), (v * between).sum(3)
    area = uu * vv - uv**2
    crossing = area > 1e-14 * uu * vv
    safe = np.where(crossing, area, 1.0)
    s, t = (ud * vv - vd * uv) / safe, (ud * uv - vd * uu) / safe
    inside = crossing & (np.abs(s) <= 1) & (np.abs(t) <= 1)
    normal = between - s[..., None] * u + t[..., None] * v
    squared = np.where(inside, (normal**2).sum(3), np.inf)
    least: Array = np.sqrt(squared.min((1, 2)))
    return least
