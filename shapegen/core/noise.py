"""Random tensors from one explicit stream, whatever device the model is on."""

from __future__ import annotations

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
