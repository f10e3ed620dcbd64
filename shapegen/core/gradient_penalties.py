r"""What a discriminator pays for its slopes, where it is shown data and where not.

A discriminator is any function of a tensor to logits ``(n,)``, each of its own row alone, or to
several of a row, whose mean it then is; slopes are by that tensor's numbers, in their units. Where
a validation loss is computed without gradients the penalties have the same value.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from shapegen.core.noise import uniform

Discriminator = Callable[[Tensor], Tensor]


def slopes(
    discriminator: Discriminator, at: Float[Tensor, "n *shape"]
) -> tuple[Float[Tensor, "n *places"], Float[Tensor, "n *shape"]]:
    """Logits, and the gradients of a row's mean logit by the row, both differentiable."""
    differentiable = torch.is_grad_enabled()
    with torch.enable_grad():
        at = at.detach().requires_grad_()
        logits = discriminator(at)
        total = one_each(logits).sum()
        (gradient,) = torch.autograd.grad(total, at, create_graph=differentiable)
    return (logits if differentiable else logits.detach()), gradient


def one_each(logits: Float[Tensor, "n *places"]) -> Float[Tensor, "n"]:
    """One logit a row: the mean of those of its places."""
    return logits.flatten(1).mean(1) if logits.ndim > 1 else logits


def _squared_norms(gradient: Float[Tensor, "n *shape"]) -> Float[Tensor, "n"]:
    return gradient.square().reshape(len(gradient), -1).sum(1)


def zero_centred_penalty(
    discriminator: Discriminator, at: Float[Tensor, "n *shape"], gamma: float
) -> Float[Tensor, ""]:
    r"""R1 at data, R2 at what was generated.

    .. math:: \frac\gamma2\, \mathbb{E}\,\lVert\nabla_x D(x)\rVert^2

    Args:
        discriminator: See above.
        at: Where slopes cost.
        gamma: The weight, at least 0.

    Reference: Mescheder, Geiger and Nowozin, *Which Training Methods for GANs do actually
    Converge?*, 2018, equations 9 and 10, https://arxiv.org/abs/1801.04406. The code of some papers
    (GRAF's among them) leaves the half out.
    """
    if gamma == 0:
        return at.new_zeros(())
    return slope_penalty(slopes(discriminator, at)[1], gamma)


def slope_penalty(gradient: Float[Tensor, "n *shape"], gamma: float) -> Float[Tensor, ""]:
    """The same of slopes that are known."""
    return gamma / 2 * _squared_norms(gradient).mean()


def wasserstein_penalty(
    discriminator: Discriminator,
    real: Float[Tensor, "n *shape"],
    fake: Float[Tensor, "n *shape"],
    weight: float,
    *,
    one_sided: bool = False,
    rng: torch.Generator | None = None,
) -> Float[Tensor, ""]:
    r"""WGAN-GP: slopes of 1 between data and what was generated.

    .. math:: \lambda\, \mathbb{E}\,(\lVert\nabla D(\hat x)\rVert - 1)^2, \quad
              \hat x = u x + (1 - u) \tilde x, \quad u \sim U(0, 1)

    Args:
        discriminator: A critic, see above.
        real: Data.
        fake: As many that were generated.
        weight: Lambda, at least 0.
        one_sided: Only steeper slopes than 1 cost.
        rng: Of the places between.

    Reference: Gulrajani et al., *Improved Training of Wasserstein GANs*, 2017, equation 3 and
    section 4 (one-sided), https://arxiv.org/abs/1704.00028.
    """
    if weight == 0:
        return real.new_zeros(())
    share = uniform((len(real), *[1] * (real.ndim - 1)), like=real, rng=rng)
    _, gradient = slopes(discriminator, (share * real + (1 - share) * fake).detach())
    # The norm's own gradient at a slope of 0 is not a number.
    excess = (_squared_norms(gradient) + 1e-12).sqrt() - 1
    return weight * (excess.relu() if one_sided else excess).square().mean()


def roth_penalty(
    discriminators: tuple[Discriminator, Discriminator],
    shown: tuple[Float[Tensor, "n *shape"], Float[Tensor, "m *shape"]],
    gamma: float,
) -> Float[Tensor, ""]:
    r"""What noise of variance gamma on both sides does to the cross-entropy, to second order.

    .. math:: \frac\gamma2\, \mathbb{E}\,(1 - \sigma(D(x)))^2 \lVert\nabla D(x)\rVert^2 +
              \frac\gamma2\, \mathbb{E}\,\sigma(D(\tilde x))^2 \lVert\nabla D(\tilde x)\rVert^2

    Args:
        discriminators: Of data, and of what was generated: they differ where something else is
            given beside.
        shown: Data, and what was generated.
        gamma: The weight, at least 0.

    Reference: Roth, Lucchi, Nowozin and Hofmann, *Stabilizing Training of Generative Adversarial
    Networks through Regularization*, 2017, equation 23, https://arxiv.org/abs/1705.09367.
    """
    total = shown[0].new_zeros(())
    for discriminator, at, sign in zip(discriminators, shown, (-1, 1), strict=True):
        logits, gradient = slopes(discriminator, at)
        weights = (sign * one_each(logits)).sigmoid().square()
        total = total + (weights * _squared_norms(gradient)).mean()
    return gamma / 2 * total
