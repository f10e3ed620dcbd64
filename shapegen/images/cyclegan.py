r"""CycleGAN: images of one kind from images of another, without pairs.

.. math:: V(G, D_B) + V(F, D_A)
          + \lambda\, \mathbb{E}[\lVert F(G(a)) - a \rVert_1 + \lVert G(F(b)) - b \rVert_1]
          + \mu\, \mathbb{E}[\lVert G(b) - b \rVert_1 + \lVert F(a) - a \rVert_1]

with G from A to B, F from B to A, and the game of least squares.

Reference: Zhu, Park, Isola and Efros, *Unpaired Image-to-Image Translation using Cycle-Consistent
Adversarial Networks*, 2017, equations 1 to 3 and section 5.2, https://arxiv.org/abs/1703.10593.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from shapegen.base import GenerativeModel
from shapegen.core.game import Game, GameOptions, Made, Shown, joint_objectives
from shapegen.core.nets import Norm
from shapegen.core.objective import Objective
from shapegen.core.patch_discriminator import PatchDiscriminator
from shapegen.core.replay import ReplayPool
from shapegen.core.unet import ResidualTranslator, check_halvings
from shapegen.images.images import Images
from shapegen.images.pairs import ImageDomains, ImagePairs
from shapegen.images.probes import paired_share
from shapegen.images.source_bank import SourceBank
from shapegen.images.validity import check_size, checked_pixels

CHUNK = 256
"""Images that are translated at once."""
Side = Literal["a", "b"]
OTHER: dict[Side, Side] = {"a": "b", "b": "a"}
SIDES: tuple[Side, Side] = ("a", "b")
_SHUFFLED = 0
"""Seed of the fixed order of B that takes known pairs apart."""


@dataclass(frozen=True)
class CycleGANConfig:
    """Options of :class:`CycleGAN`."""

    channels: int = 3
    """Of the images of both kinds."""
    size: tuple[int, int] = (32, 32)
    """Their height and width."""
    widths: tuple[int, ...] = (32, 64, 128)
    """Channels of the generators at the whole size, at half of it, and so on."""
    blocks: int = 6
    """Residual blocks at the smallest size."""
    norm: Norm = "instance"
    receptive_field: int = 34
    """Side of the squares that the discriminators judge: 1, 16, 34 or 70 pixels."""
    judge_width: int = 32
    """Channels of their first layer."""
    cycle: float = 10.0
    """Weight of the mean absolute error of a number in -1 to 1 after both translations."""
    identity: float = 0.0
    """Weight of what translation changes on images that are of the wanted kind already; the
    paper's for photographs of paintings is half of ``cycle``."""
    replay: int = 50
    """Earlier translations that a discriminator is shown again; 0: the newest alone."""
    disjoint: bool = False
    """Of data in pairs, train on the sources of one half and the targets of the other, so that no
    image's partner is ever seen. Pairs are never used as such."""
    kept: int = 64
    """Training images of A in the model's file, which samples are translations of."""
    game: GameOptions = field(default_factory=lambda: GameOptions(loss="least_squares"))

    def __post_init__(self) -> None:
        check_size(self.channels, self.size)
        if not self.widths or min(self.widths) < 1:
            raise ValueError(f"widths must be widths of at least 1; got {list(self.widths)}")
        check_halvings(self.size, len(self.widths) - 1, "widths")
        for name, least in (("blocks", 0), ("cycle", 0), ("identity", 0), ("replay", 0)):
            if getattr(self, name) < least:
                raise ValueError(f"{name} must be at least {least}; got {getattr(self, name)}")
        if self.kept < 1:
            raise ValueError(f"kept must be at least 1; got {self.kept}")
        if self.game.pack > 1:
            raise ValueError("images are judged one by one: game.pack must be 1")
        if self.game.consensus:
            raise ValueError("two games have no force of their own: game.consensus must be 0")


