"""Parts of StructureNet as point clouds: their networks, costs and losses.

A part is a row of numbers: centre 3, scale 1, and the feature by which a trained and frozen
:class:`~shapegen.structures.part_geometry.PartGeometry` knows its points.

Reference: Mo et al., *StructureNet*, 2019, section 4, and the authors' code for the details.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from shapegen.core.point_sets import chamfer, chamfer_of_pairs
from shapegen.structures.part_clouds import UnitClouds
from shapegen.structures.part_geometry import PartGeometry, PartGeometryConfig
from shapegen.structures.point_relations import adjacency_loss, symmetry_loss
from shapegen.structures.principal_boxes import enclosing_boxes
from shapegen.structures.structurenet_head import NodeHead, Parts
from shapegen.structures.structurenet_layers import ACTIVATIONS, Activation
from shapegen.structures.structurenet_matching import Matched
from shapegen.structures.tree_batch import Siblings, TreeBatch

PLACE = 4
"""Numbers of a row before the feature: centre and scale."""


@dataclass(frozen=True)
class GeometryWeights:
    """Weights of the losses of parts; the defaults are the authors'."""

    latent: float = 20.0
    """Of the mean squared error of the feature."""
    geo: float = 2.0
    """Of half the chamfer distance."""
    centre: float = 20.0
    scale: float = 20.0
    unmatched: float = 1.0
    """Of the squared scale of a slot that no child was matched to, in units of ``geo``."""


@dataclass(frozen=True)
class GeometryConfig:
    """Parts as point clouds."""

    part: PartGeometryConfig = field(default_factory=PartGeometryConfig)
    """Sizes of the part autoencoder: those that it was trained with."""
    part_weights: str | None = None
    """Checkpoint, or folder of a run, of the trained part autoencoder. It is read when a training
    begins; from then on the weights are in the model's own file."""
    weights: GeometryWeights = field(default_factory=GeometryWeights)


