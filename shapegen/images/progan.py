"""Progressive GAN: networks that begin with tiny images and grow, one size at a time.

Reference: Karras, Aila, Laine and Lehtinen, *Progressive Growing of GANs for Improved Quality,
Stability, and Variation*, 2018, https://arxiv.org/abs/1710.10196.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from shapegen.base import LatentModel
from shapegen.core.game import Game, GameOptions, Made, Shown, Timed, timed
from shapegen.core.objective import Objective
from shapegen.images.gan_frame import check_networks, doubling_sizes, drawn_noise, made_pixels
from shapegen.images.images import Images
from shapegen.images.progan_networks import (
    GrowingDiscriminator,
    GrowingGenerator,
    Growth,
    doubled_pixels,
    growth_at,
    level_at,
    shown_at,
)
from shapegen.images.validity import checked_pixels


@dataclass(frozen=True)
class ProGANConfig:
    """Options of :class:`ProGAN`."""

    channels: int = 3
    size: tuple[int, int] = (32, 32)
    """Height and width of an image, multiples of the smallest size's."""
    noise_dim: int = 64
    hidden: tuple[int, ...] = (16, 32, 64, 64)
    """Channels at the whole size, at half of it, and so on: a stage of the growth each."""
    hold_steps: int = 300
    """Steps in which a size stays as it is; the whole size has all that are left."""
    fade_steps: int = 300
    """Steps in which the next size is faded in; 0, and no steps to hold: all sizes at once."""
    game: GameOptions = field(default_factory=lambda: GameOptions(r1=1.0))
    """The paper's: ``loss: wasserstein, gradient_penalty: 10``."""

    def __post_init__(self) -> None:
        check_networks(self.channels, self.size, self.hidden, noise_dim=self.noise_dim)
        doubling_sizes(self.size, len(self.hidden))
        for name in ("hold_steps", "fade_steps"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must be at least 0; got {getattr(self, name)}")
        if self.game.pack > 1:
            raise ValueError("the discriminator sees the spread of the batch: game.pack must be 1")


class ProGAN(LatentModel):
    """A generator and a discriminator that grow as the steps go on.

    How far is a function of the step alone. The level of the last step is kept with the weights,
    so that a checkpoint of any moment makes the images that it was trained on, at the whole size.

    Args:
        config: Sizes, growth and the game.
    """

    name: ClassVar[str] = "progan"
    config: ProGANConfig
    level: Float[Tensor, ""]

    def __init__(self, config: ProGANConfig) -> None:
        super().__init__()
        self.config = config
        widths = config.hidden[::-1]
        sizes = doubling_sizes(config.size, len(widths))
        self.generator = GrowingGenerator(config.noise_dim, sizes, widths, config.channels)
        self.discriminator = GrowingDiscriminator(sizes, widths, config.channels)
        self.register_buffer("level", torch.tensor(self.level_at(0)))

    @property
    def latent_dim(self) -> int:
        """Length of the noise."""
        return self.config.noise_dim

    @property
    def growth(self) -> Growth:
        """What the weights were trained for last."""
        return growth_at(self.level.item())

    def level_at(self, step: int) -> float:
        """Place in the growth, 0 to one less than there are sizes, at a step from 0."""
        config = self.config
        return level_at(step, len(config.hidden), config.hold_steps, config.fade_steps)

    def prepare(self, shapes: Any) -> Float[Tensor, "n c h w"]:
        """Pixels of the whole size; labels are not looked at.

        Raises:
            TypeError: No images.
            ValueError: None, or of another size.
        """
        return checked_pixels(shapes, self.config.channels, self.config.size)

    def objectives(self, *, rng: torch.Generator | None = None) -> tuple[Objective, ...]:
        """The discriminator's and the generator's, of images of the size of the step."""

        def shown(pixels: Tensor, growth: Growth) -> Shown:
            return (pixels, *(each.to(pixels) for each in growth.given))

        def real(seen: Timed) -> Shown:
            growth = self._growth_of(seen)
            return shown(shown_at(seen.batch, growth, len(self.config.hidden)), growth)

        def make(seen: Timed) -> Made:
            growth = self._growth_of(seen)
            z = self.sample_latent(len(seen.batch), rng=rng)
            return Made(shown(self.generator(z, growth), growth))

        game = Game(
            self.generator,
            self.discriminator,
            self.config.game,
            real=real,
            make=make,
            rng=rng,
        )
        return timed(game.objectives())

    def sample_latent(
        self, n: int, *, rng: torch.Generator | None = None
    ) -> Float[Tensor, "n latent"]:
        """Draw noise from N(0, I)."""
        return drawn_noise(self, n, self.latent_dim, rng)

    @torch.no_grad()
    def decode(
        self, z: Float[Tensor, "n latent"], *, rng: torch.Generator | None = None
    ) -> Images:
        """Images of latents at the whole size, as fine as the weights have grown.

        Raises:
            ValueError: Latents of another shape, or not finite.
        """
        growth = self.growth

        def make(part: Tensor) -> Tensor:
            pixels: Tensor = self.generator(part, growth)
            for _ in range(len(self.config.hidden) - 1 - growth.stage):
                pixels = doubled_pixels(pixels)
            return pixels

        return Images(made_pixels(self, make, z, self.latent_dim))

    def _growth_of(self, seen: Timed) -> Growth:
        level = self.level_at(seen.step)
        if self.training:
            self.level.fill_(level)
        return growth_at(level)
