"""Depths as colours."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

_BINS = np.array([0.0, 0.114, 0.299, 0.413, 0.587, 0.701, 0.886, 1.0, 2.0])
"""Sums of the brightness of the colours below."""
_COLORS = 255.0 * np.array(
    [
        [0, 0, 0],
        [0, 0, 1],
        [1, 0, 0],
        [1, 0, 1],
        [0, 1, 0],
        [0, 1, 1],
        [1, 1, 0],
        [1, 1, 1],
        [1, 1, 1],
    ]
)
"""Black, blue, red, magenta, green, cyan, yellow, white: brighter from one to the next."""


def depth_share(
    depth: ArrayLike, opacity: ArrayLike, near: float, far: float
) -> NDArray[np.float64]:
    """Depths of what is seen, 0 at the nearest possible place and 1 at the farthest.

    Args:
        depth: Of renderings, times their opacity.
        opacity: Of renderings; where it is 0, what is seen is at the farthest place.
        near: Least ``t``.
        far: Largest ``t``.
    """
    held = np.asarray(opacity, dtype=np.float64)
    seen = held > 1e-10
    mean = np.where(seen, np.asarray(depth, dtype=np.float64) / np.where(seen, held, 1.0), far)
    return np.asarray((mean - near) / (far - near))


def depth_colors(share: ArrayLike) -> NDArray[np.uint8]:
    """Colours ``(h, w, 3)`` of a picture of depths ``(h, w)``, the farthest of them white.

    Args:
        share: At least 0; what is below counts as 0.
    """
    scaled = np.asarray(share, dtype=np.float64).clip(min=0.0)
    largest = scaled.max(initial=0.0)
    scaled = scaled / largest if largest > 0 else scaled
    channels = [np.interp(scaled, _BINS, _COLORS[:, channel]) for channel in range(3)]
    return np.stack(channels, -1).astype(np.uint8)
