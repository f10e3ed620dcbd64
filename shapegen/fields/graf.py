"""GRAF: radiance fields learnt from images whose cameras nobody knows.

A generator of fields is rendered at the places of a patch, from cameras drawn from a distribution,
and a discriminator compares that with patches of real images.

Reference: Schwarz, Liao, Niemeyer and Geiger, *GRAF: Generative Radiance Fields for 3D-Aware Image
Synthesis*, 2020, https://arxiv.org/abs/2007.02442.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar, Literal, NamedTuple, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from shapegen.base import LatentModel
from shapegen.core import latent as latent_walks
from shapegen.core.game import Game, Made, Shown, Terms
from shapegen.core.noise import standard_normal, uniform
from shapegen.core.objective import Objective
from shapegen.core.patch import Patches, extract
from shapegen.fields.graf_config import GRAFConfig, Told
from shapegen.fields.graf_judges import PatchJudge, PlainJudge
from shapegen.fields.graf_networks import ConditionalField
from shapegen.fields.radiance import RadianceFields
from shapegen.fields.rays import patch_rays
from shapegen.fields.rendering import Field, Rendered, render
from shapegen.fields.triplane import TriplaneField

Walk = Literal["both", "shape", "appearance"]
_TOLD: dict[Told, int] = {"nothing": 0, "scale": 1, "place": 2}
PLACES = 512
"""Of every field that is generated, where :attr:`GRAFConfig.volume` asks for densities."""


class _Drawn(NamedTuple):
    """Fields that were drawn, and how much the rays of their patches hold back."""

    codes: Tensor
    field: Field
    opacity: Tensor


@runtime_checkable
class Pictures(Protocol):
    """A batch of images."""

    @property
    def pixels(self) -> Tensor:
        """``(n, 1 or 3, h, w)`` in [-1, 1]."""
        ...


class GRAF(LatentModel):
    """A generator of radiance fields, and a discriminator of patches of their images.

    Args:
        config: Sizes, cameras, patches and the game.
    """

    name: ClassVar[str] = "graf"
    config: GRAFConfig

    def __init__(self, config: GRAFConfig) -> None:
        super().__init__()
        self.config = config
        self.generator = _generator(config)
        judge = PlainJudge if config.judge == "plain" else PatchJudge
        self.discriminator = judge(config.patch.side, config.judge_width, told=_TOLD[config.told])

    @property
    def latent_dim(self) -> int:
        """Length of the shape's code and the appearance's together."""
        return self.config.latent_dim

    @property
    def latent_parts(self) -> dict[str, int]:
        """Lengths of the two codes."""
        return {"shape": self.config.shape_dim, "appearance": self.config.appearance_dim}

    def prepare(self, shapes: Any) -> Float[Tensor, "n 3 h w"]:
        """Pixels of images; grey ones in three equal channels.

        Raises:
            TypeError: No images.
            ValueError: None, or of another size.
        """
        if not isinstance(shapes, Pictures):
            raise TypeError(f"graf learns from images; got {type(shapes).__name__}")
        pixels, size = shapes.pixels, self.config.size
        if not len(pixels):
            raise ValueError("at least one image is needed; got none")
        if tuple(pixels.shape[2:]) != (size, size):
            got = " x ".join(map(str, pixels.shape[2:]))
            raise ValueError(f"the model is of images {size} x {size}; got {got}")
        return pixels if pixels.shape[1] == 3 else pixels.expand(-1, 3, -1, -1).contiguous()

    def check_batch(self, shapes: int, batch_size: int) -> None:
        """Refuse fewer images than a batch: what is generated would be as few.

        Raises:
            ValueError: There are fewer.
        """
        if shapes < batch_size:
            raise ValueError(
                f"images fewer than the batch: got {shapes} for train.batch_size {batch_size}; "
                "give more images or a smaller batch"
            )

    def objectives(self, *, rng: torch.Generator | None = None) -> tuple[Objective, ...]:
        """The discriminator's and the generator's, of patches that are drawn for each.

        Terms beside the game's: ``opacity``, the mean of what is generated, ``translucency`` and,
        where it has a weight, ``volume``.
        """
        config = self.config

        def game(step: int, noise: float) -> Game:
            return Game(
                self.generator,
                self.discriminator,
                config.game,
                real=lambda batch: self._real(batch, step, rng),
                make=lambda batch: self._made(len(batch), step, noise, rng),
                further=lambda made, _: self._weighed(made.codes, rng),
                rng=rng,
            )

        def judge(batch: Tensor, step: int) -> tuple[Tensor, Terms]:
            return game(step, config.judge_noise_at(step)).judge(batch, step)

        def fool(batch: Tensor, step: int) -> tuple[Tensor, Terms]:
            return game(step, config.noise_at(step)).fool(batch, step)

        every = config.game.critic_steps
        return (
            Objective("discriminator", self.discriminator, judge),
            Objective("generator", self.generator, fool, every=every),
        )

    def render_patches(
        self,
        codes: Float[Tensor, "n latent"],
        poses: Float[Tensor, "n 4 4"],
        places: Float[Tensor, "n side side 2"],
        *,
        noise: float = 0.0,
        jitter: bool = False,
        rng: torch.Generator | None = None,
    ) -> Rendered:
        """Render fields at the places of patches.

        Args:
            codes: One a field.
            poses: Camera-to-world, one a field.
            places: Of :mod:`shapegen.core.patch`, one patch a field.
            noise: Standard deviation of noise on densities.
            jitter: Draw samples in their parts of the rays.
            rng: Of the noise and the jitter.

        Returns:
            What the rays ``(n, side * side)`` show, row by row.
        """
        field = self.generator.field(codes)
        return self._rendered(field, poses, places, noise=noise, jitter=jitter, rng=rng)

    def sample_latent(
        self, n: int, *, rng: torch.Generator | None = None
    ) -> Float[Tensor, "n latent"]:
        """Draw codes."""
        place = next(self.parameters())
        if self.config.prior == "uniform":
            return 2 * uniform((n, self.latent_dim), like=place, rng=rng) - 1
        return standard_normal((n, self.latent_dim), like=place, rng=rng)

    def sample(self, n: int, *, rng: torch.Generator | None = None) -> RadianceFields:
        """Draw fields, and for each a pose from the cameras' distribution.

        Raises:
            ValueError: None to draw.
        """
        if n < 1:
            raise ValueError(f"the number of samples must be at least 1; got {n}")
        codes = self.sample_latent(n, rng=rng)
        return self._fields(codes, self.config.cameras.viewpoints.draw(n, like=codes, rng=rng))

    def decode(
        self, z: Float[Tensor, "n latent"], *, rng: torch.Generator | None = None
    ) -> RadianceFields:
        """Fields of codes, all looked at from the middle of the cameras.

        Raises:
            ValueError: Codes of another shape, or not finite.
        """
        latent_walks.check_codes(z, self.latent_dim)
        codes = z.detach().to(next(self.parameters()))
        middle = self.config.cameras.viewpoints.middle(like=codes)
        return self._fields(codes, middle.expand(len(codes), 4, 4))

    def interpolate(
        self,
        a: Any,
        b: Any,
        steps: int,
        *,
        codes: Walk = "both",
        rng: torch.Generator | None = None,
    ) -> RadianceFields:
        """Walk from one code to another, the shape's part and the appearance's each by itself.

        Args:
            a: A code ``(latent_dim,)``.
            b: The same.
            steps: At least 2.
            codes: What changes; the other part stays that of ``a``.
            rng: Not used: decoding draws nothing.

        Raises:
            ValueError: Codes of another shape, or fewer than two steps.
        """
        ends = [self._as_latent(end) for end in (a, b)]
        dims = list(self.latent_parts.values())
        paths = []
        for name, start, end in zip(
            self.latent_parts, *(each.split(dims) for each in ends), strict=True
        ):
            target = end if codes in ("both", name) else start
            keep = not self._official
            paths.append(latent_walks.interpolate(start, target, steps, keep_length=keep))
        return self.decode(torch.cat(paths, 1), rng=rng)

    @property
    def _official(self) -> bool:
        return self.config.compat == "official"

    def _fields(self, codes: Tensor, poses: Tensor) -> RadianceFields:
        return RadianceFields(
            codes.detach(),
            poses,
            self.generator,
            self.config.cameras,
            self.config.size,
            replace(self.config.sampling, jitter=False),
            corner=self._official,
        )

    def _rendered(
        self,
        field: Field,
        poses: Tensor,
        places: Tensor,
        *,
        noise: float,
        jitter: bool,
        rng: torch.Generator | None,
    ) -> Rendered:
        lens = self.config.cameras.lens(self.config.size, corner=self._official)
        origins, directions = patch_rays(poses, lens, places)
        rays = self.config.cameras.rays(origins.flatten(1, 2), directions.flatten(1, 2))
        sampling = replace(self.config.sampling, jitter=jitter)
        return render(field, rays, sampling, noise=noise, rng=rng)

    def _real(self, batch: Tensor, step: int, rng: torch.Generator | None) -> Shown:
        patches = self.config.patch.draw(len(batch), step=step, like=batch, rng=rng)
        mirrored = self.config.flip != "nothing"
        return self._shown(extract(batch, patches.places), patches, rng, mirrored=mirrored)

    def _made(self, n: int, step: int, noise: float, rng: torch.Generator | None) -> Made:
        codes = self.sample_latent(n, rng=rng)
        poses = self.config.cameras.viewpoints.draw(n, like=codes, rng=rng)
        patches = self.config.patch.draw(n, step=step, like=codes, rng=rng)
        field, jitter = self.generator.field(codes), self.config.sampling.jitter
        seen = self._rendered(field, poses, patches.places, noise=noise, jitter=jitter, rng=rng)
        side = self.config.patch.side
        pixels = (2 * seen.rgb - 1).view(n, side, side, 3).permute(0, 3, 1, 2)
        mirrored = self.config.flip == "all"
        shown = self._shown(pixels, patches, rng, mirrored=mirrored)
        return Made(shown, _Drawn(codes, field, seen.opacity))

    def _shown(
        self, pixels: Tensor, patches: Patches, rng: torch.Generator | None, *, mirrored: bool
    ) -> Shown:
        """A patch, mirrored half of the time, and what the discriminator is told of its place."""
        shown: list[Tensor] = [pixels]
        if self.config.told == "scale":
            shown.append(patches.scale.view(-1, 1, 1, 1).expand_as(pixels[:, :1]))
        elif self.config.told == "place":
            shown.append(patches.places.permute(0, 3, 1, 2))
        if not mirrored:
            return tuple(shown)
        these = uniform((len(pixels), 1, 1, 1), like=pixels, rng=rng) < 0.5
        return tuple(torch.where(these, each.flip(3), each) for each in shown)

    def _weighed(self, drawn: _Drawn, rng: torch.Generator | None) -> tuple[Tensor, Terms]:
        opacity, config = drawn.opacity.mean(), self.config
        # A ray that holds back a share a of the light hides and shows: 4 a (1 - a) is at most 1.
        between = (4 * drawn.opacity * (1 - drawn.opacity)).mean()
        loss = config.opacity * opacity + config.translucency * between
        terms = {"opacity": opacity, "translucency": between}
        if config.volume:
            terms["volume"] = self._volume(drawn, rng)
            loss = loss + config.volume * terms["volume"]
        return loss, terms

    def _volume(self, drawn: _Drawn, rng: torch.Generator | None) -> Tensor:
        """Mean share of the light held back by one of ``samples`` parts of a ray, in the ball."""
        cameras, codes = self.config.cameras, drawn.codes
        count = (len(codes), PLACES)
        points = functional.normalize(standard_normal((*count, 3), like=codes, rng=rng), dim=-1)
        points *= cameras.reach * uniform((*count, 1), like=codes, rng=rng) ** (1 / 3)
        # Densities know no direction.
        density, _ = drawn.field(points[:, :, None], torch.zeros_like(points))
        part = cameras.depth_of_view / self.config.sampling.samples
        return (1 - (-part * density.relu()).exp()).mean()


def _generator(config: GRAFConfig) -> ConditionalField | TriplaneField:
    view_frequencies = config.view_frequencies if config.view_directions else None
    if config.backbone == "triplane":
        return TriplaneField(
            config.triplane,
            reach=config.cameras.reach,
            view_frequencies=view_frequencies,
            shape_dim=config.shape_dim,
            appearance_dim=config.appearance_dim,
            white_cap=config.white_cap,
            density=config.density,
        )
    return ConditionalField(
        depth=config.depth,
        width=config.width,
        skips=config.skips,
        frequencies=config.frequencies,
        view_frequencies=view_frequencies,
        shape_dim=config.shape_dim,
        appearance_dim=config.appearance_dim,
        white_cap=config.white_cap,
        density=config.density,
    )
