"""GRASS: a recursive autoencoder of binary merge trees over part boxes.

Reference: Li, Xu, Chaudhuri, Yumer, Zhang and Guibas, *GRASS: Generative Recursive Autoencoders
for Shape Structures*, SIGGRAPH 2017, https://arxiv.org/abs/1705.02090.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from shapegen.base import Autoencoder
from shapegen.core import boxes as box_algebra
from shapegen.core.gaussian import DiagGaussian
from shapegen.core.latent import check_codes
from shapegen.core.mixture import GaussianMixture
from shapegen.core.noise import standard_normal
from shapegen.core.objective import Objective
from shapegen.structures import symmetry
from shapegen.structures.correspondence import tracked
from shapegen.structures.grass_decoding import (
    DecodedTrees,
    Limits,
    decode_free,
    fold_classes,
)
from shapegen.structures.grass_networks import RecursiveDecoder, RecursiveEncoder
from shapegen.structures.merge_batch import MergeBatch, MergeData
from shapegen.structures.merge_tree import BOX, SYM, MergeTree
from shapegen.structures.merging import to_merge_tree, to_part_tree
from shapegen.structures.part_tree import PartTree, PartTrees, trees_facing

ENCODE_BATCH = 1024

REFINE_RATE = 0.05
"""Step of :meth:`GRASS.refine`: codes have entries of order 1."""


@dataclass(frozen=True)
class GRASSConfig:
    """Options of :class:`GRASS`. :meth:`official` gives the authors' setting."""

    compat: Literal["none", "official"] = "none"
    """``official``: the files' own numbers are the targets, predicted symmetries are read as the
    authors' code reads them, and labels are not learned."""
    feature_dim: int = 80
    """Length of a node's feature and of the latent."""
    hidden_dim: int = 200
    activation: Literal["tanh", "gelu"] = "gelu"
    context: bool = True
    """Show the root code to every node of the decoder, not to the root alone."""
    box_hidden: bool = True
    """A hidden layer between a leaf's feature and its box (the authors' has none)."""
    bounded: bool = False
    """Bound boxes and symmetries by tanh, as the authors do; boxes beyond 1 are out of reach."""
    box_loss: Literal["corners", "entries"] = "corners"
    """``corners``: mean squared distance of corresponding corners, so that every number counts
    by what it moves. ``entries``: mean squared error of the 12 numbers."""
    max_folds: int = 12
    """Classify a symmetry's type and its folds up to this many; 0 reads both off the regressed
    vector as the authors do."""
    box_weight: float = 2.0
    sym_weight: float = 0.5
    kind_weight: float = 0.2
    """Of the cross entropy (nats) of node types, and of symmetry classes."""
    label_weight: float = 0.1
    """Of the cross entropy (nats) of part labels."""
    kl_weight: float = 2e-4
    """Of the true KL divergence in nats. The paper's .05 multiplies twice the KL: .1 here."""
    kl_warmup: int = 0
    """Steps over which the KL's weight rises from 0."""
    prior: Literal["normal", "mixture"] = "mixture"
    """What :meth:`GRASS.sample_latent` draws from: N(0, I), or Gaussians fitted to the codes of
    the training data."""
    components: int = 128
    """Gaussians of the mixture prior."""
    prior_rank: int = 32
    """Principal directions of the codes that the mixture resolves."""
    labels: tuple[str, ...] = ()
    """Full part labels to learn; empty for none."""
    front: Literal["+z", "+x"] = "+z"
    """Where the shapes that the model knows face; GRASS's own files face +x."""
    refine_steps: int = 0
    """Gradient steps by which :meth:`GRASS.encode` improves a code on its own shape after the
    encoder's guess; 0 is the posterior mean."""
    settle: bool = False
    """Stretch or move decoded boxes until the shape hangs together and stands."""
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        for name in ("feature_dim", "hidden_dim", "components", "prior_rank"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1; got {getattr(self, name)}")
        if self.max_folds == 1 or self.max_folds < 0:
            raise ValueError(f"max_folds must be 0 or at least 2; got {self.max_folds}")

    @classmethod
    def official(cls, **changes: Any) -> GRASSConfig:
        """The authors' network, loss and reading of symmetries."""
        setting: dict[str, Any] = {
            "compat": "official",
            "activation": "tanh",
            "context": False,
            "box_hidden": False,
            "bounded": True,
            "box_loss": "entries",
            "max_folds": 0,
            "box_weight": 0.4,
            "kl_weight": 0.1,
            "prior": "normal",
            "front": "+x",
            # The authors' decoder has no limits: these are out of the way of any sensible tree.
            "limits": Limits(depth=100, nodes=2000),
        }
        return cls(**(setting | changes))


class GRASS(Autoencoder):
    """Variational autoencoder whose encoder folds, and whose decoder unfolds, a merge tree.

    Args:
        config: Sizes, losses and options.
    """

    name: ClassVar[str] = "grass"
    config: GRASSConfig

    def __init__(self, config: GRASSConfig) -> None:
        super().__init__()
        self.config = config
        sizes = (config.feature_dim, config.hidden_dim, config.activation)
        self.encoder = RecursiveEncoder(*sizes, box_hidden=config.box_hidden)
        self.decoder = RecursiveDecoder(
            *sizes,
            context=config.context,
            box_hidden=config.box_hidden,
            bounded=config.bounded,
            fold_classes=config.max_folds + 1 if config.max_folds else 0,
            num_labels=len(config.labels),
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

    @property
    def latent_dim(self) -> int:
        """Length of a latent vector."""
        return self.config.feature_dim

    @property
    def _official(self) -> bool:
        return self.config.compat == "official"

    def prepare(self, shapes: Sequence[PartTree]) -> MergeData:
        """Fold part trees into merge trees, in one description each, and lay them out flat.

        Raises:
            TypeError: Shapes that are no part trees.
            ValueError: No shapes, or a label that the model does not know.
        """
        trees = [to_merge_tree(tree) for tree in trees_facing(self.config.front, shapes)]
        if self._official:
            return MergeData(trees)
        syms = np.concatenate([tree.syms for tree in trees])
        centres = np.concatenate([_generator_centres(tree) for tree in trees])
        return MergeData(
            trees,
            boxes=box_algebra.canonicalised(np.concatenate([tree.boxes for tree in trees])),
            syms=symmetry.canonicalised(syms, centres),
            labels=self._label_numbers(trees),
        )

    def objectives(self, *, rng: torch.Generator | None = None) -> tuple[Objective, ...]:
        """The evidence lower bound, weighted as the config says (means over the shapes)."""

        def loss(batch: MergeBatch, step: int) -> tuple[Tensor, dict[str, Tensor]]:
            posterior = self.encoder(batch)
            terms = self.losses(batch, posterior.rsample(rng=rng))
            terms["kl"] = posterior.kl_standard()
            means = {name: term.mean() for name, term in terms.items()}
            weight = self.config.kl_weight
            if self.config.kl_warmup:
                weight *= min(1.0, step / self.config.kl_warmup)
            reconstruction = torch.stack([v for k, v in means.items() if k != "kl"]).sum()
            logged = {name: mean.detach() for name, mean in means.items()}
            return reconstruction + weight * means["kl"], logged

        return (Objective("vae", self, loss),)

    def losses(
        self, batch: MergeBatch, z: Float[Tensor, "shapes latent"]
    ) -> dict[str, Float[Tensor, "shapes"]]:
        """Teacher-forced reconstruction losses of every shape: weighted sums over its nodes.

        Reference: Li et al., section 4.2 and the authors' code for the weights.
        """
        config, found = self.config, self.decoder(z, batch)

        def total(weight: float, values: Tensor, shape: Tensor) -> Tensor:
            return weight * values.new_zeros(batch.num_shapes).index_add(0, shape, values)

        boxes = (
            corner_error(found.boxes, batch.boxes)
            if config.box_loss == "corners"
            else (found.boxes - batch.boxes).square().mean(1)
        )
        syms = (found.syms - batch.syms).square().mean(1)
        kinds = functional.cross_entropy(found.kinds, batch.kind, reduction="none")
        terms = {
            "box": total(config.box_weight, boxes, batch.box_shape),
            "sym": total(config.sym_weight, syms, batch.sym_shape),
            "kind": total(config.kind_weight, kinds, batch.shape),
        }
        if config.max_folds:
            classes = fold_classes(batch.syms).clamp_max(config.max_folds)
            folds = functional.cross_entropy(found.folds, classes, reduction="none")
            terms["folds"] = total(config.kind_weight, folds, batch.sym_shape)
        if config.labels:
            labels = functional.cross_entropy(
                found.labels, batch.labels, reduction="none", ignore_index=-1
            )
            terms["label"] = total(config.label_weight, labels, batch.box_shape)
        return terms

    def encode(self, shapes: Sequence[PartTree]) -> Float[Tensor, "shapes latent"]:
        """Codes of part trees: posterior means, refined if the config says so.

        Reference: for the refinement, Kim et al., *Semi-Amortized Variational Autoencoders*, 2018,
        https://arxiv.org/abs/1802.02550 (there in training, here afterwards).
        """
        prepared = self.prepare(shapes)
        codes = []
        for rows in torch.arange(len(prepared)).split(ENCODE_BATCH):
            batch = prepared[rows].to(self._device)
            with torch.no_grad():
                mean = self.encoder(batch).mean
            codes.append(self.refine(batch, mean, self.config.refine_steps))
        return torch.cat(codes)

    def posterior(self, prepared: MergeData) -> DiagGaussian:
        """The encoder's Gaussians over the codes of prepared shapes."""
        found = []
        for rows in torch.arange(len(prepared)).split(ENCODE_BATCH):
            with torch.no_grad():
                found.append(self.encoder(prepared[rows].to(self._device)))
        means, logvars = [q.mean for q in found], [q.logvar for q in found]
        return DiagGaussian(torch.cat(means), torch.cat(logvars))

    def refine(
        self, batch: MergeBatch, z: Float[Tensor, "shapes latent"], steps: int
    ) -> Float[Tensor, "shapes latent"]:
        """Descend from ``z`` on every shape's own loss and the prior's ``|z|^2 / 2`` (Adam)."""
        z = z.detach().clone().requires_grad_()
        optimizer = torch.optim.Adam([z], lr=REFINE_RATE)
        for _ in range(steps):
            with torch.enable_grad():
                terms = self.losses(batch, z)
                loss = torch.stack([term.sum() for term in terms.values()]).sum()
                loss = loss + self.config.kl_weight * 0.5 * z.square().sum()
            (z.grad,) = torch.autograd.grad(loss, [z])
            optimizer.step()
        return z.detach()

    def sample_latent(
        self, n: int, *, rng: torch.Generator | None = None
    ) -> Float[Tensor, "n latent"]:
        """Draw codes from the config's prior."""
        if self.mixture is not None:
            return self.mixture.sample(n, rng=rng)
        return standard_normal((n, self.latent_dim), like=self.encoder.mean.weight, rng=rng)

    def calibrate(self, prepared: MergeData, *, rng: torch.Generator | None = None) -> None:
        """Fit the mixture prior to the codes of the training data."""
        if self.mixture is not None:
            self.mixture.fit(self.posterior(prepared).mean, rng=rng)

    def decode_trees(self, z: Float[Tensor, "shapes latent"]) -> DecodedTrees:
        """Decode codes greedily, all of them level by level.

        Raises:
            ValueError: ``z`` is not ``(n, latent_dim)`` or not finite.
        """
        check_codes(z, self.latent_dim)
        return decode_free(self.decoder, z.to(self.encoder.mean.weight), self.config.limits)

    def decode(
        self, z: Float[Tensor, "shapes latent"], *, rng: torch.Generator | None = None
    ) -> PartTrees:
        """Decode codes to part trees, symmetric copies included (the decoder does not draw).

        Boxes get positive lengths and orthonormal directions; with ``compat="official"`` they keep
        the network's numbers.
        """
        decoded = self.decode_trees(z)
        if self.config.settle:
            decoded = decoded.settled(limits=self.config.limits)
        trees = decoded.merge_trees(self.config.labels)
        if not self._official:
            trees = [
                replace(tree, boxes=box_algebra.orthonormalised(tree.boxes)) for tree in trees
            ]
        return PartTrees(
            [
                to_part_tree(tree, official=self._official, front=self.config.front)
                for tree in trees
            ]
        )

    def decode_walk(self, z: Tensor, *, rng: torch.Generator | None = None) -> PartTrees:
        """Decode the steps of a walk (:func:`~shapegen.structures.correspondence.tracked`)."""
        return tracked(self.decode(z))

    @property
    def _device(self) -> torch.device:
        return self.encoder.mean.weight.device

    def _label_numbers(self, trees: Sequence[MergeTree]) -> np.ndarray | None:
        if not self.config.labels:
            return None
        number = {label: index for index, label in enumerate(self.config.labels)}
        names = [name for t in trees for name in (t.labels or [None] * len(t.boxes))]
        unknown = sorted({str(name) for name in names if name is not None} - number.keys())
        if unknown:
            raise ValueError(f"unknown part label {unknown[0]!r}; the model knows {list(number)}")
        return np.array([-1 if name is None else number[name] for name in names])


def corner_error(
    predicted: Float[Tensor, "boxes 12"], true: Float[Tensor, "boxes 12"]
) -> Float[Tensor, "boxes"]:
    r"""Mean squared distance of the eight corresponding corners, axes in the given order.

    .. math:: |c - c'|^2 + \sum_j |h_j - h_j'|^2

    with centres c and half axes :math:`h_j`; directions are made orthonormal first.
    """
    centres = (predicted[:, :3] - true[:, :3]).square().sum(1)
    axes = (_half_axes(predicted) - _half_axes(true)).square().sum((1, 2))
    return centres + axes


def _half_axes(boxes: Tensor) -> Tensor:
    x = functional.normalize(boxes[:, 6:9], dim=1, eps=1e-6)
    y = boxes[:, 9:12] - (boxes[:, 9:12] * x).sum(1, keepdim=True) * x
    y = functional.normalize(y, dim=1, eps=1e-6)
    frame = torch.stack([x, y, torch.linalg.cross(x, y)], dim=1)
    return 0.5 * boxes[:, 3:6, None] * frame


def _generator_centres(tree: MergeTree) -> np.ndarray:
    """Mean centre ``(s, 3)`` of the boxes below every SYM."""
    total, count = np.zeros((len(tree), 3)), np.zeros(len(tree))
    total[tree.ops == BOX], count[tree.ops == BOX] = tree.boxes[:, :3], 1
    for node, children in enumerate(tree.children()):
        for child in children:
            total[node] += total[child]
            count[node] += count[child]
    rows = tree.ops == SYM
    centres: np.ndarray = total[rows] / count[rows, None]
    return centres
