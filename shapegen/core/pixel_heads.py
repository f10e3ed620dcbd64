"""What a decoder of images puts out: parameters of a distribution of every pixel."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor
from torch.distributions import Normal

from shapegen.core.likelihoods import BlackOrWhite, LogisticMixture, PixelDistribution
from shapegen.core.noise import standard_normal

Kind = Literal["bernoulli", "gaussian", "logistic"]
DARK = -2.0
"""Logit of white where a network puts out zero: one pixel in eight, as in drawings. Networks begin
near zero, and what starts grey learns the darkness first and its codes later, if ever."""
LOWEST_LOG_SCALE = -5.0
"""A pixel that is the same in all images would have a density without bounds."""


@dataclass(frozen=True)
class GaussianPixels:
    """A density of pixels; draws outside -1 to 1 are brought to the ends."""

    mean: Float[Tensor, "*shape"]
    log_scale: Float[Tensor, "*shape"]

    def log_prob(self, pixels: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """Log-density of every pixel in nats."""
        # Unchecked: what is not finite stops a training with a message of its own.
        normal = Normal(self.mean, self.log_scale.exp(), validate_args=False)
        return normal.log_prob(pixels)

    def sample(self, *, rng: torch.Generator | None = None) -> Float[Tensor, "*shape"]:
        """Draw pixels."""
        noise = standard_normal(self.mean.shape, like=self.mean, rng=rng)
        return (self.mean + self.log_scale.exp() * noise).clamp(-1, 1)


class PixelHead:
    """The distribution of pixels in -1 to 1, given numbers ``(n, parameters * c, h, w)``.

    Args:
        kind: ``bernoulli``: black or white, the probability of grey is the mean of both.
            ``gaussian``: mean and scale of every pixel, a density. ``logistic``: the same,
            integrated over the bins of 8-bit levels.

    Raises:
        ValueError: Another kind.
    """

    def __init__(self, kind: Kind) -> None:
        if kind not in ("bernoulli", "gaussian", "logistic"):
            raise ValueError(f"head must be bernoulli, gaussian or logistic; got {kind!r}")
        self.kind = kind
        self.parameters = 1 if kind == "bernoulli" else 2
        """Numbers a pixel and channel."""

    def log_prob(
        self, outputs: Float[Tensor, "n outs h w"], pixels: Float[Tensor, "n c h w"]
    ) -> Float[Tensor, "n"]:
        """Log-likelihood of every image in nats."""
        found = self.distribution(outputs.to(pixels.dtype)).log_prob(pixels)
        return found.flatten(1).sum(1)

    def mean(self, outputs: Float[Tensor, "n outs h w"]) -> Float[Tensor, "n c h w"]:
        """Mean image, in -1 to 1."""
        if self.kind == "bernoulli":
            return 2 * (outputs + DARK).sigmoid() - 1
        return outputs.chunk(2, 1)[0].clamp(-1, 1)

    def sample(
        self, outputs: Float[Tensor, "n outs h w"], *, rng: torch.Generator | None = None
    ) -> Float[Tensor, "n c h w"]:
        """Draw an image, in -1 to 1."""
        return self.distribution(outputs).sample(rng=rng)

    def distribution(self, outputs: Float[Tensor, "n outs h w"]) -> PixelDistribution:
        """What the numbers say."""
        if self.kind == "bernoulli":
            return BlackOrWhite(outputs + DARK)
        mean, log_scale = outputs.chunk(2, 1)
        # At first a scale of a quarter of the range, wherever a network begins.
        log_scale = (log_scale + math.log(0.5)).clamp(min=LOWEST_LOG_SCALE)
        if self.kind == "gaussian":
            return GaussianPixels(mean, log_scale)
        one = mean[..., None]
        return LogisticMixture(torch.zeros_like(one), one, log_scale[..., None])
