"""BEGAN: the discriminator is an autoencoder, and a balance keeps its errors in proportion.

Reference: Berthelot, Schumm and Metz, *BEGAN: Boundary Equilibrium Generative Adversarial
Networks*, 2017, https://arxiv.org/abs/1703.10717.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from shapegen.base import LatentModel
from shapegen.core.began import Equilibrium
from shapegen.core.gan_nets import GanNetwork, gan_features, gan_generator
from shapegen.core.objective import Objective
from shapegen.images.gan_frame import check_networks, drawn_noise, made_pixels
from shapegen.images.images import Images
from shapegen.images.validity import checked_pixels

Terms = dict[str, Tensor]


@dataclass(frozen=True)
class BEGANConfig:
    """Options of :class:`BEGAN`."""

    channels: int = 1
    size: tuple[int, int] = (28, 28)
    """Height and width of an image."""
    noise_dim: int = 64
    code_dim: int = 64
    """Length of the discriminator's code."""
    network: GanNetwork = "resnet"
    """Kind of the generator, and of the discriminator's two halves."""
    hidden: tuple[int, ...] = (32, 64)
    """Channels at half the size, at a quarter, and so on; widths of an ``mlp`` from the image's
    end."""
    diversity: float = 0.5
    """Error of samples as a share of that of data, in balance (gamma): small for likeness, large
    for variety."""
    balance_rate: float = 1e-3
    """Of the balance's own steps (lambda)."""

    def __post_init__(self) -> None:
        lengths = {"noise_dim": self.noise_dim, "code_dim": self.code_dim}
        check_networks(self.channels, self.size, self.hidden, **lengths)
        Equilibrium(self.diversity, self.balance_rate)


class BEGAN(LatentModel):
    """A generator, and an autoencoder that is to bring back data better than what is generated.

    Args:
        config: Sizes and the balance.
    """

    name: ClassVar[str] = "began"
    config: BEGANConfig

    def __init__(self, config: BEGANConfig) -> None:
        super().__init__()
        self.config = config
        kind, size, widths = config.network, config.size, config.hidden
        self.generator = gan_generator(kind, config.noise_dim, size, widths, config.channels)
        features, length = gan_features(kind, config.channels, size, widths)
        self.discriminator = nn.Sequential(
            features,
            nn.Linear(length, config.code_dim),
            gan_generator(kind, config.code_dim, size, widths, config.channels),
        )
        self.balance = Equilibrium(config.diversity, config.balance_rate)

    @property
    def latent_dim(self) -> int:
        """Length of the noise."""
        return self.config.noise_dim

    def prepare(self, shapes: Any) -> Float[Tensor, "n c h w"]:
        """Pixels; labels are not looked at.

        Raises:
            TypeError: No images.
            ValueError: None, or of another size.
        """
        return checked_pixels(shapes, self.config.channels, self.config.size)

    def errors(self, pixels: Float[Tensor, "n c h w"]) -> Float[Tensor, "n"]:
        """How badly the discriminator brings images back: mean absolute differences of pixels."""
        differences: Tensor = (self.discriminator(pixels) - pixels).abs()
        return differences.flatten(1).mean(1)

    def objectives(self, *, rng: torch.Generator | None = None) -> tuple[Objective, ...]:
        """The discriminator's and the generator's."""

        def make(batch: Tensor) -> Tensor:
            pixels: Tensor = self.generator(self.sample_latent(len(batch), rng=rng))
            return pixels

        def judge(batch: Tensor, step: int) -> tuple[Tensor, Terms]:
            with torch.no_grad():
                made = make(batch)
            return self.judged(batch, made)

        def fool(batch: Tensor, step: int) -> tuple[Tensor, Terms]:
            return self.errors(make(batch)).mean(), {}

        return (
            Objective("discriminator", self.discriminator, judge),
            Objective("generator", self.generator, fool),
        )

    def judged(
        self, real: Float[Tensor, "n c h w"], fake: Float[Tensor, "m c h w"]
    ) -> tuple[Float[Tensor, ""], Terms]:
        """The discriminator's loss; in training the balance then takes its step.

        Args:
            real: Data.
            fake: What was generated.

        Returns:
            The loss, and ``real_error``, ``fake_error``, the balance ``k`` of the loss, and
            ``convergence`` (the paper's M), which falls as samples get better.
        """
        on_real, on_fake = self.errors(real), self.errors(fake)
        loss = self.balance.discriminator_loss(on_real, on_fake)
        terms = {
            "real_error": on_real.detach().mean(),
            "fake_error": on_fake.detach().mean(),
            "k": self.balance.k.clone(),
            "convergence": self.balance.convergence(on_real, on_fake).detach(),
        }
        if self.training:
            self.balance.step(on_real, on_fake)
        return loss, terms

    def sample_latent(
        self, n: int, *, rng: torch.Generator | None = None
    ) -> Float[Tensor, "n latent"]:
        """Draw noise from N(0, I)."""
        return drawn_noise(self, n, self.latent_dim, rng)

    @torch.no_grad()
    def decode(
        self, z: Float[Tensor, "n latent"], *, rng: torch.Generator | None = None
    ) -> Images:
        """Images of latents.

        Raises:
            ValueError: Latents of another shape, or not finite.
        """
        return Images(made_pixels(self, self.generator, z, self.latent_dim))
