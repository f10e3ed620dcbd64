"""How likely a PointFlow finds clouds that it has not seen: exact, and beside a Gaussian's."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float
from torch import Tensor

from shapegen.core.bounds import importance_weighted
from shapegen.core.ode import Solver
from shapegen.points.normalisation import resample
from shapegen.points.point_clouds import PointClouds
from shapegen.points.pointflow_solves import exact_log_prob

if TYPE_CHECKING:
    from shapegen.points.pointflow import PointFlow

SHAPES, POINTS = 250, 256
"""Clouds that are measured, and points of each that its code is from, and others; at most."""
FIXED = Solver("rk4", steps=16)
"""Must find the same likelihood as a tight solve: the flow does not live on its solver's error."""
_RIDGE = 1e-6


@torch.no_grad()
def likelihood_bound(
    model: PointFlow, points: Any, draws: int, *, rng: torch.Generator | None = None
) -> Float[Tensor, "batch"]:
    """Lower bound of every cloud's log-likelihood from ``draws`` codes of its posterior, in nats.

    Raises:
        ValueError: No draw, no posterior, or no flow as prior.
    """
    if model.latent_flow is None or model.config.deterministic:
        raise ValueError("a bound needs a posterior and a latent flow; this model lacks one")
    if draws < 1:
        raise ValueError(f"a bound needs at least one draw; got {draws}")
    posterior = model.posteriors(points)
    weights = []
    for _ in range(draws):
        code = posterior.rsample(rng=rng)
        prior = exact_log_prob(model.latent_flow, code.double())
        likelihood = model.log_prob_given(points, code).sum(1)
        weights.append(likelihood + prior - posterior.log_prob(code))
    return importance_weighted(torch.stack(weights))


def likelihood_figures(
    model: PointFlow, shapes: PointClouds, *, rng: torch.Generator | None = None
) -> dict[str, float]:
    """Nats a point, minus the exact log-density in normalised units: lower is better.

    The code of a cloud is the posterior's mean given some of its points; others are measured.
    N(0, I) has about 4.26 nats on data of unit spread.

    Args:
        model: In eval mode.
        shapes: Held-out clouds of at least 16 points; the first :data:`SHAPES` are used.
        rng: Which points are taken.

    Returns:
        ``nll`` (dopri5 at 1e-7, exact trace), its ``nll standard error`` over the clouds,
        ``nll-rk4-16`` (the same by 16 fixed steps of RK4), and ``nll-gaussian`` of a Gaussian
        fitted to the points that the code is from.

    Raises:
        ValueError: Clouds of fewer than 16 points.
    """
    seen, others = held_out_halves(shapes.points, rng=rng)
    latent = model.encode(seen)
    exact = model.nats_given(others, latent).mean(1)
    fixed = model.nats_given(others, latent, solver=FIXED)
    return {
        "nll": float(exact.mean()),
        "nll standard error": float(exact.std() / math.sqrt(len(exact))),
        "nll-rk4-16": float(fixed.mean()),
        "nll-gaussian": float(
            gaussian_nats(model.normalise(seen), model.normalise(others)).mean()
        ),
    }


def held_out_halves(
    points: Float[Tensor, "clouds points 3"], *, rng: torch.Generator | None = None
) -> tuple[Float[Tensor, "some half 3"], Float[Tensor, "some half 3"]]:
    """Points that codes are from, and others of the same clouds, at most :data:`POINTS` each.

    Raises:
        ValueError: Clouds of fewer than 16 points.
    """
    points = points[:SHAPES]
    count = min(POINTS, points.shape[1] // 2)
    if count < 8:
        raise ValueError(f"likelihoods need clouds of at least 16 points; got {points.shape[1]}")
    seen, others = resample(points, 2 * count, replace=False, rng=rng).split(count, dim=1)
    return seen, others


def gaussian_nats(
    seen: Float[Tensor, "batch points dim"], others: Float[Tensor, "batch points dim"]
) -> Float[Tensor, "batch points"]:
    """Minus the log-density of ``others`` under the Gaussian of every cloud's ``seen`` points."""
    seen, others = seen.double(), others.double()
    mean = seen.mean(1, keepdim=True)
    around = seen - mean
    covariance = around.transpose(1, 2) @ around / seen.shape[1]
    ridge = _RIDGE * torch.eye(seen.shape[2], dtype=seen.dtype, device=seen.device)
    normal = torch.distributions.MultivariateNormal(mean, (covariance + ridge)[:, None])
    return -normal.log_prob(others)
