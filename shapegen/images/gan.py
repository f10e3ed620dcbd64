"""GANs of images, given a class or not: perceptrons, DCGAN, residual networks.

References: Goodfellow et al., *Generative Adversarial Nets*, 2014, https://arxiv.org/abs/1406.2661;
Radford, Metz and Chintala, *Unsupervised Representation Learning with Deep Convolutional GANs*,
2016; Mirza and Osindero, *Conditional Generative Adversarial Nets*, 2014.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import one_hot

from shapegen.base import LatentModel
from shapegen.core.game import Game, GameOptions, Made, Shown
from shapegen.core.gan_nets import Condition, GanNetwork, LabelJudge, gan_generator
from shapegen.core.objective import Objective
from shapegen.images.gan_frame import check_networks, drawn_noise, made_pixels
from shapegen.images.images import Images
from shapegen.images.labels import LabelledPixels, checked_labels, labels_to_draw
from shapegen.images.validity import checked_pixels


@dataclass(frozen=True)
class GANConfig:
    """Options of :class:`GAN`."""

    channels: int = 1
    size: tuple[int, int] = (28, 28)
    """Height and width of an image."""
    classes: int = 0
    """Of the labels that images are drawn for; 0: none are needed."""
    condition: Condition = "projection"
    """How the discriminator is told the class."""
    noise_dim: int = 64
    """Length of the noise; a latent is the noise, then the weights of the classes."""
    network: GanNetwork = "dcgan"
    hidden: tuple[int, ...] = (32, 64)
    """Channels at half the size, at a quarter, and so on; widths of an ``mlp`` from the image's
    end."""
    spectral: bool = False
    """Spectral norm in the discriminator."""
    stddev: bool = False
    """Show the discriminator the spread of the batch."""
    game: GameOptions = field(default_factory=lambda: GameOptions(r1=1.0))

    def __post_init__(self) -> None:
        check_networks(self.channels, self.size, self.hidden, noise_dim=self.noise_dim)
        if self.classes < 0 or self.classes == 1:
            raise ValueError(f"classes must be 0, or at least 2; got {self.classes}")
        if self.network != "mlp" and 2 ** len(self.hidden) > 2 * min(self.size):
            raise ValueError(
                f"{len(self.hidden)} halvings (hidden) are too many for images of "
                f"{self.size[0]} x {self.size[1]}"
            )
        if self.game.pack > 1 and self.classes:
            raise ValueError("packed images cannot have classes: set game.pack or classes")


class GAN(LatentModel):
    """A generator of images from noise, and a discriminator.

    Args:
        config: Sizes, networks and the game.
    """

    name: ClassVar[str] = "gan"
    config: GANConfig

    def __init__(self, config: GANConfig) -> None:
        super().__init__()
        self.config = config
        self.generator = gan_generator(
            config.network, self.latent_dim, config.size, config.hidden, config.channels
        )
        self.discriminator = LabelJudge(
            config.network,
            config.channels * config.game.pack,
            config.size,
            config.hidden,
            classes=config.classes,
            condition=config.condition,
            spectral=config.spectral,
            stddev=config.stddev,
        )

    @property
    def latent_dim(self) -> int:
        """Length of the noise and the classes together."""
        return self.config.noise_dim + self.config.classes

    def prepare(self, shapes: Any) -> LabelledPixels:
        """Pixels, with their labels where there are classes.

        Raises:
            TypeError: No images.
            ValueError: None, of another size, without labels or with labels of no class.
        """
        pixels = checked_pixels(shapes, self.config.channels, self.config.size)
        if not self.config.classes:
            return LabelledPixels(pixels, None)
        return LabelledPixels(
            pixels, checked_labels(Images.of(shapes).labels, self.config.classes)
        )

    def objectives(self, *, rng: torch.Generator | None = None) -> tuple[Objective, ...]:
        """The discriminator's and the generator's."""

        def shown(pixels: Tensor, labels: Tensor | None) -> Shown:
            return (pixels,) if labels is None else (pixels, labels)

        def make(batch: LabelledPixels) -> Made:
            # Of the classes of the batch: what is real and what is made differ in nothing else.
            z = self._latents(len(batch), batch.labels, rng)
            return Made(shown(self.generator(z), batch.labels))

        game = Game(
            self.generator,
            self.discriminator,
            self.config.game,
            real=lambda batch: shown(batch.pixels, batch.labels),
            make=make,
            rng=rng,
        )
        return game.objectives()

    def sample_latent(
        self, n: int, *, rng: torch.Generator | None = None
    ) -> Float[Tensor, "n latent"]:
        """Draw noise from N(0, I), and classes, all alike."""
        return self._latents(n, labels_to_draw(n, None, self.config.classes, rng=rng), rng)

    def sample(
        self,
        n: int,
        labels: Sequence[int] | Tensor | None = None,
        *,
        rng: torch.Generator | None = None,
    ) -> Images:
        """Draw images.

        Args:
            n: Number of images.
            labels: Of a conditional model, one an image; None: drawn, all classes alike.
            rng: Random stream.

        Raises:
            ValueError: None to draw, labels of no class or of another number, or a model that is
                not conditional.
        """
        if n < 1:
            raise ValueError(f"the number of samples must be at least 1; got {n}")
        drawn = labels_to_draw(n, labels, self.config.classes, rng=rng)
        return self.decode(self._latents(n, drawn, rng))

    @property
    def choices(self) -> slice:
        """Where a latent has the weights of the classes."""
        return slice(self.config.noise_dim, self.latent_dim)

    def generate(self, z: Float[Tensor, "n latent"]) -> Float[Tensor, "n c h w"]:
        """Pixels of latents, with gradients."""
        pixels: Tensor = self.generator(z)
        return pixels

    def targets(self, shapes: Any) -> Float[Tensor, "n c h w"]:
        """Pixels; labels are not looked at.

        Raises:
            TypeError: No images.
            ValueError: None, or of another size.
        """
        return checked_pixels(shapes, self.config.channels, self.config.size)

    @torch.no_grad()
    def decode(
        self, z: Float[Tensor, "n latent"], *, rng: torch.Generator | None = None
    ) -> Images:
        """Images of latents; where there are classes, the label is the one of most weight.

        Raises:
            ValueError: Latents of another shape, or not finite.
        """
        pixels = made_pixels(self, self.generate, z, self.latent_dim)
        if not self.config.classes:
            return Images(pixels)
        return Images(pixels, z[:, self.config.noise_dim :].argmax(1).cpu())

    def _latents(self, n: int, labels: Tensor | None, rng: torch.Generator | None) -> Tensor:
        noise = drawn_noise(self, n, self.config.noise_dim, rng)
        if labels is None:
            return noise
        return torch.cat([noise, one_hot(labels, self.config.classes).to(noise)], 1)
