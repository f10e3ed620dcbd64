"""Likelihoods of pixels: what a network's outputs say about images in [-1, 1]."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

from shapegen.core.noise import uniform

LEVELS = 256
"""Of an 8-bit image."""
_TINY = 1e-12


def levels_of(pixels: Float[Tensor, "*shape"], levels: int = LEVELS) -> Int[Tensor, "*shape"]:
    """Nearest of the ``levels`` equidistant values in -1 to 1: numbers from 0."""
    return ((pixels + 1) * ((levels - 1) / 2)).round().clamp(0, levels - 1).long()


def pixels_of(numbers: Int[Tensor, "*shape"], levels: int = LEVELS) -> Float[Tensor, "*shape"]:
    """Pixels in -1 to 1 of the numbers of their levels."""
    return numbers.float() * (2 / (levels - 1)) - 1


def binarised(
    pixels: Float[Tensor, "*shape"], *, rng: torch.Generator | None = None
) -> Float[Tensor, "*shape"]:
    """Draw black (-1) or white (1), white with the probability that a pixel's brightness is."""
    return _white_with((pixels + 1) / 2, rng)


def _white_with(probability: Tensor, rng: torch.Generator | None) -> Tensor:
    shares = uniform(probability.shape, like=probability, rng=rng)
    return torch.where(shares < probability, 1.0, -1.0).to(probability)


def bernoulli_log_prob(
    logits: Float[Tensor, "*shape"], pixels: Float[Tensor, "*shape"]
) -> Float[Tensor, "*shape"]:
    """Log-probability of black or white pixels in nats.

    Of a grey pixel it is the mean over what :func:`binarised` draws.

    Args:
        logits: Of white.
        pixels: In -1 to 1.
    """
    return -functional.binary_cross_entropy_with_logits(logits, (pixels + 1) / 2, reduction="none")


@runtime_checkable
class PixelDistribution(Protocol):
    """Of pixels in -1 to 1: what a head makes of a network's numbers."""

    def log_prob(self, pixels: Tensor, /) -> Tensor:
        """Log-probability of every pixel in nats, or log-density."""
        ...

    def sample(self, *, rng: torch.Generator | None = None) -> Tensor:
        """Draw pixels."""
        ...


@dataclass(frozen=True)
class BlackOrWhite:
    """Pixels that are black (-1) or white (1)."""

    logits: Float[Tensor, "*shape"]
    """Of white."""

    def log_prob(self, pixels: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """Log-probability of every pixel in nats (:func:`bernoulli_log_prob`)."""
        return bernoulli_log_prob(self.logits, pixels)

    def sample(self, *, rng: torch.Generator | None = None) -> Float[Tensor, "*shape"]:
        """Draw pixels."""
        return _white_with(self.logits.sigmoid(), rng)


@dataclass(frozen=True)
class LogisticMixture:
    r"""Mixtures of logistics, integrated over the bin of a level; the outermost bins are open.

    .. math:: p(x) = \sum_k \pi_k \left[ \sigma\Bigl(\tfrac{x + \delta - \mu_k}{s_k}\Bigr)
              - \sigma\Bigl(\tfrac{x - \delta - \mu_k}{s_k}\Bigr) \right], \qquad
              \delta = 1 / (L - 1)

    Reference: Salimans, Karpathy, Chen and Kingma, *PixelCNN++*, 2017, section 2.1,
    https://arxiv.org/abs/1701.05517. One component: Kingma et al., *Improving Variational
    Inference with Inverse Autoregressive Flow*, 2016, appendix.
    """

    logits: Float[Tensor, "*shape parts"]
    """Of the components."""
    mean: Float[Tensor, "*shape parts"]
    log_scale: Float[Tensor, "*shape parts"]
    levels: int = LEVELS

    def log_prob(self, pixels: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """Log-probability of the level that every pixel in -1 to 1 is at, in nats."""
        x = pixels_of(levels_of(pixels, self.levels), self.levels).to(self.mean)[..., None]
        half, inverse = 1 / (self.levels - 1), torch.exp(-self.log_scale)
        upper = (x - self.mean + half) * inverse
        lower = (x - self.mean - half) * inverse
        # sigmoid(u) - sigmoid(l) = sigmoid(u) sigmoid(-l) (1 - exp(l - u)) in logarithms.
        inside = (
            functional.logsigmoid(upper)
            + functional.logsigmoid(-lower)
            + torch.log(-torch.expm1(lower - upper) + _TINY)
        )
        ends = torch.where(
            x <= -1,
            functional.logsigmoid(upper),
            torch.where(x >= 1, functional.logsigmoid(-lower), inside),
        )
        return torch.logsumexp(self.logits.log_softmax(-1) + ends, -1)

    def sample(self, *, rng: torch.Generator | None = None) -> Float[Tensor, "*shape"]:
        """Draw pixels in -1 to 1, at their levels."""
        device = self.mean.device if rng is None else rng.device
        flat = self.logits.softmax(-1).reshape(-1, self.logits.shape[-1])
        chosen = torch.multinomial(flat.to(device), 1, generator=rng)
        chosen = chosen.to(self.mean.device).view(*self.mean.shape[:-1], 1)
        share = uniform(chosen.shape, like=self.mean, rng=rng)
        share = share.clamp(1e-5, 1 - 1e-5)
        mean, log_scale = (each.gather(-1, chosen) for each in (self.mean, self.log_scale))
        drawn = mean + log_scale.exp() * (share.log() - (-share).log1p())
        return pixels_of(levels_of(drawn[..., 0], self.levels), self.levels).to(self.mean)


def bits_per_dim(nats: Float[Tensor, "*batch"], dims: int) -> Float[Tensor, "*batch"]:
    """Bits a dimension from minus a log-likelihood in nats, both of all ``dims`` numbers.

    Raises:
        ValueError: ``dims`` is below 1.
    """
    if dims < 1:
        raise ValueError(f"dims must be at least 1; got {dims}")
    return nats / (dims * math.log(2))
