"""Nearest neighbours and chamfer distances between sets of points, many pairs of sets at once.

All pairs of points are compared, in blocks of bounded memory. Which points are nearest is not
differentiated; the distances to them are.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

_BLOCK = 2**21
"""Distances at once."""


class Nearest(NamedTuple):
    """Numbers of the nearest points of the other set."""

    forth: Int[Tensor, "n p"]
    """For every point of the first set."""
    back: Int[Tensor, "n q"]
    """For every point of the second."""


@torch.no_grad()
def nearest(a: Float[Tensor, "n p dim"], b: Float[Tensor, "n q dim"]) -> Nearest:
    """Find the nearest points between ``a[i]`` and ``b[i]``, both ways; of equals the first.

    Raises:
        ValueError: A set has no points.
    """
    _check(a, b)
    forth = torch.empty(a.shape[:2], dtype=torch.long, device=a.device)
    back = torch.zeros(b.shape[:2], dtype=torch.long, device=a.device)
    best = b.new_full(b.shape[:2], torch.inf)
    for pairs, points, squares in _blocks(a, b):
        forth[pairs, points] = squares.min(2).indices
        found = squares.min(1)
        closer = found.values < best[pairs]
        back[pairs] = torch.where(closer, found.indices + points.start, back[pairs])
        best[pairs] = torch.where(closer, found.values, best[pairs])
    return Nearest(forth, back)


def nearest_squares(
    a: Float[Tensor, "n p dim"], b: Float[Tensor, "n q dim"]
) -> tuple[Float[Tensor, "n p"], Float[Tensor, "n q"]]:
    """Squared distances to the nearest points, from ``a[i]`` to ``b[i]`` and back.

    Raises:
        ValueError: A set has no points.
    """
    found = nearest(a, b)
    return _squares(a, b, found.forth), _squares(b, a, found.back)


def chamfer(a: Float[Tensor, "n p dim"], b: Float[Tensor, "n q dim"]) -> Float[Tensor, "n"]:
    r"""Chamfer distance of ``a[i]`` and ``b[i]``, squared, the mean of each direction added up.

    .. math:: \frac1p \sum_{x \in a} \min_{y \in b} |x - y|^2
        + \frac1q \sum_{y \in b} \min_{x \in a} |x - y|^2

    Raises:
        ValueError: A set has no points.
    """
    forth, back = nearest_squares(a, b)
    return forth.mean(1) + back.mean(1)


@torch.no_grad()
def chamfer_of_pairs(
    a: Float[Tensor, "n p dim"],
    b: Float[Tensor, "m q dim"],
    first: Int[Tensor, "pairs"],
    second: Int[Tensor, "pairs"],
) -> Float[Tensor, "pairs"]:
    """:func:`chamfer` of ``a[first[k]]`` and ``b[second[k]]``, without gradients.

    Faster than :func:`chamfer` of the gathered sets, and in less memory; near 0 it is only as
    exact as the rounding of the points' squares.
    """
    found = a.new_zeros(len(first))
    for chunk, ours, theirs in _chunks(a, b, first, second):
        back = b.new_full(theirs.shape[:2], torch.inf)
        forth = found[chunk]
        for pairs, _, squares in _blocks(ours, theirs):
            forth[pairs] += squares.amin(2).clamp_min_(0).sum(1) / a.shape[1]
            back[pairs] = torch.minimum(back[pairs], squares.amin(1))
        forth += back.clamp_min_(0).mean(1)
    return found


@torch.no_grad()
def gaps_of_pairs(
    a: Float[Tensor, "n p dim"],
    b: Float[Tensor, "m q dim"],
    first: Int[Tensor, "pairs"],
    second: Int[Tensor, "pairs"],
) -> Float[Tensor, "pairs"]:
    """Smallest squared distance of ``a[first[k]]`` and ``b[second[k]]``, without gradients.

    As exact as :func:`chamfer_of_pairs`.
    """
    found = a.new_full((len(first),), torch.inf)
    for chunk, ours, theirs in _chunks(a, b, first, second):
        gap = found[chunk]
        for pairs, _, squares in _blocks(ours, theirs):
            gap[pairs] = torch.minimum(gap[pairs], squares.amin((1, 2)).clamp_min_(0))
    return found


def _chunks(
    a: Tensor, b: Tensor, first: Tensor, second: Tensor
) -> Iterator[tuple[slice, Tensor, Tensor]]:
    """The sets of some pairs at a time."""
    _check(a, b)
    size = max(_BLOCK // (a.shape[1] * b.shape[1]), 1)
    for start in range(0, len(first), size):
        chunk = slice(start, start + size)
        yield chunk, a.index_select(0, first[chunk]), b.index_select(0, second[chunk])


def _check(a: Tensor, b: Tensor) -> None:
    if not a.shape[1] or not b.shape[1]:
        raise ValueError(f"a set needs at least one point; got {a.shape[1]} and {b.shape[1]}")


def _blocks(a: Tensor, b: Tensor) -> Iterator[tuple[slice, slice, Tensor]]:
    """Squared distances ``(pairs, points of a, all points of b)``, block by block."""
    per_block = max(_BLOCK // b.shape[1], 1)
    height = min(per_block, a.shape[1])
    depth = max(per_block // height, 1)
    for first in range(0, len(a), depth):
        pairs = slice(first, min(first + depth, len(a)))
        # |x - y|^2 as one product of vectors, about a middle so that little cancels.
        middle = b[pairs].mean(1, keepdim=True)
        ours, theirs = a[pairs] - middle, b[pairs] - middle
        one = torch.ones_like(theirs[:, :, :1])
        right = torch.cat([theirs, theirs.square().sum(2, keepdim=True), one], 2).transpose(1, 2)
        one = torch.ones_like(ours[:, :, :1])
        left = torch.cat([-2 * ours, one, ours.square().sum(2, keepdim=True)], dim=2)
        for start in range(0, a.shape[1], height):
            points = slice(start, min(start + height, a.shape[1]))
            yield pairs, points, left[:, points] @ right


def _squares(a: Tensor, b: Tensor, index: Tensor) -> Tensor:
    matched = b.gather(1, index[:, :, None].expand(-1, -1, b.shape[2]))
    return (a - matched).square().sum(2)
