"""StyleGAN's networks: a synthesis of styles, and a residual discriminator.

References: Karras, Laine and Aila, *A Style-Based Generator Architecture for Generative
Adversarial Networks*, 2019, https://arxiv.org/abs/1812.04948; Karras et al., *Analyzing and
Improving the Image Quality of StyleGAN*, 2020, figures 2 and 7, https://arxiv.org/abs/1912.04958.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from shapegen.core.equalised import EqualisedConv2d, EqualisedLinear, equalised_head
from shapegen.core.gan_nets import SLOPE
from shapegen.core.nets import Size
from shapegen.core.noise import standard_normal
from shapegen.core.style import (
    MappingNetwork,
    Modulation,
    NoiseInput,
    StyleLayer,
    doubled,
    modulated_conv,
)

Outputs = Literal["skip", "residual"]


class ToPixels(nn.Module):
    """Pixels of features: a convolution of single places, its weights scaled by the style.

    Args:
        channels: In.
        out: Of an image.
        style_dim: Length of a style.
        modulation: With ``adain`` the style is in the features already.
    """

    def __init__(self, channels: int, out: int, style_dim: int, modulation: Modulation) -> None:
        super().__init__()
        self.conv = EqualisedConv2d(channels, out, 1, gain=1.0)
        told = modulation == "demodulation"
        self.affine = EqualisedLinear(style_dim, channels, gain=1.0) if told else None

    def forward(
        self, x: Float[Tensor, "n channels h w"], style: Float[Tensor, "n style"]
    ) -> Float[Tensor, "n out h w"]:
        """Pixels, about -1 to 1."""
        if self.affine is None:
            pixels: Tensor = self.conv(x)
            return pixels
        weight = self.conv.weight * self.conv.scale
        pixels = modulated_conv(x, weight, 1 + self.affine(style), demodulate=False)
        assert self.conv.bias is not None
        return pixels + self.conv.bias[:, None, None]


class Synthesis(nn.Module):
    """Images of styles: one layer at the smallest size, two at every other.

    Args:
        style_dim: Length of a style.
        sizes: The smallest first, each twice the one before.
        widths: Channels at every size.
        channels: Of an image.
        modulation: How a layer takes its style.
        outputs: ``skip`` adds pixels of every size, ``residual`` adds features and makes pixels
            of the last.
    """

    def __init__(
        self,
        style_dim: int,
        sizes: Sequence[Size],
        widths: Sequence[int],
        channels: int,
        *,
        modulation: Modulation,
        outputs: Outputs,
    ) -> None:
        super().__init__()
        first = (1, widths[0], *sizes[0])
        self.start = nn.Parameter(standard_normal(first, like=torch.empty(0)))
        layers = [StyleLayer(widths[0], widths[0], style_dim, sizes[0], modulation=modulation)]
        for (channel, width), size in zip(itertools.pairwise(widths), sizes[1:], strict=True):
            for inputs, double in ((channel, True), (width, False)):
                layers.append(
                    StyleLayer(
                        inputs, width, style_dim, size, double=double, modulation=modulation
                    )
                )
        self.layers = nn.ModuleList(layers)
        self.outputs = outputs
        seen = widths if outputs == "skip" else widths[-1:]
        self.to_pixels = nn.ModuleList(
            ToPixels(width, channels, style_dim, modulation) for width in seen
        )
        pairs = [] if outputs == "skip" else itertools.pairwise(widths)
        self.shortcuts = nn.ModuleList(
            EqualisedConv2d(channel, width, 1, gain=1.0, bias=False) for channel, width in pairs
        )

    def forward(
        self,
        styles: Float[Tensor, "n layers style"],
        *,
        noise: NoiseInput = "fixed",
        rng: torch.Generator | None = None,
    ) -> Float[Tensor, "n c h w"]:
        """Images, about -1 to 1.

        Args:
            styles: Of every layer.
            noise: As for :class:`~shapegen.core.style.StyleLayer`.
            rng: Random stream of the noise.
        """

        def layer(number: int, x: Tensor) -> Tensor:
            found: Tensor = self.layers[number](x, styles[:, number], noise=noise, rng=rng)
            return found

        x = layer(0, self.start.expand(len(styles), -1, -1, -1))
        if self.outputs == "skip":
            pixels: Tensor = self.to_pixels[0](x, styles[:, 0])
            for stage, to_pixels in enumerate(list(self.to_pixels)[1:]):
                x = layer(2 * stage + 2, layer(2 * stage + 1, x))
                pixels = doubled(pixels) + to_pixels(x, styles[:, 2 * stage + 2])
            return pixels
        for stage, shortcut in enumerate(self.shortcuts):
            added = layer(2 * stage + 2, layer(2 * stage + 1, x))
            x = (doubled(shortcut(x)) + added) / math.sqrt(2)
        pixels = self.to_pixels[0](x, styles[:, -1])
        return pixels


class StyleGenerator(nn.Module):
    """A mapping network and a synthesis: what one objective trains.

    Args:
        mapping: From noise to styles.
        synthesis: From styles to images.
    """

    def __init__(self, mapping: MappingNetwork, synthesis: Synthesis) -> None:
        super().__init__()
        self.mapping, self.synthesis = mapping, synthesis

    def forward(self, z: Float[Tensor, "n latent"]) -> Float[Tensor, "n c h w"]:
        """Images of noise, one style for all layers."""
        style = self.mapping(z)
        images: Tensor = self.synthesis(style[:, None].expand(-1, len(self.synthesis.layers), -1))
        return images


class _HalvingBlock(nn.Module):
    """Two convolutions beside a shortcut, both to half the size."""

    def __init__(self, channels: int, out: int) -> None:
        super().__init__()
        self.first, self.second = (
            EqualisedConv2d(channels, channels),
            EqualisedConv2d(channels, out),
        )
        self.shortcut = EqualisedConv2d(channels, out, 1, gain=1.0, bias=False)

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n out half_h half_w"]:
        added = functional.leaky_relu(self.first(x), SLOPE)
        added = functional.leaky_relu(functional.avg_pool2d(self.second(added), 2), SLOPE)
        out: Tensor = (self.shortcut(functional.avg_pool2d(x, 2)) + added) / math.sqrt(2)
        return out


class StyleDiscriminator(nn.Module):
    """A logit of images: residual blocks, and the spread of the batch at the end.

    Args:
        sizes: The smallest first, each twice the one before.
        widths: Channels at every size.
        channels: Of an image.
    """

    def __init__(self, sizes: Sequence[Size], widths: Sequence[int], channels: int) -> None:
        super().__init__()
        pairs = itertools.pairwise(widths[::-1])
        self.layers = nn.Sequential(
            EqualisedConv2d(channels, widths[-1], 1),
            nn.LeakyReLU(SLOPE),
            *(_HalvingBlock(channel, out) for channel, out in pairs),
            equalised_head(widths[0], sizes[0]),
        )

    def forward(self, pixels: Float[Tensor, "n c h w"]) -> Float[Tensor, "n"]:
        """Logits, above 0 for real."""
        logits: Tensor = self.layers(pixels)
        return logits[:, 0].to(pixels.dtype)
