"""Options of StructureNet."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import Any, Literal

from shapegen.config import expand
from shapegen.structures.part_tree import RelationKind
from shapegen.structures.structurenet_decoding import StructureLimits
from shapegen.structures.structurenet_layers import Activation, Pooling
from shapegen.structures.structurenet_points import GeometryConfig
from shapegen.structures.vocabulary import read_vocabulary


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
    """Options of :class:`~shapegen.structures.structurenet.StructureNet`.

    :meth:`official` gives the authors' setting.
    """

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
    """What codes are drawn from: N(0, I), or Gaussians fitted to the codes of the training
    data."""
    components: int = 128
    """Gaussians of the mixture prior."""
    prior_rank: int = 32
    """Principal directions of the codes that the mixture resolves."""
    geometry: GeometryConfig | None = None
    """Parts are point clouds, known by a part autoencoder that is trained before; else boxes."""
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
        if self.geometry is not None and self.project:
            raise ValueError("project moves boxes: it excludes geometry")
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
