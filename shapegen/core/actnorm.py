"""Activation normalisation: a scale and shift of every channel, first set by the data."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from shapegen.core.flows import Bijection

_EPS = 1e-6
"""Added to variances: a channel that is constant is not scaled beyond a thousand."""


class ActNorm(Bijection):
    r"""Shift and scale every channel.

    .. math:: z = (x + b) \odot e^{s}, \qquad \log|\det| = HW \sum_c s_c

    The first batch in training sets ``b`` and ``s`` so that it leaves with zero mean and unit
    variance in every channel; from then on they are parameters like any other. The buffer
    ``initialised`` says whether that was done. Before, in eval, the layer is the identity.

    Args:
        channels: Number of channels.
        event_ndim: Axes of an event, channels first: 3 for images, 1 for vectors.

    Reference: Kingma and Dhariwal, *Glow: Generative Flow with Invertible 1x1 Convolutions*, 2018,
    section 3.1, https://arxiv.org/abs/1807.03039.
    """

    initialised: Tensor

    def __init__(self, channels: int, *, event_ndim: int = 3) -> None:
        super().__init__()
        self.event_ndim = event_ndim
        shape = (channels, *[1] * (event_ndim - 1))
        self.shift = nn.Parameter(torch.zeros(shape))
        self.log_scale = nn.Parameter(torch.zeros(shape))
        self.register_buffer("initialised", torch.zeros((), dtype=torch.bool))

    def forward(
        self, x: Float[Tensor, "*event"], context: Tensor | None = None
    ) -> tuple[Float[Tensor, "*event"], Float[Tensor, "*batch"]]:
        """Normalise; the first batch in training is measured before."""
        if self.training and not self.initialised:
            self._measure(x)
        return (x + self.shift) * self.log_scale.exp(), self._log_det(x)

    def inverse(
        self, z: Float[Tensor, "*event"], context: Tensor | None = None
    ) -> tuple[Float[Tensor, "*event"], Float[Tensor, "*batch"]]:
        """Undo."""
        return z * torch.exp(-self.log_scale) - self.shift, -self._log_det(z)

    def _log_det(self, x: Tensor) -> Tensor:
        batch, event = x.shape[: -self.event_ndim], x.shape[-self.event_ndim :]
        return (self.log_scale.sum() * event[1:].numel()).expand(batch)

    @torch.no_grad()
    def _measure(self, x: Tensor) -> None:
        rows = x.movedim(-self.event_ndim, -1).reshape(-1, len(self.shift))
        # Of all processes' batches: each would go its own way from its own statistics.
        count = _over_processes(rows.new_tensor([float(len(rows))]))
        mean = _over_processes(rows.sum(0)) / count
        var = _over_processes((rows - mean).square().sum(0)) / count
        self.shift.copy_(-mean.view_as(self.shift))
        self.log_scale.copy_(-0.5 * torch.log(var + _EPS).view_as(self.log_scale))
        self.initialised.fill_(True)


def _over_processes(total: Tensor) -> Tensor:
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.all_reduce(total)
    return total
