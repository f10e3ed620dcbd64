"""A small residual network that looks at images; its pooled features are what is compared.

References: He et al., *Deep Residual Learning for Image Recognition*, 2016, section 3 (blocks);
Heusel et al., *GANs Trained by a Two Time-Scale Update Rule Converge to a Local Nash Equilibrium*,
2017 (distances in a network's pooled features).
"""

from __future__ import annotations

from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

WIDTHS = (16, 32, 64, 64)
"""Channels of the stem and after every block, which halves the height and the width."""
FEATURES = WIDTHS[-1]
SIZE = 32
"""Height and width of what the network looks at."""
RESIZE = f"{SIZE} x {SIZE}, bilinear with antialiasing"


class FeatureNetwork(nn.Module):
    """Convolutions, residual blocks and a mean over the image.

    The features are in units of their own spread over the images that the network was trained on:
    mean 0, standard deviation 1 each.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, WIDTHS[0], 3, padding=1, bias=False), nn.BatchNorm2d(WIDTHS[0]), nn.ReLU()
        )
        self.blocks = nn.Sequential(*[_Block(low, high) for low, high in pairwise(WIDTHS)])
        self.register_buffer("mean", torch.zeros(FEATURES))
        self.register_buffer("scale", torch.ones(FEATURES))

    def pooled(self, images: Float[Tensor, "n c h w"]) -> Float[Tensor, "n features"]:
        """Features in the network's own units, at least 0."""
        means: Tensor = self.blocks(self.stem(prepared(images))).mean((2, 3))
        return means

    def forward(self, images: Float[Tensor, "n c h w"]) -> Float[Tensor, "n features"]:
        """Features of images in [-1, 1], grey or coloured, of any size."""
        return (self.pooled(images) - self.mean) / self.scale


class _Block(nn.Module):
    """Two convolutions beside a shortcut; height and width are halved."""

    def __init__(self, low: int, high: int) -> None:
        super().__init__()
        self.convolutions = nn.Sequential(
            nn.Conv2d(low, high, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(high),
            nn.ReLU(),
            nn.Conv2d(high, high, 3, padding=1, bias=False),
            nn.BatchNorm2d(high),
        )
        # The mean of four pixels rather than one of them: what is fine is not aliased.
        self.shortcut = nn.Sequential(nn.AvgPool2d(2), nn.Conv2d(low, high, 1, bias=False))

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(self.convolutions(x) + self.shortcut(x))


def prepared(images: Float[Tensor, "n c h w"]) -> Float[Tensor, "n 3 size size"]:
    """Images as the network sees them: :data:`RESIZE`, grey in all three channels.

    Raises:
        ValueError: Neither 1 nor 3 channels.
    """
    if images.shape[1] not in (1, 3):
        raise ValueError(f"images must have 1 or 3 channels; got {images.shape[1]}")
    if images.shape[2:] != (SIZE, SIZE):
        images = functional.interpolate(
            images, size=(SIZE, SIZE), mode="bilinear", align_corners=False, antialias=True
        )
    return images.expand(-1, 3, -1, -1)
