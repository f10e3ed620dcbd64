r"""Where along a ray a field is asked: in equal parts, and then more often where there is more.

Reference: Mildenhall et al., *NeRF: Representing Scenes as Neural Radiance Fields for View
Synthesis*, 2020, equation 2 and section 5.2, https://arxiv.org/abs/2003.08934.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

_TINY = 1e-5


def even(
    near: Float[Tensor, "*rays"], far: Float[Tensor, "*rays"], samples: int
) -> Float[Tensor, "*rays samples"]:
    """Equally spaced from ``near`` to ``far``, both included.

    Raises:
        ValueError: Fewer than two samples.
    """
    if samples < 2:
        raise ValueError(f"at least 2 samples a ray are needed; got {samples}")
    share = torch.linspace(0, 1, samples, dtype=near.dtype, device=near.device)
    return near[..., None] * (1 - share) + far[..., None] * share


def jittered(
    t: Float[Tensor, "*rays samples"], share: Float[Tensor, "*rays samples"]
) -> Float[Tensor, "*rays samples"]:
    """Move every sample within its part of the ray, from half-way before to half-way behind.

    Args:
        t: Increasing.
        share: Uniform in 0 to 1.
    """
    middles = (t[..., 1:] + t[..., :-1]) / 2
    lower = torch.cat([t[..., :1], middles], -1)
    upper = torch.cat([middles, t[..., -1:]], -1)
    return lower + (upper - lower) * share


def refined(
    t: Float[Tensor, "*rays samples"],
    weights: Float[Tensor, "*rays samples"],
    share: Float[Tensor, "*rays more"],
) -> Float[Tensor, "*rays samples_and_more"]:
    """Add samples where a coarse rendering saw something, by the inverse of its distribution.

    The weight of a sample counts for its part of the ray, evenly: the one of :func:`jittered`; and
    somewhat for its neighbours', as a surface lies between a sample before it and one behind.

    Args:
        t: Of the coarse samples, increasing.
        weights: What each contributed to the colour.
        share: Places of the new samples in the distribution, 0 to 1: uniform draws, or equal
            steps.

    Returns:
        Old and new samples in order.

    Reference: Barron et al., *Mip-NeRF: A Multiscale Representation for Anti-Aliasing Neural
    Radiance Fields*, 2021, equation 18 (the blur), https://arxiv.org/abs/2103.13415.
    """
    middles = (t[..., 1:] + t[..., :-1]) / 2
    borders = torch.cat([t[..., :1], middles, t[..., -1:]], -1)  # (*rays, samples + 1)
    ends = torch.cat([weights[..., :1], weights, weights[..., -1:]], -1)
    pairs = torch.maximum(ends[..., 1:], ends[..., :-1])
    # A little everywhere, so that empty rays are sampled too.
    mass = (pairs[..., 1:] + pairs[..., :-1]) / 2 + _TINY
    summed = (mass / mass.sum(-1, keepdim=True)).cumsum(-1)
    # Rounding may leave the sum below 1, and a share above it.
    below = torch.cat([torch.zeros_like(summed[..., :1]), summed[..., :-1]], -1)
    part = torch.searchsorted(below, share.contiguous(), right=True) - 1
    part = part.clamp(0, t.shape[-1] - 1)
    low, high = below.gather(-1, part), summed.gather(-1, part)
    inside = ((share - low) / (high - low).clamp_min(torch.finfo(t.dtype).tiny)).clamp(0, 1)
    left, right = borders.gather(-1, part), borders.gather(-1, part + 1)
    return torch.cat([t, left + inside * (right - left)], -1).sort(-1).values
