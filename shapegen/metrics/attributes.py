"""Whether latents can be reckoned with: an attribute added to images that lack it.

The mean latent of samples with the attribute less that of samples without is a direction; a
direction that says something gives the attribute to other samples, where one of equal length at
random does not.

Reference: Radford, Metz and Chintala, *Unsupervised Representation Learning with Deep
Convolutional GANs*, 2016, section 6.3.2, https://arxiv.org/abs/1511.06434.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from shapegen.core.latent import direction
from shapegen.core.noise import standard_normal

Attribute = Callable[[Tensor], Tensor]
"""From shapes as numbers ``(n, ...)`` to whether each has it, ``(n,)``."""


@dataclass(frozen=True)
class AttributeFigures:
    """What a direction is worth, on samples that have not shaped it."""

    share: float
    """Of samples that have the attribute by themselves."""
    direction: Float[Tensor, "latent"]
    """What is added."""
    gained: float
    """Share of samples without the attribute that have it once the direction is added."""
    lost: float
    """Share of samples with it that lack it once the direction is taken away."""
    gained_at_random: float
    """As ``gained``, of random directions of equal length."""
    lost_at_random: float

    @property
    def length(self) -> float:
        """Of the direction."""
        return float(self.direction.norm())


def attribute_direction(
    z: Float[Tensor, "n latent"], having: Bool[Tensor, "n"]
) -> Float[Tensor, "latent"]:
    """Mean latent with an attribute less the mean without.

    Raises:
        ValueError: All have it, or none.
    """
    if bool(having.all()) or not bool(having.any()):
        raise ValueError(
            f"an attribute's direction needs samples with and without it; {int(having.sum())} of "
            f"{len(having)} have it"
        )
    return direction(z[having], z[~having])


@torch.no_grad()
def attribute_figures(
    generate: Callable[[Tensor], Tensor],
    z: Float[Tensor, "n latent"],
    attribute: Attribute,
    *,
    strength: float = 1.0,
    directions: int = 8,
    rng: torch.Generator | None = None,
) -> AttributeFigures:
    """Find an attribute's direction from one half of samples; add it to the other half.

    Args:
        generate: From latents to shapes as numbers.
        z: Samples of the prior, drawn independently.
        attribute: A known rule.
        strength: How often the direction is added.
        directions: Random ones to compare with.
        rng: Of these.

    Raises:
        ValueError: All samples of a half have the attribute, or none.
    """
    having = attribute(generate(z)).cpu()
    half = len(z) // 2
    found = strength * attribute_direction(z[:half], having[:half])
    rest, marked = z[half:], having[half:]
    attribute_direction(rest, marked)  # there are samples to gain it and to lose it

    def shares(step: Tensor) -> tuple[float, float]:
        after, before = attribute(generate(rest + step)), attribute(generate(rest - step))
        return float(after.cpu()[~marked].float().mean()), float(
            (~before.cpu()[marked]).float().mean()
        )

    drawn = standard_normal((directions, len(found)), like=found, rng=rng)
    drawn = drawn / drawn.norm(dim=1, keepdim=True) * found.norm()
    at_random = torch.tensor([shares(each) for each in drawn]).mean(0)
    gained, lost = shares(found)
    return AttributeFigures(
        share=float(having.float().mean()),
        direction=found,
        gained=gained,
        lost=lost,
        gained_at_random=float(at_random[0]),
        lost_at_random=float(at_random[1]),
    )
