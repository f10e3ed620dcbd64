"""GRASS: a recursive autoencoder of binary merge trees over part boxes.

Reference: Li, Xu, Chaudhuri, Yumer, Zhang and Guibas, *GRASS: Generative Recursive Autoencoders
for Shape Structures*, SIGGRAPH 2017, https://arxiv.org/abs/1705.02090.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from shapegen.base import Autoencoder
from shapegen.config import expand
from shapegen.core import boxes as box_algebra
from shapegen.core.game import Made
from shapegen.core.gaussian import DiagGaussian
from shapegen.core.latent import check_codes
from shapegen.core.mixture import GaussianMixture
from shapegen.core.noise import standard_normal
from shapegen.core.objective import Objective
from shapegen.model_files import read_model
from shapegen.structures import symmetry
from shapegen.structures.box_frames import corner_error
from shapegen.structures.correspondence import tracked
from shapegen.structures.grass_adversarial import TreeDiscriminator, tree_game
from shapegen.structures.grass_config import GRASSConfig
from shapegen.structures.grass_decoding import DecodedTrees, decode_free, fold_classes
from shapegen.structures.grass_networks import RecursiveDecoder, RecursiveEncoder
from shapegen.structures.merge_batch import MergeBatch, MergeData
from shapegen.structures.merge_tree import BOX, SYM, MergeTree
from shapegen.structures.merging import to_merge_tree, to_part_tree
from shapegen.structures.part_tree import PartTree, PartTrees, trees_facing

ENCODE_BATCH = 1024

REFINE_RATE = 0.05
"""Step of :meth:`GRASS.refine`: codes have entries of order 1."""


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
        self.discriminator = (
            None
            if config.adversarial is None
            else TreeDiscriminator(*sizes, box_hidden=config.box_hidden)
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

    def initialise(self, *, resumed: bool) -> None:
        """Take over the weights of the model that the config names, if it names one.

        A model without a discriminator gives its encoder's for it.

        Raises:
            ValueError: There is no such model, or its networks are others.
        """
        if self.config.start_from and not resumed:
            found = read_model(expand(self.config.start_from), expect=self.name)
            weights = self.state_dict() | found.tensors
            try:
                self.load_state_dict(weights)
            except RuntimeError:
                raise ValueError(f"{found.path} has other networks than the config says") from None
            if self.discriminator is not None and "discriminator.real.bias" not in found.tensors:
                self.discriminator.start_from(self.encoder)
        self.config = replace(self.config, start_from="")

    def objectives(self, *, rng: torch.Generator | None = None) -> tuple[Objective, ...]:
        """The evidence lower bound, weighted as the config says (means over the shapes).

        With ``adversarial`` those of the discriminator and of the decoder instead.
        """
        if self.discriminator is not None:
            return self._game(rng)

        def loss(batch: MergeBatch, step: int) -> tuple[Tensor, dict[str, Tensor]]:
            posterior = self.encoder(batch)
            reconstruction, terms = self._reconstruction(batch, posterior.rsample(rng=rng))
            kl = posterior.kl_standard().mean()
            weight = self.config.kl_weight
            if self.config.kl_warmup:
                weight *= min(1.0, step / self.config.kl_warmup)
            return reconstruction + weight * kl, terms | {"kl": kl.detach()}

        return (Objective("vae", self, loss),)

    def _game(self, rng: torch.Generator | None) -> tuple[Objective, ...]:
        assert self.config.adversarial is not None
        assert self.discriminator is not None

        def reconstruct(_: Made, batch: MergeBatch) -> tuple[Tensor, dict[str, Tensor]]:
            with torch.no_grad():
                z = self.encoder(batch).rsample(rng=rng)
            return self._reconstruction(batch, z)

        return tree_game(
            self.decoder,
            self.discriminator,
            self.config.adversarial,
            draw=lambda n: self.sample_latent(n, rng=rng),
            limits=self.config.limits,
            reconstruct=reconstruct,
            rng=rng,
        ).objectives()

    def _reconstruction(
        self, batch: MergeBatch, z: Float[Tensor, "shapes latent"]
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """The sum of the losses' means over the shapes, and these."""
        means = {name: term.mean() for name, term in self.losses(batch, z).items()}
        logged = {name: mean.detach() for name, mean in means.items()}
        return torch.stack(list(means.values())).sum(), logged

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
