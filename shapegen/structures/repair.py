"""Rules for bad boxes: each is mended by a stated rule and counted, or refused.

=================  ===============================================  ===========================
rule               what is wrong                                    ``"fix"`` makes of it
=================  ===============================================  ===========================
``non-finite``     NaN or infinity                                  refused in every mode
``too large``      a length or |coordinate| above :data:`MAX_SIZE`  refused in every mode
``no extent``      no box of the shape has a side                   refused unless ``"keep"``
``negative side``  a side below 0                                   its absolute value
``zero side``      below 1e-6 of the shape's longest side           1e-4 of the longest side
``no direction``   a direction of length below 1e-6, or the second  the rule of
                   parallel to the first                            ``core.boxes.axes``
``not unit``       a length that differs from 1 by more than 1e-3   the same rule
``not orthogonal`` a scalar product above 1e-3                      the same rule
``out of range``   a side above 2 or |coordinate| above 1: legal,   kept, only counted
                   but beyond StructureNet's original decoder
=================  ===============================================  ===========================

Directions within the tolerance are left bit for bit as they are (files round to 4 decimals), so
reading, writing and reading again changes nothing. Every rule is idempotent.
"""

from __future__ import annotations

import itertools
import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from shapegen.core import boxes as box_algebra

RepairMode = Literal["fix", "refuse", "keep"]
"""What to do with a bad box: mend and count it, refuse the file, or only count it."""

MAX_SIZE = 1e6
"""Largest length or coordinate, in the units of the file."""

ZERO_SIDE = 1e-6
MENDED_SIDE = 1e-4
DIRECTION_TOLERANCE = 1e-3
DEGENERATE_DIRECTION = 1e-6

NEGATIVE_SIDE = "negative side"
ZERO = "zero side"
NO_DIRECTION = "no direction"
NOT_UNIT = "not unit"
NOT_ORTHOGONAL = "not orthogonal"
OUT_OF_RANGE = "out of range"
NORMAL = "axis of a relation not unit"
MENDED_RULES = (NEGATIVE_SIDE, ZERO, NO_DIRECTION, NOT_UNIT, NOT_ORTHOGONAL, NORMAL)


class RepairWarning(UserWarning):
    """Boxes of a file were bad and have been mended."""


@dataclass
class RepairReport:
    """How many boxes broke which rule; hand one to a reader to collect the counts.

    A reader that is given no report warns once a file instead (:class:`RepairWarning`).
    """

    counts: Counter[str] = field(default_factory=Counter)
    """Boxes by rule; one box can break several."""
    boxes: int = 0
    """Boxes looked at."""
    mode: RepairMode = "fix"

    @property
    def mended(self) -> int:
        """Number of breaches that are not merely noted."""
        return sum(self.counts[rule] for rule in MENDED_RULES)

    @property
    def summary(self) -> str:
        """One line, such as ``"15 zero side (mended), 12 out of range (kept)"``."""
        done = "kept" if self.mode == "keep" else "mended"
        parts = [
            f"{count} {rule} ({'kept' if rule == OUT_OF_RANGE else done})"
            for rule, count in sorted(self.counts.items())
            if count
        ]
        return f"{', '.join(parts) or 'nothing to mend'}; {self.boxes} boxes"

    def add(self, other: RepairReport) -> None:
        """Add the counts of another report."""
        self.counts.update(other.counts)
        self.boxes += other.boxes
        self.mode = other.mode

    def warn(self, source: object, *, stacklevel: int = 2) -> None:
        """Warn, in one line, if anything was mended or would have to be."""
        if self.mended:
            warnings.warn(f"{source}: {self.summary}", RepairWarning, stacklevel=stacklevel + 1)


def repair_boxes(
    boxes: ArrayLike,
    *,
    mode: RepairMode = "fix",
    starts: ArrayLike = (0,),
    report: RepairReport | None = None,
    place: Callable[[int], str] = "box {}".format,
) -> NDArray[np.float64]:
    """Apply the rules of this module.

    Args:
        boxes: ``(n, 12)``, of one shape or of many.
        mode: ``"fix"``, ``"refuse"`` or ``"keep"``.
        starts: Row of every shape's first box; the longest side is taken by shape.
        report: Gets the counts.
        place: Row number to words for messages, such as ``"root/children[2]"``.

    Returns:
        The mended boxes; rows that break no rule are unchanged, and the input never is changed.

    Raises:
        ValueError: A box cannot be mended or, with ``"refuse"``, breaks any rule but
            ``out of range``.
    """
    if mode not in get_args(RepairMode):
        raise ValueError(f"repair must be one of {get_args(RepairMode)}; got {mode!r}")
    boxes = box_algebra.as_boxes(boxes)
    report = RepairReport() if report is None else report
    report.mode = mode
    report.boxes += len(boxes)
    if not len(boxes):
        return boxes
    _refuse_impossible(boxes, place)
    longest = _longest_sides(boxes, np.asarray(starts))
    broken = _breaches(boxes, longest)
    for rule, rows in broken.items():
        if not rows.any():
            continue
        report.counts[rule] += int(rows.sum())
        if mode == "refuse" and rule != OUT_OF_RANGE:
            row = int(rows.argmax())
            raise ValueError(f"{place(row)}: {rule}; got the box {boxes[row].round(6).tolist()}")
    if mode == "keep":
        return boxes
    if not longest.all():
        raise ValueError(f"{place(int((longest == 0).argmax()))}: no box of the shape has a side")
    return _mended(boxes, broken, longest)


