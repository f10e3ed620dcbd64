"""Oriented boxes as rows of 12 numbers: axes, corners, meshes, motions.

A box is ``(centre 3, full lengths 3, x direction 3, y direction 3)``; the third axis is the cross
product of the first two. Directions that a network predicts are neither unit nor orthogonal, so
every function reads them by one rule (:func:`axes`).
"""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

CORNER_SIGNS: Array = np.array(
    [[x, y, z] for z in (-1, 1) for y in (-1, 1) for x in (-1, 1)], dtype=np.float64
)
"""Corner i of a box lies at ``centre + CORNER_SIGNS[i] @ half_axes``."""

QUADS = np.array(
    [[0, 4, 6, 2], [1, 3, 7, 5], [0, 1, 5, 4], [2, 6, 7, 3], [0, 2, 3, 1], [4, 5, 7, 6]]
)
"""The faces -x, +x, -y, +y, -z, +z as corner numbers, counter-clockwise seen from outside."""

TRIANGLES = QUADS[:, [[0, 1, 2], [0, 2, 3]]].reshape(12, 3)


def as_boxes(values: ArrayLike) -> Array:
    """Check that ``values`` is ``(n, 12) float`` and return it as float64."""
    boxes = np.asarray(values, dtype=np.float64)
    if boxes.ndim != 2 or boxes.shape[1] != 12:
        raise ValueError(
            "boxes must be (n, 12): centre, full lengths, x direction, y direction; "
            f"got {boxes.shape}"
        )
    return boxes


def axes(boxes: ArrayLike) -> Array:
    """Orthonormal right-handed axes ``(n, 3, 3)``, one axis a row.

    x is the first direction normalised (e_x where it is shorter than 1e-8); y is the second less
    its part along x, normalised; where less than 1e-6 is left of it, y is made from the coordinate
    axis least aligned with x; z = x cross y.
    """
    boxes = as_boxes(boxes)
    x, y = boxes[:, 6:9], boxes[:, 9:12]
    length = np.linalg.norm(x, axis=1, keepdims=True)
    x = np.where(length < 1e-8, [1.0, 0.0, 0.0], x / np.maximum(length, 1e-8))
    x = x / np.linalg.norm(x, axis=1, keepdims=True)
    y = y - (y * x).sum(1, keepdims=True) * x
    length = np.linalg.norm(y, axis=1, keepdims=True)
    if (length < 1e-6).any():
        spare = np.eye(3)[np.abs(x).argmin(1)]
        spare = spare - (spare * x).sum(1, keepdims=True) * x
        y = np.where(length < 1e-6, spare, y)
        length = np.linalg.norm(y, axis=1, keepdims=True)
    y = y / length
    return np.stack([x, y, np.cross(x, y)], axis=1)


def half_axes(boxes: ArrayLike) -> Array:
    """Vectors ``(n, 3, 3)`` from the centre to the middles of the faces +x, +y, +z."""
    boxes = as_boxes(boxes)
    return axes(boxes) * (0.5 * np.abs(boxes[:, 3:6]))[:, :, None]


def corners(boxes: ArrayLike) -> Array:
    """The eight corners ``(n, 8, 3)`` in the order of :data:`CORNER_SIGNS`."""
    boxes = as_boxes(boxes)
    return boxes[:, None, :3] + np.einsum("ck,nkd->ncd", CORNER_SIGNS, half_axes(boxes))


def quaternions(boxes: ArrayLike) -> Array:
    """The rotations ``(n, 4)`` from the coordinate axes to the boxes' own, wxyz with w >= 0."""
    m = np.swapaxes(axes(boxes), 1, 2)  # columns are the axes
    xx, yy, zz = m[:, 0, 0], m[:, 1, 1], m[:, 2, 2]
    # The matrix is quadratic in the quaternion: four times the outer product of it with itself,
    # of which the row with the largest diagonal entry is the exact one to divide by.
    squares = np.array([1 + xx + yy + zz, 1 + xx - yy - zz, 1 - xx + yy - zz, 1 - xx - yy + zz])
    wx, wy, wz = m[:, 2, 1] - m[:, 1, 2], m[:, 0, 2] - m[:, 2, 0], m[:, 1, 0] - m[:, 0, 1]
    xy, xz, yz = m[:, 0, 1] + m[:, 1, 0], m[:, 0, 2] + m[:, 2, 0], m[:, 1, 2] + m[:, 2, 1]
    table = np.array(
        [
            [squares[0], wx, wy, wz],
            [wx, squares[1], xy, xz],
            [wy, xy, squares[2], yz],
            [wz, xz, yz, squares[3]],
        ]
    )  # (row, entry, n)
    found = table[squares.argmax(0), :, np.arange(m.shape[0])]
    found = found / np.linalg.norm(found, axis=1, keepdims=True)
    return np.where(found[:, :1] < 0, -found, found)


def diagonals(boxes: ArrayLike) -> Array:
    """Length ``(n,)`` of every box's diagonal."""
    return np.linalg.norm(as_boxes(boxes)[:, 3:6], axis=1)


def bounds(boxes: ArrayLike) -> Array:
    """Axis-aligned bounds ``(2, 3)`` (low, high) of all boxes together."""
    points = corners(boxes).reshape(-1, 3)
    if not len(points):
        raise ValueError("no boxes, so no bounds; at least one is needed")
    return np.stack([points.min(0), points.max(0)])


