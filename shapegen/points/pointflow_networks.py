"""PointFlow's networks: the encoder of a cloud, and the two flows."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from shapegen.core.batch_norm import RowNorm
from shapegen.core.cnf import CNF
from shapegen.core.concatsquash import Activation, ConcatSquashField
from shapegen.core.flows import Bijection, Chain
from shapegen.core.gaussian import DiagGaussian
from shapegen.core.moving_norm import MovingBatchNorm
from shapegen.core.ode import Solver
from shapegen.core.pointnet import PointNet


class CloudEncoder(nn.Module):
    """A PointNet and two heads: the mean and the log-variance of a shape's code.

    Args:
        latent_dim: Length of a code.
        dims: Widths of the network of points.
        head_dims: Widths of the heads' hidden layers.
        deterministic: No head of log-variances, which are then 0.

    Reference: Yang et al., *PointFlow*, 2019, section 5.1 and the authors' code.
    """

    def __init__(
        self,
        latent_dim: int,
        dims: Sequence[int] = (128, 128, 256, 512),
        head_dims: Sequence[int] = (256, 128),
        *,
        deterministic: bool = False,
    ) -> None:
        super().__init__()
        self.points = PointNet([3, *dims], last_relu=False)
        widths = [dims[-1], *head_dims, latent_dim]
        self.mean = _head(widths)
        self.logvar = None if deterministic else _head(widths)

    def forward(self, points: Float[Tensor, "batch points 3"]) -> DiagGaussian:
        """Posteriors of clouds, whatever the order of their points, in the points' precision."""
        features = self.points(points)
        mean = self.mean(features).to(points.dtype)
        if self.logvar is None:
            return DiagGaussian(mean, torch.zeros_like(mean))
        return DiagGaussian(mean, self.logvar(features).to(points.dtype))


def _head(widths: Sequence[int]) -> nn.Sequential:
    *hidden, (last, out) = itertools.pairwise(widths)
    layers: list[nn.Module] = []
    for width, following in hidden:
        layers += [nn.Linear(width, following), RowNorm(following), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(last, out))


def build_flow(
    dim: int,
    hidden: Sequence[int],
    *,
    context_dim: int = 0,
    blocks: int = 1,
    norm: dict[str, Any] | None = None,
    end_time: float = 0.5,
    learn_end_time: bool = True,
    activation: Activation = "tanh",
    solver: Solver | None = None,
) -> Chain:
    """Continuous flows, with a moving batch norm before, between and after them.

    Args:
        dim: Of an event.
        hidden: Widths of the vector fields.
        context_dim: Length of their context.
        blocks: Number of continuous flows.
        norm: Options of the norms; None: there are none.
        end_time: Of every flow, or its first value.
        learn_end_time: Train it.
        activation: Of the vector fields.
        solver: Of the flows.
    """

    def block() -> CNF:
        field = ConcatSquashField(dim, hidden, context_dim=context_dim, activation=activation)
        return CNF(field, end_time=end_time, learn_end_time=learn_end_time, solver=solver)

    if norm is None:
        return Chain(block() for _ in range(blocks))
    layers: list[Bijection] = [MovingBatchNorm(dim, **norm)]
    for _ in range(blocks):
        layers += [block(), MovingBatchNorm(dim, **norm)]
    return Chain(layers)