@dataclass(frozen=True)
class UnpairedPixels:
    """Images of both kinds; as long as there are of the kind that has more."""

    a: Float[Tensor, "n c h w"]
    b: Float[Tensor, "m c h w"]

    def __len__(self) -> int:
        return max(len(self.a), len(self.b))

    def __getitem__(self, indices: Tensor) -> UnpairedPixels:
        """One of each kind an index; the smaller kind begins again."""
        return UnpairedPixels(self.a[indices % len(self.a)], self.b[indices % len(self.b)])

    def to(self, device: torch.device) -> UnpairedPixels:
        """The same on a device."""
        return UnpairedPixels(self.a.to(device), self.b.to(device))


class CycleGAN(GenerativeModel):
    """Two generators, each the way back of the other, and a discriminator of each kind.

    Args:
        config: Sizes, networks, weights and the game.

    Raises:
        ValueError: The discriminators are too large for the images.
    """

    name: ClassVar[str] = "cyclegan"
    config: CycleGANConfig

    def __init__(self, config: CycleGANConfig) -> None:
        super().__init__()
        self.config = config
        channels = config.channels
        self.generators = nn.ModuleDict(
            {
                f"to_{side}": ResidualTranslator(
                    channels, channels, config.widths, blocks=config.blocks, norm=config.norm
                )
                for side in SIDES
            }
        )
        self.discriminators = nn.ModuleDict(
            {
                side: PatchDiscriminator(
                    channels, receptive_field=config.receptive_field, width=config.judge_width
                )
                for side in SIDES
            }
        )
        for judge in self.discriminators.values():
            assert isinstance(judge, PatchDiscriminator)
            judge.places(config.size)
        shape = (channels, *config.size)
        self.pools = nn.ModuleDict({side: ReplayPool(config.replay, shape) for side in SIDES})
        self.bank = SourceBank(config.kept, channels, config.size)

    def prepare(self, shapes: Any) -> UnpairedPixels:
        """Pixels of both kinds; pairs are taken apart.

        Raises:
            TypeError: Neither two sets of images nor pairs.
            ValueError: None of one kind, or of another size.
        """
        config, sides = self.config, sides_of(shapes)
        a, b = (
            checked_pixels(sides[side], config.channels, config.size, f"images in {side.upper()}")
            for side in SIDES
        )
        if not isinstance(shapes, ImagePairs):
            return UnpairedPixels(a, b)
        if config.disjoint:
            if len(a) < 2:
                raise ValueError(f"disjoint halves need at least 2 pairs; got {len(a)}")
            return UnpairedPixels(a[::2], b[1::2])
        order = torch.randperm(len(b), generator=torch.Generator().manual_seed(_SHUFFLED))
        return UnpairedPixels(a, b[order])

    def objectives(self, *, rng: torch.Generator | None = None) -> tuple[Objective, ...]:
        """The discriminators', and one of both generators."""
        games: dict[str, Game] = {side: self._game(side, rng) for side in SIDES}
        return joint_objectives(games, self.generators, "generators")

    def _game(self, side: Side, rng: torch.Generator | None) -> Game:
        """The game about one kind, with the cycles that begin at the other."""
        config = self.config
        there, back = self._to(side), self._to(OTHER[side])

        def further(made: Made, batch: UnpairedPixels) -> tuple[Tensor, dict[str, Tensor]]:
            begun, own = getattr(batch, OTHER[side]), getattr(batch, side)
            cycle = (back(made.shown[0]) - begun).abs().mean()
            total, terms = config.cycle * cycle, {"cycle": cycle.detach()}
            if config.identity:
                changed = (there(own) - own).abs().mean()
                total, terms["identity"] = total + config.identity * changed, changed.detach()
            return total, terms

        def replayed(shown: Shown) -> Shown:
            return (self.pools[side](shown[0], rng=rng),)

        return Game(
            there,
            self.discriminators[side],
            config.game,
            real=lambda batch: (getattr(batch, side),),
            make=lambda batch: Made((there(getattr(batch, OTHER[side])),)),
            further=further,
            replay=replayed if config.replay else None,
            rng=rng,
        )

    def calibrate(self, prepared: UnpairedPixels, *, rng: torch.Generator | None = None) -> None:
        """Keep a few images of A to make samples of."""
        self.bank.fill(prepared.a)

    def sample(self, n: int, *, rng: torch.Generator | None = None) -> Images:
        """Draw images of A that training kept, and translate them to B.

        Raises:
            ValueError: None to draw, or the model was not trained.
        """
        sources = self.bank.draw(n, like=next(self.parameters()), rng=rng)
        return Images(self._translated(sources, "b"))

    def translate(
        self, images: Any, *, to: str = "b", rng: torch.Generator | None = None
    ) -> Images:
        """Translate images to the other kind; labels and names stay.

        Args:
            images: Of A or B; of pairs or two sets, those of the kind that is not ``to``.
            to: ``a`` or ``b``.
            rng: Nothing is drawn.

        Raises:
            TypeError: No images.
            ValueError: None, of another size, or there is no such kind.
        """
        if to not in SIDES:
            raise ValueError(f"images are translated to a or b; got {to!r}")
        side: Side = "a" if to == "a" else "b"
        if isinstance(images, ImagePairs):
            images = images.source if side == "b" else images.target
        if isinstance(images, ImageDomains):
            images = getattr(images, OTHER[side])
        begun = Images.of(images)
        pixels = checked_pixels(begun, self.config.channels, self.config.size)
        return Images(self._translated(pixels, side), begun.labels, begun.names)

    def figures(self, shapes: Any, *, rng: torch.Generator | None = None) -> dict[str, float]:
        """How well images come back and, of held-out pairs, find their hidden partners.

        Args:
            shapes: Pairs, or two sets of images.
            rng: Nothing is drawn.

        Returns:
            ``cycle L1 A`` and ``B``: mean absolute error of brightness (0 to 1) after both
            translations of that kind's images. Of pairs also ``paired to A`` and ``to B``: share
            of translations whose nearest image of the kind (L1) is the partner; ``paired
            untranslated``: the share without a model, the larger one of both ways.
        """
        prepared = sides_of(shapes)
        made = {side: self.translate(prepared[OTHER[side]], to=side) for side in SIDES}
        found = {}
        for side in SIDES:
            again = self.translate(made[OTHER[side]], to=side).pixels
            error = (again - prepared[side].pixels).abs().mean() / 2
            found[f"cycle L1 {side.upper()}"] = float(error)
        if not isinstance(shapes, ImagePairs):
            return found
        truth = {side: prepared[side].pixels for side in SIDES}
        for side in SIDES:
            share = paired_share(made[side].pixels, truth[side])
            found[f"paired to {side.upper()}"] = share
        plain = [paired_share(truth[side], truth[OTHER[side]]) for side in SIDES]
        return found | {"paired untranslated": max(plain)}

    @torch.no_grad()
    def _translated(self, pixels: Tensor, to: Side) -> Tensor:
        place = next(self.parameters())
        return torch.cat([self._to(to)(part.to(place)) for part in pixels.split(CHUNK)])

    def _to(self, side: Side) -> nn.Module:
        return self.generators[f"to_{side}"]


def sides_of(shapes: Any) -> dict[Side, Images]:
    """The images of both kinds; of pairs the sources are A.

    Raises:
        TypeError: Neither two sets of images nor pairs.
        ValueError: None of one kind.
    """
    if isinstance(shapes, ImagePairs):
        found: dict[Side, Images] = {"a": shapes.source, "b": shapes.target}
    elif isinstance(shapes, ImageDomains):
        found = {"a": shapes.a, "b": shapes.b}
    else:
        raise TypeError(
            "two sets of images are needed (ImageDomains, ImagePairs, or a folder with A and B); "
            f"got {type(shapes).__name__}"
        )
    for side, images in found.items():
        if not len(images):
            raise ValueError(f"both domains need an image at least; {side.upper()} has none")
    return found
