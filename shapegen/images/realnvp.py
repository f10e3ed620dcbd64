"""RealNVP: a flow of images by couplings of checkerboards and of channels.

Reference: Dinh, Sohl-Dickstein and Bengio, *Density Estimation Using Real NVP*, ICLR 2017,
https://arxiv.org/abs/1605.08803.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from shapegen.core.actnorm import ActNorm
from shapegen.core.coupling import AffineCoupling, Mask, ScaleKind
from shapegen.core.coupling_nets import ResidualNet
from shapegen.core.flows import Bijection
from shapegen.core.multiscale import Shape, Squeeze, multiscale
from shapegen.images.image_flow import ImageFlow, ImageFlowConfig


@dataclass(frozen=True)
class RealNVPConfig(ImageFlowConfig):
    """Options of :class:`RealNVP`; the paper has 32 or 64 channels and 4 or 8 blocks."""

    scale: ScaleKind = "tanh"
    couplings: int = 3
    """Of checkerboards, and then of channels, at every scale."""
    blocks: int = 2
    """Residual blocks of a coupling's network."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("couplings", "blocks"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1; got {getattr(self, name)}")


class RealNVP(ImageFlow):
    """Couplings of the two colours of a checkerboard, a squeeze, couplings of channels; repeated.

    Where the paper has batch norms between its layers this has actnorms, which are the same
    function in training as in use. The last scale is like the others; the paper's has four
    checkerboards and no squeeze.

    Args:
        config: Sizes and options.
    """

    name: ClassVar[str] = "realnvp"
    config: RealNVPConfig

    def __init__(self, config: RealNVPConfig) -> None:
        layers = multiscale(config.shape, config.scales, partial(_couplings, config))
        super().__init__(config, layers)


def _couplings(config: RealNVPConfig, shape: Shape) -> list[Bijection]:
    channels = shape[0]
    return [
        *_alternating(config, channels, "checkerboard"),
        Squeeze(),
        *_alternating(config, 4 * channels, "channels"),
    ]


def _alternating(config: RealNVPConfig, channels: int, mask: Mask) -> list[Bijection]:
    # A colour of a checkerboard has twice the channels, a half of the channels half of them.
    half = 2 * channels if mask == "checkerboard" else channels // 2
    layers: list[Bijection] = []
    for number in range(config.couplings):
        net = ResidualNet(half, 2 * half, config.hidden, config.blocks)
        coupling = AffineCoupling(net, mask=mask, swap=bool(number % 2), scale=config.scale)
        layers += [ActNorm(channels), coupling]
    return layers
