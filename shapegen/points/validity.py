"""What every cloud must be that is read from a file or learnt from."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

MIN_POINTS = 8
"""Fewest points of a shape."""


def checked_points(values: Any, place: str) -> NDArray[np.float32]:
    """Points ``(batch, points, 3)`` of numbers of the same shape, or of one cloud ``(points, 3)``.

    Args:
        values: An array.
        place: What the message begins with, such as the file.

    Raises:
        ValueError: Another shape or type, fewer than :data:`MIN_POINTS` points, a number that is
            not finite, or all points of a shape at one place.
    """
    array = np.asarray(values)
    if array.ndim == 2:
        array = array[None]
    if array.ndim != 3 or array.shape[2] != 3 or array.dtype.kind not in "fiu":
        raise ValueError(
            f"{place}: points must be (shapes, points, 3) or (points, 3) numbers; "
            f"got {np.shape(values)} {array.dtype}"
        )
    if not len(array) or array.shape[1] < MIN_POINTS:
        raise ValueError(
            f"{place}: at least one shape of {MIN_POINTS} points is needed; got {array.shape}"
        )
    # A double that is too large for a float32 becomes infinite, and is told so.
    with np.errstate(over="ignore"):
        points = array.astype(np.float32)
    problem = problem_of(points)
    if problem:
        raise ValueError(f"{place}: {problem}")
    return points


def problem_of(points: NDArray[np.float32]) -> str:
    """What is wrong with the first bad one of clouds ``(batch, points, 3)``; empty if nothing."""
    finite = np.isfinite(points).all((1, 2))
    if not finite.all():
        number = int(np.flatnonzero(~finite)[0])
        return f"points must be finite; shape {number} has NaN or infinity"
    flat = (np.ptp(points, axis=1) == 0).all(1)
    if flat.any():
        number = int(np.flatnonzero(flat)[0])
        return f"a shape needs an extent; all points of shape {number} are at one place"
    return ""
