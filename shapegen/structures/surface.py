"""Uniform points on the outside of a union of boxes."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from shapegen.core import boxes as box_algebra

Array = NDArray[np.float64]

_EPSILON = 1e-7
"""Thickness, in diagonals of the whole, below which two faces are one."""

_ROUNDS = 1000


def sample_union(
    boxes: ArrayLike, n: int, *, rng: torch.Generator | None = None
) -> NDArray[np.float64]:
    """Draw points uniformly from the outer surface of a union of solid boxes.

    Points are drawn from all faces by area; those inside another box or where two boxes touch are
    drawn again. Where faces of several boxes coincide, the first box's counts. A box without
    thickness has two sides.

    Args:
        boxes: ``(k, 12)``, at least one with an area.
        n: Number of points.
        rng: Source of the draws.

    Returns:
        Points ``(n, 3)`` in the boxes' frame and unit.

    Raises:
        ValueError: ``n`` is negative, a box is not finite, or no box has an area.
    """
    boxes = box_algebra.as_boxes(boxes)
    if n < 0:
        raise ValueError(f"the number of points must not be negative; got {n}")
    if not np.isfinite(boxes).all():
        raise ValueError("boxes must be finite; got NaN or infinity")
    half = box_algebra.half_axes(boxes)
    extent = np.linalg.norm(half, axis=2)
    face_area = np.repeat(4 * extent[:, [1, 2, 0]] * extent[:, [2, 0, 1]], 2, axis=1).reshape(-1)
    if not face_area.sum() > 0:
        raise ValueError(f"the {len(boxes)} boxes have no surface; at least one area is needed")
    low, high = box_algebra.bounds(boxes)
    thickness = _EPSILON * float(np.linalg.norm(high - low))
    cumulative = np.cumsum(face_area) / face_area.sum()
    frame = box_algebra.axes(boxes)
    kept: list[Array] = []
    missing = n
    for _ in range(_ROUNDS):
        if missing <= 0:
            break
        count = int(1.4 * missing) + 32
        draws = torch.rand((count, 3), generator=rng, dtype=torch.float64).numpy()
        face = np.searchsorted(cumulative, draws[:, 0], side="right").clip(0, len(face_area) - 1)
        points, normals = _on_faces(boxes, half, frame, face, 2 * draws[:, 1:] - 1)
        outer = _is_outer(points, normals, face // 6, boxes[:, :3], frame, extent, thickness)
        kept.append(points[outer][:missing])
        missing -= len(kept[-1])
    if missing > 0:
        raise ValueError(f"too little of the boxes' surface is outside; got {n - missing} of {n}")
    return np.concatenate([np.empty((0, 3)), *kept])


def _on_faces(
    boxes: Array, half: Array, frame: Array, face: NDArray[np.int64], place: Array
) -> tuple[Array, Array]:
    """Points and outward unit normals ``(m, 3)`` at ``place (m, 2)`` in [-1, 1] of every face."""
    box, axis = face // 6, face % 6 // 2
    sign = (2 * (face % 2) - 1)[:, None]
    second, third = (axis + 1) % 3, (axis + 2) % 3
    points = boxes[box, :3] + sign * half[box, axis]
    points += place[:, :1] * half[box, second] + place[:, 1:] * half[box, third]
    return points, sign * frame[box, axis]


def _is_outer(
    points: Array,
    normals: Array,
    owner: NDArray[np.int64],
    centres: Array,
    frame: Array,
    extent: Array,
    thickness: float,
) -> NDArray[np.bool_]:
    """Whether a point is on the union's surface ``(m,)`` and its own box counts there.

    A step outwards must leave every other box: that drops points inside and where two boxes touch.
    A point that is itself in an earlier box lies on a face that coincides with that box's.
    """
    local = np.einsum("mbj,baj->mba", points[:, None] - centres, frame)
    step = np.einsum("mj,baj->mba", normals, frame)
    reach = extent + 0.5 * thickness
    other = np.arange(len(centres)) != owner[:, None]
    covered = (np.abs(local + thickness * step) <= reach).all(2) & other
    earlier = (np.abs(local) <= reach).all(2) & (np.arange(len(centres)) < owner[:, None])
    outer: NDArray[np.bool_] = ~(covered | earlier).any(1)
    return outer
