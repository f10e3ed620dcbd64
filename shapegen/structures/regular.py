"""Symmetric groups made exact, and the noise of boxes read off their copies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shapegen.core import boxes as box_algebra
from shapegen.structures.groups import Group
from shapegen.structures.motion import BOX_AXES, inverse, mapped, matching

Array = NDArray[np.float64]

_GAP_REACH = 2.5
"""Gap that still counts as contact, in standard deviations of one coordinate (root sum of squares
of both boxes'): a face moves by 1.12 of them, so 98.7 % of true contacts stay."""

_LEAST_NOISE = 0.02
"""Noise that is assumed even if symmetric copies are exact, as a share of the tolerance."""

_PRIOR_WEIGHT = 2.0
"""Observations that the tolerance counts for when the noise is estimated."""


@dataclass(frozen=True, eq=False)
class Regular:
    """Boxes whose symmetric groups were made exact, and how far they had been from it."""

    boxes: Array
    copies: Array
    """``(n,)``: how many boxes every box is the mean of."""
    sides: Array
    """``(m, 3)``: lengths of all boxes that were averaged."""
    spread: Array
    """``(m, 3)``: variance of each of those lengths among its copies."""

    def reach(self, tolerance: float) -> Array:
        """How far ``(n, 3)`` the noise may have moved the faces of every box along its axes.

        Two sources of noise are told apart by the lengths of symmetric copies: one in proportion
        to the box's diagonal, the same along every axis, and one in proportion to each length.
        """
        sides = np.abs(self.boxes[:, 3:6])
        diagonal = np.linalg.norm(sides, axis=1, keepdims=True)
        alpha, beta = tolerance**2, 0.0
        if len(self.sides):
            total = (self.sides**2).sum(1, keepdims=True)
            order = np.argsort(self.sides, axis=1)
            share = np.take_along_axis(self.spread / np.maximum(total, 1e-24), order, axis=1)
            alpha = _pooled(share[:, :2].ravel(), tolerance)
            # The longest side tells both kinds apart best.
            longest = np.take_along_axis(self.sides, order, axis=1)[:, 2:] ** 2
            rest = (share[:, 2:] - alpha) * total / np.maximum(longest, 1e-24)
            beta = min(max(float(rest.mean()), 0.0), 4 * tolerance**2)
        variance = (alpha * diagonal**2 + beta * sides**2) / self.copies[:, None]
        reach: Array = _GAP_REACH * np.sqrt(variance)
        return reach


def _pooled(shares: Array, tolerance: float) -> float:
    """Mean of variances with the tolerance's as a prior, unless copies are exact."""
    least = (_LEAST_NOISE * tolerance) ** 2
    mean = float(shares.mean())
    if mean <= least:
        return least
    weight = len(shares)
    return (weight * mean + _PRIOR_WEIGHT * tolerance**2) / (weight + _PRIOR_WEIGHT)


def averaged(boxes: Array, groups: Sequence[Group], leaves: Sequence[Sequence[int]]) -> Regular:
    """Make the leaves of symmetric groups exact copies of their mean.

    Args:
        boxes: ``(n, 12)``.
        groups: Disjoint groups of nodes on every level.
        leaves: Numbers of the leaves below every node.
    """
    boxes, count = boxes.copy(), np.ones(len(boxes))
    sides, spread = [np.empty((0, 3))], [np.empty((0, 3))]
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
        boxes[first] = mean
        for times, numbers in enumerate(rows[1:], start=1):
            boxes[numbers] = mapped(mean, group.kind, group.power(times))
        fresh = count[first] == 1
        sides.append(mean[fresh, 3:6])
        spread.append(variance[fresh])
        count[np.concatenate(rows)] *= len(group.members)
    return Regular(boxes, count, np.concatenate(sides), np.concatenate(spread))


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