def repair_shapes(
    groups: Sequence[NDArray[np.float64]],
    *,
    mode: RepairMode,
    report: RepairReport,
    place: Callable[[int, int], str],
) -> tuple[dict[int, NDArray[np.float64]], list[str]]:
    """Apply the rules to the boxes of many shapes, at once where none has to be refused.

    Args:
        groups: ``(n, 12)`` of every shape.
        mode: As in :func:`repair_boxes`.
        report: Gets the counts.
        place: Shape and box number to words.

    Returns:
        The boxes by shape number, and a line for every shape that has to be refused.
    """
    if not groups:
        return {}, []
    starts = np.cumsum([0, *map(len, groups)])
    whole = RepairReport()
    try:
        boxes = repair_boxes(np.concatenate(groups), mode=mode, starts=starts[:-1], report=whole)
    except ValueError:
        return _repair_singly(groups, mode, report, place)
    report.add(whole)
    # A copy each, so that one shape does not keep the whole file in memory.
    parts = itertools.pairwise(starts)
    return {number: boxes[a:b].copy() for number, (a, b) in enumerate(parts)}, []


def _repair_singly(
    groups: Sequence[NDArray[np.float64]],
    mode: RepairMode,
    report: RepairReport,
    place: Callable[[int, int], str],
) -> tuple[dict[int, NDArray[np.float64]], list[str]]:
    mended, refused = {}, []
    for number, boxes in enumerate(groups):
        try:
            mended[number] = repair_boxes(
                boxes, mode=mode, report=report, place=partial(place, number)
            )
        except ValueError as error:
            refused.append(str(error))
    return mended, refused


def _refuse_impossible(boxes: NDArray[np.float64], place: Callable[[int], str]) -> None:
    if not np.isfinite(boxes).all():
        row = int((~np.isfinite(boxes)).any(1).argmax())
        raise ValueError(f"{place(row)}: a box must be finite; got {boxes[row].tolist()}")
    if np.abs(boxes).max() > MAX_SIZE:
        row = int((np.abs(boxes) > MAX_SIZE).any(1).argmax())
        raise ValueError(
            f"{place(row)}: numbers of a box must be at most {MAX_SIZE:g}; "
            f"got {boxes[row].tolist()}"
        )


def conclude(
    problems: Sequence[str],
    counts: RepairReport,
    source: object,
    *,
    report: RepairReport | None,
    rejects: list[str] | None,
    stacklevel: int = 3,
) -> None:
    """End the reading of a file as its caller asked: refuse or list problems, warn of repairs.

    Args:
        problems: A line for every shape that cannot be read.
        counts: Of the boxes that were mended.
        source: For the warning.
        report: What the reader's caller gave: None to be warned.
        rejects: Gets the problems; None to raise the first.
        stacklevel: Of the warning; by default the caller of this function's caller is to see it.

    Raises:
        ValueError: There is a problem and ``rejects`` is None.
    """
    if rejects is None:
        if problems:
            raise ValueError(problems[0])
    else:
        rejects.extend(problems)
    if report is None:
        counts.warn(source, stacklevel=stacklevel)


def _longest_sides(boxes: NDArray[np.float64], starts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Longest side ``(n,)`` of the shape that a row belongs to."""
    longest = np.maximum.reduceat(np.abs(boxes[:, 3:6]).max(1), starts)
    counts = np.diff(starts, append=len(boxes))
    return np.asarray(np.repeat(longest, counts))


def _breaches(
    boxes: NDArray[np.float64], longest: NDArray[np.float64]
) -> dict[str, NDArray[np.bool_]]:
    sides, x, y = boxes[:, 3:6], boxes[:, 6:9], boxes[:, 9:12]
    lengths = np.stack([np.linalg.norm(x, axis=1), np.linalg.norm(y, axis=1)], axis=1)
    product = np.abs((x * y).sum(1))
    # |x cross y|: the length of y that is left beside x.
    left = np.linalg.norm(np.cross(x, y), axis=1)
    missing = (lengths.min(1) < DEGENERATE_DIRECTION) | (
        left < DEGENERATE_DIRECTION * np.maximum(lengths.prod(1), DEGENERATE_DIRECTION)
    )
    reach = np.abs(boxes[:, :3]).max(1) > 1
    return {
        NEGATIVE_SIDE: (sides < 0).any(1),
        ZERO: (np.abs(sides) <= ZERO_SIDE * longest[:, None]).any(1),
        NO_DIRECTION: missing,
        NOT_UNIT: ~missing & (np.abs(lengths - 1) > DIRECTION_TOLERANCE).any(1),
        NOT_ORTHOGONAL: ~missing & (product > DIRECTION_TOLERANCE * lengths.prod(1)),
        OUT_OF_RANGE: (sides > 2).any(1) | reach,
    }


def _mended(
    boxes: NDArray[np.float64],
    broken: dict[str, NDArray[np.bool_]],
    longest: NDArray[np.float64],
) -> NDArray[np.float64]:
    sides_broken = broken[NEGATIVE_SIDE] | broken[ZERO]
    turned = broken[NO_DIRECTION] | broken[NOT_UNIT] | broken[NOT_ORTHOGONAL]
    if not (sides_broken.any() or turned.any()):
        return boxes
    boxes = boxes.copy()
    sides = np.abs(boxes[sides_broken, 3:6])
    whole = longest[sides_broken, None]
    boxes[sides_broken, 3:6] = np.where(sides <= ZERO_SIDE * whole, MENDED_SIDE * whole, sides)
    boxes[turned, 6:12] = box_algebra.axes(boxes[turned])[:, :2].reshape(-1, 6)
    return boxes
