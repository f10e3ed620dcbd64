"""Distances of boxes and of box sets: corner distance, box-set distance D, matrices of D.

For model selection::

    from shapegen.metrics.boxes import distance_matrix, nearest_matrix
    d = distance_matrix(samples, reference)      # (n, m), every entry exact
    d = nearest_matrix(samples, reference)       # exact where it can be a smallest, else inf

``samples`` and ``reference`` are sequences of ``(k, 12)`` arrays: ``[t.boxes() for t in trees]``.
:func:`nearest_matrix` is all that :mod:`shapegen.metrics.sets` needs and several times faster.

Distances are rounded to 12 decimals, so that equal shapes tie whatever the order of summation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from shapegen.core import boxes as box_algebra

Array = NDArray[np.float64]
Index = NDArray[np.int64]

DECIMALS = 12
_ROUNDING = 1e-14
_CHUNK = 2048
_FIRST_LOOK = 6


@dataclass(frozen=True, eq=False)
class BoxSets:
    """The boxes of many shapes in one array, with what the distances need of them."""

    centre: Array
    """``(N, 3)``."""
    half: Array
    """``(N, 3, 3)``: half axes, one a row."""
    square: Array
    """``(N,)``: sum of the squared half axes."""
    diagonal: Array
    """``(N,)``."""
    feature: Array
    """``(N, 6)``: centre and sorted half lengths; their Euclidean distance never exceeds the
    corner distance (rearrangement inequality)."""
    count: Index
    """``(S,)``: boxes of every shape, each at least one."""

    @classmethod
    def of(cls, shapes: Sequence[ArrayLike] | BoxSets) -> BoxSets:
        """Gather shapes, each an array ``(k, 12)`` with ``k >= 1``.

        Raises:
            ValueError: No shapes, a shape without boxes, not ``(k, 12)``, or not finite.
        """
        if isinstance(shapes, BoxSets):
            return shapes
        arrays = [box_algebra.as_boxes(shape) for shape in shapes]
        if not arrays:
            raise ValueError("a set of shapes needs at least one shape; got none")
        for number, array in enumerate(arrays):
            if not len(array):
                raise ValueError(f"shape {number} has no boxes; at least one is needed")
            if not np.isfinite(array).all():
                raise ValueError(f"boxes must be finite; shape {number} holds NaN or infinity")
        boxes = np.concatenate(arrays)
        half = box_algebra.half_axes(boxes)
        return cls(
            centre=boxes[:, :3],
            half=half,
            square=(half**2).sum((1, 2)),
            diagonal=np.linalg.norm(boxes[:, 3:6], axis=1),
            feature=np.hstack([boxes[:, :3], np.sort(0.5 * np.abs(boxes[:, 3:6]), axis=1)]),
            count=np.array([len(array) for array in arrays]),
        )

    def __len__(self) -> int:
        return len(self.count)

    @property
    def start(self) -> Index:
        """``(S,)``: first box of every shape."""
        return np.cumsum(self.count) - self.count

    def take(self, shapes: Index | slice) -> BoxSets:
        """The shapes with these numbers, in that order."""
        count, start = self.count[shapes], self.start[shapes]
        first = np.repeat(start - (np.cumsum(count) - count), count)
        rows = first + np.arange(len(first))
        return BoxSets(
            self.centre[rows],
            self.half[rows],
            self.square[rows],
            self.diagonal[rows],
            self.feature[rows],
            count,
        )


def corner_distance(a: ArrayLike, b: ArrayLike) -> Array:
    r"""Distances ``(n, m)`` of all boxes ``a (n, 12)`` from all boxes ``b (m, 12)``.

    The root mean square distance of the eight corners under the best of the 48 symmetries of the
    cube. With centres c and half axes h,

    .. math:: d^2 = |c_a - c_b|^2 + \sum_j |h_{aj}|^2 + \sum_j |h_{bj}|^2
              - 2 \max_\pi \sum_j |h_{aj} \cdot h_{b\pi(j)}|.
    """
    a, b = box_algebra.as_boxes(a), box_algebra.as_boxes(b)
    if not (len(a) and len(b)):
        return np.zeros((len(a), len(b)))
    return _corner_distances(BoxSets.of([a]), BoxSets.of([b]))


def box_set_distance(a: ArrayLike, b: ArrayLike) -> float:
    """Distance D of two shapes ``(n, 12)`` and ``(m, 12)``, in the unit of the boxes.

    Every box of the smaller set is matched to a box of the larger, at their corner distance; every
    left-over box costs its diagonal; D is the least total over ``max(n, m)``.
    """
    return float(distance_matrix([a], [b])[0, 0])


def distance_matrix(
    a: Sequence[ArrayLike] | BoxSets, b: Sequence[ArrayLike] | BoxSets | None = None
) -> Array:
    """Distance D of every shape of ``a`` from every shape of ``b`` (default: of ``a`` itself).

    Returns:
        ``(len(a), len(b))``; symmetric with a zero diagonal where ``b`` is not given.
    """
    first = BoxSets.of(a)
    second = first if b is None else BoxSets.of(b)
    out = np.zeros((len(first), len(second)))
    for row in range(len(first)):
        begin = row + 1 if b is None else 0
        out[row, begin:] = _distances(first.take(slice(row, row + 1)), second, begin)
    return out + out.T if b is None else out


def nearest_matrix(
    a: Sequence[ArrayLike] | BoxSets, b: Sequence[ArrayLike] | BoxSets | None = None
) -> Array:
    """As :func:`distance_matrix`, but entries that cannot be smallest may be ``inf``.

    The smallest entries of every row and every column, ties included, are exact: a cheap lower
    bound rules the others out. Where ``b`` is not given the diagonal is ``inf``.
    """
    first = BoxSets.of(a)
    second = first if b is None else BoxSets.of(b)
    lower = lower_bounds(first, second)
    if b is None:
        np.fill_diagonal(lower, np.inf)
    out = np.full(lower.shape, np.inf)
    _settle_rows(first, second, lower, out)
    if b is None:
        np.minimum(out, out.T.copy(), out=out)
        return out
    _settle_rows(second, first, lower.T, out.T)
    return out


def nearest(
    a: Sequence[ArrayLike] | BoxSets, b: Sequence[ArrayLike] | BoxSets
) -> tuple[Index, Array]:
    """Number and distance D of the nearest shape of ``b``, for every shape of ``a``."""
    first, second = BoxSets.of(a), BoxSets.of(b)
    lower = lower_bounds(first, second)
    out = np.full(lower.shape, np.inf)
    _settle_rows(first, second, lower, out)
    return out.argmin(1), out.min(1)


def lower_bounds(a: BoxSets, b: BoxSets) -> Array:
    """Lower bounds ``(len(a), len(b))`` of D, without a matching: rounding is allowed for.

    Every box of the smaller set pays at least its cheapest partner; every box of the larger at
    least the cheaper of its cheapest partner and being left over. The larger bound counts.
    """
    origin = a.feature.mean(0)
    ours, theirs = a.feature - origin, b.feature - origin
    theirs_square = (theirs**2).sum(1)
    theirs_total = np.add.reduceat(b.diagonal, b.start)
    out = np.empty((len(a), len(b)))
    for row, (begin, count) in enumerate(zip(a.start, a.count, strict=True)):
        rows = slice(begin, begin + count)
        squared = (ours[rows] ** 2).sum(1)[:, None] + theirs_square - 2 * ours[rows] @ theirs.T
        cost = _shifted(np.sqrt(np.maximum(squared, 0)), a.diagonal[rows], b)
        by_row = np.minimum.reduceat(cost, b.start, axis=1)
        by_row = np.where(b.count < count, np.minimum(by_row, 0), by_row).sum(0)
        by_column = cost.min(0)
        by_column = np.where(
            np.repeat(b.count > count, b.count), np.minimum(by_column, 0), by_column
        )
        bound = np.maximum(by_row, np.add.reduceat(by_column, b.start))
        bound += _left_over(a.diagonal[rows].sum(), theirs_total, int(count), b.count)
        out[row] = bound / np.maximum(b.count, count)
    # The expanded square loses half the digits where two features nearly agree.
    scale = np.sqrt(max(float((ours**2).sum(1).max()), float(theirs_square.max())))
    out -= 1e-7 * scale
    np.maximum(out, 0.0, out=out)
    return out


def _settle_rows(a: BoxSets, b: BoxSets, lower: Array, out: Array) -> None:
    """Make the row minima of ``out`` exact: the most promising, then all that may beat those."""
    order = np.argsort(lower, axis=1, kind="stable")
    for row in range(len(a)):
        shape = a.take(slice(row, row + 1))
        best = out[row].min()
        for candidates in (order[row, :_FIRST_LOOK], order[row, _FIRST_LOOK:]):
            possible = lower[row, candidates] <= best
            columns = candidates[possible & np.isinf(out[row, candidates])]
            columns = columns[np.isfinite(lower[row, columns])]
            if len(columns):
                out[row, columns] = _distances(shape, b.take(columns))
                best = min(best, out[row, columns].min())


def _distances(shape: BoxSets, b: BoxSets, begin: int = 0) -> Array:
    """D of one shape from the shapes of ``b`` from number ``begin`` on."""
    from scipy.optimize import linear_sum_assignment

    b = b.take(slice(begin, None))
    if not len(b):
        return np.zeros(0)
    cost = _shifted(_corner_distances(shape, b), shape.diagonal, b)
    rows, columns = [], []
    for first, count in zip(b.start.tolist(), b.count.tolist(), strict=True):
        row, column = linear_sum_assignment(cost[:, first : first + count])
        rows.append(row)
        columns.append(column)
    matched = np.minimum(b.count, shape.count[0])
    values = cost[np.concatenate(rows), np.concatenate(columns) + np.repeat(b.start, matched)]
    totals = np.add.reduceat(values, np.cumsum(matched) - matched)
    totals += _left_over(
        shape.diagonal.sum(), np.add.reduceat(b.diagonal, b.start), int(shape.count[0]), b.count
    )
    totals /= np.maximum(b.count, shape.count[0])
    distances: Array = np.maximum(np.round(totals, DECIMALS), 0.0)
    return distances


def _shifted(distance: Array, diagonal: Array, b: BoxSets) -> Array:
    """Cost of matching instead of leaving over: less the diagonal on the larger side."""
    count = np.repeat(b.count, b.count)
    cost = distance - np.where(count > len(diagonal), b.diagonal, 0.0)
    shorter = count < len(diagonal)
    if shorter.any():
        cost -= np.where(shorter, diagonal[:, None], 0.0)
    return cost


def _left_over(ours: float, theirs: Array, count: int, counts: Index) -> Array:
    """The diagonals of the larger side, which :func:`_shifted` subtracts where it matches."""
    left: Array = np.where(counts > count, theirs, np.where(counts < count, ours, 0.0))
    return left


def _corner_distances(a: BoxSets, b: BoxSets) -> Array:
    out = np.empty((len(a.centre), len(b.centre)))
    axes = a.half.transpose(1, 0, 2).reshape(-1, 3)  # (3 n, 3)
    # In pieces that stay in the processor's cache: 9 numbers a pair of boxes.
    for first in range(0, len(b.centre), _CHUNK):
        columns = slice(first, first + _CHUNK)
        others = b.half[columns].transpose(2, 1, 0)  # (3, 3, m)
        dots = np.abs(axes @ others.reshape(3, -1)).reshape(3, len(a.centre), 3, -1)
        overlap = _best_permutation(dots)
        squared = a.square[:, None] + b.square[columns]
        for axis in range(3):
            squared += (a.centre[:, axis, None] - b.centre[columns, axis]) ** 2
        floor = _ROUNDING * squared
        squared -= 2 * overlap
        # What rounding leaves of the distance of two equal boxes is no distance.
        squared[squared < floor] = 0.0
        out[:, columns] = np.sqrt(squared, out=squared)
    return out


def _best_permutation(dots: Array) -> Array:
    """Largest sum of three entries, one a row and one a column, of every ``dots[:, i, :, j]``."""
    best: Array | None = None
    for first, second, third in ((0, 1, 2), (1, 0, 2), (2, 0, 1)):
        rest = np.maximum(
            dots[1, :, second] + dots[2, :, third], dots[1, :, third] + dots[2, :, second]
        )
        rest += dots[0, :, first]
        best = rest if best is None else np.maximum(best, rest, out=best)
    assert best is not None
    return best
