"""Bounds of log-likelihoods from weighted draws, in nats."""

from __future__ import annotations

import math

from jaxtyping import Float
from torch import Tensor


def importance_weighted(log_weights: Float[Tensor, "draws *batch"]) -> Float[Tensor, "*batch"]:
    r"""Lower bound of the log-likelihood that tightens with the number of draws.

    .. math:: \log \frac1k \sum_{i=1}^k \frac{p(x \mid z_i)\, p(z_i)}{q(z_i \mid x)},
              \qquad z_i \sim q(z \mid x)

    Args:
        log_weights: Logarithms of the fractions.

    Reference: Burda, Grosse and Salakhutdinov, *Importance Weighted Autoencoders*, 2016,
    equation 8, https://arxiv.org/abs/1509.00519. One draw gives the evidence lower bound.
    """
    return log_weights.logsumexp(0) - math.log(len(log_weights))