class PointHead(NodeHead):
    """Parts are point clouds, described by a frozen part autoencoder.

    Args:
        config: Sizes and weights.
        feature_dim: Of the latents.
        bounded: Bound decoded centres to (-1, 1) and scales to (0, 1).
        activation: Of the layers.
        official: Estimate rotations as the authors' code does.
    """

    def __init__(
        self,
        config: GeometryConfig,
        feature_dim: int,
        *,
        bounded: bool,
        activation: Activation,
        official: bool,
    ) -> None:
        super().__init__()
        self.config, self.feature_dim = config, feature_dim
        self.bounded, self.activation, self.official = bounded, activation, official
        self.geometry = PartGeometry(config.part).requires_grad_(False).eval()

    @property
    def loss_weights(self) -> Mapping[str, float]:
        """Of latent, geo, centre and scale."""
        return vars(self.config.weights)

    def train(self, mode: bool = True) -> PointHead:
        """Stay in eval mode: the statistics of the frozen autoencoder must not move."""
        return super().train(False)

    def encoder(self) -> PartEncoder:
        """Features of parts."""
        return PartEncoder(
            self.config.part.feature_dim, self.feature_dim, activation=self.activation
        )

    def decoder(self) -> PartDecoder:
        """Parts of latents."""
        return PartDecoder(self.config.part.feature_dim, self.feature_dim, bounded=self.bounded)

    @torch.no_grad()
    def rows(self, batch: TreeBatch) -> Float[Tensor, "nodes row"]:
        """Centres, scales and features of the true points."""
        unit = UnitClouds.of(_points(batch))
        return torch.cat([unit.centre, unit.scale, self.geometry.features(unit.points)], dim=1)

    def points(self, rows: Float[Tensor, "n row"]) -> Float[Tensor, "n points 3"]:
        """The points that rows stand for."""
        unit = self.geometry.clouds(rows[:, PLACE:])
        return unit * rows[:, None, 3:PLACE] + rows[:, None, :3]

    @torch.no_grad()
    def costs(
        self,
        slots: Float[Tensor, "parents slots row"],
        rows: Float[Tensor, "nodes row"],
        batch: TreeBatch,
        siblings: Siblings,
    ) -> Float[Tensor, "children slots"]:
        """Half the chamfer distances of the points."""
        width = slots.shape[1]
        true = _points(batch)[siblings.rows]
        slot = torch.arange(width, device=slots.device)
        mine = (siblings.parent[:, None] * width + slot).view(-1)
        theirs = torch.arange(len(true), device=slots.device).repeat_interleave(width)
        found = chamfer_of_pairs(self.points(slots.flatten(0, 1)), true, mine, theirs)
        return 0.5 * found.view(-1, width)

    def part_losses(
        self, found: Matched, rows: Float[Tensor, "nodes row"], batch: TreeBatch
    ) -> dict[str, Float[Tensor, "shapes"]]:
        """``latent``, ``geo``, ``centre``, ``scale``.

        The large slots that nothing was matched to count in ``geo``.
        """
        squares = (found.parts - rows).square()
        geo = batch.total(0.5 * chamfer(self.points(found.parts), _points(batch)))
        unused = (1 - found.used) * found.slot_parts[:, :, 3].square()
        geo = geo + self.config.weights.unmatched * batch.total(unused.sum(1), found.parents)
        return {
            "latent": batch.total(squares[:, PLACE:].mean(1)),
            "geo": geo,
            "centre": batch.total(squares[:, :3].mean(1)),
            "scale": batch.total(squares[:, 3]),
        }

    def relation_losses(
        self, found: Matched, batch: TreeBatch
    ) -> dict[str, Float[Tensor, "shapes"]]:
        """``sym`` and ``adj`` of the predicted points."""
        points = self.points(found.parts)
        return {
            "sym": symmetry_loss(points, batch, official=self.official),
            "adj": adjacency_loss(points, batch),
        }

    def parts(self, rows: Float[Tensor, "n row"]) -> Parts:
        """The points, and boxes around them."""
        points = self.points(rows)
        return Parts(enclosing_boxes(points), points)


class PartEncoder(nn.Module):
    """Features of parts from their centre, scale and feature."""

    def __init__(self, part_dim: int, feature_dim: int, *, activation: Activation) -> None:
        super().__init__()
        self.activation = ACTIVATIONS[activation]
        self.mlp1 = nn.Linear(PLACE, part_dim)
        self.mlp2 = nn.Linear(2 * part_dim, feature_dim)

    def forward(self, rows: Float[Tensor, "n row"]) -> Float[Tensor, "n feature"]:
        """Two layers; the second knows the part's own feature."""
        place = self.activation(self.mlp1(rows[:, :PLACE]))
        return self.activation(self.mlp2(torch.cat([place, rows[:, PLACE:]], dim=1)))


class PartDecoder(nn.Module):
    """Parts from latents: centre, scale, feature."""

    def __init__(self, part_dim: int, feature_dim: int, *, bounded: bool) -> None:
        super().__init__()
        self.bounded = bounded
        self.out = nn.Linear(feature_dim, PLACE + part_dim)
        """Centre, scale and feature: three layers in the authors' code."""

    def forward(self, latents: Float[Tensor, "*n feature"]) -> Float[Tensor, "*n row"]:
        """Centres in (-1, 1) and scales in (0, 1) if bounded; in full precision, as places are."""
        out = self.out(latents).to(self.out.weight.dtype)
        centre, scale, feature = out.split([3, 1, out.shape[-1] - PLACE], dim=-1)
        if self.bounded:
            return torch.cat([torch.tanh(centre), torch.sigmoid(scale), feature], dim=-1)
        return torch.cat([centre, functional.softplus(scale), feature], dim=-1)


def _points(batch: TreeBatch) -> Float[Tensor, "nodes points 3"]:
    if batch.points is None:
        raise ValueError("the batch has no points of its parts: prepare the shapes with the model")
    return batch.points
