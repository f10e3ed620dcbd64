"""The earth mover's distance between clouds, bounded from both sides by entropic transport.

Reference: Cuturi, *Sinkhorn Distances*, 2013; Altschuler et al., *Near-linear time approximation
algorithms for optimal transport via Sinkhorn iteration*, 2017, algorithm 2 (rounding).
"""

from __future__ import annotations

import torch
from torch import Tensor

FIRST, LAST = 1.0, 0.004
"""Regularisation at the start and at the end, in mean distances between points."""
STEPS = 32
"""Steps from one to the other, each with one update of both potentials."""
POLISH = 16
"""Updates at the end."""


@torch.no_grad()
def sinkhorn_bounds(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Bounds of the mean distance under the best one-to-one match, pair by pair.

    The upper bound is the cost of a transport made feasible by rounding; the lower one that of
    dual potentials made feasible. The exact distance lies between them, whatever the number of
    iterations.

    Args:
        a: ``(pairs, points, 3)``.
        b: The same.

    Returns:
        Lower and upper bounds ``(pairs,)``.
    """
    bounds = [_bounds(x, y) for x, y in zip(a, b, strict=True)]
    lower, upper = (torch.stack(side) for side in zip(*bounds, strict=True))
    return lower, upper


def _bounds(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    # The default way of cdist loses half the digits of distances near 0.
    cost = torch.cdist(a, b, compute_mode="donot_use_mm_for_euclid_dist")
    count = len(cost)
    scale = float(cost.mean()) or 1.0
    ratio = (LAST / FIRST) ** (1 / (STEPS - 1))
    widths = [FIRST * ratio**step for step in range(STEPS)] + [LAST] * POLISH
    f, g = torch.zeros_like(cost[:, 0]), torch.zeros_like(cost[0])
    for width in widths:
        epsilon = width * scale
        f = -epsilon * _mean_exp((g - cost) / epsilon, 1)
        g = -epsilon * _mean_exp((f[:, None] - cost) / epsilon, 0)
    plan = ((f[:, None] + g - cost) / epsilon).exp_() / count**2
    # Dual: potentials under which no match costs more than its distance.
    f = (cost - g).amin(1)
    return f.mean() + g.mean(), (_rounded(plan) * cost).sum()


def _mean_exp(values: Tensor, dim: int) -> Tensor:
    """Logarithm of the mean of exponentials."""
    return values.logsumexp(dim) - torch.tensor(float(values.shape[dim])).log().to(values)


def _rounded(plan: Tensor) -> Tensor:
    """A plan near the given one whose rows and columns each sum to ``1 / points``."""
    share = 1 / len(plan)
    plan = plan * (share / plan.sum(1, keepdim=True)).clamp_max(1)
    plan = plan * (share / plan.sum(0, keepdim=True)).clamp_max(1)
    rows, columns = share - plan.sum(1), share - plan.sum(0)
    missing = rows.sum()
    # Nothing is missing where the plan was feasible already.
    return plan + rows[:, None] * columns / missing if missing > 0 else plan
