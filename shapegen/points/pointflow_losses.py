"""What PointFlow minimises: the evidence lower bound, or errors of velocities."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from shapegen.core.cnf import Solve, integrating
from shapegen.core.divergence import Divergence, Exact, Hutchinson
from shapegen.core.flow_matching import pair_by_transport
from shapegen.core.flows import FlowDistribution
from shapegen.core.gaussian import DiagGaussian
from shapegen.core.noise import standard_normal
from shapegen.points.normalisation import resample
from shapegen.points.pointflow_config import DivergenceKind
from shapegen.points.pointflow_matching import chain_matching_error, split_by_time

if TYPE_CHECKING:
    from shapegen.points.pointflow import PointFlow

Loss = tuple[Tensor, dict[str, Tensor]]


class Terms(NamedTuple):
    """Parts of the evidence lower bound, in nats."""

    points: Float[Tensor, "batch points"]
    """``log p(point | latent)``."""
    latent: Float[Tensor, "batch"]
    """``log p(latent)``; 0 without a latent flow."""
    entropy: Float[Tensor, "batch"]
    """Of the posterior; 0 of a deterministic one."""


def terms(
    model: PointFlow,
    points: Float[Tensor, "batch points 3"],
    posterior: DiagGaussian,
    latent: Float[Tensor, "batch latent"],
) -> Terms:
    """Parts of the bound for normalised points and codes drawn from their posteriors.

    With ``compat="official"`` both densities have the authors' constant, which counts the
    normaliser of N(0, I) once for every dimension instead of once.
    """
    of_points = FlowDistribution(model.point_flow, (3,), context=latent).log_prob(points)
    zeros = torch.zeros_like(latent[:, 0])
    of_latent = zeros
    if model.latent_flow is not None:
        dim = model.latent_dim
        of_latent = FlowDistribution(model.latent_flow, (dim,)).log_prob(latent)
        of_latent = of_latent - _surplus(model, dim)
    entropy = zeros if model.config.deterministic else posterior.entropy()
    return Terms(of_points - _surplus(model, 3), of_latent, entropy)


def _surplus(model: PointFlow, dim: int) -> float:
    official = model.config.compat == "official"
    return 0.5 * dim * (dim - 1) * math.log(2 * math.pi) if official else 0.0


def bound_loss(
    model: PointFlow,
    points: Float[Tensor, "batch points 3"],
    *,
    rng: torch.Generator | None = None,
) -> Loss:
    """Minus the weighted evidence lower bound, a mean over the shapes.

    Args:
        model: In training mode.
        points: Normalised; all are used.
        rng: Of the codes and of the divergences' directions.

    Returns:
        The loss, and terms in nats: of a point, of a code, of a posterior; evaluations of the
        vector fields.

    Reference: Yang et al., *PointFlow*, 2019, equation 9.
    """
    config = model.config
    posterior = model.encoder(points)
    latent = posterior.mean if config.deterministic else posterior.rsample(rng=rng)
    penalise = config.weights.kinetic > 0 or config.weights.jacobian > 0
    with (
        integrating(
            model.point_flow, divergence=_divergence(config.divergence, rng), penalise=penalise
        ) as solves,
        integrating(
            model.latent_part, divergence=_divergence(config.latent_divergence, rng)
        ) as latent_solves,
    ):
        found = terms(model, points, posterior, latent)
    loss = weighted(model, found) + _penalty(model, solves)
    evaluations = sum(each.evaluations for each in (*solves, *latent_solves))
    logged = {
        "points": -found.points.mean(),
        "latent": -found.latent.mean(),
        "entropy": found.entropy.mean(),
        "evaluations": torch.tensor(float(evaluations)),
    }
    return loss, {name: value.detach() for name, value in logged.items()}


def weighted(model: PointFlow, found: Terms) -> Tensor:
    """Minus the bound with the config's weights, a mean over the shapes."""
    weights = model.config.weights
    bound = (
        weights.reconstruction * found.points.sum(1)
        + weights.prior * found.latent
        + weights.entropy * found.entropy
    )
    return -bound.mean()


def _penalty(model: PointFlow, solves: list[Solve]) -> Tensor | float:
    weights = model.config.weights
    total: Tensor | float = 0.0
    for each in solves:
        if each.kinetic is not None and each.jacobian is not None:
            penalty = weights.kinetic * each.kinetic + weights.jacobian * each.jacobian
            total = total + penalty.flatten(1).sum(1).mean()
    return total


def _divergence(kind: DivergenceKind, rng: torch.Generator | None) -> Divergence:
    return Exact() if kind == "exact" else Hutchinson(kind, rng=rng)


def matching_loss(
    model: PointFlow,
    points: Float[Tensor, "batch points 3"],
    step: int,
    *,
    rng: torch.Generator | None = None,
) -> Loss:
    """Errors of both flows' velocities and the posterior's KL divergence, means over the shapes.

    The latent flow learns from codes through which nothing flows back: the encoder is shaped by
    the points and by the KL divergence alone.

    Args:
        model: In training mode.
        points: Normalised, from which those of the code and the targets are drawn.
        step: Of the training.
        rng: Of all draws.

    Returns:
        The loss, and its terms unweighted: mean squared errors of a coordinate's velocity, nats.
    """
    config, matching = model.config, model.config.matching
    seen = resample(points, config.num_points, rng=rng)
    if matching.frozen_from is not None and step >= matching.frozen_from:
        with torch.no_grad():
            posterior = model.encoder(seen)
        of_points, kl = (torch.zeros((), device=points.device) for _ in range(2))
    else:
        posterior = model.encoder(seen)
        latent = posterior.mean if config.deterministic else posterior.rsample(rng=rng)
        of_points = _point_error(model, points, latent, rng=rng)
        kl = posterior.kl_standard().mean()
    of_latent = _latent_error(model, posterior, rng=rng)
    loss = of_points + of_latent
    if not config.deterministic:
        loss = loss + matching.kl * kl
    logged = {"points": of_points, "latent": of_latent, "kl": kl}
    return loss, {name: value.detach() for name, value in logged.items()}


def _point_error(
    model: PointFlow, points: Tensor, latent: Tensor, *, rng: torch.Generator | None
) -> Tensor:
    matching = model.config.matching
    data = resample(points, matching.targets, rng=rng)
    noise = standard_normal(data.shape, like=data, rng=rng)
    noise = pair_by_transport(noise, data, matching.group)
    rows, times = split_by_time(data, matching.times, rng=rng)
    context = latent.repeat_interleave(matching.times, 0)
    error = chain_matching_error(model.point_flow, rows, noise.reshape(rows.shape), times, context)
    return error.mean()


def _latent_error(
    model: PointFlow, posterior: DiagGaussian, *, rng: torch.Generator | None
) -> Tensor:
    if model.latent_flow is None:
        return torch.zeros((), device=posterior.mean.device)
    config = model.config
    still = DiagGaussian(posterior.mean.detach(), posterior.logvar.detach())
    draws = range(config.matching.latent_draws)
    codes = torch.cat(
        [still.mean if config.deterministic else still.rsample(rng=rng) for _ in draws]
    )
    # One row of all codes: their times go through the strata of the whole path.
    row, times = split_by_time(codes[None], len(codes), rng=rng)
    noise = standard_normal(row.shape, like=row, rng=rng)
    return chain_matching_error(model.latent_flow, row, noise, times).mean()
