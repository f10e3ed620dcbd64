r"""A chain of conditional generators: from a map to its coarse colours to a detailed rendering.

Every stage has a style code of its own, which is drawn or chosen, and sees what the stages before
it made: a choice changes its stage and those after it, nothing before. A stage is trained on true
inputs, with the two games of BicycleGAN in one: a code is read from a target (and the target is to
come back), or drawn (and is to be read from what was made of it).

References: Kelly, Guerrero, Steed, Wonka and Mitra, *FrankenGAN: Guided Detail Synthesis for
Building Mass Models Using Style-Synchronized GANs*, 2018, section 4 (the chain), and Zhu et al.,
*Toward Multimodal Image-to-Image Translation*, 2017, section 3.3, https://arxiv.org/abs/1711.11586.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional

from shapegen.base import GenerativeModel
from shapegen.core.game import Game, GameOptions, Made, joint_objectives
from shapegen.core.gaussian import DiagGaussian
from shapegen.core.nets import Norm, image_encoder
from shapegen.core.noise import standard_normal
from shapegen.core.objective import Objective
from shapegen.core.patch_discriminator import PatchDiscriminator
from shapegen.core.unet import UNet, check_halvings
from shapegen.images.images import Images
from shapegen.images.pairs import ImagePairs
from shapegen.images.pix2pix import PairedPixels, paired_pixels
from shapegen.images.source_bank import SourceBank
from shapegen.images.validity import check_size, checked_pixels

CHUNK = 256
"""Images that are made at once."""
StageName = Literal["coarse", "detail"]
STAGES: tuple[StageName, StageName] = ("coarse", "detail")
Styles = Mapping[str, Tensor]
"""Codes by the stage's name: ``(style_dim,)`` for all images, or one an image."""


