"""A GAN of points in the plane: small enough to watch what its game does.

Reference: Goodfellow et al., *Generative Adversarial Nets*, 2014, https://arxiv.org/abs/1406.2661.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from shapegen.base import LatentModel
from shapegen.core.game import Game, GameOptions, Made
from shapegen.core.nets import Activation, mlp
from shapegen.core.noise import standard_normal
from shapegen.core.objective import Objective


@dataclass(frozen=True)
class PlaneGANConfig:
    """Options of :class:`PlaneGAN`."""

    latent_dim: int = 2
    hidden: tuple[int, ...] = (128, 128, 128)
    """Widths of the hidden layers of both networks."""
    activation: Activation = "relu"
    scale: float = 0.5
    """The networks see points multiplied by this; penalties are in these units."""
    game: GameOptions = field(default_factory=GameOptions)

    def __post_init__(self) -> None:
        if self.latent_dim < 1:
            raise ValueError(f"latent_dim must be at least 1; got {self.latent_dim}")
        if not self.hidden or min(self.hidden) < 1:
            raise ValueError(f"hidden must be widths of at least 1; got {list(self.hidden)}")
        if not self.scale > 0:
            raise ValueError(f"scale must be above 0; got {self.scale}")


class PlaneGAN(LatentModel):
    """Perceptrons from noise to points, and from points to a logit.

    Args:
        config: Sizes and the game.
    """

    name: ClassVar[str] = "planegan"
    config: PlaneGANConfig

    def __init__(self, config: PlaneGANConfig) -> None:
        super().__init__()
        self.config = config
        self.generator = mlp([config.latent_dim, *config.hidden, 2], config.activation)
        self.discriminator = mlp([2 * config.game.pack, *config.hidden, 1], config.activation)

    @property
    def latent_dim(self) -> int:
        """Length of the noise."""
        return self.config.latent_dim

    def prepare(self, shapes: Any) -> Float[Tensor, "n 2"]:
        """Points ``(n, 2)`` as the networks see them.

        Raises:
            ValueError: Of another shape, none, or not finite.
        """
        points = torch.as_tensor(shapes, dtype=torch.float32)
        if points.ndim != 2 or points.shape[1] != 2 or not len(points):
            raise ValueError(f"points of the plane must be (n, 2); got {tuple(points.shape)}")
        if not points.isfinite().all():
            raise ValueError("points of the plane must be finite; got NaN or infinity")
        return points * self.config.scale

    def objectives(self, *, rng: torch.Generator | None = None) -> tuple[Objective, ...]:
        """The discriminator's and the generator's."""

        def make(batch: Tensor) -> Made:
            return Made((self.generator(self._noise(len(batch), rng)),))

        game = Game(
            self.generator,
            self.discriminator,
            self.config.game,
            real=lambda batch: (batch,),
            make=make,
            rng=rng,
        )
        return game.objectives()

    def sample_latent(
        self, n: int, *, rng: torch.Generator | None = None
    ) -> Float[Tensor, "n latent"]:
        """Draw from N(0, I)."""
        return self._noise(n, rng)

    @torch.no_grad()
    def decode(
        self, z: Float[Tensor, "n latent"], *, rng: torch.Generator | None = None
    ) -> Float[Tensor, "n 2"]:
        """Points of noise."""
        points: Tensor = self.generator(z)
        return points / self.config.scale

    def _noise(self, n: int, rng: torch.Generator | None) -> Tensor:
        like = next(self.parameters())
        return standard_normal((n, self.latent_dim), like=like, rng=rng)
