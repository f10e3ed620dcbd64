r"""The latent of a shape by optimisation, for generators that have no encoder.

.. math:: \min_z\; \frac{1}{m} \lVert \phi(G(z)) - \phi(x) \rVert^2
          + \frac{\lambda}{2 d} \lVert z \rVert^2

with features of length m (or the numbers themselves) and d entries of a latent; the second term
keeps latents where N(0, I) has them. The search starts from the nearest of many samples.

References: Zhu et al., *Generative Visual Manipulation on the Natural Image Manifold*, 2016;
Lipton and Tripathi, *Precise Recovery of Latent Vectors from Generative Adversarial Networks*,
2017, https://arxiv.org/abs/1702.04782.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

Map = Callable[[Tensor], Tensor]
NOWHERE = slice(0, 0)
CHUNK = 64
"""Targets that are projected at once."""


@dataclass(frozen=True)
class ProjectionOptions:
    """How latents are searched."""

    steps: int = 200
    """Of Adam, along a cosine to a rate of 0."""
    learning_rate: float = 0.1
    restarts: int = 4
    """Searches a target, each from another sample."""
    candidates: int = 256
    """Samples of which the nearest are where the searches start."""
    prior: float = 1e-3
    """Weight of half the mean square of a latent."""

    def __post_init__(self) -> None:
        for name, least in (("steps", 0), ("restarts", 1), ("candidates", self.restarts)):
            if getattr(self, name) < least:
                raise ValueError(f"{name} must be at least {least}; got {getattr(self, name)}")
        if not self.learning_rate > 0:
            raise ValueError(f"learning_rate must be above 0; got {self.learning_rate}")
        if not self.prior >= 0:
            raise ValueError(f"prior must be at least 0; got {self.prior}")


@dataclass(frozen=True)
class Projection:
    """What a search found for each target."""

    latents: Float[Tensor, "n latent"]
    residuals: Float[Tensor, "n"]
    """Mean squared differences from the targets, of features where there are."""
    nearest: Float[Tensor, "n"]
    """The same of the nearest sample: what the search had to improve on."""


def project(
    generate: Map,
    targets: Float[Tensor, "n *shape"],
    draw: Callable[[int], Tensor],
    options: ProjectionOptions = ProjectionOptions(),
    *,
    features: Map | None = None,
    choices: slice = NOWHERE,
) -> Projection:
    """Find latents whose shapes are nearest to targets.

    Args:
        generate: From latents to shapes as numbers, with gradients; a network in eval mode, so
            that a shape depends on its own latent alone.
        targets: Such shapes.
        draw: Of so many latents from the prior; the search has no other randomness.
        options: How to search.
        features: What of shapes is compared; None: every number.
        choices: Entries of latents that are choices, such as classes: they stay as the sample at
            the start had them.

    Raises:
        ValueError: No targets, or of another shape than is generated.
    """
    seen = features or (lambda shapes: shapes)
    with torch.no_grad():
        z = draw(options.candidates)
        made = torch.cat([generate(part) for part in z.split(CHUNK)])
        if not len(targets) or targets.shape[1:] != made.shape[1:]:
            raise ValueError(
                f"targets must be (n, {', '.join(map(str, made.shape[1:]))}); "
                f"got {tuple(targets.shape)}"
            )
        known = seen(made).flatten(1)
    parts = [
        _searched(generate, seen, part.to(made), (z, known), options, choices)
        for part in targets.split(CHUNK)
    ]
    return Projection(*(torch.cat(each) for each in zip(*parts, strict=True)))


def _searched(
    generate: Map,
    seen: Map,
    targets: Tensor,
    candidates: tuple[Tensor, Tensor],
    options: ProjectionOptions,
    choices: slice,
) -> tuple[Tensor, Tensor, Tensor]:
    """Latents, residuals and those of the nearest candidates, of one chunk."""
    with torch.no_grad():
        wanted = seen(targets).flatten(1)
        apart = torch.cdist(wanted, candidates[1]).square() / wanted.shape[1]
        near = apart.topk(options.restarts, largest=False)
    z = candidates[0][near.indices.flatten()].clone().requires_grad_()  # (n restarts, latent)
    wanted = wanted.repeat_interleave(options.restarts, 0)
    optimizer = torch.optim.Adam([z], options.learning_rate)
    best, lowest, residual = z.detach().clone(), wanted.new_full((len(z),), torch.inf), None
    for step in range(options.steps + 1):
        with torch.enable_grad():
            errors = (seen(generate(z)).flatten(1) - wanted).square().mean(1)
            objective = errors + options.prior / 2 * z.square().mean(1)
            # Rows do not touch each other: the gradient of the sum is that of each.
            (gradient,) = torch.autograd.grad(objective.sum(), z)
        found = objective.detach()
        better = found < lowest
        lowest = torch.where(better, found, lowest)
        best = torch.where(better[:, None], z.detach(), best)
        residual = (
            errors.detach() if residual is None else torch.where(better, errors.detach(), residual)
        )
        gradient[:, choices] = 0
        z.grad = gradient
        slope = (1 + math.cos(math.pi * step / max(1, options.steps))) / 2
        optimizer.param_groups[0]["lr"] = slope * options.learning_rate
        optimizer.step()
    assert residual is not None
    winner = lowest.view(-1, options.restarts).argmin(1, keepdim=True)
    rows = winner[:, 0] + options.restarts * torch.arange(len(winner), device=winner.device)
    return best[rows], residual[rows], near.values[:, 0]
