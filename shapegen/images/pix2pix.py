r"""pix2pix: images from images, by pairs of them.

.. math:: \min_G \max_D V(D, G) + \lambda\, \mathbb{E}\,\lVert y - G(x) \rVert_1

with the discriminator shown the pair (x, y), square by square. The L1 term alone gives the median
of what may be, which is blurred; the game alone what could be, without x's details.

Reference: Isola, Zhu, Zhou and Efros, *Image-to-Image Translation with Conditional Adversarial
Networks*, 2017, equations 3 and 4, https://arxiv.org/abs/1611.07004.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from shapegen.base import GenerativeModel
from shapegen.core.game import Game, GameOptions, Made, Shown
from shapegen.core.nets import Norm, Size
from shapegen.core.objective import Objective
from shapegen.core.patch import PatchSampler, extract
from shapegen.core.patch_discriminator import PatchDiscriminator
from shapegen.core.unet import UNet, check_halvings
from shapegen.images.images import Images
from shapegen.images.pairs import ImagePairs, label_planes, masks_of, palette_of
from shapegen.images.source_bank import SourceBank
from shapegen.images.validity import check_size, checked_pixels

CHUNK = 256
"""Images that are translated at once."""
Adversarial = Literal["conditional", "unconditional", "none"]


@dataclass(frozen=True)
class Pix2PixConfig:
    """Options of :class:`Pix2Pix`."""

    source_channels: int = 3
    target_channels: int = 3
    size: tuple[int, int] = (32, 32)
    """Height and width of both images."""
    labels: tuple[str, ...] = ()
    """Where sources are maps of labels: the colour of each, such as ``ff8000``, the background's
    first. The networks are then shown a channel a label; none: they are shown the colours."""
    widths: tuple[int, ...] = (32, 64, 128, 128)
    """Channels of the U-Net at half the size, at a quarter, and so on."""
    norm: Norm = "batch"
    """Of the U-Net."""
    skips: bool = True
    """Without, the generator is an encoder and a decoder with nothing between."""
    whole: int = 0
    """Channels at the whole size, beside which a last convolution sees the source; 0: none."""
    dropout: float = 0.5
    """Share of units that the generator drops, its only noise; 0: translations are certain."""
    adversarial: Adversarial = "conditional"
    """Whether the discriminator sees the source too (``conditional``), the target alone, or
    whether there is none (the L1 term alone)."""
    l1: float = 100.0
    """Weight of the mean absolute error of a number in -1 to 1; 0: the game alone."""
    receptive_field: int = 34
    """Side of the squares that the discriminator judges: 1, 16, 34 or 70 pixels."""
    judge_width: int = 32
    """Channels of its first layer."""
    judge_norm: Norm = "instance"
    patches: PatchSampler | None = None
    """Show the discriminator patches of random scale and place, the same of a source and its
    target, in place of whole images."""
    kept: int = 64
    """Training sources in the model's file, which samples are translations of."""
    game: GameOptions = field(default_factory=GameOptions)

    def __post_init__(self) -> None:
        check_size(self.source_channels, self.size)
        check_size(self.target_channels, self.size)
        if self.labels:
            palette_of(self.labels)
            if self.source_channels != 3:
                raise ValueError(
                    f"labels have colours: source_channels must be 3; got {self.source_channels}"
                )
        if not self.widths or min(self.widths) < 1:
            raise ValueError(f"widths must be widths of at least 1; got {list(self.widths)}")
        check_halvings(self.size, len(self.widths) - 1, "widths")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout must be from 0 to below 1; got {self.dropout}")
        if self.whole < 0:
            raise ValueError(f"whole must be at least 0; got {self.whole}")
        if self.l1 < 0:
            raise ValueError(f"l1 must be at least 0; got {self.l1}")
        if self.adversarial == "none" and not self.l1:
            raise ValueError("there is nothing to learn from: l1 is 0 and adversarial is none")
        if self.kept < 1:
            raise ValueError(f"kept must be at least 1; got {self.kept}")
        if self.game.pack > 1:
            raise ValueError("images are judged with their sources: game.pack must be 1")

    @property
    def given_channels(self) -> int:
        """Channels in which the networks are shown a source."""
        return len(self.labels) or self.source_channels


@dataclass(frozen=True)
class PairedPixels:
    """A batch of pairs."""

    source: Float[Tensor, "n c h w"]
    target: Float[Tensor, "n d h w"]

    def __len__(self) -> int:
        return len(self.source)

    def __getitem__(self, indices: Tensor) -> PairedPixels:
        return PairedPixels(self.source[indices], self.target[indices])

    def to(self, device: torch.device) -> PairedPixels:
        """The same on a device."""
        return PairedPixels(self.source.to(device), self.target.to(device))


