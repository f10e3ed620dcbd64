"""Batch norms that hold up outside the textbook: a batch of one, and averaged weights.

Reference: Ioffe and Szegedy, *Batch Normalization*, 2015, https://arxiv.org/abs/1502.03167.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional
from torch.optim.swa_utils import update_bn

ITEMS, BATCH = 1024, 16
"""Items of a data set that norms are measured on at most, and of them at once."""


class RowNorm(nn.BatchNorm1d):
    """Batch norm of rows, which in training takes a single row by its running statistics.

    A row has no variance; the last batch of a data set, or one process's share of it, can be one.
    """

    def forward(self, input: Float[Tensor, "rows width"]) -> Float[Tensor, "rows width"]:
        """Rows of zero mean and unit variance, scaled and shifted."""
        if self.training and len(input) == 1:
            mean, var = self.running_mean, self.running_var
            return functional.batch_norm(input, mean, var, self.weight, self.bias, eps=self.eps)
        return super().forward(input)


def measure_norms(
    module: nn.Module,
    count: int,
    forward: Callable[[Tensor], object],
    *,
    rng: torch.Generator | None = None,
) -> None:
    """Set the running statistics of a module's batch norms to the means over training batches.

    In training they follow the weights of a step, and lie far from those of averaged weights:
    without this the outputs of an average are off by as much as they spread.

    Args:
        module: Keeps its mode and its weights.
        count: Of items of the training data; :data:`ITEMS` of them are used at most.
        forward: Shows the module the items at some indices, on the CPU, as in training.
        rng: Which are used, on the CPU.
    """
    order = torch.randperm(count, generator=rng)[:ITEMS]
    parts = order.tensor_split(math.ceil(len(order) / BATCH))
    update_bn(parts, _Shown(module, forward))


class _Shown(nn.Module):
    """A module whose input is indices of items."""

    def __init__(self, module: nn.Module, forward: Callable[[Tensor], object]) -> None:
        super().__init__()
        self.module, self.show = module, forward
        self.train(module.training)

    def forward(self, indices: Tensor) -> object:
        return self.show(indices)