def orthonormalised(boxes: ArrayLike) -> Array:
    """The same boxes with positive lengths and unit, orthogonal directions."""
    boxes = as_boxes(boxes)
    frame = axes(boxes)
    return np.concatenate([boxes[:, :3], np.abs(boxes[:, 3:6]), frame[:, 0], frame[:, 1]], axis=1)


_PERMUTATIONS = np.array(list(itertools.permutations(range(3))))


def canonicalised(boxes: ArrayLike, reference: ArrayLike | None = None) -> Array:
    """The same boxes with their axes renamed and turned to be closest to the coordinate axes.

    A box has 24 descriptions, one a rotation of the cube; this picks the one whose frame has the
    largest trace, so that like boxes have like numbers.

    Args:
        boxes: ``(n, 12)``.
        reference: Boxes ``(n, 12)`` whose axes take the place of the coordinate axes: described
            after the step before, a box that turns from step to step has numbers that do not jump.
    """
    boxes = as_boxes(boxes)
    target = np.eye(3)[None] if reference is None else axes(reference)
    # What follows is stated in the target's frame. (n, axis, coordinate)
    frame = axes(boxes) @ np.swapaxes(target, 1, 2)
    rows = np.arange(len(boxes))[:, None]
    along = np.abs(frame)[:, _PERMUTATIONS, np.arange(3)].sum(2)  # (n, 6)
    chosen = _PERMUTATIONS[along.argmax(1)]  # (n, 3): the axis that serves each coordinate
    turned = frame[rows, chosen]
    signs = np.sign(np.einsum("njj->nj", turned))
    turned = turned * np.where(signs == 0, 1.0, signs)[:, :, None] @ target
    lengths = np.abs(boxes[:, 3:6])[rows, chosen]
    return np.concatenate([boxes[:, :3], lengths, turned[:, 0], turned[:, 1]], axis=1)


def mesh(boxes: ArrayLike) -> tuple[Array, NDArray[np.int64]]:
    """Closed triangle mesh of every box: vertices ``(8 n, 3)``, faces ``(12 n, 3)``."""
    points = corners(boxes)
    offsets = 8 * np.arange(len(points))[:, None, None]
    return points.reshape(-1, 3), (TRIANGLES[None] + offsets).reshape(-1, 3)


def transformed(
    boxes: ArrayLike,
    *,
    rotation: ArrayLike | None = None,
    scale: float = 1.0,
    translation: ArrayLike = (0.0, 0.0, 0.0),
) -> Array:
    """Map points by ``x -> scale * rotation @ x + translation``; lengths are scaled.

    Args:
        boxes: ``(n, 12)``.
        rotation: Orthogonal ``(3, 3)``; a reflection (determinant -1) is allowed, since a box is
            its own mirror image.
        scale: Positive factor.
        translation: ``(3,)``, added last.
    """
    boxes = as_boxes(boxes)
    matrix = np.eye(3) if rotation is None else np.asarray(rotation, dtype=np.float64)
    out = np.empty_like(boxes)
    out[:, :3] = scale * boxes[:, :3] @ matrix.T + np.asarray(translation, dtype=np.float64)
    out[:, 3:6] = scale * boxes[:, 3:6]
    out[:, 6:9] = boxes[:, 6:9] @ matrix.T
    out[:, 9:12] = boxes[:, 9:12] @ matrix.T
    return out


def stretched(boxes: ArrayLike, matrix: ArrayLike, offset: ArrayLike = (0.0, 0.0, 0.0)) -> Array:
    """Map boxes by ``x -> matrix @ x + offset`` as nearly as boxes can follow.

    The image of a box under a shear is none: it becomes the box with the same centre whose half
    axes come nearest to the images of the old ones (orthogonal Procrustes), so long axes keep
    their direction best. A rigid motion or a scaling along the box's own axes is exact.

    Args:
        boxes: ``(n, 12)``.
        matrix: ``(3, 3)`` with a positive determinant.
        offset: ``(3,)``, added last.

    Raises:
        ValueError: The matrix turns space inside out or flattens it.
    """
    boxes, matrix = as_boxes(boxes), np.asarray(matrix, dtype=np.float64)
    if matrix.shape != (3, 3) or not np.linalg.det(matrix) > 0:
        raise ValueError(
            f"a stretch must be (3, 3) with a positive determinant; got {matrix.tolist()}"
        )
    frame = axes(boxes)
    half = 0.5 * np.abs(boxes[:, 3:6, None])
    image = frame @ matrix.T
    # A little length for flat boxes, whose third axis still has a direction.
    weight = half + 0.05 * half.mean(1, keepdims=True) + 1e-12
    u, _, v = np.linalg.svd(np.swapaxes(frame, 1, 2) @ (weight**2 * image))
    axis = frame @ (u @ v)
    lengths = 2 * half[:, :, 0] * np.abs((axis * image).sum(2))
    centre = boxes[:, :3] @ matrix.T + np.asarray(offset, dtype=np.float64)
    return np.concatenate([centre, lengths, axis[:, 0], axis[:, 1]], axis=1)
