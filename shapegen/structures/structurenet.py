"""StructureNet: a variational autoencoder of part hierarchies with relations among siblings.

Reference: Mo, Guerrero, Yi, Su, Wonka, Mitra and Guibas, *StructureNet: Hierarchical Graph
Networks for 3D Shape Generation*, SIGGRAPH Asia 2019, https://arxiv.org/abs/1908.00575.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from shapegen.base import Autoencoder
from shapegen.config import expand
from shapegen.core import boxes as box_algebra
from shapegen.core.gaussian import DiagGaussian
from shapegen.core.mixture import GaussianMixture
from shapegen.core.noise import standard_normal
from shapegen.core.objective import Objective
from shapegen.structures.part_tree import PartTree, PartTrees, RelationKind
from shapegen.structures.projection import refine_relations
from shapegen.structures.stretching import stretched
from shapegen.structures.structurenet_boxes import BoxHead
from shapegen.structures.structurenet_decoder import StructureDecoder
from shapegen.structures.structurenet_decoding import (
    DecodedStructures,
    LabelTable,
    StructureLimits,
    decode_free,
)
from shapegen.structures.structurenet_encoder import StructureEncoder
from shapegen.structures.structurenet_layers import Activation, Pooling
from shapegen.structures.structurenet_losses import hierarchy_losses
from shapegen.structures.structurenet_matching import Matched, match
from shapegen.structures.tree_batch import KIND_NUMBER, TreeBatch, TreeData
from shapegen.structures.vocabulary import read_vocabulary

ENCODE_BATCH = 256


@dataclass(frozen=True)
class LossWeights:
    """Weights of the losses; the defaults are the authors'."""

    box: float = 20.0
    anchor: float = 10.0
    leaf: float = 1.0
    exists: float = 1.0
    semantic: float = 0.1
    edge_exists: float = 1.0
    sym: float = 1.0
    adj: float = 1.0
    kl: float = 0.1
    """Of the true KL divergence in nats. The paper's .05 multiplies twice the KL."""


