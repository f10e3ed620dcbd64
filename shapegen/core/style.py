r"""Styles: what a generator is told at every layer, instead of one latent at its beginning.

A mapping network makes a style w of noise z. A layer takes from it either the mean and the spread
of its channels (``adain``), or the scale of its weights' inputs (``demodulation``), divided by the
spread that comes out of them.

References: Karras, Laine and Aila, *A Style-Based Generator Architecture for Generative
Adversarial Networks*, 2019 (StyleGAN), https://arxiv.org/abs/1812.04948; Karras et al., *Analyzing
and Improving the Image Quality of StyleGAN*, 2020 (StyleGAN2), https://arxiv.org/abs/1912.04958.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from shapegen.core.equalised import EPSILON, HE, EqualisedLinear, pixel_norm
from shapegen.core.gan_nets import SLOPE
from shapegen.core.nets import Size
from shapegen.core.noise import standard_normal

Modulation = Literal["adain", "demodulation"]
NoiseInput = Literal["random", "fixed", "none"]
_DECAY = 0.995
"""Of the running mean of styles, as in StyleGAN's code."""


def adain(
    x: Float[Tensor, "n c h w"], scale: Float[Tensor, "n c"], shift: Float[Tensor, "n c"]
) -> Float[Tensor, "n c h w"]:
    """Give every plane the mean ``shift`` and the standard deviation ``scale``.

    Reference: Huang and Belongie, *Arbitrary Style Transfer in Real-time with Adaptive Instance
    Normalization*, 2017, equation 8.
    """
    variance, mean = torch.var_mean(x, (2, 3), correction=0, keepdim=True)
    normed = (x - mean) * (variance + EPSILON).rsqrt()
    return normed * scale[:, :, None, None] + shift[:, :, None, None]


