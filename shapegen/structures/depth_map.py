"""Depth maps of box shapes, by rays against all boxes at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from shapegen.core import boxes as box_algebra

SIZE = 64
"""Pixels across."""
WINDOW = 1.2
"""Half the width of what is seen, in units of the shape: shapes lie within 1 of the origin."""


def depth_map(
    boxes: ArrayLike, *, size: int = SIZE, azimuth: float = 0.6, elevation: float = 0.36
) -> NDArray[np.float32]:
    """Look at boxes through an orthographic camera that is turned to the origin.

    Args:
        boxes: ``(n, 12)``, facing +z, y up.
        size: Pixels across and down.
        azimuth: Radians from the front towards +x.
        elevation: Radians above the horizon.

    Returns:
        ``(size, size)``: 1 at a distance of :data:`WINDOW` before the origin, -1 as far behind,
        and -1 where nothing is seen.
    """
    boxes = box_algebra.as_boxes(boxes)
    flat = np.cos(elevation)
    back = np.array([flat * np.sin(azimuth), np.sin(elevation), flat * np.cos(azimuth)])
    right = np.array([np.cos(azimuth), 0.0, -np.sin(azimuth)])
    up = np.cross(back, right)
    steps = WINDOW * (2 * (np.arange(size) + 0.5) / size - 1)
    start = steps[None, :, None] * right - steps[:, None, None] * up + WINDOW * back
    axes = box_algebra.axes(boxes)
    half = np.abs(boxes[:, 3:6]) / 2
    # In a box's frame a ray is origin - t * direction; it is inside between its six planes.
    origin = np.einsum("bij,hwbj->bihw", axes, start[:, :, None] - boxes[:, :3])
    direction = (axes @ back)[:, :, None, None]
    direction = np.where(np.abs(direction) < 1e-9, 1e-9, direction)
    near = (origin - np.copysign(half[:, :, None, None], direction)) / direction
    far = (origin + np.copysign(half[:, :, None, None], direction)) / direction
    enter, leave = near.max(1), far.min(1)
    distance = np.where((enter <= leave) & (leave >= 0), np.maximum(enter, 0.0), np.inf).min(0)
    return (1.0 - np.minimum(distance / WINDOW, 2.0)).astype(np.float32)