@dataclass(frozen=True)
class StructureNetConfig:
    """Options of :class:`StructureNet`. :meth:`official` gives the authors' setting."""

    compat: Literal["none", "official"] = "none"
    """``official``: rotations are estimated, and relations listed, as the authors' code does."""
    labels: tuple[str, ...] = ("shape", "shape/part")
    """Full part labels, parents before children; a label without a ``/`` is a category."""
    label_files: tuple[str, ...] = ()
    """StructureNet's ``part_semantics`` files to take the labels from, one a category; they are
    read once, and ``labels`` is what stays."""
    feature_dim: int = 256
    """Length of a node's feature and of the latent."""
    hidden_dim: int = 256
    max_children: int = 10
    """Slots of the decoder."""
    edge_kinds: tuple[RelationKind, ...] = (
        RelationKind.ADJ,
        RelationKind.ROT_SYM,
        RelationKind.TRANS_SYM,
        RelationKind.REF_SYM,
    )
    """Kinds of relations, in the order in which the networks count them."""
    node_pool: Pooling = "max"
    """How the encoder gathers children."""
    edge_pool: Pooling = "avg"
    """How messages are gathered, in the encoder and the decoder."""
    encoder_passes: int = 2
    """Rounds of messages among siblings."""
    decoder_passes: int = 2
    variational: bool = True
    """Draw codes from the posterior in training; otherwise a plain autoencoder."""
    activation: Activation = "gelu"
    context: bool = True
    """Tell every node of the decoder the root code, and its own label."""
    bounded: bool = False
    """Bound centres to (-1, 1) and lengths to (0, 2), as the authors do."""
    match_labels: float = 0.1
    """What a nat of a label's cross entropy adds to the box loss when slots are matched."""
    match_exists: float = 0.1
    """The same for a nat of the slot's existence."""
    augment: float = 0.0
    """Training shapes are stretched along x, y and z by factors of up to this much from 1."""
    weights: LossWeights = field(default_factory=LossWeights)
    prior: Literal["normal", "mixture"] = "mixture"
    """What :meth:`StructureNet.sample_latent` draws from: N(0, I), or Gaussians fitted to the
    codes of the training data."""
    components: int = 128
    """Gaussians of the mixture prior."""
    prior_rank: int = 32
    """Principal directions of the codes that the mixture resolves."""
    temperature: float = 1.0
    """Factor of the prior's standard deviations, of every Gaussian about its own mean; below 1
    samples are sounder and less diverse."""
    project: bool = False
    """Move decoded boxes by as little as makes the predicted relations hold
    (:mod:`shapegen.structures.projection`)."""
    limits: StructureLimits = field(default_factory=StructureLimits)

    def __post_init__(self) -> None:
        if self.label_files:
            tables = [read_vocabulary(expand(path)).labels for path in self.label_files]
            object.__setattr__(self, "labels", tuple(itertools.chain.from_iterable(tables)))
            object.__setattr__(self, "label_files", ())
        for name in ("feature_dim", "hidden_dim", "max_children", "components", "prior_rank"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1; got {getattr(self, name)}")
        if not self.temperature > 0:
            raise ValueError(f"temperature must be above 0; got {self.temperature}")
        for name in ("encoder_passes", "decoder_passes"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must be at least 0; got {getattr(self, name)}")
        if len(set(self.edge_kinds)) != len(self.edge_kinds) or not self.edge_kinds:
            raise ValueError(f"edge_kinds must differ; got {[str(k) for k in self.edge_kinds]}")
        if self.compat == "official" and self.feature_dim != self.hidden_dim:
            raise ValueError(
                "the authors' networks need feature_dim equal to hidden_dim; "
                f"got {self.feature_dim} and {self.hidden_dim}"
            )

    @classmethod
    def official(cls, **changes: Any) -> StructureNetConfig:
        """The authors' networks, losses and decoding."""
        setting: dict[str, Any] = {
            "compat": "official",
            "activation": "relu",
            "context": False,
            "bounded": True,
            "match_labels": 0.0,
            "match_exists": 0.0,
            "prior": "normal",
            # The authors' decoder has no limit of nodes: this is out of any sensible tree's way.
            "limits": StructureLimits(depth=100, nodes=5000),
        }
        return cls(**(setting | changes))


class StructureNet(Autoencoder):
    """Autoencoder whose encoder folds, and whose decoder unfolds, a hierarchy of related parts.

    Args:
        config: Sizes, losses and options.
    """

    name: ClassVar[str] = "structurenet"
    config: StructureNetConfig
    kind_number: Tensor
    """Position in ``config.edge_kinds`` of every kind of :data:`KIND_NUMBER`."""

    def __init__(self, config: StructureNetConfig) -> None:
        super().__init__()
        self.config = config
        self.table = LabelTable(config.labels)
        self.head = BoxHead(
            config.feature_dim,
            config.hidden_dim,
            bounded=config.bounded,
            activation=config.activation,
            official=self._official,
        )
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

        Raises:
            ValueError: No shapes, more children than the decoder has slots, or a label or a kind
                of relation that the model does not know.
        """
        trees = [tree.facing("+z") for tree in shapes]
        if not trees:
            raise ValueError("no shapes were given; at least one is needed")
        for tree in trees:
            self._check(tree)
        if not self._official:
            trees = [replace(tree, box=box_algebra.canonicalised(tree.box)) for tree in trees]
        return TreeData(trees, vocabulary=self.table.vocabulary)

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
        parts = self.head.part_losses(found, self.head.rows(batch), batch)
        return parts | hierarchy | self.head.relation_losses(found, batch)

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
        if z.ndim != 2 or z.shape[1] != self.latent_dim or not len(z):
            raise ValueError(f"codes must be (n, {self.latent_dim}); got {tuple(z.shape)}")
        if not bool(torch.isfinite(z).all()):
            raise ValueError("codes must be finite; got NaN or infinity")
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

    def part_trees(self, decoded: DecodedStructures) -> PartTrees:
        """Decoded hierarchies as part trees; with ``project``, their relations hold."""
        trees = decoded.part_trees()
        return refine_relations(trees).trees if self.config.project else trees

    @property
    def _device(self) -> torch.device:
        return self.kind_number.device