def modulated_conv(
    x: Float[Tensor, "n channels h w"],
    weight: Float[Tensor, "out channels k k"],
    scale: Float[Tensor, "n channels"],
    *,
    demodulate: bool = True,
) -> Float[Tensor, "n out h w"]:
    r"""Convolve every image with weights of its own.

    .. math:: w'_{ijk} = s_i\, w_{ijk}, \qquad
              w''_{ijk} = w'_{ijk} \Big/ \sqrt{\textstyle\sum_{i,k} w'^2_{ijk} + \epsilon}

    Inputs of variance 1 without correlations give outputs of variance 1, whatever the scale. The
    scales of inputs and outputs are taken out of the convolution, which is one for the batch.

    Args:
        x: Images.
        weight: Shared.
        scale: Of the inputs, for every image (s).
        demodulate: Divide by the spread.

    Reference: Karras et al., 2020, equations 1 and 3.
    """
    seen = x * scale[:, :, None, None]
    found = functional.conv2d(seen, weight, padding=weight.shape[-1] // 2)
    if not demodulate:
        return found
    squares = scale.square() @ weight.square().sum((2, 3)).T  # (n, out)
    return found * (squares + EPSILON).rsqrt()[:, :, None, None]


def doubled(x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c double_h double_w"]:
    """Twice the size, by the filter 1 3 3 1 both ways."""
    return functional.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)


class MappingNetwork(nn.Module):
    """Styles of noise, and their running mean.

    Args:
        latent_dim: Length of z, which is first brought to unit root mean square.
        style_dim: Length of w.
        layers: At least 1.
        rate: Of learning, as a share of the other layers'.
    """

    mean: Float[Tensor, "style"]
    updates: Int[Tensor, ""]

    def __init__(
        self, latent_dim: int, style_dim: int, layers: int, *, rate: float = 0.01
    ) -> None:
        super().__init__()
        widths = [latent_dim, *[style_dim] * layers]
        self.layers = nn.ModuleList(
            EqualisedLinear(width, style_dim, rate=rate) for width in widths[:-1]
        )
        self.register_buffer("mean", torch.zeros(style_dim))
        self.register_buffer("updates", torch.zeros((), dtype=torch.long))

    def forward(self, z: Float[Tensor, "n latent"]) -> Float[Tensor, "n style"]:
        """Styles w."""
        x = pixel_norm(z)
        for layer in self.layers:
            x = functional.leaky_relu(layer(x), SLOPE)
        return x

    @torch.no_grad()
    def follow(self, styles: Float[Tensor, "n style"]) -> None:
        """Let the running mean follow styles; at first it is their plain mean."""
        share = 1 - torch.clamp(self.updates / (self.updates + 1), max=_DECAY)
        self.mean += share * (styles.mean(0) - self.mean)
        self.updates += 1

    def truncated(
        self, styles: Float[Tensor, "*n style"], psi: float
    ) -> Float[Tensor, "*n style"]:
        """Styles drawn to their mean: ``mean + psi (w - mean)``; psi 1 leaves them, 0 is the mean.

        Reference: Karras et al., 2019, appendix B.
        """
        return styles if psi == 1 else self.mean + psi * (styles - self.mean)


def mixed(
    first: Float[Tensor, "n style"],
    second: Float[Tensor, "n style"],
    crossover: Int[Tensor, "n"],
    layers: int,
) -> Float[Tensor, "n {layers} style"]:
    """Styles of every layer: below an image's ``crossover`` the first, from there on the second.

    Reference: Karras et al., 2019, section 3.1.
    """
    early = torch.arange(layers, device=first.device) < crossover.to(first.device)[:, None]
    return torch.where(early[:, :, None], first[:, None], second[:, None])  # (n, layers, style)


class StyleLayer(nn.Module):
    """A convolution under a style, and noise at every pixel.

    Args:
        channels: In.
        out: Channels out.
        style_dim: Length of a style.
        size: Height and width of what comes out.
        double: Whether what comes in has half that size.
        modulation: See above.
    """

    fixed: Float[Tensor, "1 1 h w"]

    def __init__(
        self,
        channels: int,
        out: int,
        style_dim: int,
        size: Size,
        *,
        double: bool = False,
        modulation: Modulation = "demodulation",
    ) -> None:
        super().__init__()
        self.modulation, self.doubles = modulation, double
        self.weight = nn.Parameter(torch.randn(out, channels, 3, 3))
        self.bias = nn.Parameter(torch.zeros(out))
        self.scale = HE / math.sqrt(9 * channels)
        self.strength = nn.Parameter(torch.zeros(()))
        self.register_buffer("fixed", torch.randn(1, 1, *size))
        styled = 2 * out if modulation == "adain" else channels
        self.affine = EqualisedLinear(style_dim, styled, gain=1.0)

    def forward(
        self,
        x: Float[Tensor, "n channels in_h in_w"],
        style: Float[Tensor, "n style"],
        *,
        noise: NoiseInput = "fixed",
        rng: torch.Generator | None = None,
    ) -> Float[Tensor, "n out h w"]:
        """Features of images.

        Args:
            x: Features.
            style: Of every image.
            noise: ``random`` is drawn from ``rng`` for every image, ``fixed`` is the same for
                all and always, ``none`` is 0.
            rng: Random stream.
        """
        if self.doubles:
            x = doubled(x)
        told = self.affine(style)
        if self.modulation == "demodulation":
            # Spread 1, whatever the scale of the weights; rectified, it is 1 again by the gain.
            x = modulated_conv(x, self.weight, 1 + told)
            return self._rectified(self._noisy(x, noise, rng)) * HE
        x = functional.conv2d(x, self.weight * self.scale, padding=1)
        scale, shift = told.chunk(2, 1)
        return adain(self._rectified(self._noisy(x, noise, rng)), 1 + scale, shift)

    def _noisy(self, x: Tensor, noise: NoiseInput, rng: torch.Generator | None) -> Tensor:
        if noise == "none":
            return x
        drawn = self.fixed
        if noise == "random":
            drawn = standard_normal((len(x), *self.fixed.shape[1:]), like=self.fixed, rng=rng)
        return x + self.strength * drawn

    def _rectified(self, x: Tensor) -> Tensor:
        return functional.leaky_relu(x + self.bias[:, None, None], SLOPE)
