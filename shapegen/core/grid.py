"""Shapes side by side: where each of them goes."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

GAP = 0.5
"""Space between the shapes of a grid, by the largest shape's width or depth."""


def grid_offsets(bounds: ArrayLike, *, columns: int | None = None) -> NDArray[np.float64]:
    """How far to move shapes ``(n, 3)`` so that they stand in rows from the back to the front.

    Every shape then stands on the ground y = 0; the grid's middle is the origin.

    Args:
        bounds: ``(n, 2, 3)``, low and high corner of every shape.
        columns: Shapes in a row; default about 1.6 times as many as rows.
    """
    low, high = np.asarray(bounds, dtype=np.float64).transpose(1, 0, 2)
    columns = columns or max(round((1.6 * len(low)) ** 0.5), 1)
    step = (1.0 + GAP) * (high - low).max(0)
    row, column = np.divmod(np.arange(len(low)), columns)
    rows = -(-len(low) // columns)
    target = np.zeros_like(low)
    target[:, 0] = (column - 0.5 * (min(columns, len(low)) - 1)) * step[0]
    target[:, 2] = (row - 0.5 * (rows - 1)) * step[2]
    stand = 0.5 * (low + high)
    stand[:, 1] = low[:, 1]
    return target - stand
