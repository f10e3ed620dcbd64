"""A variational autoencoder of single parts as point clouds, each in a frame of its own.

Reference: Mo et al., *StructureNet*, 2019, https://arxiv.org/abs/1908.00575, section 4.1: trained
first, then frozen, it is what the point cloud variant of StructureNet describes parts by.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from shapegen.base import Autoencoder
from shapegen.core.batch_norm import RowNorm, measure_norms
from shapegen.core.gaussian import DiagGaussian
from shapegen.core.latent import check_codes
from shapegen.core.noise import standard_normal
from shapegen.core.objective import Objective
from shapegen.core.point_sets import chamfer
from shapegen.core.pointnet import PointNet
from shapegen.structures.part_clouds import UnitClouds, with_points
from shapegen.structures.part_tree import PartTree, PartTrees, trees_facing
from shapegen.structures.principal_boxes import enclosing_boxes

_ENCODE_BATCH = 128
"""Parts at once where no gradient is needed."""


@dataclass(frozen=True)
class PartGeometryConfig:
    """Options of :class:`PartGeometry`; the defaults are the authors'."""

    points: int = 1000
    """Of a part."""
    feature_dim: int = 100
    """Length of the latent, of the encoder's last layer and of the decoder's hidden layers."""
    widths: tuple[int, ...] = (64, 128, 128)
    """Of the encoder's layers before the last."""
    variational: bool = True
    chamfer_weight: float = 1000.0
    """Of half the chamfer distance."""
    kl_weight: float = 0.02
    """Of the true KL divergence in nats. The paper's .01 multiplies twice the KL."""

    def __post_init__(self) -> None:
        for name in ("points", "feature_dim"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1; got {getattr(self, name)}")
        if any(width < 1 for width in self.widths):
            raise ValueError(f"widths must be at least 1; got {list(self.widths)}")


class PartGeometry(Autoencoder):
    """Autoencoder of parts whose points lie about the origin, within the unit ball.

    It is trained on all parts of the shapes, inner nodes included. To encode, a shape is one
    cloud, that of its root; what is decoded are shapes of one part.

    Args:
        config: Sizes and weights.
    """

    name: ClassVar[str] = "partgeometry"
    config: PartGeometryConfig

    def __init__(self, config: PartGeometryConfig) -> None:
        super().__init__()
        self.config = config
        width = config.feature_dim
        self.encoder = PointNet((3, *config.widths, width))
        self.mean = nn.Linear(width, width)
        self.logvar = nn.Linear(width, width)
        self.decoder = nn.Sequential(
            *(nn.Linear(width, width), RowNorm(width), nn.ReLU()),
            *(nn.Linear(width, width), RowNorm(width), nn.ReLU()),
            nn.Linear(width, 3 * config.points),
        )

    @property
    def latent_dim(self) -> int:
        """Length of a latent vector."""
        return self.config.feature_dim

    def prepare(self, shapes: Sequence[PartTree]) -> Float[Tensor, "parts points 3"]:
        """Unit clouds of all parts of all shapes: an epoch is of parts.

        Raises:
            ValueError: No shapes, or as :func:`~shapegen.structures.part_clouds.with_points`.
        """
        return torch.cat([UnitClouds.of(cloud).points for cloud in self._clouds(shapes)])

    def objectives(self, *, rng: torch.Generator | None = None) -> tuple[Objective, ...]:
        """Half the chamfer distance, and the divergence from N(0, I)."""

        def loss(
            batch: Float[Tensor, "n points 3"], step: int
        ) -> tuple[Tensor, dict[str, Tensor]]:
            config, posterior = self.config, self.posterior(batch)
            half = 0.5 * chamfer(self._shown(posterior, rng), batch).mean()
            terms = {"chamfer": config.chamfer_weight * half}
            if config.variational:
                terms["kl"] = config.kl_weight * posterior.kl_standard().mean()
            total = torch.stack(list(terms.values())).sum()
            return total, {name: term.detach() for name, term in terms.items()}

        return (Objective("vae" if self.config.variational else "ae", self, loss),)

    def _shown(self, posterior: DiagGaussian, rng: torch.Generator | None) -> Tensor:
        """What is decoded in training."""
        return self.clouds(
            posterior.rsample(rng=rng) if self.config.variational else posterior.mean
        )

    def calibrate(self, prepared: Tensor, *, rng: torch.Generator | None = None) -> None:
        """Measure the batch norms of encoder and decoder."""

        def show(indices: Tensor) -> object:
            return self._shown(self.posterior(prepared[indices].to(self.mean.weight)), rng)

        measure_norms(self, len(prepared), show, rng=rng)

    def posterior(self, points: Float[Tensor, "n points 3"]) -> DiagGaussian:
        """The encoder's Gaussians over the latents of unit clouds."""
        features = self.encoder(points)
        return DiagGaussian(self.mean(features), self.logvar(features))

    @torch.no_grad()
    def features(self, points: Float[Tensor, "n points 3"]) -> Float[Tensor, "n latent"]:
        """Latents of unit clouds: posterior means, without gradients."""
        means = [self.mean(self.encoder(part)) for part in points.split(_ENCODE_BATCH)]
        return torch.cat([points.new_empty(0, self.latent_dim), *means])

    def clouds(self, z: Float[Tensor, "n latent"]) -> Float[Tensor, "n points 3"]:
        """Unit clouds of latents."""
        result: Tensor = self.decoder(z).view(len(z), self.config.points, 3)
        return result

    def encode(self, shapes: Sequence[PartTree]) -> Float[Tensor, "n latent"]:
        """Latents of shapes, each taken as one cloud: posterior means."""
        roots = torch.stack([cloud[0] for cloud in self._clouds(shapes)])
        return self.features(UnitClouds.of(roots).points.to(self.mean.weight))

    def sample_latent(
        self, n: int, *, rng: torch.Generator | None = None
    ) -> Float[Tensor, "n latent"]:
        """Draw latents from N(0, I)."""
        return standard_normal((n, self.latent_dim), like=self.mean.weight, rng=rng)

    @torch.no_grad()
    def decode(
        self, z: Float[Tensor, "n latent"], *, rng: torch.Generator | None = None
    ) -> PartTrees:
        """Decode latents to shapes of one part, with its points (the decoder does not draw).

        Raises:
            ValueError: ``z`` is not ``(n, latent_dim)`` or not finite.
        """
        check_codes(z, self.latent_dim)
        points = self.clouds(z.to(self.mean.weight))
        boxes = enclosing_boxes(points).double().cpu().numpy()
        root: Any = [-1]
        return PartTrees(
            [
                PartTree(box[None], root, ("part",), part_points=cloud[None])
                for box, cloud in zip(boxes, points.cpu().numpy(), strict=True)
            ]
        )

    def _clouds(self, shapes: Sequence[PartTree]) -> list[Tensor]:
        """Points of all parts of every shape, in the frame of the data but facing +z."""
        rng = torch.Generator().manual_seed(0)
        turned = with_points(trees_facing("+z", shapes), self.config.points, rng=rng)
        return [torch.from_numpy(tree.part_points) for tree in turned]
