"""What a decoder of images puts out: parameters of a distribution of every pixel."""

from __future__ import annotations

import math
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor
from torch.distributions import Normal

from shapegen.core.likelihoods import LogisticMixture, bernoulli_log_prob
from shapegen.core.noise import standard_normal

Kind = Literal["bernoulli", "gaussian", "logistic"]
DARK = -2.0
"""Logit of white where a network puts out zero: one pixel in eight, as in drawings. Networks begin
near zero, and what starts grey learns the darkness first and its codes later, if ever."""
LOWEST_LOG_SCALE = -5.0
"""A pixel that is the same in all images would have a density without bounds."""


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
        return self._of_pixels(outputs.to(pixels.dtype), pixels).flatten(1).sum(1)

    def _of_pixels(self, outputs: Tensor, pixels: Tensor) -> Tensor:
        if self.kind == "bernoulli":
            return bernoulli_log_prob(outputs + DARK, pixels)
        mean, log_scale = self._mean_and_scale(outputs)
        if self.kind == "gaussian":
            # Unchecked: what is not finite stops a training with a message of its own.
            return Normal(mean, log_scale.exp(), validate_args=False).log_prob(pixels)
        return self._logistic(mean, log_scale).log_prob(pixels)

    def mean(self, outputs: Float[Tensor, "n outs h w"]) -> Float[Tensor, "n c h w"]:
        """Mean image, in -1 to 1."""
        if self.kind == "bernoulli":
            return 2 * (outputs + DARK).sigmoid() - 1
        return self._mean_and_scale(outputs)[0].clamp(-1, 1)

    def sample(
        self, outputs: Float[Tensor, "n outs h w"], *, rng: torch.Generator | None = None
    ) -> Float[Tensor, "n c h w"]:
        """Draw an image, in -1 to 1."""
        if self.kind == "bernoulli":
            device = outputs.device if rng is None else rng.device
            shares = torch.rand(outputs.shape, generator=rng, device=device).to(outputs)
            return torch.where(shares < (outputs + DARK).sigmoid(), 1.0, -1.0).to(outputs)
        mean, log_scale = self._mean_and_scale(outputs)
        if self.kind == "gaussian":
            noise = standard_normal(mean.shape, like=mean, rng=rng)
            return (mean + log_scale.exp() * noise).clamp(-1, 1)
        return self._logistic(mean, log_scale).sample(rng=rng)

    @staticmethod
    def _logistic(mean: Tensor, log_scale: Tensor) -> LogisticMixture:
        one = mean[..., None]
        return LogisticMixture(torch.zeros_like(one), one, log_scale[..., None])

    @staticmethod
    def _mean_and_scale(outputs: Tensor) -> tuple[Tensor, Tensor]:
        mean, log_scale = outputs.chunk(2, 1)
        # At first a scale of a quarter of the range, wherever a network begins.
        return mean, (log_scale + math.log(0.5)).clamp(min=LOWEST_LOG_SCALE)
