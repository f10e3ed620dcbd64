"""Moving batch normalisation: an invertible layer that standardises by running statistics."""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from shapegen.core.flows import Bijection


class MovingBatchNorm(Bijection):
    r"""Standardise every channel of the last axis, then scale and shift it.

    .. math:: z = \frac{x - m}{\sqrt{v + \epsilon}}\, e^{w} + b,
              \qquad \log|\det| = \sum_c w_c - \tfrac12 \log(v_c + \epsilon).

    ``m`` and ``v`` are the running statistics as they stood before the batch, in training too, so
    that both directions are inverse to each other at any moment. With a ``lag`` the batch's own
    statistics have that share, and carry gradients.

    Args:
        channels: Length of the last axis.
        decay: Share of a batch in the running statistics.
        lag: Share of a batch in the statistics that normalise it.
        eps: Added to variances.
        compat: ``official`` takes the statistics of points ``(B, N, C)`` from ``(N, B C)`` rows
            cut into ``C`` blocks, as the authors' code does: about the pooled statistics in every
            channel.

    Reference: Yang et al., *PointFlow*, 2019, section 5.1 and the authors' code; Dinh et al.,
    *Density Estimation Using Real NVP*, 2017, section 3.7.
    """

    running_mean: Tensor
    running_var: Tensor
    batches: Tensor

    def __init__(
        self,
        channels: int,
        *,
        decay: float = 0.1,
        lag: float = 0.0,
        eps: float = 1e-4,
        compat: Literal["none", "official"] = "none",
    ) -> None:
        super().__init__()
        self.decay, self.lag, self.eps, self.compat = decay, lag, eps, compat
        self.log_scale = nn.Parameter(torch.zeros(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))
        self.register_buffer("batches", torch.zeros(()))

    def forward(
        self, x: Float[Tensor, "*batch channels"], context: Tensor | None = None
    ) -> tuple[Float[Tensor, "*batch channels"], Float[Tensor, "*batch"]]:
        """Standardise; in training the running statistics then take the batch in."""
        mean, var = self.running_mean, self.running_var
        found = self._statistics(x) if self.training else None
        if found is not None and self.lag:
            debias = 1 - self.lag ** (self.batches + 1)
            mean = (mean + self.lag * (found[0] - mean)) / debias
            var = (var + self.lag * (found[1] - var)) / debias
        log_det = self._log_det(var)
        z = (x - mean) * torch.exp(log_det) + self.bias
        if found is not None:
            self._take_in(*found)
        return z, log_det.sum().expand(x.shape[:-1])

    def inverse(
        self, z: Float[Tensor, "*batch channels"], context: Tensor | None = None
    ) -> tuple[Float[Tensor, "*batch channels"], Float[Tensor, "*batch"]]:
        """Undo by the running statistics."""
        log_det = self._log_det(self.running_var)
        x = (z - self.bias) * torch.exp(-log_det) + self.running_mean
        return x, -log_det.sum().expand(z.shape[:-1])

    def _log_det(self, var: Tensor) -> Tensor:
        return self.log_scale - 0.5 * torch.log(var + self.eps)

    def _statistics(self, x: Tensor) -> tuple[Tensor, Tensor] | None:
        """Mean and unbiased variance of every channel; None of a single row, which has none."""
        channels = x.shape[-1]
        if x.numel() < 2 * channels:
            return None
        if self.compat == "official":
            rows = x.transpose(0, 1).reshape(channels, -1)
        else:
            rows = x.reshape(-1, channels).mT
        return rows.mean(1), rows.var(1)

    @torch.no_grad()
    def _take_in(self, mean: Tensor, var: Tensor) -> None:
        self.running_mean.lerp_(mean, self.decay)
        self.running_var.lerp_(var, self.decay)
        self.batches += 1
