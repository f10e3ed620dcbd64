"""Networks from images to images of the same size: a U-Net, and residual blocks at a small size.

Halvings round odd sizes up, doublings cut what is too much: any size will do.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from shapegen.core.nets import Norm, Size, halved, norm_layers
from shapegen.core.noise import uniform

_SLOPE = 0.2
_NOISY = 3
"""Stages behind the middle of a U-Net that drop units, and of a shallow one half at most."""
_WIDE = 7
"""Side of a residual network's first and last convolution."""


class UNet(nn.Module):
    """Convolutions that halve, transposed ones that double, and skips between equal sizes.

    Args:
        channels: Of the images that come in.
        out: Of those that come out.
        widths: Channels at half the size, at a quarter, and so on.
        norm: Of all stages but the first, the middle one and the last. The paper's is ``batch``.
        skips: Show every doubling stage what the halving one of its size said; without, all goes
            through the middle (the paper's encoder-decoder).
        whole: Further channels at the whole size, from which, and from the image that came in, a
            last convolution makes what comes out: details of single pixels need not pass half the
            size. 0, as in the paper: none.
        dropout: Share of units that three stages behind the middle drop (half of all stages at
            most), 0 to below 1. It is the model's noise: drawn in training and after it.

    Reference: Isola, Zhu, Zhou and Efros, *Image-to-Image Translation with Conditional Adversarial
    Networks*, 2017, section 3.2.1 and appendix 6.1.1, https://arxiv.org/abs/1611.07004.
    """

    def __init__(
        self,
        channels: int,
        out: int,
        widths: Sequence[int],
        *,
        norm: Norm = "batch",
        skips: bool = True,
        whole: int = 0,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        if not 0 <= dropout < 1:
            raise ValueError(f"dropout must be from 0 to below 1; got {dropout}")
        self.skips, self.dropout = skips, dropout
        last = len(widths) - 1
        down: list[nn.Module] = []
        for number, (before, width) in enumerate(itertools.pairwise([channels, *widths])):
            rectifier = [nn.LeakyReLU(_SLOPE)] if number else []
            # The middle may be a single pixel, of which nothing is left by a norm of images.
            norms = norm_layers(norm, width) if 0 < number < last else []
            down.append(nn.Sequential(*rectifier, nn.Conv2d(before, width, 4, 2, 1), *norms))
        up: list[nn.Module] = []
        for number in range(last, -1, -1):
            seen = widths[number] * (2 if skips and number < last else 1)
            width = widths[number - 1] if number else whole or out
            norms = norm_layers(norm, width) if number else []
            up.append(nn.Sequential(nn.ReLU(), nn.ConvTranspose2d(seen, width, 4, 2, 1), *norms))
        self.down, self.up = nn.ModuleList(down), nn.ModuleList(up)
        self.last = nn.Conv2d(whole + channels, out, 3, padding=1) if whole else None

    def forward(
        self, images: Float[Tensor, "n c h w"], *, rng: torch.Generator | None = None
    ) -> Float[Tensor, "n out h w"]:
        """Images in -1 to 1.

        Args:
            images: To translate.
            rng: Stream of the dropout.
        """
        sizes: list[tuple[int, int]] = []
        said: list[Tensor] = []
        x = images
        for stage in self.down:
            sizes.append((x.shape[2], x.shape[3]))
            x = stage(_evened(x))
            said.append(x)
        for number, stage in enumerate(self.up):
            if self.skips and number:
                x = torch.cat([x, said[-1 - number]], 1)
            height, width = sizes[-1 - number]
            x = stage(x)[:, :, :height, :width]
            if self.dropout and number < min(_NOISY, len(self.up) // 2):
                x = dropped(x, self.dropout, rng=rng)
        if self.last is not None:
            x = self.last(torch.cat([x.relu(), images], 1))
        return x.tanh()


class ResidualTranslator(nn.Module):
    """Two or more sizes down, residual blocks there, and up again.

    Args:
        channels: Of the images that come in.
        out: Of those that come out.
        widths: Channels at the whole size, at half of it, and so on.
        blocks: Residual blocks at the smallest size.
        norm: After all convolutions but the last.

    Reference: Zhu, Park, Isola and Efros, *Unpaired Image-to-Image Translation using
    Cycle-Consistent Adversarial Networks*, 2017, appendix 7.2, https://arxiv.org/abs/1703.10593.
    Its borders are reflected; repeated ones need no least size.
    """

    def __init__(
        self,
        channels: int,
        out: int,
        widths: Sequence[int],
        *,
        blocks: int = 6,
        norm: Norm = "instance",
    ) -> None:
        super().__init__()
        self.halvings = len(widths) - 1
        self.first = nn.Sequential(_conv(channels, widths[0], _WIDE), *_normed(norm, widths[0]))
        self.down = nn.ModuleList(
            nn.Sequential(_conv(before, width, 3, stride=2), *_normed(norm, width))
            for before, width in itertools.pairwise(widths)
        )
        self.blocks = nn.Sequential(*(_Block(widths[-1], norm) for _ in range(blocks)))
        self.up = nn.ModuleList(
            nn.Sequential(
                nn.ConvTranspose2d(before, width, 3, 2, 1, output_padding=1), *_normed(norm, width)
            )
            for before, width in itertools.pairwise(widths[::-1])
        )
        self.last = _conv(widths[0], out, _WIDE)

    def forward(self, images: Float[Tensor, "n c h w"]) -> Float[Tensor, "n out h w"]:
        """Images in -1 to 1."""
        sizes = halved((images.shape[2], images.shape[3]), self.halvings)
        x = self.first(images)
        for stage in self.down:
            x = stage(x)
        x = self.blocks(x)
        for stage, (height, width) in zip(self.up, sizes[-2::-1], strict=True):
            x = stage(x)[:, :, :height, :width]
        out: Tensor = self.last(x).tanh()
        return out


class _Block(nn.Module):
    """Two convolutions beside an identity, a norm after each."""

    def __init__(self, channels: int, norm: Norm) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            _conv(channels, channels, 3),
            *_normed(norm, channels),
            _conv(channels, channels, 3),
            *norm_layers(norm, channels),
        )

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        out: Tensor = x + self.layers(x)
        return out


def dropped(
    x: Float[Tensor, "*shape"], share: float, *, rng: torch.Generator | None = None
) -> Float[Tensor, "*shape"]:
    """Set a share of all numbers to 0, and enlarge the others so that the mean stays.

    Args:
        x: Of any shape.
        share: 0 to below 1.
        rng: Random stream.
    """
    return x * (uniform(x.shape, like=x, rng=rng) >= share) / (1 - share)


def check_halvings(size: Size, times: int, name: str) -> None:
    """Refuse networks that halve images below 2 pixels, of which a norm of images leaves nothing.

    Args:
        size: Height and width of the images.
        times: Halvings before the last norm.
        name: The option that says how many.

    Raises:
        ValueError: There are too many.
    """
    height, width = halved(size, times)[-1]
    if height * width < 2:
        raise ValueError(
            f"{times} halvings ({name}) are too many for images of {size[0]} x {size[1]}"
        )


def _evened(x: Tensor) -> Tensor:
    """With the last row and column of odd sizes once more."""
    odd = (0, x.shape[3] % 2, 0, x.shape[2] % 2)
    return functional.pad(x, odd, mode="replicate") if any(odd) else x


def _conv(channels: int, out: int, kernel: int, *, stride: int = 1) -> nn.Conv2d:
    around = kernel // 2
    return nn.Conv2d(channels, out, kernel, stride, around, padding_mode="replicate")


def _normed(norm: Norm, channels: int) -> list[nn.Module]:
    return [*norm_layers(norm, channels), nn.ReLU()]
