r"""The Dirac GAN: the smallest game that does not converge, in closed form.

Data is one point at 0, the generator's sample is one point at :math:`\theta`, and the
discriminator is linear, :math:`D(x) = \psi x`. With the minimax cross-entropy the field is

.. math:: v(\theta, \psi) = \sigma(\theta\psi)\,(\psi,\; -\theta)

which goes in circles around the equilibrium (0, 0): there a step of any length leads outwards.

Reference: Mescheder, Geiger and Nowozin, *Which Training Methods for GANs do actually Converge?*,
2018, sections 2 and 3.
"""

from __future__ import annotations

import cmath
from typing import Literal

import torch
from torch import Tensor

from shapegen.core.adversarial import Kind, discriminator_loss, generator_loss
from shapegen.core.dynamics import Field, Order, field_of, with_consensus
from shapegen.core.gradient_penalties import roth_penalty, zero_centred_penalty

Cure = Literal["none", "r1", "r2", "roth", "instance_noise", "consensus"]
_NODES = 64
"""Equally likely values of noise."""


def dirac_field(kind: Kind = "saturating", cure: Cure = "none", strength: float = 0.0) -> Field:
    """The Dirac GAN's field under a loss and a regulariser.

    Args:
        kind: Of the losses.
        cure: What regularises it.
        strength: Gamma of ``r1``, ``r2`` and ``roth``, weight of ``consensus``, standard deviation
            of ``instance_noise``.
    """
    noise = strength * _standard_noise() if cure == "instance_noise" else torch.zeros(1)

    def losses(at: Tensor) -> tuple[Tensor, Tensor]:
        theta, psi = at.repeat_interleave(len(noise), 0).T
        data = noise.to(at).repeat(len(at))
        sample = theta + data
        judged = discriminator_loss(psi * data, psi * sample, kind)
        judges = (lambda x: psi * x,) * 2
        if cure == "r1":
            judged = judged + zero_centred_penalty(judges[0], data, strength)
        elif cure == "r2":
            judged = judged + zero_centred_penalty(judges[0], sample, strength)
        elif cure == "roth":
            judged = judged + roth_penalty(judges, (data, sample), strength)
        return generator_loss(psi * sample, kind), judged

    field = field_of(losses)
    return with_consensus(field, strength) if cure == "consensus" else field


def dirac_eigenvalues(
    kind: Kind = "saturating",
    cure: Cure = "none",
    strength: float = 0.0,
    *,
    rate: float,
    order: Order = "simultaneous",
) -> tuple[complex, complex]:
    r"""The eigenvalues of one step at the equilibrium, in closed form.

    With a slope s of the losses at 0, where both players are damped by b and the discriminator by
    c more, the field's derivative is
    :math:`\begin{pmatrix} -b & s \\ -s & -b - c \end{pmatrix}`; c below 2 s leaves a spiral.

    Args:
        kind: Of the losses.
        cure: What regularises it.
        strength: As for :func:`dirac_field`.
        rate: Of a step, both players'.
        order: Of the players.
    """
    cross_entropy = kind in ("saturating", "non_saturating")
    slope = 0.5 if cross_entropy else 1.0
    both = slope**2 * strength if cure == "consensus" else 0.0
    damping = {
        "r1": strength,
        "r2": strength,
        # Both samples' logits are 0, which is called real with probability one half.
        "roth": strength / 2,
        "instance_noise": strength**2 * _CURVATURE[kind],
    }.get(cure, 0.0)
    # The map's trace and determinant; one player after the other adds the product of their steps.
    ahead = (rate * slope) ** 2
    generator, discriminator = 1 - rate * both, 1 - rate * (both + damping)
    trace = generator + discriminator
    determinant = generator * discriminator + ahead
    if order == "alternating":
        trace, determinant = trace - ahead, generator * discriminator
    root = cmath.sqrt(trace**2 / 4 - determinant)
    return trace / 2 + root, trace / 2 - root


_CURVATURE: dict[Kind, float] = {
    "saturating": 0.5,
    "non_saturating": 0.5,
    "least_squares": 2.0,
    "wasserstein": 0.0,
    "hinge": 0.0,
}
"""Second derivative of the discriminator's loss by both logits at 0, summed."""


def _standard_noise() -> Tensor:
    """Quantiles of the normal distribution, with mean 0 and variance 1 exactly."""
    shares = (torch.arange(_NODES, dtype=torch.float64) + 0.5) / _NODES
    quantiles = torch.erfinv(2 * shares - 1)
    return quantiles / quantiles.square().mean().sqrt()