@dataclass(frozen=True)
class ChainConfig:
    """Options of :class:`Chain`."""

    source_channels: int = 3
    target_channels: int = 3
    size: tuple[int, int] = (32, 32)
    """Height and width of both images."""
    coarse: int = 4
    """Side of the squares whose mean colours the first stage makes, enlarged to the whole size."""
    style_dim: int = 4
    """Numbers of a stage's code."""
    widths: tuple[int, ...] = (32, 64, 128)
    """Channels of a U-Net at half the size, at a quarter, and so on; its style encoder has the
    same ones."""
    norm: Norm = "instance"
    l1: float = 10.0
    """Weight of the mean absolute error with the code that was read from the target."""
    kl: float = 0.01
    """Weight of what such a code costs, in nats."""
    regression: float = 0.5
    """Weight of the mean absolute error of a drawn code, read from what was made of it."""
    receptive_field: int = 16
    """Side of the squares that the discriminators judge: 1, 16, 34 or 70 pixels."""
    judge_width: int = 32
    kept: int = 64
    """Training sources in the model's file, which samples are made of."""
    game: GameOptions = field(default_factory=lambda: GameOptions(loss="least_squares"))

    def __post_init__(self) -> None:
        check_size(self.source_channels, self.size)
        check_size(self.target_channels, self.size)
        if not self.widths or min(self.widths) < 1:
            raise ValueError(f"widths must be widths of at least 1; got {list(self.widths)}")
        check_halvings(self.size, len(self.widths) - 1, "widths")
        for name, least in (("coarse", 2), ("style_dim", 1), ("kept", 1)):
            if getattr(self, name) < least:
                raise ValueError(f"{name} must be at least {least}; got {getattr(self, name)}")
        for name in ("l1", "kl", "regression"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must be at least 0; got {getattr(self, name)}")
        if self.game.pack > 1:
            raise ValueError("images are judged with their sources: game.pack must be 1")


@dataclass(frozen=True)
class Codes:
    """What a stage's images are made of: half of them of codes that were read."""

    read: DiagGaussian
    drawn: Float[Tensor, "n style"]


class Stage(nn.Module):
    """A generator, and an encoder that reads its style from a target.

    Args:
        channels: Of what it is given.
        config: Of the chain.
    """

    def __init__(self, channels: int, config: ChainConfig) -> None:
        super().__init__()
        self.generator = UNet(
            channels + config.style_dim, config.target_channels, config.widths, norm=config.norm
        )
        self.encoder = image_encoder(
            "conv", config.target_channels, config.size, config.widths, 2 * config.style_dim
        )

    def forward(
        self, given: Float[Tensor, "n c h w"], style: Float[Tensor, "n style"]
    ) -> Float[Tensor, "n d h w"]:
        """Images of what is given and codes, which lie as planes beside it."""
        planes = style[:, :, None, None].expand(-1, -1, *given.shape[2:])
        made: Tensor = self.generator(torch.cat([given, planes], 1))
        return made

    def posterior(self, targets: Float[Tensor, "n d h w"], *, fixed: bool = False) -> DiagGaussian:
        """The style of targets; ``fixed``: without gradients to the encoder's own weights."""
        weights = {
            name: each.detach() if fixed else each
            for name, each in self.encoder.named_parameters()
        }
        mean, logvar = functional_call(self.encoder, weights, (targets,)).chunk(2, 1)
        return DiagGaussian(mean, logvar)


class Chain(GenerativeModel):
    """Two stages with a discriminator each.

    Args:
        config: Sizes, networks, weights and the game.

    Raises:
        ValueError: The discriminators are too large for the images.
    """

    name: ClassVar[str] = "chain"
    config: ChainConfig

    def __init__(self, config: ChainConfig) -> None:
        super().__init__()
        self.config = config
        channels = {
            "coarse": config.source_channels,
            "detail": config.source_channels + config.target_channels,
        }
        self.stages = nn.ModuleDict({name: Stage(channels[name], config) for name in STAGES})
        self.discriminators = nn.ModuleDict()
        for name in STAGES:
            judge = PatchDiscriminator(
                config.target_channels + channels[name],
                receptive_field=config.receptive_field,
                width=config.judge_width,
            )
            judge.places(config.size)
            self.discriminators[name] = judge
        self.bank = SourceBank(config.kept, config.source_channels, config.size)

    def prepare(self, shapes: Any) -> PairedPixels:
        """Pixels of both sides.

        Raises:
            TypeError: No pairs.
            ValueError: None, or of another size.
        """
        config = self.config
        return paired_pixels(shapes, config.source_channels, config.target_channels, config.size)

    def objectives(self, *, rng: torch.Generator | None = None) -> tuple[Objective, ...]:
        """The discriminators', and one of both stages."""
        games: dict[str, Game] = {name: self._game(name, rng) for name in STAGES}
        return joint_objectives(games, self.stages, "stages")

    def _game(self, name: StageName, rng: torch.Generator | None) -> Game:
        config, stage = self.config, self._stage(name)

        def make(batch: PairedPixels) -> Made:
            given, target = self._true(name, batch)
            read = stage.posterior(target)
            drawn = standard_normal(read.mean.shape, like=given, rng=rng)
            twice = torch.cat([given, given])
            made = stage(twice, torch.cat([read.rsample(rng=rng).to(given), drawn]))
            return Made((made, twice), Codes(read, drawn))

        def real(batch: PairedPixels) -> tuple[Tensor, Tensor]:
            given, target = self._true(name, batch)
            return torch.cat([target, target]), torch.cat([given, given])

        def further(made: Made, batch: PairedPixels) -> tuple[Tensor, dict[str, Tensor]]:
            again, new = made.shown[0].chunk(2)
            far = (again - self._true(name, batch)[1]).abs().mean()
            cost = made.codes.read.kl_standard().mean()
            # An encoder that learnt from this could agree with the generator on a hidden mark.
            seen = stage.posterior(new, fixed=True).mean
            missed = (seen - made.codes.drawn).abs().mean()
            total = config.l1 * far + config.kl * cost + config.regression * missed
            return total, {"l1": far, "kl": cost, "regression": missed}

        judge = self.discriminators[name]
        return Game(stage, judge, config.game, real=real, make=make, further=further, rng=rng)

    def calibrate(self, prepared: PairedPixels, *, rng: torch.Generator | None = None) -> None:
        """Keep a few sources to make samples of."""
        self.bank.fill(prepared.source)

    def sample(self, n: int, *, rng: torch.Generator | None = None) -> Images:
        """Draw sources that training kept, and styles, and make the last stage's images.

        Raises:
            ValueError: None to draw, or the model was not trained.
        """
        sources = self.bank.draw(n, like=next(self.parameters()), rng=rng)
        return Images(self._made(sources, self._styles(n, {}, rng))["detail"])

    def translate(
        self, images: Any, *, styles: Styles | None = None, rng: torch.Generator | None = None
    ) -> Images:
        """Make the last stage's images of sources; labels and names stay. See :meth:`steps`."""
        return self.steps(images, styles=styles, rng=rng)["detail"]

    def steps(
        self, images: Any, *, styles: Styles | None = None, rng: torch.Generator | None = None
    ) -> dict[str, Images]:
        """What every stage makes of sources.

        Args:
            images: Sources, or pairs, whose targets are not looked at.
            styles: Codes of some stages; those of the others are drawn, and are the same ones
                whatever is given here.
            rng: Random stream.

        Raises:
            TypeError: No images.
            ValueError: None, of another size, or styles of no stage or of another shape.
        """
        sources = images.source if isinstance(images, ImagePairs) else Images.of(images)
        pixels = checked_pixels(sources, self.config.source_channels, self.config.size)
        made = self._made(pixels, self._styles(len(pixels), styles or {}, rng))
        return {name: Images(each, sources.labels, sources.names) for name, each in made.items()}

    @torch.no_grad()
    def encode_styles(self, shapes: Any) -> dict[str, Tensor]:
        """The codes ``(n, style_dim)`` of every stage that targets of pairs have, most likely."""
        batch, place = self.prepare(shapes), next(self.parameters())
        found: dict[str, Tensor] = {}
        for name in STAGES:
            targets = self._true(name, batch)[1].split(CHUNK)
            read = [self._stage(name).posterior(part.to(place)).mean for part in targets]
            found[name] = torch.cat(read).cpu()
        return found

    def figures(self, shapes: Any, *, rng: torch.Generator | None = None) -> dict[str, float]:
        """What the styles say of held-out pairs, in brightness of 0 to 1.

        Returns:
            ``L1 of read styles``: mean absolute error where the targets' own styles are used;
            ``spread of coarse`` and ``of detail``: mean absolute difference of results with
            another style of that stage and all else the same.
        """
        pairs = ImagePairs.of(shapes)
        one, other = (self._styles(len(pairs), {}, rng) for _ in range(2))
        read = self.translate(pairs, styles=self.encode_styles(pairs)).pixels
        first = self.translate(pairs, styles=one).pixels
        found = {"L1 of read styles": float((read - pairs.target.pixels).abs().mean() / 2)}
        for name in STAGES:
            changed = self.translate(pairs, styles={**one, name: other[name]}).pixels
            found[f"spread of {name}"] = float((changed - first).abs().mean() / 2)
        return found

    def _styles(
        self, n: int, given: Styles, rng: torch.Generator | None
    ) -> dict[str, Float[Tensor, "n style"]]:
        for name, style in given.items():
            if name not in STAGES:
                raise ValueError(f"styles are of the stages {', '.join(STAGES)}; got {name!r}")
            if tuple(style.shape) not in ((self.config.style_dim,), (n, self.config.style_dim)):
                raise ValueError(
                    f"a style must be ({self.config.style_dim},), or one an image ({n}); "
                    f"got {tuple(style.shape)}"
                )
        place, shape = next(self.parameters()), (n, self.config.style_dim)
        chosen: dict[str, Tensor] = {
            name: standard_normal(shape, like=place, rng=rng) for name in STAGES
        }
        return chosen | {name: style.to(place).expand(shape) for name, style in given.items()}

    @torch.no_grad()
    def _made(self, pixels: Tensor, styles: Mapping[str, Tensor]) -> dict[str, Tensor]:
        found: dict[str, list[Tensor]] = {name: [] for name in STAGES}
        place = next(self.parameters())
        for numbers in torch.arange(len(pixels)).split(CHUNK):
            given = pixels[numbers].to(place)
            for name in STAGES:
                made = self._stage(name)(given, styles[name][numbers])
                found[name].append(made)
                given = torch.cat([given, made], 1)
        return {name: torch.cat(parts) for name, parts in found.items()}

    def _true(self, name: StageName, batch: PairedPixels) -> tuple[Tensor, Tensor]:
        """What a stage is given of data, and what it is to make."""
        coarse = coarsened(batch.target, self.config.coarse)
        if name == "coarse":
            return batch.source, coarse
        return torch.cat([batch.source, coarse], 1), batch.target

    def _stage(self, name: StageName) -> Stage:
        stage = self.stages[name]
        assert isinstance(stage, Stage)
        return stage


def coarsened(pixels: Float[Tensor, "n c h w"], side: int) -> Float[Tensor, "n c h w"]:
    """Mean colours of squares of so many pixels, enlarged smoothly to the whole size."""
    small = functional.avg_pool2d(pixels, side, ceil_mode=True, count_include_pad=False)
    size = (pixels.shape[2], pixels.shape[3])
    return functional.interpolate(small, size=size, mode="bilinear")
