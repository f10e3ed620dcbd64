"""Images of slightly other shape and place: an augmentation of batches of images."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from shapegen.core.noise import standard_normal


def warped(
    pixels: Float[Tensor, "n c h w"], amount: float, *, rng: torch.Generator | None = None
) -> Float[Tensor, "n c h w"]:
    """Move every image by an affine map of its own: turned, stretched, sheared and shifted a bit.

    Every entry of a map's matrix is the identity's plus Gaussian noise, every shift Gaussian.
    What comes in from outside is black. Pixels are interpolated, so sharp images become softer.

    Args:
        pixels: In -1 to 1.
        amount: Standard deviation of the noise, in half images: 0.05 is .7 pixels at 28.
        rng: Of the maps.
    """
    noise = standard_normal((len(pixels), 2, 3), like=pixels, rng=rng)
    maps = torch.eye(2, 3).to(pixels) + amount * noise
    places = functional.affine_grid(maps, list(pixels.shape), align_corners=False)
    # Outside of an image are zeros, which have to be black.
    return functional.grid_sample((pixels + 1) / 2, places, align_corners=False) * 2 - 1
