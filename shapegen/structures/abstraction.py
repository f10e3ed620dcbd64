"""Hierarchies from point clouds and depth maps, through the latent of a StructureNet.

Reference: Mo et al., *StructureNet*, 2019, section 5.5 (shape abstraction): a second encoder
is trained against the codes of the first, which is frozen.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal, NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from shapegen.base import Autoencoder
from shapegen.config import expand
from shapegen.core.batch_norm import RowNorm, measure_norms
from shapegen.core.gaussian import DiagGaussian
from shapegen.core.noise import standard_normal
from shapegen.core.objective import Objective
from shapegen.core.pointnet import PointNet
from shapegen.model_files import read_model
from shapegen.structures.depth_map import SIZE, depth_map
from shapegen.structures.part_tree import PartTree, PartTrees
from shapegen.structures.pretrained import take_weights
from shapegen.structures.structurenet import StructureNet, StructureNetConfig
from shapegen.structures.surface import sample_union

POOL_POINTS = 8192
"""Surface points that are drawn once a shape; a batch takes some of them."""
_ENCODE_BATCH = 128


@dataclass(frozen=True)
class AbstractionConfig:
    """Options of :class:`Abstraction`."""

    structure: StructureNetConfig | None = None
    """The model whose latent is aimed at; read from ``structure_weights`` if that is given."""
    structure_weights: str = ""
    """A trained StructureNet: a shipped name, a run's folder or a file, with ``${NAME}`` for
    environment variables. Its weights are taken over before training; afterwards they lie in
    this model's own file."""
    source: Literal["points", "depth"] = "points"
    """What shapes are seen as: points on the surface, or a depth map (:mod:`.depth_map`)."""
    points: int = 2048
    """Points of a cloud in training; any number can be encoded."""
    noise: float = 0.005
    """Standard deviation of the points' noise in training, in the data's unit."""
    hidden_dim: int = 512
    image_channels: int = 32
    """Of the first of four convolutions; each following one has twice as many."""

    def __post_init__(self) -> None:
        if self.structure is None:
            aim = self.structure_weights
            found = (
                read_model(expand(aim), expect=StructureNet.name).config
                if aim
                else StructureNetConfig()
            )
            object.__setattr__(self, "structure", found)
        for name in ("points", "hidden_dim", "image_channels"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1; got {getattr(self, name)}")


class Views(NamedTuple):
    """A batch: what is seen of shapes, and the codes to find."""

    seen: Tensor
    """``(n, points, 3)`` or ``(n, 1, size, size)``."""
    mean: Float[Tensor, "n latent"]
    logvar: Float[Tensor, "n latent"]

    def to(self, device: torch.device | str) -> Views:
        """Copy to a device."""
        return Views(*(values.to(device) for values in self))


class ViewData:
    """What is seen of all shapes of a data set, with the posteriors of their codes."""

    def __init__(self, seen: Tensor, codes: DiagGaussian) -> None:
        self.seen, self.codes = seen, codes

    def __len__(self) -> int:
        return len(self.seen)

    def __getitem__(self, indices: Tensor) -> Views:
        return Views(self.seen[indices], self.codes.mean[indices], self.codes.logvar[indices])


class Abstraction(Autoencoder):
    """A frozen StructureNet, and an encoder into its latent from another kind of data.

    ``encode`` and ``reconstruct`` take point clouds or depth maps; the latter gives part trees.
    The model to aim at is ``model.structure``.

    Args:
        config: Options.
    """

    name: ClassVar[str] = "abstraction"
    config: AbstractionConfig

    def __init__(self, config: AbstractionConfig) -> None:
        super().__init__()
        self.config = config
        assert config.structure is not None
        self.structure = StructureNet(config.structure).requires_grad_(False)
        self.encoder = (
            _PointEncoder(config, self.latent_dim)
            if config.source == "points"
            else _DepthEncoder(config, self.latent_dim)
        )

    @property
    def latent_dim(self) -> int:
        """Length of a latent vector."""
        return self.structure.latent_dim

    def initialise(self, *, resumed: bool) -> None:
        """Take over the weights of the StructureNet that the config names, if it names one.

        Args:
            resumed: The weights come with the state of a run: only forget the name.

        Raises:
            ValueError: There is no such model, or the config is of another.
        """
        if self.config.structure_weights and not resumed:
            take_weights(self.structure, self.config.structure_weights)
        self.config = replace(self.config, structure_weights="")

    def prepare(self, shapes: Sequence[PartTree]) -> ViewData:
        """Look at part trees, and find their codes by the frozen encoder."""
        codes = self.structure.posteriors(self.structure.prepare(shapes))
        trees = [tree.facing("+z") for tree in shapes]
        if self.config.source == "depth":
            seen = torch.from_numpy(np.stack([depth_map(tree.boxes()) for tree in trees]))
            seen = seen[:, None]
        else:
            rng = torch.Generator().manual_seed(0)
            clouds = [sample_union(tree.boxes(), POOL_POINTS, rng=rng) for tree in trees]
            seen = torch.from_numpy(np.stack(clouds).astype(np.float32))
        return ViewData(seen, DiagGaussian(codes.mean.cpu(), codes.logvar.cpu()))

    def objectives(self, *, rng: torch.Generator | None = None) -> tuple[Objective, ...]:
        """Regression of the codes, in units of their posteriors' standard deviations."""

        def loss(batch: Views, step: int) -> tuple[Tensor, dict[str, Tensor]]:
            codes = self.encoder(self._drawn(batch.seen, rng))
            posterior = DiagGaussian(batch.mean, batch.logvar)
            scaled = posterior.mahalanobis(codes) / self.latent_dim
            # Large errors count by their size, not its square: they are of shapes that what is
            # seen does not tell apart.
            value = torch.sqrt(1 + scaled).mean()
            return value, {"code": value.detach()}

        return (Objective("regression", self.encoder, loss),)

    def _drawn(self, seen: Tensor, rng: torch.Generator | None) -> Tensor:
        """What the encoder is trained on: depth maps, or some of the points, with noise."""
        if self.config.source == "depth":
            return seen
        chosen = torch.randint(seen.shape[1], (self.config.points,), generator=rng)
        seen = seen[:, chosen.to(seen.device)]
        return seen + self.config.noise * standard_normal(seen.shape, like=seen, rng=rng)

    def calibrate(self, prepared: ViewData, *, rng: torch.Generator | None = None) -> None:
        """Measure the encoder's batch norms."""
        like = next(self.encoder.parameters())

        def show(indices: Tensor) -> object:
            return self.encoder(self._drawn(prepared.seen[indices].to(like), rng))

        measure_norms(self.encoder, len(prepared), show, rng=rng)

    @torch.no_grad()
    def encode(self, seen: Any) -> Float[Tensor, "n latent"]:
        """Codes of point clouds ``(n, points, 3)`` or of depth maps ``(n, 1, 64, 64)``.

        Raises:
            ValueError: Another shape, or not finite.
        """
        values = torch.as_tensor(np.asarray(seen) if not isinstance(seen, Tensor) else seen)
        wanted = (None, None, 3) if self.config.source == "points" else (None, 1, SIZE, SIZE)
        fits = values.ndim == len(wanted) and all(
            size is None or size == own for size, own in zip(wanted, values.shape, strict=True)
        )
        if not fits or not values.numel():
            what = (
                "(n, points, 3)" if self.config.source == "points" else f"(n, 1, {SIZE}, {SIZE})"
            )
            raise ValueError(f"{self.config.source} must be {what}; got {tuple(values.shape)}")
        if not bool(torch.isfinite(values).all()):
            raise ValueError(f"{self.config.source} must be finite; got NaN or infinity")
        like = next(self.encoder.parameters())
        return torch.cat([self.encoder(part.to(like)) for part in values.split(_ENCODE_BATCH)])

    def sample_latent(
        self, n: int, *, rng: torch.Generator | None = None
    ) -> Float[Tensor, "n latent"]:
        """Draw codes from the frozen model's prior."""
        return self.structure.sample_latent(n, rng=rng)

    def decode(
        self, z: Float[Tensor, "n latent"], *, rng: torch.Generator | None = None
    ) -> PartTrees:
        """Decode codes by the frozen model."""
        return self.structure.decode(z, rng=rng)


class _PointEncoder(nn.Module):
    def __init__(self, config: AbstractionConfig, latent_dim: int) -> None:
        super().__init__()
        width = config.hidden_dim
        self.points = PointNet((3, 64, 128, width))
        self.head = _head(width, width, latent_dim)

    def forward(self, points: Float[Tensor, "n points 3"]) -> Float[Tensor, "n latent"]:
        result: Tensor = self.head(self.points(points))
        return result


class _DepthEncoder(nn.Module):
    def __init__(self, config: AbstractionConfig, latent_dim: int) -> None:
        super().__init__()
        widths = [1] + [config.image_channels * 2**level for level in range(4)]
        layers: list[nn.Module] = []
        for width, following in itertools.pairwise(widths):
            layers += [
                nn.Conv2d(width, following, 3, stride=2, padding=1),
                nn.BatchNorm2d(following),
                nn.ReLU(),
            ]
        self.image = nn.Sequential(*layers, nn.Flatten())
        self.head = _head(widths[-1] * (SIZE // 16) ** 2, config.hidden_dim, latent_dim)

    def forward(self, depth: Float[Tensor, "n 1 size size"]) -> Float[Tensor, "n latent"]:
        result: Tensor = self.head(self.image(depth))
        return result


def _head(width: int, hidden: int, latent_dim: int) -> nn.Module:
    return nn.Sequential(
        nn.Linear(width, hidden), RowNorm(hidden), nn.ReLU(), nn.Linear(hidden, latent_dim)
    )
