"""Networks that grow: images of every size, and the fade from one size to the next.

A stage is a size; a level is a place in the growth: 1 has the second size, 1.3 the third one, of
which three tenths are faded in.

Reference: Karras, Aila, Laine and Lehtinen, *Progressive Growing of GANs for Improved Quality,
Stability, and Variation*, 2018, figure 2 and table 2, https://arxiv.org/abs/1710.10196.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from shapegen.core.equalised import (
    HE,
    EqualisedConv2d,
    EqualisedLinear,
    PixelNorm,
    equalised_head,
    pixel_norm,
)
from shapegen.core.gan_nets import SLOPE
from shapegen.core.nets import Size


@dataclass(frozen=True)
class Growth:
    """What networks that grow are like for a while."""

    stage: int
    """Number of the size, from 0."""
    alpha: float = 1.0
    """Share of that size in images; the rest is of the size before. Above 0, at most 1."""

    @property
    def given(self) -> tuple[Tensor, ...]:
        """What a discriminator is told beside an image, whose size says the stage."""
        return () if self.alpha == 1 else (torch.tensor(self.alpha),)


def growth_at(level: float) -> Growth:
    """Stage and fade of a level."""
    stage = math.ceil(level)
    return Growth(stage, 1 - (stage - level))


def level_at(step: int, stages: int, hold: int, fade: int) -> float:
    """Level of a step: every size is held for so many steps, then fades to the next.

    Args:
        step: From 0.
        stages: How many sizes.
        hold: Steps of a size but the last, which has all that are left.
        fade: Steps from one size to the next, the last of which is all there.

    Returns:
        0 to ``stages - 1``; that at once where neither takes a step.
    """
    if not hold + fade:
        return float(stages - 1)
    stage, inside = divmod(step, hold + fade)
    faded = max(0, inside + 1 - hold) / fade if fade else 0.0
    return min(stage + faded, float(stages - 1))


def halved_pixels(x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c half_h half_w"]:
    """Means of 2 by 2 pixels."""
    return functional.avg_pool2d(x, 2)


def doubled_pixels(x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c double_h double_w"]:
    """Every pixel as 2 by 2."""
    return functional.interpolate(x, scale_factor=2, mode="nearest")


def faded(
    before: Float[Tensor, "*shape"], after: Float[Tensor, "*shape"], alpha: float | Tensor
) -> Float[Tensor, "*shape"]:
    """``(1 - alpha) before + alpha after``, exact at both ends."""
    return (1 - alpha) * before + alpha * after


def shown_at(
    pixels: Float[Tensor, "n c h w"], growth: Growth, stages: int
) -> Float[Tensor, "n c stage_h stage_w"]:
    """Data as they look at a stage: halved, and blurred as far as what is made."""
    for _ in range(stages - 1 - growth.stage):
        pixels = halved_pixels(pixels)
    if growth.alpha == 1:
        return pixels
    return faded(doubled_pixels(halved_pixels(pixels)), pixels, growth.alpha)


def _convolved(channels: int, out: int) -> list[nn.Module]:
    return [EqualisedConv2d(channels, out), nn.LeakyReLU(SLOPE), PixelNorm()]


class GrowingGenerator(nn.Module):
    """Images of noise, of any stage.

    Args:
        noise_dim: Length of the noise.
        sizes: Of the stages, the smallest first.
        widths: Channels at every size.
        channels: Of an image.
    """

    def __init__(
        self, noise_dim: int, sizes: Sequence[Size], widths: Sequence[int], channels: int
    ) -> None:
        super().__init__()
        height, width = sizes[0]
        # The gain is that of a convolution of the whole small image, as in the authors' code.
        self.blocks = nn.ModuleList(
            [
                nn.Sequential(
                    EqualisedLinear(noise_dim, widths[0] * height * width, gain=HE / 4),
                    nn.Unflatten(1, (widths[0], height, width)),
                    nn.LeakyReLU(SLOPE),
                    PixelNorm(),
                    *_convolved(widths[0], widths[0]),
                )
            ]
        )
        for channel, following in itertools.pairwise(widths):
            self.blocks.append(
                nn.Sequential(*_convolved(channel, following), *_convolved(following, following))
            )
        self.to_pixels = nn.ModuleList(
            EqualisedConv2d(each, channels, 1, gain=1.0) for each in widths
        )

    def forward(
        self, z: Float[Tensor, "n noise"], growth: Growth
    ) -> Float[Tensor, "n c stage_h stage_w"]:
        """Images, about -1 to 1."""
        x = before = self.blocks[0](pixel_norm(z))
        for block in list(self.blocks)[1 : growth.stage + 1]:
            before = doubled_pixels(x)
            x = block(before)
        pixels: Tensor = self.to_pixels[growth.stage](x)
        if growth.alpha == 1:
            return pixels
        return faded(self.to_pixels[growth.stage - 1](before), pixels, growth.alpha)


class GrowingDiscriminator(nn.Module):
    """A logit of images of any stage: the mirror image, with the spread of the batch at its end.

    Args:
        sizes: Of the stages, the smallest first.
        widths: Channels at every size.
        channels: Of an image.
    """

    def __init__(self, sizes: Sequence[Size], widths: Sequence[int], channels: int) -> None:
        super().__init__()
        self.stages = {size: stage for stage, size in enumerate(sizes)}
        self.from_pixels = nn.ModuleList(
            nn.Sequential(EqualisedConv2d(channels, each, 1), nn.LeakyReLU(SLOPE))
            for each in widths
        )
        self.blocks = nn.ModuleList(
            nn.Sequential(
                EqualisedConv2d(channel, channel),
                nn.LeakyReLU(SLOPE),
                EqualisedConv2d(channel, before),
                nn.LeakyReLU(SLOPE),
                nn.AvgPool2d(2),
            )
            for before, channel in itertools.pairwise(widths)
        )
        self.head = equalised_head(widths[0], sizes[0])

    def forward(
        self, pixels: Float[Tensor, "n c h w"], alpha: Float[Tensor, ""] | None = None
    ) -> Float[Tensor, "n"]:
        """Logits, above 0 for real.

        Args:
            pixels: Of one of the sizes.
            alpha: Share of that size in what is seen; None: all.
        """
        stage = self.stages[(pixels.shape[2], pixels.shape[3])]
        x = self.from_pixels[stage](pixels)
        for number in reversed(range(stage)):
            x = self.blocks[number](x)
            if alpha is not None and number == stage - 1:
                x = faded(self.from_pixels[number](halved_pixels(pixels)), x, alpha)
        logits: Tensor = self.head(x)
        return logits[:, 0].to(pixels.dtype)
