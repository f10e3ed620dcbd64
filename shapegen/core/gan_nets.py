"""Networks of the adversarial game for images: perceptrons, DCGAN's convolutions, residual blocks.

Discriminators have no batch norm: a logit is of one image, as penalties of slopes take it to be.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import spectral_norm

from shapegen.core.minibatch import MinibatchStddev
from shapegen.core.nets import Brightness, Size, halved

GanNetwork = Literal["mlp", "dcgan", "resnet"]
Condition = Literal["projection", "concatenation"]
SLOPE = 0.2
"""Of leaky rectifiers below 0."""
_RESIDUAL = 0.1
"""What a residual block adds at first, as in the reference below."""


class DCGANGenerator(nn.Module):
    """Images of rows: transposed convolutions that double, batch norm after each.

    Args:
        features: Length of a row.
        size: Height and width of an image.
        widths: Channels at half the size, at a quarter, and so on.
        channels: Of an image.

    Reference: Radford, Metz and Chintala, *Unsupervised Representation Learning with Deep
    Convolutional GANs*, 2016, https://arxiv.org/abs/1511.06434.
    """

    def __init__(self, features: int, size: Size, widths: Sequence[int], channels: int) -> None:
        super().__init__()
        self.sizes = halved(size, len(widths))[::-1]
        height, width = self.sizes[0]
        self.width = widths[-1]
        self.first = nn.Linear(features, self.width * height * width, bias=False)
        self.norm = nn.BatchNorm2d(self.width)
        stages: list[nn.Module] = []
        for channel, following in itertools.pairwise(widths[::-1]):
            stages.append(
                nn.Sequential(
                    nn.ConvTranspose2d(channel, following, 4, stride=2, padding=1, bias=False),
                    nn.BatchNorm2d(following),
                    nn.ReLU(),
                )
            )
        stages.append(nn.ConvTranspose2d(widths[0], channels, 4, stride=2, padding=1))
        self.stages = nn.ModuleList(stages)

    def forward(self, rows: Float[Tensor, "n features"]) -> Float[Tensor, "n c h w"]:
        """One image a row, in -1 to 1."""
        x = self.norm(self.first(rows).view(len(rows), self.width, *self.sizes[0])).relu()
        for stage, (height, width) in zip(self.stages, self.sizes[1:], strict=True):
            # An odd size is one less than twice the half that was rounded up.
            x = stage(x)[:, :, :height, :width]
        return x.tanh()


class ResidualBlock(nn.Module):
    """Two convolutions beside a shortcut, leaky rectifiers before each; no norm.

    Args:
        channels: In.
        out: Channels out.

    Reference: Mescheder, Geiger and Nowozin, *Which Training Methods for GANs do actually
    Converge?*, 2018, appendix G.
    """

    def __init__(self, channels: int, out: int) -> None:
        super().__init__()
        middle = min(channels, out)
        self.first = nn.Conv2d(channels, middle, 3, padding=1)
        self.second = nn.Conv2d(middle, out, 3, padding=1)
        self.shortcut = (
            nn.Identity() if channels == out else nn.Conv2d(channels, out, 1, bias=False)
        )

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n out h w"]:
        """The same places."""
        added = self.first(functional.leaky_relu(x, SLOPE))
        added = self.second(functional.leaky_relu(added, SLOPE))
        out: Tensor = self.shortcut(x) + _RESIDUAL * added
        return out


class ResNetGenerator(nn.Module):
    """Images of rows: residual blocks, each size twice the one before.

    Args:
        features: Length of a row.
        size: Height and width of an image.
        widths: Channels at half the size, at a quarter, and so on; the whole size has the first.
        channels: Of an image.
    """

    def __init__(self, features: int, size: Size, widths: Sequence[int], channels: int) -> None:
        super().__init__()
        self.sizes = halved(size, len(widths))[::-1]
        height, width = self.sizes[0]
        self.width = widths[-1]
        self.first = nn.Linear(features, self.width * height * width)
        pairs = itertools.pairwise([*widths[::-1], widths[0]])
        self.blocks = nn.ModuleList(ResidualBlock(*pair) for pair in pairs)
        self.last = nn.Sequential(
            ResidualBlock(widths[0], widths[0]),
            nn.LeakyReLU(SLOPE),
            nn.Conv2d(widths[0], channels, 3, padding=1),
        )

    def forward(self, rows: Float[Tensor, "n features"]) -> Float[Tensor, "n c h w"]:
        """One image a row, in -1 to 1."""
        x = self.first(rows).view(len(rows), self.width, *self.sizes[0])
        for block, size in zip(self.blocks, self.sizes[1:], strict=True):
            x = functional.interpolate(block(x), size=size, mode="nearest")
        out: Tensor = self.last(x).tanh()
        return out


class _Halving(nn.Module):
    """Means of 2 by 2 places; those at an odd border are of fewer."""

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c half_h half_w"]:
        return functional.avg_pool2d(x, 2, ceil_mode=True, count_include_pad=False)


def gan_generator(
    network: GanNetwork, features: int, size: Size, widths: Sequence[int], channels: int
) -> nn.Module:
    """A network from rows ``(n, features)`` to images ``(n, channels, h, w)`` in -1 to 1.

    Args:
        network: Its kind.
        features: Length of a row.
        size: Height and width of an image.
        widths: Of the hidden layers of an ``mlp`` from the image's end; of the others channels at
            half the size, at a quarter, and so on.
        channels: Of an image.
    """
    if network == "dcgan":
        return DCGANGenerator(features, size, widths, channels)
    if network == "resnet":
        return ResNetGenerator(features, size, widths, channels)
    layers: list[nn.Module] = []
    for width, following in itertools.pairwise([features, *widths[::-1]]):
        layers += [nn.Linear(width, following), nn.LeakyReLU(SLOPE)]
    pixels = channels * size[0] * size[1]
    last = nn.Linear(widths[0], pixels)
    return nn.Sequential(*layers, last, nn.Tanh(), nn.Unflatten(1, (channels, *size)))


def gan_features(
    network: GanNetwork,
    channels: int,
    size: Size,
    widths: Sequence[int],
    *,
    spectral: bool = False,
    stddev: bool = False,
) -> tuple[nn.Module, int]:
    """A discriminator but for its last layer: from images to rows, and their length.

    Args:
        network: Its kind.
        channels: Of an image.
        size: Its height and width.
        widths: As for :func:`gan_generator`.
        spectral: Divide every weight by its largest singular value (Miyato et al., *Spectral
            Normalization for Generative Adversarial Networks*, 2018).
        stddev: Add the spread of the batch to the smallest images.
    """
    layers: list[nn.Module] = []
    if network == "mlp":
        layers += [Brightness(), nn.Flatten()]
        for width, following in itertools.pairwise([channels * size[0] * size[1], *widths]):
            layers += [nn.Linear(width, following), nn.LeakyReLU(SLOPE)]
        length = widths[-1]
        if stddev:
            layers.append(MinibatchStddev())
            length += 1
    else:
        if network == "resnet":
            layers.append(nn.Conv2d(channels, widths[0], 3, padding=1))
            for width, following in itertools.pairwise([widths[0], *widths]):
                layers += [ResidualBlock(width, following), _Halving()]
        else:
            for width, following in itertools.pairwise([channels, *widths]):
                layers += [nn.Conv2d(width, following, 3, stride=2, padding=1)]
                layers += [nn.LeakyReLU(SLOPE)]
        height, width = halved(size, len(widths))[-1]
        planes = widths[-1]
        if stddev:
            layers.append(MinibatchStddev())
            planes += 1
        layers.append(nn.Flatten())
        length = planes * height * width
    features = nn.Sequential(*layers)
    if spectral:
        spectrally_normed(features)
    return features, length


def spectrally_normed(network: nn.Module) -> None:
    """Give every linear and convolutional layer a weight of largest singular value 1."""
    for module in network.modules():
        if isinstance(module, nn.Linear | nn.Conv2d):
            spectral_norm(module)


def one_hot_planes(labels: Tensor, classes: int, like: Tensor) -> Float[Tensor, "n classes h w"]:
    """Labels as planes beside an image: 1 in the plane of its class, 0 in the others."""
    rows = functional.one_hot(labels, classes).to(like)
    return rows[:, :, None, None].expand(-1, -1, *like.shape[2:])


class LabelHead(nn.Module):
    r"""Logits of features, and of how well they fit a class: :math:`w^T f + v_y^T f + b`.

    Args:
        length: Of f.
        classes: How many; 0 for none.

    Reference: Miyato and Koyama, *cGANs with Projection Discriminator*, 2018, equation 3,
    https://arxiv.org/abs/1802.05637.
    """

    def __init__(self, length: int, classes: int) -> None:
        super().__init__()
        self.linear = nn.Linear(length, 1)
        self.classes = nn.Embedding(classes, length) if classes else None

    def forward(
        self, rows: Float[Tensor, "n length"], labels: Tensor | None = None
    ) -> Float[Tensor, "n"]:
        """Logits, above 0 for real."""
        logits: Tensor = self.linear(rows)[:, 0]
        if self.classes is None:
            return logits
        assert labels is not None
        return logits + (self.classes(labels) * rows).sum(1)


class LabelJudge(nn.Module):
    """A discriminator of images, and of their classes where there are some.

    Args:
        network: Kind of its features.
        channels: Of an image.
        size: Its height and width.
        widths: As for :func:`gan_features`.
        classes: How many; 0 for none.
        condition: How a label comes in: ``projection`` is :class:`LabelHead`'s, ``concatenation``
            puts planes beside the image.
        spectral: As for :func:`gan_features`.
        stddev: The same.

    Reference: Mirza and Osindero, *Conditional Generative Adversarial Nets*, 2014, section 3.2
    (concatenation).
    """

    def __init__(
        self,
        network: GanNetwork,
        channels: int,
        size: Size,
        widths: Sequence[int],
        *,
        classes: int = 0,
        condition: Condition = "projection",
        spectral: bool = False,
        stddev: bool = False,
    ) -> None:
        super().__init__()
        self.planes = classes if condition == "concatenation" else 0
        self.features, length = gan_features(
            network, channels + self.planes, size, widths, spectral=spectral, stddev=stddev
        )
        self.head = LabelHead(length, 0 if self.planes else classes)
        if spectral:
            spectrally_normed(self.head)

    def forward(
        self, pixels: Float[Tensor, "n c h w"], labels: Tensor | None = None
    ) -> Float[Tensor, "n"]:
        """Logits, above 0 for real."""
        seen = pixels
        if self.planes:
            assert labels is not None
            seen = torch.cat([pixels, one_hot_planes(labels, self.planes, pixels)], 1)
        logits: Tensor = self.head(self.features(seen), labels)
        return logits.to(pixels.dtype)
