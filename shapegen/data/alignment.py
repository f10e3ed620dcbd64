"""Which way a shape is turned about the up axis, told by its boxes."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from shapegen.core import boxes as box_algebra

Array = NDArray[np.float64]

_SAME_ANGLE = np.radians(0.2)
_LEVEL = 0.01
"""Sine of the angle to the ground up to which an axis is horizontal."""
_MIRRORED = 0.01
"""How far corners of mirror images may be apart, in diagonals of the shape."""
_CLEARLY = 1.05


def aligning_rotation(boxes: ArrayLike) -> Array:
    """Rotation ``(3, 3)`` about y after which most boxes are upright and left-right is x.

    The angle is the one, up to quarter turns, that most of the boxes' surface shares. Of the two
    horizontal directions left-right is the one in which more of the surface is mirrored in the
    shape's middle; if that does not decide, the longer one, then the one closer to x. Front and
    back are not told apart: the angle is between -135 and 135 degrees.

    Args:
        boxes: ``(n, 12)``, the leaves of one shape.
    """
    boxes = box_algebra.as_boxes(boxes)
    angle = _shared_angle(boxes)
    straight = box_algebra.transformed(boxes, rotation=_turn(-angle))
    for across, along in (
        (_mirrored_share(straight, 0), _mirrored_share(straight, 2)),
        np.ptp(box_algebra.bounds(straight), axis=0)[[0, 2]],
    ):
        decided = max(across, along) > _CLEARLY * min(across, along)
        if decided:
            break
    if decided and along > across:
        # The smaller of the two turns by a right angle.
        angle += np.pi / 2 if angle <= 0 else -np.pi / 2
    return _turn(-angle)


def _turn(angle: float) -> Array:
    # Quarter turns are exact.
    sine, cosine = np.round([np.sin(angle), np.cos(angle)], 15)
    return np.array([[cosine, 0.0, sine], [0.0, 1.0, 0.0], [-sine, 0.0, cosine]])


def _shared_angle(boxes: Array) -> float:
    """Angle in (-45, 45] degrees from the coordinate axes to those of most of the surface."""
    axes = box_algebra.axes(boxes)  # (n, axis, 3)
    weight = np.repeat(_areas(boxes), 3)
    x, y, z = axes.reshape(-1, 3).T
    level = np.abs(y) < _LEVEL
    # A turn by +angle about y takes x to (cos, 0, -sin).
    angle = np.arctan2(-z, x)[level]
    angle -= np.pi / 2 * np.ceil(angle / (np.pi / 2) - 0.5)
    weight = weight[level]
    if not len(angle):
        return 0.0
    apart = np.abs(angle[:, None] - angle[None])
    near = np.minimum(apart, np.pi / 2 - apart) < _SAME_ANGLE
    votes = near @ weight
    straight = weight[np.minimum(np.abs(angle), np.pi / 2 - np.abs(angle)) < _SAME_ANGLE].sum()
    best = int(votes.argmax())
    return 0.0 if straight >= votes[best] * (1 - 1e-9) else float(angle[best])


def _areas(boxes: Array) -> Array:
    a, b, c = np.abs(boxes[:, 3:6]).T
    areas: Array = a * b + b * c + c * a
    return areas


def _mirrored_share(boxes: Array, axis: int) -> float:
    """Surface of the boxes whose mirror image in the middle of an axis is there too."""
    low, high = box_algebra.bounds(boxes)
    reach = _MIRRORED * float(np.linalg.norm(high - low))
    corners = box_algebra.corners(boxes)
    image = corners.copy()
    image[..., axis] = low[axis] + high[axis] - image[..., axis]
    share = 0.0
    for points, area in zip(image, _areas(boxes), strict=True):
        apart = np.linalg.norm(points[None, :, None] - corners[:, None], axis=3)
        fits = np.maximum(apart.min(2).max(1), apart.min(1).max(1)) <= reach
        share += area * bool(fits.any())
    return share
