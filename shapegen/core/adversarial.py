"""Losses of the adversarial game: a discriminator's logit above 0 means real.

Reference: Goodfellow et al., *Generative Adversarial Nets*, 2014, https://arxiv.org/abs/1406.2661.
"""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import softplus


def discriminator_loss(
    real: Float[Tensor, "*real"], fake: Float[Tensor, "*fake"]
) -> Float[Tensor, ""]:
    r"""Minus the log-likelihood of telling real from fake, in nats.

    .. math:: -\mathbb{E}\log\sigma(D(x)) - \mathbb{E}\log(1 - \sigma(D(\tilde x)))

    Args:
        real: Logits of data.
        fake: Logits of what was generated.
    """
    return softplus(-real).mean() + softplus(fake).mean()


def generator_loss(fake: Float[Tensor, "*fake"]) -> Float[Tensor, ""]:
    r"""Minus the log-probability that what was generated is real: does not saturate.

    .. math:: -\mathbb{E}\log\sigma(D(\tilde x))
    """
    return softplus(-fake).mean()
