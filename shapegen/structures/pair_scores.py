"""Scores of all pairs of rows, without their features ever being in memory together.

The features of 10 x 10 pairs of every parent are a hundred times its own: written out and read
again by every operation, they cost more than all matrix products of StructureNet's decoder. Here
they are made a few parents at a time, which fit into a core's cache, and made again for the
gradient.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from shapegen.structures.structurenet_layers import ACTIVATION_GRADIENTS, ACTIVATIONS, Activation

CACHED_NUMBERS = 2**18
"""Of the features made at once on a CPU: a megabyte."""


def pair_scores(
    first: Float[Tensor, "parents rows hidden"],
    second: Float[Tensor, "parents rows hidden"],
    layer: nn.Linear,
    activation: Activation,
) -> Float[Tensor, "parents rows rows kinds"]:
    """``layer(activation(first_i + second_j))`` of all pairs of one parent's rows.

    It can be differentiated once. Mixed precision does not reach into it.
    """
    score: Callable[..., Tensor] = _PairScores.apply
    rows = (each.to(layer.weight.dtype) for each in (first, second))
    with torch.autocast(first.device.type, enabled=False):
        return score(*rows, layer.weight, layer.bias, activation)


class _PairScores(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, first: Tensor, second: Tensor, weight: Tensor, bias: Tensor, kind: Activation
    ) -> Tensor:
        ctx.save_for_backward(first, second, weight)
        ctx.kind = kind
        activation = ACTIVATIONS[kind]
        parents, rows, _ = first.shape
        scores = first.new_empty(parents, rows, rows, len(weight))
        for part in _parts(first):
            features = activation(_sums(first[part], second[part]))
            # This order of the product is three times faster where there are few kinds.
            scores[part].flatten(0, 2).copy_((weight @ features.flatten(0, 2).T).T)
        return scores.add_(bias)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        first, second, weight = ctx.saved_tensors
        activation, slope = ACTIVATIONS[ctx.kind], ACTIVATION_GRADIENTS[ctx.kind]
        of_first, of_second = torch.empty_like(first), torch.empty_like(second)
        of_weight = torch.zeros_like(weight)
        for part in _parts(first):
            sums = _sums(first[part], second[part])
            of_scores = gradient[part].flatten(0, 2)
            of_weight += of_scores.T @ activation(sums).flatten(0, 2)
            of_sums = slope((of_scores @ weight).view(sums.shape), sums)
            torch.sum(of_sums, 2, out=of_first[part])
            torch.sum(of_sums, 1, out=of_second[part])
        return of_first, of_second, of_weight, gradient.sum((0, 1, 2)), None


def _sums(first: Tensor, second: Tensor) -> Tensor:
    return first[:, :, None] + second[:, None]


def _parts(first: Tensor) -> Iterator[slice]:
    """Parents whose pairs' features fit into the cache together; all, where that is no CPU."""
    parents, rows, hidden = first.shape
    cached = CACHED_NUMBERS // max(rows * rows * hidden, 1)
    size = max(cached if first.device.type == "cpu" else parents, 1)
    return (slice(start, start + size) for start in range(0, parents, size))
