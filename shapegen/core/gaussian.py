"""Diagonal Gaussian posteriors and their exact divergences, in nats."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from shapegen.core.noise import standard_normal


@dataclass(frozen=True)
class DiagGaussian:
    r"""Independent Gaussians :math:`N(\mu, \exp(\mathrm{logvar}))` over the last axis.

    Reference: Kingma and Welling, *Auto-Encoding Variational Bayes*, 2014, appendix B,
    https://arxiv.org/abs/1312.6114.
    """

    mean: Float[Tensor, "*batch dim"]
    logvar: Float[Tensor, "*batch dim"]
    """Logarithm of the variance."""

    def rsample(self, *, rng: torch.Generator | None = None) -> Float[Tensor, "*batch dim"]:
        """Draw with gradients to both parameters: ``mean + exp(logvar / 2) * noise``."""
        noise = standard_normal(self.mean.shape, like=self.mean, rng=rng)
        return self.mean + torch.exp(0.5 * self.logvar) * noise

    def kl_standard_per_dim(self) -> Float[Tensor, "*batch dim"]:
        r"""Terms of :math:`\mathrm{KL}(q \,\|\, N(0, I))`, one a dimension, in nats.

        .. math:: \tfrac12 (\mu^2 + e^{\mathrm{logvar}} - 1 - \mathrm{logvar})
        """
        return 0.5 * (self.mean.square() + self.logvar.exp() - 1 - self.logvar)

    def kl_standard(self) -> Float[Tensor, "*batch"]:
        r""":math:`\mathrm{KL}(q \,\|\, N(0, I))` in nats, summed over the dimensions."""
        return self.kl_standard_per_dim().sum(-1)

    def kl_with_free_bits(self, free: float) -> Float[Tensor, ""]:
        r"""Mean KL divergence of a batch in nats, every dimension counted as at least ``free``.

        .. math:: \sum_j \max\bigl(\lambda,\, \mathbb{E}_x \mathrm{KL}_j\bigr)

        Reference: Kingma et al., *Improving Variational Inference with Inverse Autoregressive
        Flow*, 2016, equation 15, https://arxiv.org/abs/1606.04934.
        """
        per_dim = self.kl_standard_per_dim().flatten(0, -2).mean(0)
        return per_dim.clamp(min=free).sum() if free > 0 else per_dim.sum()

    def entropy(self) -> Float[Tensor, "*batch"]:
        r"""Differential entropy in nats, summed over the dimensions.

        .. math:: \tfrac12 \sum_i (\mathrm{logvar}_i + 1 + \log 2\pi)
        """
        return 0.5 * (self.logvar + (1 + math.log(2 * math.pi))).sum(-1)

    def mahalanobis(self, x: Float[Tensor, "*batch dim"]) -> Float[Tensor, "*batch"]:
        r"""Squared distance from the mean in standard deviations, summed over the dimensions.

        .. math:: \sum_i (x_i - \mu_i)^2 / e^{\mathrm{logvar}_i}
        """
        return ((x - self.mean).square() * torch.exp(-self.logvar)).sum(-1)

    def log_prob(self, x: Float[Tensor, "*batch dim"]) -> Float[Tensor, "*batch"]:
        """Log-density at ``x`` in nats."""
        normal = torch.distributions.Normal(self.mean, torch.exp(0.5 * self.logvar))
        return normal.log_prob(x).sum(-1)
