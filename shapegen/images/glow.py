"""Glow: a flow of images whose channels are mixed by learned 1x1 convolutions.

Reference: Kingma and Dhariwal, *Glow: Generative Flow with Invertible 1x1 Convolutions*, NeurIPS
2018, https://arxiv.org/abs/1807.03039.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import ClassVar, Literal

from torch import nn

from shapegen.core.actnorm import ActNorm
from shapegen.core.coupling import AffineCoupling
from shapegen.core.coupling_nets import ConvNet, ResidualNet
from shapegen.core.flows import Bijection
from shapegen.core.invertible_conv import InvertibleConv, Reversal
from shapegen.core.multiscale import Shape, Squeeze, multiscale
from shapegen.images.image_flow import ImageFlow, ImageFlowConfig


@dataclass(frozen=True)
class GlowConfig(ImageFlowConfig):
    """Options of :class:`Glow`; the paper has 32 steps and 512 hidden channels."""

    steps: int = 8
    """Of flow at every scale."""
    blocks: int = 0
    """0: the paper's network of a coupling; otherwise residual blocks, as RealNVP has them."""
    mixing: Literal["conv", "reverse"] = "conv"
    """Of the channels before every coupling: learned 1x1 convolutions, or their reversal."""
    learned_prior: bool = True
    """What a scale lets go is a Gaussian given what stays; otherwise a standard normal."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.steps < 1:
            raise ValueError(f"steps must be at least 1; got {self.steps}")
        if self.blocks < 0:
            raise ValueError(f"blocks must be at least 0; got {self.blocks}")


class Glow(ImageFlow):
    """Steps of actnorm, 1x1 convolution and affine coupling, over several scales.

    Args:
        config: Sizes and options.
    """

    name: ClassVar[str] = "glow"
    config: GlowConfig

    def __init__(self, config: GlowConfig) -> None:
        prior = _gaussian_given if config.learned_prior else None
        layers = multiscale(config.shape, config.scales, partial(_steps, config), prior=prior)
        super().__init__(config, layers)


def _steps(config: GlowConfig, shape: Shape) -> list[Bijection]:
    channels = 4 * shape[0]
    layers: list[Bijection] = [Squeeze()]
    for _ in range(config.steps):
        mixing = InvertibleConv(channels) if config.mixing == "conv" else Reversal()
        net = _network(config, channels // 2, channels)
        layers += [ActNorm(channels), mixing, AffineCoupling(net, scale=config.scale)]
    return layers


def _network(config: GlowConfig, channels: int, out: int) -> nn.Module:
    if config.blocks:
        return ResidualNet(channels, out, config.hidden, config.blocks)
    return ConvNet(channels, out, config.hidden)


def _gaussian_given(shape: Shape) -> nn.Module:
    """The paper's: one convolution that starts at zero."""
    net = nn.Conv2d(shape[0], 2 * shape[0], 3, padding=1)
    nn.init.zeros_(net.weight)
    assert net.bias is not None
    nn.init.zeros_(net.bias)
    return net
