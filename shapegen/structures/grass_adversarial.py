"""GRASS's second stage: the decoder plays against a recursive discriminator of trees.

The decoder makes trees of codes from the mixture that was fitted to the codes of the training
shapes; the discriminator is an encoder of trees with a logit at its root, and starts as the
trained encoder. Node types are decided by the decoder, greedily as in sampling, and fixed where
gradients are concerned: what the game trains are boxes and symmetries. Beside it the decoder goes
on reconstructing, teacher-forced, from the codes of the encoder; that stays as it is, so that the
mixture stays true.

Reference: Li et al., *GRASS*, 2017, section 5.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from shapegen.core.game import Further, Game, GameOptions, Made
from shapegen.structures.box_frames import orthonormalised
from shapegen.structures.grass_decoding import Limits, Unfolded, unfold_free
from shapegen.structures.grass_networks import (
    BOX_DIM,
    SYM_DIM,
    Folding,
    RecursiveDecoder,
    RecursiveEncoder,
)
from shapegen.structures.merge_batch import KIND_ORDER, Level, MergeBatch
from shapegen.structures.merge_tree import BOX, SYM


@dataclass(frozen=True)
class AdversarialOptions:
    """Options of the second stage."""

    reconstruction: float = 30.0
    """Weight of the decoder's reconstruction losses, beside the game's loss in nats."""
    game: GameOptions = field(default_factory=lambda: GameOptions(r1=1.0))

    def __post_init__(self) -> None:
        if self.reconstruction < 0:
            raise ValueError(f"reconstruction must be at least 0; got {self.reconstruction}")
        if self.game.gradient_penalty:
            raise ValueError("trees have nothing between them: game.gradient_penalty must be 0")
        if self.game.pack > 1:
            raise ValueError("trees are judged one by one: game.pack must be 1")


class TreeDiscriminator(Folding):
    """Logits of trees: what an encoder folds them into, and a linear layer."""

    def __init__(
        self, feature_dim: int, hidden_dim: int, activation: str, *, box_hidden: bool = False
    ) -> None:
        super().__init__(feature_dim, hidden_dim, activation, box_hidden=box_hidden)
        self.real = nn.Linear(hidden_dim, 1)

    def start_from(self, encoder: RecursiveEncoder) -> None:
        """Take over how a trained encoder folds."""
        own = self.state_dict()
        self.load_state_dict(own | {k: v for k, v in encoder.state_dict().items() if k in own})

    def forward(
        self, rows: Float[Tensor, "shapes numbers"], structure: MergeBatch
    ) -> Float[Tensor, "shapes"]:
        """Logits, above 0 for real.

        Args:
            rows: The numbers of every tree (:func:`tree_rows`).
            structure: The trees; its own boxes and symmetries are not looked at.
        """
        boxes, syms = tree_numbers(rows, structure)
        logits: Tensor = self.real(self.hidden(replace(structure, boxes=boxes, syms=syms)))
        return logits[:, 0].to(rows.dtype)


def tree_rows(
    structure: MergeBatch, boxes: Float[Tensor, "boxes 12"], syms: Float[Tensor, "syms 8"]
) -> Float[Tensor, "shapes numbers"]:
    """One row a tree: its boxes, then its symmetries, then zeros.

    A penalty of slopes is a mean over shapes: it needs a shape's numbers in a row of their own.
    """
    own_boxes, own_syms, places = _places(structure)
    rows = boxes.new_zeros(structure.num_shapes, places)
    rows = rows.index_put((structure.box_shape[:, None], own_boxes), boxes)
    return rows.index_put((structure.sym_shape[:, None], own_syms), syms)


def tree_numbers(
    rows: Float[Tensor, "shapes numbers"], structure: MergeBatch
) -> tuple[Float[Tensor, "boxes 12"], Float[Tensor, "syms 8"]]:
    """The inverse of :func:`tree_rows`: boxes and symmetries in the batch's order."""
    boxes, syms, _ = _places(structure)
    return rows[structure.box_shape[:, None], boxes], rows[structure.sym_shape[:, None], syms]


