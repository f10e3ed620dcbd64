"""StructureNet: a variational autoencoder of part hierarchies with relations among siblings.

Reference: Mo, Guerrero, Yi, Su, Wonka, Mitra and Guibas, *StructureNet: Hierarchical Graph
Networks for 3D Shape Generation*, SIGGRAPH Asia 2019, https://arxiv.org/abs/1908.00575.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from shapegen.base import Autoencoder
from shapegen.core import boxes as box_algebra
from shapegen.core.gaussian import DiagGaussian
from shapegen.core.latent import check_codes
from shapegen.core.mixture import GaussianMixture
from shapegen.core.noise import standard_normal
from shapegen.core.objective import Objective
from shapegen.structures.part_clouds import with_points
from shapegen.structures.part_tree import PartTree, PartTrees, trees_facing
from shapegen.structures.pretrained import take_weights
from shapegen.structures.projection import refine_relations
from shapegen.structures.stretching import stretched
from shapegen.structures.structurenet_boxes import BoxHead
from shapegen.structures.structurenet_config import LossWeights as LossWeights
from shapegen.structures.structurenet_config import StructureNetConfig as StructureNetConfig
from shapegen.structures.structurenet_decoder import StructureDecoder
from shapegen.structures.structurenet_decoding import (
    DecodedStructures,
    LabelTable,
    StructureLimits,
    decode_free,
)
from shapegen.structures.structurenet_encoder import StructureEncoder
from shapegen.structures.structurenet_head import NodeHead
from shapegen.structures.structurenet_losses import hierarchy_losses
from shapegen.structures.structurenet_matching import Matched, match
from shapegen.structures.structurenet_points import PointHead
from shapegen.structures.structurenet_walks import structure_walk
from shapegen.structures.tree_batch import KIND_NUMBER, TreeBatch, TreeData

ENCODE_BATCH = 256


class StructureNet(Autoencoder):
    """Autoencoder whose encoder folds, and whose decoder unfolds, a hierarchy of related parts.

    Args:
        config: Sizes, losses and options.
    """

    name: ClassVar[str] = "structurenet"
    config: StructureNetConfig
    kind_number: Tensor
    """Position in ``config.edge_kinds`` of every kind of :data:`KIND_NUMBER`."""
    head: NodeHead
    """What a part is: a box, or with ``config.geometry`` a point cloud."""

    def __init__(self, config: StructureNetConfig) -> None:
        super().__init__()
        self.config = config
        self.table = LabelTable(config.labels)
        self.head = _head(config)
        shared: dict[str, Any] = {
            "num_labels": len(self.table),
            "num_kinds": len(config.edge_kinds),
            "edge_pool": config.edge_pool,
            "activation": config.activation,
        }
        self.encoder = StructureEncoder(
            config.feature_dim,
            config.hidden_dim,
            part=self.head.encoder,
            passes=config.encoder_passes,
            node_pool=config.node_pool,
            **shared,
        )
        self.decoder = StructureDecoder(
            config.feature_dim,
            config.hidden_dim,
            passes=config.decoder_passes,
            slots=config.max_children,
            part=self.head.decoder,
            context=config.context,
            num_roots=len(self.table.roots),
            **shared,
        )
        self.mixture = (
            GaussianMixture(
                config.components,
                config.feature_dim,
                rank=min(config.prior_rank, config.feature_dim),
            )
            if config.prior == "mixture"
            else None
        )
        order = [
            config.edge_kinds.index(kind) if kind in config.edge_kinds else -1
            for kind in KIND_NUMBER
        ]
        self.register_buffer("kind_number", torch.tensor(order), persistent=False)

    @property
    def latent_dim(self) -> int:
        """Length of a latent vector."""
        return self.config.feature_dim

    @property
    def _official(self) -> bool:
        return self.config.compat == "official"

    def prepare(self, shapes: Sequence[PartTree]) -> TreeData:
        """Lay part trees out flat, facing +z.

        With ``config.geometry`` parts have the points that the shapes carry, or else points of
        their surface.

        Raises:
            TypeError: Shapes that are no part trees.
            ValueError: No shapes, more children than the decoder has slots, a label or a kind of
                relation that the model does not know, or too few points.
        """
        trees = trees_facing("+z", shapes)
        for tree in trees:
            self._check(tree)
        if not self._official:
            trees = [replace(tree, box=box_algebra.canonicalised(tree.box)) for tree in trees]
        geometry = self.config.geometry
        if geometry is not None:
            rng = torch.Generator().manual_seed(0)
            trees = with_points(trees, geometry.part.points, rng=rng)
        return TreeData(trees, vocabulary=self.table.vocabulary, points=geometry is not None)

    def _check(self, tree: PartTree) -> None:
        most = max(map(len, tree.children))
        if most > self.config.max_children:
            raise ValueError(
                f"shape {tree.name!r} has a part with {most} children; "
                f"the model has {self.config.max_children} slots"
            )
        unknown = {edge.kind for edge in tree.edges} - set(self.config.edge_kinds)
        if unknown:
            raise ValueError(
                f"shape {tree.name!r} has a relation {min(unknown)}; the model knows "
                f"{[str(kind) for kind in self.config.edge_kinds]}"
            )

    def objectives(self, *, rng: torch.Generator | None = None) -> tuple[Objective, ...]:
        """The evidence lower bound, weighted as the config says (means over the shapes)."""

        def loss(batch: TreeBatch, step: int) -> tuple[Tensor, dict[str, Tensor]]:
            if self.config.augment:
                batch = stretched(batch, self.config.augment, rng=rng)
            posterior = self.posterior(batch)
            if self.config.variational:
                terms = self.losses(batch, posterior.rsample(rng=rng))
                terms["kl"] = self.config.weights.kl * posterior.kl_standard()
            else:
                terms = self.losses(batch, posterior.mean)
            means = {name: term.mean() for name, term in terms.items()}
            logged = {name: mean.detach() for name, mean in means.items()}
            return torch.stack(list(means.values())).sum(), logged

        return (Objective("vae" if self.config.variational else "ae", self, loss),)

    def posterior(self, batch: TreeBatch) -> DiagGaussian:
        """The encoder's Gaussians over the codes."""
        found: DiagGaussian = self.encoder(
            batch, self.head.rows(batch), batch.label + 1, self.kind_number[batch.edge_kind]
        )
        return found

    def match(self, batch: TreeBatch, z: Float[Tensor, "shapes latent"]) -> Matched:
        """Decode along the true hierarchies (teacher forcing)."""
        rows = self.head.rows(batch)
        return match(
            self.decoder,
            z,
            batch,
            batch.label + 1,
            lambda slots, siblings: self.head.costs(slots, rows, batch, siblings),
            label_weight=self.config.match_labels,
            exists_weight=self.config.match_exists,
        )

    def raw_losses(
        self, batch: TreeBatch, z: Float[Tensor, "shapes latent"]
    ) -> dict[str, Float[Tensor, "shapes"]]:
        """Teacher-forced reconstruction losses of every shape, unweighted.

        Reference: Mo et al., section 4.2.
        """
        found = self.match(batch, z)
        hierarchy = hierarchy_losses(
            found,
            batch,
            batch.label + 1,
            self.kind_number[batch.edge_kind],
            roots=self.table.roots.to(z.device),
        )
        with torch.autocast(z.device.type, enabled=False):
            parts = self.head.part_losses(found, self.head.rows(batch), batch)
            relations = self.head.relation_losses(found, batch)
        return parts | hierarchy | relations

    def losses(
        self, batch: TreeBatch, z: Float[Tensor, "shapes latent"]
    ) -> dict[str, Float[Tensor, "shapes"]]:
        """Teacher-forced reconstruction losses of every shape, weighted as the config says."""
        weights = vars(self.config.weights) | dict(self.head.loss_weights)
        return {name: weights[name] * v for name, v in self.raw_losses(batch, z).items()}

    def encode(self, shapes: Sequence[PartTree]) -> Float[Tensor, "shapes latent"]:
        """Codes of part trees: posterior means."""
        return self.posteriors(self.prepare(shapes)).mean

    @torch.no_grad()
    def posteriors(self, prepared: TreeData) -> DiagGaussian:
        """The encoder's Gaussians over the codes of prepared shapes."""
        found = [
            self.posterior(prepared[rows].to(self._device))
            for rows in torch.arange(len(prepared)).split(ENCODE_BATCH)
        ]
        return DiagGaussian(
            torch.cat([q.mean for q in found]), torch.cat([q.logvar for q in found])
        )

    def sample_latent(
        self, n: int, *, rng: torch.Generator | None = None
    ) -> Float[Tensor, "n latent"]:
        """Draw codes from the config's prior."""
        if self.mixture is not None:
            return self.mixture.sample(n, temperature=self.config.temperature, rng=rng)
        like = self.decoder.child_decoder.mlp_sem.weight
        noise = standard_normal((n, self.latent_dim), like=like, rng=rng)
        return self.config.temperature * noise

    def initialise(self, *, resumed: bool) -> None:
        """Take over the weights of the trained part autoencoder that ``geometry`` names.

        Args:
            resumed: The weights come with the state of a run.

        Raises:
            ValueError: ``geometry`` names none, or as
                :func:`~shapegen.structures.pretrained.take_weights`.
        """
        if isinstance(self.head, PointHead) and not resumed:
            path = self.head.config.part_weights
            if path is None:
                raise ValueError(
                    "geometry.part_weights is due: the checkpoint of a trained partgeometry"
                )
            take_weights(self.head.geometry, path)

    def calibrate(self, prepared: TreeData, *, rng: torch.Generator | None = None) -> None:
        """Fit the mixture prior to the codes of the training data."""
        if self.mixture is not None:
            self.mixture.fit(self.posteriors(prepared).mean, rng=rng)

    def decode_structures(
        self, z: Float[Tensor, "shapes latent"], *, limits: StructureLimits | None = None
    ) -> DecodedStructures:
        """Decode codes greedily, all of them level by level.

        Args:
            z: Codes.
            limits: Where to stop; the config's by default.

        Raises:
            ValueError: ``z`` is not ``(n, latent_dim)`` or not finite.
        """
        check_codes(z, self.latent_dim)
        return decode_free(
            self.decoder,
            self.head,
            z.to(self.decoder.child_decoder.mlp_sem.weight),
            self.table,
            self.config.edge_kinds,
            limits or self.config.limits,
            directed=self._official,
        )

    def decode(
        self, z: Float[Tensor, "shapes latent"], *, rng: torch.Generator | None = None
    ) -> PartTrees:
        """Decode codes to part trees (the decoder does not draw)."""
        return self.part_trees(self.decode_structures(z))

    def sketch(
        self, z: Float[Tensor, "shapes latent"], *, rng: torch.Generator | None = None
    ) -> PartTrees:
        """Decode codes to part trees whose relations hold only as well as they were decoded."""
        return self.decode_structures(z).part_trees()

    def decode_walk(self, z: Tensor, *, rng: torch.Generator | None = None) -> PartTrees:
        """Decode the steps of a walk: parts keep their ids, and the structure of equal ends."""
        return structure_walk(self, z)

    def part_trees(self, decoded: DecodedStructures) -> PartTrees:
        """Decoded hierarchies as part trees; with ``project``, their relations hold."""
        trees = decoded.part_trees()
        return refine_relations(trees).trees if self.config.project else trees

    @property
    def _device(self) -> torch.device:
        return self.kind_number.device


def _head(config: StructureNetConfig) -> NodeHead:
    options: dict[str, Any] = {
        "bounded": config.bounded,
        "activation": config.activation,
        "official": config.compat == "official",
    }
    if config.geometry is not None:
        return PointHead(config.geometry, config.feature_dim, **options)
    return BoxHead(config.feature_dim, config.hidden_dim, **options)
