"""Layers with equalised learning rates, vectors of one length at every place, and a judge's end.

Reference: Karras, Aila, Laine and Lehtinen, *Progressive Growing of GANs for Improved Quality,
Stability, and Variation*, 2018, section 4, https://arxiv.org/abs/1710.10196.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from shapegen.core.gan_nets import SLOPE
from shapegen.core.minibatch import MinibatchStddev
from shapegen.core.nets import Size

HE = math.sqrt(2)
"""Gain of a layer before a rectifier: He et al., 2015."""
EPSILON = 1e-8


def pixel_norm(x: Float[Tensor, "n c *places"]) -> Float[Tensor, "n c *places"]:
    """Vectors of the channels at every place, divided by their root mean square."""
    return x * (x.square().mean(1, keepdim=True) + EPSILON).rsqrt()


class PixelNorm(nn.Module):
    """:func:`pixel_norm` as a layer."""

    def forward(self, x: Float[Tensor, "n c *places"]) -> Float[Tensor, "n c *places"]:
        """The same shape."""
        return pixel_norm(x)


class EqualisedLinear(nn.Module):
    r"""A linear layer whose weights are N(0, 1) and are scaled when they are used.

    .. math:: y = \frac{g\,\lambda}{\sqrt{\text{inputs}}}\, W x + \lambda\, b

    Adam moves every weight by about the learning rate, whatever its scale: here all of them have
    one scale, so that all layers learn at one speed.

    Args:
        inputs: Length of a row.
        outputs: Length of what comes out.
        gain: g.
        rate: Of learning, as a share of the others' (lambda); what comes out at first does not
            depend on it.
        bias: First value of b.
    """

    def __init__(
        self, inputs: int, outputs: int, *, gain: float = HE, rate: float = 1.0, bias: float = 0.0
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs) / rate)
        self.bias = nn.Parameter(torch.full((outputs,), bias / rate))
        self.rate, self.scale = rate, gain * rate / math.sqrt(inputs)

    def forward(self, x: Float[Tensor, "n inputs"]) -> Float[Tensor, "n outputs"]:
        """One row a row."""
        return functional.linear(x, self.weight * self.scale, self.bias * self.rate)


class EqualisedConv2d(nn.Module):
    """A convolution of the same kind; the size of an image stays as it is.

    Args:
        channels: In.
        out: Channels out.
        kernel: Odd.
        gain: As for :class:`EqualisedLinear`, of ``channels * kernel ** 2`` inputs.
        bias: Whether there is one.
    """

    def __init__(
        self, channels: int, out: int, kernel: int = 3, *, gain: float = HE, bias: bool = True
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(out, channels, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(out)) if bias else None
        self.scale, self.padding = gain / math.sqrt(channels * kernel**2), kernel // 2

    def forward(self, x: Float[Tensor, "n channels h w"]) -> Float[Tensor, "n out h w"]:
        """The same places."""
        return functional.conv2d(x, self.weight * self.scale, self.bias, padding=self.padding)


def equalised_head(width: int, size: Size) -> nn.Sequential:
    """The end of a discriminator: from its smallest features, and their spread in the batch.

    Args:
        width: Their channels.
        size: Their height and width.

    Returns:
        A network from ``(n, width, h, w)`` to ``(n, 1)``.
    """
    return nn.Sequential(
        MinibatchStddev(),
        EqualisedConv2d(width + 1, width),
        nn.LeakyReLU(SLOPE),
        nn.Flatten(),
        EqualisedLinear(width * size[0] * size[1], width),
        nn.LeakyReLU(SLOPE),
        EqualisedLinear(width, 1, gain=1.0),
    )
