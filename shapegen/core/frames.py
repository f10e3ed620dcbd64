"""The two frames of the world: shapes are y up with the front +z, fields and poses are z up.

Going from one to the other, x (left to right) stays, y becomes z, and the front +z becomes -y.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

TO_Z_UP: Array = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])
"""Turns columns of y up into those of z up, as CAD programs and Blender have them too."""


def to_z_up(vectors: ArrayLike) -> Array:
    """Points or directions ``(..., 3)`` in the frame of fields, z up, of those in y up."""
    return np.asarray(np.asarray(vectors, dtype=np.float64) @ TO_Z_UP.T)


def to_y_up(vectors: ArrayLike) -> Array:
    """Points or directions ``(..., 3)`` in the frame of shapes, y up, of those in z up."""
    return np.asarray(np.asarray(vectors, dtype=np.float64) @ TO_Z_UP)
