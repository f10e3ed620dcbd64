"""Symmetric groups made exact, and the noise of boxes read off their copies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shapegen.core import boxes as box_algebra
from shapegen.structures.groups import Group
from shapegen.structures.motion import BOX_AXES, inverse, mapped, matching
from shapegen.structures.part_tree import RelationKind

Array = NDArray[np.float64]

_LEAST_NOISE = 0.02
"""Least noise that is assumed, even if symmetric copies are exact: a share of the tolerance."""

_NOISE_LEVELS = 9
"""Levels of each of two sources of noise that are compared."""


@dataclass(frozen=True, eq=False)
class Regular:
    """Boxes whose symmetric groups were made exact, and how far they had been from it."""

    boxes: Array
    copies: Array
    """``(n,)``: how many boxes every box is the mean of."""
    place: Array
    """``(n, 3)``: variance that is left of the centre's along each axis of the box, as a share."""
    sides: Array
    """``(m, 3)``: lengths of all boxes that were averaged."""
    spread: Array
    """``(m, 3)``: variance of each of those lengths among its copies."""
    freedom: Array
    """``(m,)``: degrees of freedom of those variances, the copies but one."""

    def face_errors(self, tolerance: float) -> Array:
        """Standard deviations ``(n, 3)`` of the places of every box's faces along its axes."""
        sides = np.abs(self.boxes[:, 3:6])
        alpha, beta = self._noise(tolerance)
        variance = alpha * (sides**2).sum(1, keepdims=True) + beta * sides**2
        # A face lies half a length from the centre.
        errors: Array = np.sqrt(variance * (self.place + 0.25 / self.copies[:, None]))
        return errors

    def _noise(self, tolerance: float) -> tuple[float, float]:
        """Variances of two sources of noise, told apart by the lengths of symmetric copies.

        One is in proportion to the box's diagonal, the same along every axis, and one to each
        length: ``alpha diagonal^2 + beta length^2``. Their posterior mean, for a prior that is
        even in the logarithm of each up to the tolerance.
        """
        if not len(self.sides):
            return tolerance**2, 0.0
        levels = tolerance**2 * np.geomspace(_LEAST_NOISE**2, 1.0, _NOISE_LEVELS)
        alpha, beta = (grid.ravel() for grid in np.meshgrid(levels, levels))
        squares = (self.sides**2).reshape(-1, 1)
        diagonal = np.repeat((self.sides**2).sum(1), 3)[:, None]
        variance = np.maximum(alpha * diagonal + beta * squares, 1e-24)  # (3 m, levels^2)
        # A sample's variance is distributed as the true one times chi-squared by its freedom.
        misfit = np.log(variance) + self.spread.reshape(-1, 1) / variance
        surprise = 0.5 * np.repeat(self.freedom, 3) @ misfit
        weight = np.exp(surprise.min() - surprise)
        weight /= weight.sum()
        return float(weight @ alpha), float(weight @ beta)


def averaged(boxes: Array, groups: Sequence[Group], leaves: Sequence[Sequence[int]]) -> Regular:
    """Make the leaves of symmetric groups exact copies of their mean.

    Args:
        boxes: ``(n, 12)``.
        groups: Disjoint groups of nodes on every level.
        leaves: Numbers of the leaves below every node.
    """
    boxes, count, place = boxes.copy(), np.ones(len(boxes)), np.ones((len(boxes), 3))
    sides, spread, freedom = [np.empty((0, 3))], [np.empty((0, 3))], [np.empty(0)]
    for group in groups:
        first = list(leaves[group.members[0]])
        rows, pulled = [first], [boxes[first]]
        for times, member in enumerate(group.members[1:], start=1):
            params = group.power(times)
            own = np.array(leaves[member])
            match = matching(mapped(boxes[first], group.kind, params), boxes[own])
            rows.append(own[match].tolist())
            pulled.append(mapped(boxes[rows[-1]], group.kind, inverse(group.kind, params)))
        mean, variance = _mean_boxes(np.stack(pulled))
        for times, (numbers, left) in enumerate(zip(rows, _leverage(group), strict=True)):
            boxes[numbers] = mapped(mean, group.kind, group.power(times)) if times else mean
            frame = box_algebra.axes(boxes[numbers])
            place[numbers] *= np.einsum("laj,jk,lak->la", frame, left, frame)
        fresh = count[first] == 1
        sides.append(mean[fresh, 3:6])
        spread.append(variance[fresh])
        freedom.append(np.full(int(fresh.sum()), len(group.members) - 1.0))
        count[np.concatenate(rows)] *= len(group.members)
    observed = [np.concatenate(parts) for parts in (sides, spread, freedom)]
    return Regular(boxes, count, place, *observed)


def _leverage(group: Group) -> Array:
    """Variance ``(k, 3, 3)`` of the members' centres once averaged, in those of one alone.

    The motion is fitted to the same centres: a pair has its mirror half way, so that across the
    mirror nothing is averaged; the ends of a row hang on its step.
    """
    count = len(group.members)
    mean = np.broadcast_to(np.eye(3) / count, (count, 3, 3))
    if group.kind is RelationKind.TRANS_SYM:
        place = np.arange(count) - 0.5 * (count - 1)
        return mean + np.eye(3) * (place**2 / (place @ place))[:, None, None]
    line = np.outer(group.params[3:6], group.params[3:6])
    if group.kind is RelationKind.REF_SYM:
        return mean + line / count
    return mean + (np.eye(3) - line) / count


def _mean_boxes(stacks: Array) -> tuple[Array, Array]:
    """Mean ``(l, 12)`` of boxes ``(k, l, 12)`` and variance ``(l, 3)`` of their lengths.

    Axes are named as in the first.
    """
    count, length = stacks.shape[:2]
    frame = box_algebra.axes(stacks.reshape(-1, 12)).reshape(count, length, 3, 3)
    cosine = np.einsum("laj,klbj->klab", frame[0], frame)
    order = BOX_AXES[np.abs(cosine)[..., np.arange(3), BOX_AXES].sum(-1).argmax(-1)]  # (k, l, 3)
    sides = np.take_along_axis(np.abs(stacks[..., 3:6]), order, axis=2)
    turned = np.take_along_axis(frame, order[..., None], axis=2)
    turned = turned * np.sign(np.einsum("laj,klaj->kla", frame[0], turned))[..., None]
    axes = turned.mean(0)
    mean = np.concatenate([stacks[..., :3].mean(0), sides.mean(0), axes[:, 0], axes[:, 1]], axis=1)
    return box_algebra.orthonormalised(mean), sides.var(0, ddof=1)