def generated(
    decoder: RecursiveDecoder, z: Float[Tensor, "shapes feature"], limits: Limits
) -> tuple[Float[Tensor, "shapes numbers"], MergeBatch]:
    """Decode codes freely: the numbers of every tree, differentiable, and the trees."""
    found = unfold_free(decoder, z, limits)
    structure = _structure(found, len(z))
    return tree_rows(structure, orthonormalised(found.boxes), found.syms), structure


def tree_game(
    decoder: RecursiveDecoder,
    discriminator: TreeDiscriminator,
    options: AdversarialOptions,
    *,
    draw: Callable[[int], Tensor],
    limits: Limits,
    reconstruct: Further,
    rng: torch.Generator | None = None,
) -> Game:
    """The game of a decoder and a discriminator of trees.

    Args:
        decoder: Trained by the objective ``generator``.
        discriminator: Of trees.
        options: Of the stage.
        draw: ``draw(n)`` gives codes ``(n, latent)``.
        limits: Of the decoder.
        reconstruct: The decoder's other loss of a batch, and its terms.
        rng: Stream of the game's noise.
    """

    def real(batch: MergeBatch) -> tuple[Tensor, MergeBatch]:
        return tree_rows(batch, orthonormalised(batch.boxes), batch.syms), batch

    def make(batch: MergeBatch) -> Made:
        return Made(generated(decoder, draw(batch.num_shapes), limits))

    def further(made: Made, batch: MergeBatch) -> tuple[Tensor, dict[str, Tensor]]:
        loss, terms = reconstruct(made, batch)
        return options.reconstruction * loss, terms

    return Game(
        decoder, discriminator, options.game, real=real, make=make, further=further, rng=rng
    )


def _structure(found: Unfolded, num_shapes: int) -> MergeBatch:
    """Trees that a decoder decided as a batch, without labels and numbers of nodes."""
    levels, start = [], 0
    for size in found.sizes:
        rows = slice(start, start + size)
        start += size
        permutation = found.slot[rows]
        counts = torch.bincount(found.kind[rows], minlength=3)[list(KIND_ORDER)].tolist()
        levels.append(Level(permutation, permutation.argsort(), *counts))
    is_box = found.kind == BOX
    return MergeBatch(
        levels=tuple(levels),
        kind=found.kind,
        shape=found.shape,
        boxes=found.boxes.detach(),
        box_shape=found.shape[is_box],
        syms=found.syms.detach(),
        sym_shape=found.shape[found.kind == SYM],
        labels=torch.full_like(found.kind[is_box], -1),
        node=torch.full_like(found.kind, -1),
        num_shapes=num_shapes,
    )


def _places(structure: MergeBatch) -> tuple[Int[Tensor, "boxes 12"], Int[Tensor, "syms 8"], int]:
    """Columns of every box and symmetry in the row of its tree, and how many there are."""
    boxes = _ranks(structure.box_shape, structure.num_shapes)
    syms = _ranks(structure.sym_shape, structure.num_shapes)
    width = BOX_DIM * (int(boxes.max()) + 1)  # Every tree has a box.
    columns = [
        size * ranks[:, None] + torch.arange(size, device=ranks.device)
        for size, ranks in ((BOX_DIM, boxes), (SYM_DIM, syms))
    ]
    places = width + (SYM_DIM * (int(syms.max()) + 1) if len(syms) else 0)
    return columns[0], width + columns[1], places


def _ranks(shape: Int[Tensor, "rows"], num_shapes: int) -> Int[Tensor, "rows"]:
    """How many rows of the same shape come before every row."""
    order = shape.argsort(stable=True)
    counts = torch.bincount(shape, minlength=num_shapes)
    first = counts.cumsum(0) - counts
    ranks = torch.empty_like(order)
    ranks[order] = torch.arange(len(order), device=shape.device) - first[shape[order]]
    return ranks
