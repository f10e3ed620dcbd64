r"""Densities of pixels that have levels: uniform noise, and the logit that takes off the bounds.

A flow is a density of continuous images. Levels :math:`x \in \{0, \dots, L - 1\}^D` become such
by uniform noise, :math:`y = (x + u) / L`, and by Jensen's inequality

.. math:: \log P(x) = \log \int_{[0, 1)^D} L^{-D}\, p\Bigl(\frac{x + u}{L}\Bigr)\, du
          \;\ge\; \mathrm{E}_u\Bigl[\log p\Bigl(\frac{x + u}{L}\Bigr)\Bigr] - D \log L .

One draw of u estimates the right side without bias: the *dequantisation bound*.

Reference: Theis, van den Oord and Bethge, *A Note on the Evaluation of Generative Models*, 2016,
section 3.1, https://arxiv.org/abs/1511.01844.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float, Integer
from torch import Tensor
from torch.nn import functional

from shapegen.core.flows import Bijection
from shapegen.core.likelihoods import LEVELS
from shapegen.core.noise import uniform


def dequantised(
    numbers: Integer[Tensor, "*shape"],
    levels: int = LEVELS,
    *,
    like: Tensor,
    rng: torch.Generator | None = None,
) -> Float[Tensor, "*shape"]:
    """Draw from the bins of levels, each a part ``1 / levels`` of 0 to 1.

    Args:
        numbers: Of the levels, from 0.
        levels: How many there are.
        like: Gives the device and the precision.
        rng: Random stream.
    """
    return (numbers.to(like) + uniform(numbers.shape, like=like, rng=rng)) / levels


def bin_centres(
    numbers: Integer[Tensor, "*shape"], levels: int = LEVELS, *, like: Tensor
) -> Float[Tensor, "*shape"]:
    """Middles of the bins: what :func:`dequantised` is on average."""
    return (numbers.to(like) + 0.5) / levels


def levels_within(y: Float[Tensor, "*shape"], levels: int = LEVELS) -> Integer[Tensor, "*shape"]:
    """Number of the bin of 0 to 1 that a value is in; the first or last one if it is outside."""
    return (y * levels).floor().clamp(0, levels - 1).long()


class Logit(Bijection):
    r"""Stretch 0 to 1 over the real line, but for a margin that keeps the ends finite.

    .. math:: z = \log\frac{v}{1 - v}, \quad v = \alpha + (1 - 2\alpha)\, y, \qquad
              \log|\det| = \sum \log(1 - 2\alpha) - \log v - \log(1 - v)

    What a flow puts beyond the ends is lost: the levels' probabilities add up to less than one.

    Args:
        alpha: Margin, above 0 and below 1/2.

    Raises:
        ValueError: ``alpha`` is out of its range.

    Reference: Dinh et al., *Density Estimation Using Real NVP*, 2017, section 4.1, where alpha is
    .05 and the levels are of 256.
    """

    def __init__(self, alpha: float = 0.05) -> None:
        super().__init__()
        if not 0 < alpha < 0.5:
            raise ValueError(f"alpha must be above 0 and below 0.5; got {alpha}")
        self.alpha = alpha

    def forward(
        self, x: Float[Tensor, "batch *event"], context: Tensor | None = None
    ) -> tuple[Float[Tensor, "batch *event"], Float[Tensor, "batch"]]:
        """Map 0 to 1 to the real line."""
        z = torch.logit(self.alpha + (1 - 2 * self.alpha) * x)
        return z, self._log_det(z)

    def inverse(
        self, z: Float[Tensor, "batch *event"], context: Tensor | None = None
    ) -> tuple[Float[Tensor, "batch *event"], Float[Tensor, "batch"]]:
        """Map the real line to 0 to 1, and the margins around."""
        return (z.sigmoid() - self.alpha) / (1 - 2 * self.alpha), -self._log_det(z)

    def _log_det(self, z: Tensor) -> Tensor:
        # - log v - log (1 - v), with v the sigmoid of z.
        slopes = functional.softplus(z) + functional.softplus(-z)
        return (slopes + math.log(1 - 2 * self.alpha)).flatten(1).sum(1)
