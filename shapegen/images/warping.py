"""Images of slightly other shape and place: an augmentation of batches of images."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from shapegen.core.noise import standard_normal

KNOTS = 5
"""Along a side of an image, between which a bend is smooth."""


def warped(
    pixels: Float[Tensor, "n c h w"],
    amount: float,
    *,
    bend: float = 0.0,
    rng: torch.Generator | None = None,
) -> Float[Tensor, "n c h w"]:
    """Move every image by an affine map of its own: turned, stretched, sheared and shifted a bit.

    Every entry of a map's matrix is the identity's plus Gaussian noise, every shift Gaussian.
    What comes in from outside is black. Pixels are interpolated, so sharp images become softer.

    Args:
        pixels: In -1 to 1.
        amount: Standard deviation of the noise, in half images: 0.05 is .7 pixels at 28.
        bend: Standard deviation of further shifts at knots, smooth between them: elastic, as
            the lines of a hand differ.
        rng: Of the maps.

    Reference: Simard, Steinkraus and Platt, *Best Practices for Convolutional Neural Networks
    Applied to Visual Document Analysis*, 2003, section 2 (elastic distortions).
    """
    noise = standard_normal((len(pixels), 2, 3), like=pixels, rng=rng)
    maps = torch.eye(2, 3).to(pixels) + amount * noise
    places = functional.affine_grid(maps, list(pixels.shape), align_corners=False)
    if bend:
        knots = standard_normal((len(pixels), 2, KNOTS, KNOTS), like=pixels, rng=rng)
        shifts = functional.interpolate(
            bend * knots, size=pixels.shape[2:], mode="bicubic", align_corners=True
        )
        places = places + shifts.movedim(1, -1)
    # Outside of an image are zeros, which have to be black.
    return functional.grid_sample((pixels + 1) / 2, places, align_corners=False) * 2 - 1
