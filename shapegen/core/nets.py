"""Networks that more than one model builds: perceptrons, and encoders and decoders of images."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Literal

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

Activation = Literal["tanh", "relu", "silu", "softplus"]
ACTIVATIONS: dict[str, type[nn.Module]] = {
    "tanh": nn.Tanh,
    "relu": nn.ReLU,
    "silu": nn.SiLU,
    "softplus": nn.Softplus,
}
Size = tuple[int, int]
Norm = Literal["none", "batch", "instance"]
"""Of images: over a batch of them, or of every single one."""


def norm_layers(norm: Norm, channels: int) -> list[nn.Module]:
    """The layer that a norm of images is, or none."""
    if norm == "none":
        return []
    return [nn.BatchNorm2d(channels) if norm == "batch" else nn.InstanceNorm2d(channels)]


def mlp(widths: Sequence[int], activation: Activation = "relu") -> nn.Sequential:
    """Linear layers with activations between them.

    Args:
        widths: From the input's to the output's; at least two.
        activation: Between the layers.
    """
    *hidden, (last, out) = itertools.pairwise(widths)
    layers: list[nn.Module] = []
    for width, following in hidden:
        layers += [nn.Linear(width, following), ACTIVATIONS[activation]()]
    return nn.Sequential(*layers, nn.Linear(last, out))


def halved(size: Size, times: int) -> list[Size]:
    """Sizes of an image that is halved so often, the whole first; odd ones are rounded up."""
    sizes = [size]
    for _ in range(times):
        height, width = sizes[-1]
        sizes.append((-(-height // 2), -(-width // 2)))
    return sizes


class Brightness(nn.Module):
    """Pixels of -1 to 1 as 0 to 1.

    Most pixels of most drawings are black. As zeros they leave a perceptron's first layer alone;
    as -1 they push all its units one way at every step, until those are saturated.
    """

    def forward(self, pixels: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """The same shape."""
        return (pixels + 1) / 2


class Residual(nn.Module):
    """Two convolutions beside an identity, groups normalised before each.

    Args:
        channels: In and out.

    Reference: He et al., *Identity Mappings in Deep Residual Networks*, 2016; Wu and He, *Group
    Normalization*, 2018.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        groups = next(each for each in (8, 4, 2, 1) if channels % each == 0)
        first, last = (nn.Conv2d(channels, channels, 3, padding=1) for _ in range(2))
        self.layers = nn.Sequential(
            nn.GroupNorm(groups, channels),
            nn.SiLU(),
            first,
            nn.GroupNorm(groups, channels),
            nn.SiLU(),
            last,
        )
        # Blocks begin as the identity.
        for parameter in last.parameters():
            nn.init.zeros_(parameter)

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        """The same shape."""
        out: Tensor = x + self.layers(x)
        return out


class ConvEncoder(nn.Module):
    """Features of images: convolutions that halve them, with residual blocks between.

    Args:
        channels: Of an image.
        size: Height and width of an image.
        widths: Channels at half the size, at a quarter, and so on.
        out: Length of the features.
        blocks: Residual blocks at every size.
    """

    def __init__(
        self, channels: int, size: Size, widths: Sequence[int], out: int, *, blocks: int = 1
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for width, following in itertools.pairwise([channels, *widths]):
            layers.append(nn.Conv2d(width, following, 3, stride=2, padding=1))
            layers += [Residual(following) for _ in range(blocks)]
        self.layers = nn.Sequential(*layers, nn.SiLU())
        height, width = halved(size, len(widths))[-1]
        self.out = nn.Linear(widths[-1] * height * width, out)

    def forward(self, images: Float[Tensor, "n c h w"]) -> Float[Tensor, "n out"]:
        """One row an image."""
        out: Tensor = self.out(self.layers(images).flatten(1))
        return out


class ConvDecoder(nn.Module):
    """Images of features: the mirror image of :class:`ConvEncoder`.

    Args:
        features: Their length.
        size: Height and width of an image.
        widths: Channels at the smallest size, at twice that, and so on.
        channels: Of what comes out.
        blocks: Residual blocks at every size.
    """

    def __init__(
        self, features: int, size: Size, widths: Sequence[int], channels: int, *, blocks: int = 1
    ) -> None:
        super().__init__()
        self.sizes = halved(size, len(widths))[::-1]
        self.width = widths[0]
        height, width = self.sizes[0]
        self.first = nn.Linear(features, self.width * height * width)
        stages = []
        for channel, following in itertools.pairwise([*widths, widths[-1]]):
            residuals = [Residual(channel) for _ in range(blocks)]
            stages.append(
                nn.Sequential(*residuals, nn.SiLU(), nn.Conv2d(channel, following, 3, padding=1))
            )
        self.stages = nn.ModuleList(stages)
        self.out = nn.Sequential(nn.SiLU(), nn.Conv2d(widths[-1], channels, 3, padding=1))

    def forward(self, features: Float[Tensor, "n features"]) -> Float[Tensor, "n c h w"]:
        """One image a row."""
        x = self.first(features).view(len(features), self.width, *self.sizes[0])
        for stage, size in zip(self.stages, self.sizes[1:], strict=True):
            x = functional.interpolate(stage(x), size=size, mode="nearest")
        out: Tensor = self.out(x)
        return out


Network = Literal["mlp", "conv"]


def image_encoder(
    network: Network,
    channels: int,
    size: Size,
    hidden: Sequence[int],
    out: int,
    *,
    activation: Activation = "relu",
    blocks: int = 1,
) -> nn.Module:
    """A network from images ``(n, c, h, w)`` to rows ``(n, out)``.

    Args:
        network: ``mlp``, or ``conv``: :class:`ConvEncoder`, which has activations of its own.
        channels: Of an image.
        size: Its height and width.
        hidden: Widths of the hidden layers, or of the convolutions at every halving.
        out: Length of a row.
        activation: Of the ``mlp``.
        blocks: Residual blocks of the ``conv`` at every size.
    """
    if network == "conv":
        return ConvEncoder(channels, size, hidden, out, blocks=blocks)
    widths = [channels * size[0] * size[1], *hidden, out]
    return nn.Sequential(Brightness(), nn.Flatten(), mlp(widths, activation))


def image_decoder(
    network: Network,
    features: int,
    size: Size,
    hidden: Sequence[int],
    channels: int,
    *,
    activation: Activation = "relu",
    blocks: int = 1,
) -> nn.Module:
    """A network from rows ``(n, features)`` to images ``(n, c, h, w)``; see the encoder.

    ``hidden`` is in the encoder's order and is run backwards.
    """
    if network == "conv":
        return ConvDecoder(features, size, hidden[::-1], channels, blocks=blocks)
    widths = [features, *hidden[::-1], channels * size[0] * size[1]]
    return nn.Sequential(mlp(widths, activation), nn.Unflatten(1, (channels, *size)))
