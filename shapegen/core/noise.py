"""Random tensors from one explicit stream, whatever device the model is on."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor


def standard_normal(
    shape: Sequence[int], *, like: Tensor, rng: torch.Generator | None = None
) -> Tensor:
    """Draw N(0, 1) entries with the dtype and device of ``like``.

    The draw happens on the generator's own device, so that a CPU stream gives the same numbers to
    a model on a GPU.
    """
    device = like.device if rng is None else rng.device
    return torch.randn(*shape, generator=rng, device=device, dtype=like.dtype).to(like.device)


def uniform(shape: Sequence[int], *, like: Tensor, rng: torch.Generator | None = None) -> Tensor:
    """Draw entries of 0 to below 1 with the dtype and device of ``like``."""
    device = like.device if rng is None else rng.device
    return torch.rand(*shape, generator=rng, device=device, dtype=like.dtype).to(like.device)


def truncated_normal(
    shape: Sequence[int], bound: float, *, like: Tensor, rng: torch.Generator | None = None
) -> Tensor:
    """Draw N(0, 1) entries under the condition that they lie in ``-bound .. bound``.

    Raises:
        ValueError: ``bound`` is not above 0.
    """
    if not bound > 0:
        raise ValueError(f"the bound of a truncated normal must be above 0; got {bound}")
    device = like.device if rng is None else rng.device
    # Through the inverse of the distribution function, in double precision for its tails.
    share = torch.rand(*shape, generator=rng, device=device, dtype=torch.float64)
    inside = math.erf(bound / math.sqrt(2))
    drawn = math.sqrt(2) * torch.erfinv((2 * share - 1) * inside)
    return drawn.clamp(-bound, bound).to(like)
