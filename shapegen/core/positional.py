"""Coordinates as waves, so that networks see fine differences.

Reference: Mildenhall et al., *NeRF*, 2020, equation 4.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor


def positional_encoding(
    x: Float[Tensor, "*n dim"], frequencies: int, *, lowest: float = math.pi
) -> Float[Tensor, "*n features"]:
    """``x``, and sine and cosine of ``lowest * 2**k * x`` for every k below ``frequencies``.

    Args:
        x: Coordinates, mostly from -1 to 1.
        frequencies: Octaves; 0: ``x`` alone.
        lowest: Angle of the first octave per unit of length.

    Returns:
        ``dim * (1 + 2 * frequencies)`` features: octave by octave, the sines of all coordinates
        before their cosines.
    """
    waves = [x]
    for octave in range(frequencies):
        angle = lowest * 2**octave * x
        waves += [angle.sin(), angle.cos()]
    return torch.cat(waves, -1)