def paired_pixels(
    shapes: Any, source_channels: int, target_channels: int, size: Size
) -> PairedPixels:
    """Pixels of both sides of pairs.

    Raises:
        TypeError: No pairs.
        ValueError: None, or of other channels or another size.
    """
    pairs = ImagePairs.of(shapes)
    return PairedPixels(
        checked_pixels(pairs.source, source_channels, size, "sources"),
        checked_pixels(pairs.target, target_channels, size, "targets"),
    )


class Pix2Pix(GenerativeModel):
    """A U-Net, and a discriminator of squares.

    Args:
        config: Sizes, networks, which losses, and the game.

    Raises:
        ValueError: The discriminator is too large for the images or patches.
    """

    name: ClassVar[str] = "pix2pix"
    config: Pix2PixConfig
    palette: Tensor | None

    def __init__(self, config: Pix2PixConfig) -> None:
        super().__init__()
        self.config = config
        palette = palette_of(config.labels) if config.labels else None
        self.register_buffer("palette", palette, persistent=False)
        self.generator = UNet(
            config.given_channels,
            config.target_channels,
            config.widths,
            norm=config.norm,
            skips=config.skips,
            whole=config.whole,
            dropout=config.dropout,
        )
        self.discriminator = None if config.adversarial == "none" else _judge(config)
        self.bank = SourceBank(config.kept, config.source_channels, config.size)

    def prepare(self, shapes: Any) -> PairedPixels:
        """Pixels of both sides.

        Raises:
            TypeError: No pairs.
            ValueError: None, of another size, or with colours that are no label's.
        """
        config = self.config
        found = paired_pixels(shapes, config.source_channels, config.target_channels, config.size)
        if config.labels:
            masks_of(found.source, palette_of(config.labels))
        return found

    def objectives(self, *, rng: torch.Generator | None = None) -> tuple[Objective, ...]:
        """The discriminator's and the generator's; without a game the generator's alone."""

        def make(batch: PairedPixels) -> Made:
            return Made(self._shown(self.generator(self._given(batch.source), rng=rng), batch))

        def further(made: Made, batch: PairedPixels) -> tuple[Tensor, dict[str, Tensor]]:
            far = (made.shown[0] - batch.target).abs().mean()
            return self.config.l1 * far, {"l1": far.detach()}

        if self.discriminator is None:
            return (
                Objective(
                    "generator", self.generator, lambda batch, _: further(make(batch), batch)
                ),
            )
        sampler = self.config.patches

        def patched(shown: Shown, step: int) -> Shown:
            assert sampler is not None
            places = sampler.draw(len(shown[0]), step=step, like=shown[0], rng=rng).places
            return tuple(extract(each, places) for each in shown)

        game = Game(
            self.generator,
            self.discriminator,
            self.config.game,
            real=lambda batch: self._shown(batch.target, batch),
            make=make,
            further=further if self.config.l1 else None,
            view=None if sampler is None else patched,
            rng=rng,
        )
        return game.objectives()

    def calibrate(self, prepared: PairedPixels, *, rng: torch.Generator | None = None) -> None:
        """Keep a few sources to make samples of."""
        self.bank.fill(prepared.source)

    def sample(self, n: int, *, rng: torch.Generator | None = None) -> Images:
        """Draw sources that training kept, and translate them.

        Raises:
            ValueError: None to draw, or the model was not trained.
        """
        sources = self.bank.draw(n, like=next(self.parameters()), rng=rng)
        return Images(self._translated(sources, rng))

    def translate(self, images: Any, *, rng: torch.Generator | None = None) -> Images:
        """Make targets of sources; labels and names stay.

        Args:
            images: Sources, or pairs, whose targets are not looked at.
            rng: Stream of the dropout.

        Raises:
            TypeError: No images.
            ValueError: None, of another size, or with colours that are no label's.
        """
        sources = images.source if isinstance(images, ImagePairs) else Images.of(images)
        pixels = checked_pixels(sources, self.config.source_channels, self.config.size)
        return Images(self._translated(pixels, rng), sources.labels, sources.names)

    @torch.no_grad()
    def _translated(self, pixels: Tensor, rng: torch.Generator | None) -> Tensor:
        place = next(self.parameters())
        parts = [self._given(part.to(place)) for part in pixels.split(CHUNK)]
        return torch.cat([self.generator(part, rng=rng) for part in parts])

    def _given(self, source: Tensor) -> Tensor:
        return source if self.palette is None else label_planes(source, self.palette)

    def _shown(self, target: Tensor, batch: PairedPixels) -> Shown:
        conditional = self.config.adversarial == "conditional"
        return (target, self._given(batch.source)) if conditional else (target,)


def _judge(config: Pix2PixConfig) -> PatchDiscriminator:
    given = config.given_channels if config.adversarial == "conditional" else 0
    judge = PatchDiscriminator(
        config.target_channels + given,
        receptive_field=config.receptive_field,
        width=config.judge_width,
        norm=config.judge_norm,
    )
    sampler = config.patches
    judge.places(config.size if sampler is None else (sampler.side, sampler.side))
    return judge
