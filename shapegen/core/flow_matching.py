"""Flow matching: vector fields trained without solving them.

Reference: Lipman et al., *Flow Matching for Generative Modeling*, 2023,
https://arxiv.org/abs/2210.02747; Tong et al., *Improving and Generalizing Flow-Based Generative
Models with Minibatch Optimal Transport*, 2024, https://arxiv.org/abs/2302.00482.
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from shapegen.core.cnf import CNF
from shapegen.core.noise import uniform


def stratified_times(
    rows: int, strata: int, *, like: Tensor, rng: torch.Generator | None = None
) -> Float[Tensor, "rows strata"]:
    """Times in 0 to 1, uniform in each of ``strata`` equal parts: less variance than free ones."""
    starts = torch.arange(strata, device=like.device, dtype=like.dtype)
    return (starts + uniform((rows, strata), like=like, rng=rng)) / strata


@torch.no_grad()
def pair_by_transport(
    noise: Float[Tensor, "rows events dim"], data: Float[Tensor, "rows events dim"], group: int
) -> Float[Tensor, "rows events dim"]:
    """Reorder ``noise`` so that it lies close to ``data``: straight paths that seldom cross.

    The events of a row are paired in groups of ``group`` by the assignment of least summed
    squared distance; the pairs' joint law still has both marginals.

    Raises:
        ValueError: ``group`` is below 1.
    """
    if group < 1:
        raise ValueError(f"a group needs at least one pair; got {group}")
    from scipy.optimize import linear_sum_assignment

    paired = noise.clone()
    for first in range(0, noise.shape[1] if group > 1 else 0, group):
        part = noise[:, first : first + group]
        costs = torch.cdist(data[:, first : first + group], part).square().cpu().numpy()
        orders = np.stack([linear_sum_assignment(cost)[1] for cost in costs])
        order = torch.from_numpy(orders).to(noise.device)[..., None].expand_as(part)
        paired[:, first : first + group] = part.gather(1, order)
    return paired


def matching_error(
    flow: CNF,
    data: Float[Tensor, "batch *events dim"],
    noise: Float[Tensor, "batch *events dim"],
    times: Float[Tensor, "batch"],
    context: Tensor | None = None,
) -> Float[Tensor, "batch *events"]:
    r"""Squared error of the velocity on straight paths, mean over the dimensions.

    .. math:: \| T f(T s, (1 - s) x + s \epsilon; c) - (\epsilon - x) \|^2 / d

    Args:
        flow: Its field is trained; its end time T is taken as it is.
        data: Where the paths start, at ``s = 0``.
        noise: Where they end, at ``s = 1``.
        times: ``s``, one a row.
        context: One a row.
    """
    s = times.view(-1, *[1] * (data.ndim - 1))
    end_time = flow.end_time.detach()
    velocity = flow.field(end_time * times, data + s * (noise - data), context)
    return (end_time * velocity - (noise - data)).square().mean(-1)
