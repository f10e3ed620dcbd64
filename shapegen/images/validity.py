"""What a model of images accepts."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from shapegen.images.images import CHANNELS, Images

BINARY_SEED = 1
"""Of the one black and white version of a set that likelihoods are measured on."""


def checked_pixels(
    shapes: Any, channels: int, size: tuple[int, int], what: str = "images"
) -> Float[Tensor, "n c h w"]:
    """Pixels of images of the size that a model is built for.

    Args:
        shapes: Images of any kind.
        channels: The model's.
        size: Its height and width.
        what: They are to the model, for messages.

    Raises:
        TypeError: No images.
        ValueError: None, or of another size.
    """
    pixels = Images.of(shapes).pixels
    if not len(pixels):
        raise ValueError("at least one image is needed; got none")
    if tuple(pixels.shape[1:]) != (channels, *size):
        wanted, got = (
            " x ".join(map(str, each)) for each in ((channels, *size), pixels.shape[1:])
        )
        raise ValueError(f"the model is of {what} {wanted} (channels, height, width); got {got}")
    return pixels


def check_size(channels: int, size: tuple[int, int]) -> None:
    """Refuse what no image is.

    Raises:
        ValueError: Channels other than 1 and 3, or a side below 1.
    """
    if channels not in CHANNELS:
        raise ValueError(f"channels must be 1 or 3; got {channels}")
    if len(size) != 2 or min(size) < 1:
        raise ValueError(f"size must be a height and a width of at least 1; got {list(size)}")


def binarised_once(
    pixels: Float[Tensor, "n c h w"], *, seed: int = BINARY_SEED
) -> Float[Tensor, "n c h w"]:
    """The same black and white images at every call: a test set for binary likelihoods.

    A pixel is white where its brightness in 0 to 1 is above a uniform number of
    ``numpy.random.RandomState(seed)``, drawn for all images in order.
    """
    stream = np.random.RandomState(seed)
    shares = torch.from_numpy(stream.uniform(size=tuple(pixels.shape)))
    return torch.where(shares.to(pixels) < (pixels + 1) / 2, 1.0, -1.0).to(pixels)
