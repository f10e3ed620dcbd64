r"""Patches of images: square grids of places at a random scale and position.

Places are in -1 to 1, the middles of the outermost pixels (``align_corners``): x along columns, y
along rows. A patch of scale s and offset d has the places

.. math:: (g_c\, s + d_x,\; g_r\, s + d_y), \qquad g \in [-1, 1], \quad |d| \le 1 - s

so it never leaves the image. A field is rendered at the same places at which an image is read.

Reference: Schwarz, Liao, Niemeyer and Geiger, *GRAF: Generative Radiance Fields for 3D-Aware Image
Synthesis*, 2020, section 3.2, https://arxiv.org/abs/2007.02442; annealing as in its code.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import grid_sample

from shapegen.core.noise import uniform

_ANNEAL_STEPS, _LARGEST_LOW = 1000, 0.9


@dataclass(frozen=True)
class Patches:
    """Where patches are."""

    places: Float[Tensor, "n side side 2"]
    """x and y of every pixel of a patch, in -1 to 1; rows first."""
    scale: Float[Tensor, "n"]
    """Side of a patch as a share of the image's."""
    offset: Float[Tensor, "n 2"]
    """Its middle."""


@dataclass(frozen=True)
class PatchSampler:
    """Draws patches, an independent one an image."""

    side: int = 32
    """Pixels of a patch's side."""
    min_scale: float = 0.25
    max_scale: float = 1.0
    anneal: float = 0.0025
    """How fast the smallest scale falls from ``max_scale`` (at most .9) to ``min_scale``; 0: it is
    ``min_scale`` from the first step on."""
    anneal_steps: int = 0
    """Instead of ``anneal``: steps in which it falls from ``max_scale`` to ``min_scale``, evenly;
    0: as ``anneal`` says."""

    def __post_init__(self) -> None:
        if self.side < 2:
            raise ValueError(f"side must be at least 2 pixels; got {self.side}")
        if not 0 < self.min_scale <= self.max_scale <= 1:
            raise ValueError(
                "scales must be 0 < min_scale <= max_scale <= 1; "
                f"got {self.min_scale} and {self.max_scale}"
            )
        if self.anneal < 0:
            raise ValueError(f"anneal must be at least 0; got {self.anneal}")
        if self.anneal_steps < 0:
            raise ValueError(f"anneal_steps must be at least 0; got {self.anneal_steps}")

    def low(self, step: int) -> float:
        """The smallest scale at a step; by ``anneal`` it falls every 1000 steps."""
        if self.anneal_steps:
            left = max(0.0, 1 - step / self.anneal_steps)
            return self.min_scale + left * (self.max_scale - self.min_scale)
        if not self.anneal:
            return self.min_scale
        falls = 3 * (step // _ANNEAL_STEPS)
        annealed = self.max_scale * math.exp(-falls * self.anneal)
        return min(_LARGEST_LOW, self.max_scale, max(self.min_scale, annealed))

    def draw(
        self, n: int, *, step: int, like: Tensor, rng: torch.Generator | None = None
    ) -> Patches:
        """Draw patches.

        Args:
            n: How many.
            step: Of the training, for the smallest scale.
            like: Gives the device and the precision.
            rng: Random stream.
        """
        low = self.low(step)
        share = uniform((n, 3), like=like, rng=rng)
        scale = low + (self.max_scale - low) * share[:, 0]
        offset = (2 * share[:, 1:] - 1) * (1 - scale[:, None])
        return patches_at(self.side, scale, offset)


def patches_at(side: int, scale: Float[Tensor, "n"], offset: Float[Tensor, "n 2"]) -> Patches:
    """Patches of given scales and middles; scale 1 at (0, 0) is the whole image.

    Args:
        side: Pixels of a patch's side.
        scale: Shares of the image's side.
        offset: Middles, x then y.
    """
    line = torch.linspace(-1, 1, side, dtype=scale.dtype, device=scale.device)
    y, x = torch.meshgrid(line, line, indexing="ij")
    grid = torch.stack([x, y], -1)
    places = grid * scale[:, None, None, None] + offset[:, None, None]
    return Patches(places, scale, offset)


def extract(
    images: Float[Tensor, "n c h w"], places: Float[Tensor, "n rows columns 2"]
) -> Float[Tensor, "n c rows columns"]:
    """Read images at places, between pixels linearly; what is outside is 0.

    Args:
        images: One a patch.
        places: x and y in -1 to 1.
    """
    return grid_sample(images, places, mode="bilinear", padding_mode="zeros", align_corners=True)


def pixel_coordinates(
    places: Float[Tensor, "*shape 2"], height: int, width: int
) -> Float[Tensor, "*shape 2"]:
    """Places as columns and rows, of which whole numbers are the middles of pixels."""
    return (places + 1) / 2 * places.new_tensor([width - 1, height - 1])
