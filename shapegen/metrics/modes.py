"""How much of the modes of a known density a generator has found.

References: Srivastava et al., *VEEGAN: Reducing Mode Collapse in GANs using Implicit Variational
Learning*, 2017; Lin et al., *PacGAN*, 2018, section 4.1.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor

BORDER = 3.0
"""Standard deviations within which a sample is of high quality."""
LEAST = 20
"""Samples of high quality that a mode must have to count (PacGAN's code counts from 1)."""


def mode_figures(
    samples: Float[Tensor, "n 2"],
    centres: Float[Tensor, "modes 2"],
    spread: float,
    *,
    least: int = LEAST,
) -> dict[str, float]:
    """Figures of samples of a density of round Gaussians of equal weight.

    Args:
        samples: From a generator.
        centres: Of the Gaussians.
        spread: Standard deviation of a coordinate.
        least: Samples of high quality that a mode must have to count.

    Returns:
        ``modes``: how many count; ``high_quality``: share of samples within three standard
        deviations of a mode (of a perfect generator ``1 - exp(-4.5)``, .989); ``reverse_kl``:
        divergence in nats of the modes' shares of these from equal ones.
    """
    distance, mode = torch.cdist(samples.double(), centres.double()).min(1)
    good = mode[distance <= BORDER * spread]
    counts = torch.bincount(good, minlength=len(centres))
    return {
        "modes": float((counts >= least).sum()),
        "high_quality": len(good) / len(samples),
        "reverse_kl": reverse_kl(counts),
    }


def reverse_kl(counts: Int[Tensor, "modes"]) -> float:
    """Divergence of the shares of modes from equal shares, in nats; infinite where none is hit."""
    total = int(counts.sum())
    if not total:
        return math.inf
    shares = counts.double() / total
    return math.log(len(counts)) - float(torch.special.entr(shares).sum())
