"""Losses of the adversarial game: a discriminator's logit above 0 means real.

Reference: Goodfellow et al., *Generative Adversarial Nets*, 2014, https://arxiv.org/abs/1406.2661.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
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


def r1_penalty(
    discriminator: Callable[[Tensor], Tensor], real: Float[Tensor, "n *shape"], gamma: float
) -> Float[Tensor, ""]:
    r"""What a discriminator pays for slopes at data, in every mode of autograd.

    .. math:: \frac\gamma2\, \mathbb{E}\,\lVert\nabla_x D(x)\rVert^2

    Args:
        discriminator: From data to logits ``(n,)``, each of its own row alone.
        real: Data; slopes are by these numbers, in their units.
        gamma: The weight, at least 0.

    Reference: Mescheder, Geiger and Nowozin, *Which Training Methods for GANs do actually
    Converge?*, 2018, equation 9, https://arxiv.org/abs/1801.04406.
    """
    if gamma == 0:
        return real.new_zeros(())
    # A validation loss is computed without gradients, and is to have the same value.
    differentiable = torch.is_grad_enabled()
    with torch.enable_grad():
        at = real.detach().requires_grad_()
        (slope,) = torch.autograd.grad(discriminator(at).sum(), at, create_graph=differentiable)
        return gamma / 2 * slope.square().flatten(1).sum(1).mean()
