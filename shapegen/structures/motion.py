"""The rigid motions that symmetry relations state, and how far a box is from another's image."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from shapegen.core import boxes as box_algebra
from shapegen.structures.part_tree import PARAMETER_COUNTS, RelationKind

Array = NDArray[np.float64]

BOX_AXES = np.array(list(itertools.permutations(range(3))))
"""The six ways ``(6, 3)`` to name the axes of a box."""


def motion(kind: RelationKind, params: Sequence[float]) -> tuple[Array, Array]:
    """Matrix ``(3, 3)`` and offset ``(3,)`` of the map ``x -> matrix @ x + offset`` of a symmetry.

    Args:
        kind: A symmetry.
        params: As in :class:`~shapegen.structures.part_tree.Relation`.

    Raises:
        ValueError: ``kind`` is ADJ, or the parameters are too few, too many, or without direction.
    """
    values = np.asarray(params, dtype=np.float64)
    count = PARAMETER_COUNTS[kind]
    if not count or values.shape != (count,):
        raise ValueError(f"{kind} takes {count} parameters and maps no points; got {list(params)}")
    if kind is RelationKind.TRANS_SYM:
        return np.eye(3), values
    point, direction = values[:3], values[3:6]
    length = float(np.linalg.norm(direction))
    if not length > 1e-12:
        raise ValueError(f"{kind} needs a direction longer than 0; got {direction.tolist()}")
    unit = direction / length
    if kind is RelationKind.REF_SYM:
        matrix = np.eye(3) - 2.0 * np.outer(unit, unit)
    else:
        matrix = rotation(unit, float(values[6]))
    return matrix, point - matrix @ point


def rotation(axis: Array, angle: float) -> Array:
    """Matrix ``(3, 3)`` that turns by ``angle`` radians about a unit axis, right-handed."""
    x, y, z = axis
    cross = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    matrix: Array = np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * (cross @ cross)
    return matrix


def inverse(kind: RelationKind, params: Sequence[float]) -> tuple[float, ...]:
    """Parameters of the motion that undoes a symmetry."""
    if kind is RelationKind.TRANS_SYM:
        return tuple(-value for value in params)
    if kind is RelationKind.ROT_SYM:
        return (*params[:6], -params[6])
    return tuple(params)


def mapped(boxes: ArrayLike, kind: RelationKind, params: Sequence[float]) -> Array:
    """Images ``(n, 12)`` of boxes under a symmetry."""
    matrix, offset = motion(kind, params)
    return box_algebra.transformed(boxes, rotation=matrix, translation=offset)


def shape_squares(half_a: Array, half_b: Array) -> Array:
    """Mean square corner distance ``(...)`` of boxes ``(..., 3, 3)`` moved to one centre.

    The best of the 48 ways to match corners is taken: the names and signs of axes do not matter.
    With half axes h it is ``sum |a_j|^2 + sum |b_j|^2 - 2 max_p sum_j |a_j . b_p(j)|``.
    """
    products = np.abs(half_a @ np.swapaxes(half_b, -1, -2))
    best = products[..., np.arange(3), BOX_AXES].sum(-1).max(-1)
    squares: Array = (half_a**2).sum((-1, -2)) + (half_b**2).sum((-1, -2)) - 2.0 * best
    return np.maximum(squares, 0.0)


def corner_distances(a: ArrayLike, b: ArrayLike) -> Array:
    """Root mean square corner distance ``(n,)`` of boxes ``(n, 12)`` row by row."""
    first, second = box_algebra.as_boxes(a), box_algebra.as_boxes(b)
    squares = shape_squares(box_algebra.half_axes(first), box_algebra.half_axes(second))
    distance: Array = np.sqrt(squares + ((first[:, :3] - second[:, :3]) ** 2).sum(1))
    return distance


def set_distance(a: ArrayLike, b: ArrayLike) -> float:
    """Largest corner distance of two box sets, matched; infinite for unequal counts."""
    first, second = box_algebra.as_boxes(a), box_algebra.as_boxes(b)
    if len(first) != len(second):
        return float("inf")
    if not len(first):
        return 0.0
    return float(corner_distances(first, second[matching(first, second)]).max())


def matching(a: ArrayLike, b: ArrayLike) -> NDArray[np.int64]:
    """Match two sets of ``n`` boxes one to one, the closest first: the row of b for each of a."""
    first, second = box_algebra.as_boxes(a), box_algebra.as_boxes(b)
    if len(first) != len(second):
        raise ValueError(f"the sets must be of equal size; got {len(first)} and {len(second)}")
    if len(first) == 1:
        return np.zeros(1, dtype=np.int64)
    squares = shape_squares(
        box_algebra.half_axes(first)[:, None], box_algebra.half_axes(second)[None]
    )
    squares = squares + ((first[:, None, :3] - second[None, :, :3]) ** 2).sum(2)
    match: NDArray[np.int64] = squares.argmin(1)
    if len(set(match.tolist())) == len(first):
        return match
    for _ in range(len(first)):
        row, column = np.unravel_index(squares.argmin(), squares.shape)
        match[row] = column
        squares[row], squares[:, column] = np.inf, np.inf
    return match
