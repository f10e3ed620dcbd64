"""Pictures of depth and of normals, as cameras see them."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Pixels = NDArray[np.uint8]


def depth_picture(depth: ArrayLike) -> Pixels:
    """Draw depth ``(h, w)`` in grey ``(h, w, 1)``: the nearest white, the farthest dark.

    Args:
        depth: Infinite where nothing is seen, which is black.
    """
    values = np.asarray(depth, dtype=np.float64)
    seen = np.isfinite(values)
    grey = np.zeros(values.shape)
    if seen.any():
        near, far = values[seen].min(), values[seen].max()
        # What is seen stays apart from what is not.
        grey[seen] = 1.0 - 0.8 * (values[seen] - near) / max(far - near, 1e-12)
    return np.rint(255 * grey)[..., None].astype(np.uint8)


def normal_picture(normals: ArrayLike) -> Pixels:
    """Draw unit normals ``(h, w, 3)`` as colours: x, y and z from -1 to 1 are red, green and blue.

    Args:
        normals: 0 where nothing is seen, which is white.
    """
    values = np.asarray(normals, dtype=np.float64)
    seen = np.abs(values).sum(-1, keepdims=True) > 0
    return np.rint(255 * np.where(seen, 0.5 * (values + 1.0), 1.0)).astype(np.uint8)
