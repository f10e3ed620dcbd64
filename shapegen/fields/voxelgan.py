"""3D-GAN: a generative adversarial network of voxels, by convolutions in space.

Reference: Wu, Zhang, Xue, Freeman and Tenenbaum, *Learning a Probabilistic Latent Space of Object
Shapes via 3D Generative-Adversarial Modeling*, 2016, https://arxiv.org/abs/1610.07584.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from shapegen.base import LatentModel
from shapegen.core import latent as latent_walks
from shapegen.core.game import Game, GameOptions, Made
from shapegen.core.gan_nets import SLOPE
from shapegen.core.minibatch import MinibatchStddev
from shapegen.core.noise import standard_normal
from shapegen.core.objective import Objective
from shapegen.fields.voxel_surface import largest_piece
from shapegen.fields.voxels import Voxels

CHUNK = 64
"""Grids that are decoded at once."""


@dataclass(frozen=True)
class VoxelGANConfig:
    """Options of :class:`VoxelGAN`."""

    size: int = 32
    """Cells along each side of a grid; half as many after every one of ``hidden``."""
    extent: float = 1.0
    """Length of a grid's side in the unit of the data."""
    noise_dim: int = 64
    """Length of a latent."""
    hidden: tuple[int, ...] = (16, 32, 64, 128)
    """Channels at half the size, at a quarter, and so on, of both networks."""
    stddev: bool = False
    """Show the discriminator the spread of the batch."""
    threshold: float = 0.5
    """A cell is full where its occupancy is above this."""
    largest: bool = False
    """Keep of every sample its largest connected piece alone."""
    game: GameOptions = field(default_factory=lambda: GameOptions(r1=1.0, lazy=8))

    def __post_init__(self) -> None:
        for name in ("size", "noise_dim"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1; got {getattr(self, name)}")
        if not 0 < self.extent < float("inf"):
            raise ValueError(f"extent must be positive and finite; got {self.extent}")
        if not 0 < self.threshold < 1:
            raise ValueError(f"threshold must be between 0 and 1; got {self.threshold}")
        if not self.hidden or min(self.hidden) < 1:
            raise ValueError(f"hidden must be widths of at least 1; got {list(self.hidden)}")
        if self.size % 2 ** len(self.hidden):
            raise ValueError(
                f"size must be a multiple of {2 ** len(self.hidden)}, as it is halved "
                f"{len(self.hidden)} times (hidden); got {self.size}"
            )


class VoxelGenerator(nn.Module):
    """Grids of rows: transposed convolutions that double, batch norm and rectifier after each.

    Args:
        features: Length of a row.
        size: Cells along a side.
        widths: Channels at half the size, at a quarter, and so on.
    """

    def __init__(self, features: int, size: int, widths: Sequence[int]) -> None:
        super().__init__()
        self.smallest = size // 2 ** len(widths)
        self.width = widths[-1]
        self.first = nn.Linear(features, self.width * self.smallest**3, bias=False)
        layers: list[nn.Module] = [nn.BatchNorm3d(self.width), nn.ReLU()]
        for channels, following in itertools.pairwise(widths[::-1]):
            layers += [nn.ConvTranspose3d(channels, following, 4, stride=2, padding=1, bias=False)]
            layers += [nn.BatchNorm3d(following), nn.ReLU()]
        layers += [nn.ConvTranspose3d(widths[0], 1, 4, stride=2, padding=1), nn.Tanh()]
        self.layers = nn.Sequential(*layers)

    def forward(self, rows: Float[Tensor, "n features"]) -> Float[Tensor, "n 1 d h w"]:
        """One grid a row, from -1 (empty) to 1 (full)."""
        side = self.smallest
        grids: Tensor = self.layers(self.first(rows).view(-1, self.width, side, side, side))
        return grids


class VoxelDiscriminator(nn.Module):
    """Logits of grids; without batch norm, as penalties take a logit to be of its own grid alone.

    Args:
        size: Cells along a side.
        widths: Channels at half the size, at a quarter, and so on.
        channels: Of a grid, more than 1 where several are packed.
        stddev: Add the spread of the batch to the smallest grids.
    """

    def __init__(
        self, size: int, widths: Sequence[int], *, channels: int = 1, stddev: bool = False
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for width, following in itertools.pairwise([channels, *widths]):
            layers += [nn.Conv3d(width, following, 3, stride=2, padding=1), nn.LeakyReLU(SLOPE)]
        if stddev:
            layers.append(MinibatchStddev())
        cells = (size // 2 ** len(widths)) ** 3
        last = nn.Linear((widths[-1] + stddev) * cells, 1)
        self.layers = nn.Sequential(*layers, nn.Flatten(), last)

    def forward(self, grids: Float[Tensor, "n c d h w"]) -> Float[Tensor, "n"]:
        """Logits, above 0 for real."""
        logits: Tensor = self.layers(grids)
        return logits[:, 0].to(grids.dtype)


class VoxelGAN(LatentModel):
    """A generator of voxels from noise, and a discriminator.

    Args:
        config: Sizes and the game.
    """

    name: ClassVar[str] = "voxelgan"
    config: VoxelGANConfig

    def __init__(self, config: VoxelGANConfig) -> None:
        super().__init__()
        self.config = config
        self.generator = VoxelGenerator(config.noise_dim, config.size, config.hidden)
        self.discriminator = VoxelDiscriminator(
            config.size, config.hidden, channels=config.game.pack, stddev=config.stddev
        )

    @property
    def latent_dim(self) -> int:
        """Length of the noise."""
        return self.config.noise_dim

    def prepare(self, shapes: Any) -> Bool[Tensor, "n d h w"]:
        """Cells of grids; they are kept as single bytes, and are numbers in the batch alone.

        Raises:
            TypeError: No voxels.
            ValueError: None, or of another size or extent than the model's.
        """
        voxels, side = Voxels.of(shapes), self.config.size
        if not len(voxels):
            raise ValueError("at least one grid of voxels is needed; got none")
        if tuple(voxels.occupancy.shape[1:]) != (side, side, side):
            got = " x ".join(map(str, voxels.occupancy.shape[1:]))
            raise ValueError(f"the model is of {side} x {side} x {side} cells; got {got}")
        if abs(voxels.extent - self.config.extent) > 1e-6 * self.config.extent:
            raise ValueError(
                f"the model is of grids with extent {self.config.extent:g}; got {voxels.extent:g}"
            )
        return voxels.occupancy

    def objectives(self, *, rng: torch.Generator | None = None) -> tuple[Objective, ...]:
        """The discriminator's and the generator's."""

        def real(batch: Tensor) -> tuple[Tensor]:
            return (2 * batch[:, None].to(next(self.parameters())) - 1,)

        def make(batch: Tensor) -> Made:
            return Made((self.generator(self.sample_latent(len(batch), rng=rng)),))

        game = Game(
            self.generator, self.discriminator, self.config.game, real=real, make=make, rng=rng
        )
        return game.objectives()

    def sample_latent(
        self, n: int, *, rng: torch.Generator | None = None
    ) -> Float[Tensor, "n latent"]:
        """Draw from N(0, I)."""
        return standard_normal((n, self.latent_dim), like=next(self.parameters()), rng=rng)

    @torch.no_grad()
    def occupancy(self, z: Float[Tensor, "n latent"]) -> Float[Tensor, "n d h w"]:
        """How full the generator says that cells are, 0 to 1.

        Raises:
            ValueError: Latents of another shape, or not finite.
        """
        latent_walks.check_codes(z, self.latent_dim)
        place = next(self.parameters())
        grids = torch.cat([self.generator(part.to(place)) for part in z.split(CHUNK)])
        return (grids[:, 0] + 1) / 2

    def decode(
        self, z: Float[Tensor, "n latent"], *, rng: torch.Generator | None = None
    ) -> Voxels:
        """Voxels of latents: cells above the threshold, at least the fullest one of every grid.

        Raises:
            ValueError: Latents of another shape, or not finite.
        """
        found, threshold = self.occupancy(z).cpu(), self.config.threshold
        most = found.amax((1, 2, 3), keepdim=True)
        full = (found > threshold) | ((found == most) & (most <= threshold))
        if self.config.largest:
            full = torch.stack([torch.from_numpy(largest_piece(one.numpy())) for one in full])
        return Voxels(full, self.config.extent)
