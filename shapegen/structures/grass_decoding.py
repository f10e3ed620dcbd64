"""Free decoding of a batch of root codes, breadth first, and the trees that come out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from numpy.typing import NDArray
from torch import Tensor

from shapegen.core import boxes as box_algebra
from shapegen.structures import symmetry
from shapegen.structures.grass_networks import RecursiveDecoder
from shapegen.structures.merge_tree import (
    ADJ,
    BOX,
    REFLECTIVE,
    ROTATIONAL,
    SYM,
    TRANSLATIONAL,
    MergeTree,
)
from shapegen.structures.settling import Generators, settled

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Limits:
    """Where free decoding stops; an untrained decoder need not stop by itself."""

    depth: int = 20
    """Levels below the root; deeper nodes are closed as boxes."""
    nodes: int = 256
    """Nodes a shape: a level that would exceed it is closed as boxes."""
    copies: int = 64
    """Copies of one generator; more are cut off."""


@dataclass(frozen=True)
class DecodedTrees:
    """Decoded trees of one batch: nodes sorted by shape, in post-order within a shape."""

    kind: Ints
    shape: Ints
    parent: Ints
    """Row of the parent; -1 at the roots."""
    boxes: Floats
    """One row a BOX."""
    syms: Floats
    """One row a SYM."""
    labels: Ints
    """Label number of every box; -1 without labels."""
    complete: Bools
    """Whether a shape ended by itself, within the limits and with finite numbers."""

    def __len__(self) -> int:
        return len(self.complete)

    def expanded(self, *, official: bool = False, limits: Limits = Limits()) -> list[Floats]:
        """Boxes ``(n, 12)`` of every shape with all symmetric copies, in the decoder's order.

        A box repeats by its nearest symmetry above; an outer one is not composed with it.
        """
        syms, counts, _ = self._repetitions(official=official)
        boxes, source = symmetry.expand(
            self.boxes, syms, official=official, counts=counts, max_copies=limits.copies
        )
        per_shape = np.bincount(self.shape[self.kind == BOX][source], minlength=len(self))
        return np.split(boxes, np.cumsum(per_shape)[:-1])

    def settled(self, *, limits: Limits = Limits()) -> DecodedTrees:
        """The shapes with gaps closed and feet let down (:mod:`shapegen.structures.settling`)."""
        boxes = box_algebra.orthonormalised(self.boxes)
        syms, counts, nearest = self._repetitions(official=False)
        counts = counts.clip(0, limits.copies)
        shape = self.shape[self.kind == BOX]
        for rows in np.split(np.arange(len(boxes)), np.flatnonzero(np.diff(shape)) + 1):
            if self.complete[shape[rows[0]]]:
                boxes[rows] = settled(Generators(boxes[rows], syms[rows], counts[rows]))
        # A translation's copies are counted from where its generator is: keep their number.
        vectors = self.syms.copy()
        used = nearest >= 0
        count = np.zeros(len(vectors))
        count[nearest[used]] = counts[used]
        steps = symmetry.kinds(vectors) == TRANSLATIONAL
        ends = self._generator_centres(nearest, boxes) + count[:, None] * vectors[:, 1:4]
        vectors[steps, 4:7] = ends[steps]
        return replace(self, boxes=boxes, syms=vectors)

    def merge_trees(self, vocabulary: tuple[str, ...] = ()) -> list[MergeTree]:
        """The trees one by one."""
        count = len(self)
        ends = np.cumsum(np.bincount(self.shape, minlength=count))[:-1]
        ops = np.split(self.kind, ends)
        rows = [
            np.cumsum(np.bincount(self.shape[self.kind == kind], minlength=count))[:-1]
            for kind in (BOX, SYM)
        ]
        boxes, syms = np.split(self.boxes, rows[0]), np.split(self.syms, rows[1])
        labels = np.split(self.labels, rows[0])
        return [
            MergeTree(o, b, s, tuple(vocabulary[i] for i in names) if vocabulary else ())
            for o, b, s, names in zip(ops, boxes, syms, labels, strict=True)
        ]

    def _nearest_symmetry(self) -> Ints:
        """Row among ``syms`` of the SYM that every node repeats by; -1 for none."""
        row = np.where(self.kind == SYM, np.cumsum(self.kind == SYM) - 1, -1)
        nearest = np.full(len(self.kind), -1)
        above = self.parent
        # A parent comes after its children: each pass looks one ancestor further up.
        while (above >= 0).any():
            found = np.where(above >= 0, row[above], -1)
            nearest = np.where(nearest < 0, found, nearest)
            above = np.where((above >= 0) & (nearest < 0), self.parent[above], -1)
        return nearest

    def _repetitions(self, *, official: bool) -> tuple[Floats, Floats, Ints]:
        """Of every box: its symmetry vector, its number of copies, the row of the vector or -1."""
        nearest = self._nearest_symmetry()[self.kind == BOX]
        none = np.full((1, 8), symmetry.NONE)
        syms = np.concatenate([self.syms, none])[nearest]
        counts = symmetry.copy_counts(self.boxes[:, :3], syms, official=official)
        if not official and len(self.syms):
            # One count for all boxes of a generator: a translation measures from their mean.
            joint = symmetry.copy_counts(self._generator_centres(nearest, self.boxes), self.syms)
            counts = np.where(nearest >= 0, joint[nearest], counts)
        return syms, counts, nearest

    def _generator_centres(self, nearest: Ints, boxes: Floats) -> Floats:
        """Mean centre ``(s, 3)`` of the boxes that every symmetry repeats."""
        has = nearest >= 0
        centre = np.zeros((len(self.syms), 3))
        np.add.at(centre, nearest[has], boxes[has, :3])
        number = np.bincount(nearest[has], minlength=len(self.syms))
        mean: Floats = centre / np.maximum(number, 1)[:, None]
        return mean


@dataclass(frozen=True)
class Unfolded:
    """Nodes that a decoder made of codes: level by level, by kind within a level."""

    sizes: list[int]
    """Nodes of every level."""
    kind: Int[Tensor, "nodes"]
    shape: Int[Tensor, "nodes"]
    parent: Int[Tensor, "nodes"]
    """Row of the parent; -1 at the roots."""
    slot: Int[Tensor, "nodes"]
    """Position of a node among those of its level as they were made, as children."""
    boxes: Float[Tensor, "boxes 12"]
    labels: Float[Tensor, "boxes labels"]
    syms: Float[Tensor, "syms 8"]
    """With the types of the most likely classes (:func:`exact_types`)."""
    complete: Bool[Tensor, "shapes"]
    """Whether a shape ended by itself, within the limits."""


def unfold_free(
    decoder: RecursiveDecoder, z: Float[Tensor, "shapes feature"], limits: Limits = Limits()
) -> Unfolded:
    """Decode greedily, all shapes level by level: one network call a level and node type.

    Boxes, labels and symmetries are differentiable, given the node types that were decided.
    """
    count = len(z)
    features, contexts = decoder.root_features(z), decoder.contexts(z)
    shape = torch.arange(count, device=z.device)
    parent = torch.full_like(shape, -1)
    nodes = torch.ones_like(shape)
    complete = torch.ones(count, dtype=torch.bool, device=z.device)
    found: dict[str, list[Tensor]] = {
        name: [] for name in ("kind", "shape", "parent", "slot", "leaves", "syms")
    }
    start = 0
    for depth in range(limits.depth + 1):
        kind = decoder.node_kinds(features, contexts, shape).argmax(1)
        grown = torch.where(kind == ADJ, 2, torch.where(kind == SYM, 1, 0))
        total = nodes.index_add(0, shape, grown)
        closed = total > limits.nodes if depth < limits.depth else total > nodes
        complete &= ~closed
        nodes = torch.where(closed, nodes, total)
        kind = torch.where(closed[shape], BOX, kind)
        slot = torch.cat([torch.nonzero(kind == k)[:, 0] for k in (ADJ, SYM, BOX)])
        num_adj, num_sym, _ = (int(n) for n in torch.bincount(kind, minlength=3)[[ADJ, SYM, BOX]])
        features, shape, kind = features[slot], shape[slot], kind[slot]
        inner = num_adj + num_sym
        below, raw = decoder.unfold(features, num_adj, num_sym, contexts, shape)
        level = (kind, shape, parent[slot], slot, features[inner:], raw)
        for values, new in zip(found.values(), level, strict=True):
            values.append(new)
        if not inner:
            break
        rows = start + torch.arange(inner, device=z.device)
        start += len(kind)
        parent = torch.cat([rows[:num_adj].repeat_interleave(2), rows[num_adj:]])
        shape = torch.cat([shape[:num_adj].repeat_interleave(2), shape[num_adj:inner]])
        features = below
    flat = {name: torch.cat(values) for name, values in found.items()}
    owner = flat["shape"][flat["kind"] == BOX]
    boxes, labels = decoder.leaves(flat.pop("leaves"), contexts, owner)
    syms = exact_types(*decoder.symmetries(flat.pop("syms")))
    sizes = [len(kind) for kind in found["kind"]]
    return Unfolded(sizes, **flat, boxes=boxes, labels=labels, syms=syms, complete=complete)


@torch.no_grad()
def decode_free(
    decoder: RecursiveDecoder, z: Float[Tensor, "shapes feature"], limits: Limits = Limits()
) -> DecodedTrees:
    """Decode greedily (:func:`unfold_free`), to trees in post-order."""
    found = unfold_free(decoder, z, limits)
    labels = found.labels
    numbers = labels.argmax(1) if labels.shape[1] else torch.full((len(labels),), -1)
    arrays = {
        name: getattr(found, name).cpu().numpy()
        for name in ("kind", "shape", "parent", "slot", "boxes", "syms")
    }
    arrays["labels"] = numbers.cpu().numpy()
    return _in_post_order(found.sizes, arrays, found.complete.cpu().numpy())


def exact_types(syms: Float[Tensor, "syms 8"], folds: Float[Tensor, "syms classes"]) -> Tensor:
    """Replace types and fold parameters by those of the most likely class, if there are classes.

    Class 0 is a reflection, 1 a translation, k >= 2 a rotation of k folds.
    """
    if not folds.shape[1]:
        return syms
    best = folds.argmax(1)
    kind = torch.where(best == 0, REFLECTIVE, torch.where(best == 1, TRANSLATIONAL, ROTATIONAL))
    parameter = torch.where(best < 2, 0.0, 1.0 / best.clamp_min(1))
    return torch.cat([kind[:, None].to(syms), syms[:, 1:7], parameter[:, None].to(syms)], dim=1)


def fold_classes(syms: Float[Tensor, "syms 8"]) -> Tensor:
    """The class of every exact symmetry vector, the inverse of :func:`exact_types`."""
    folds = torch.round(1.0 / syms[:, 7].clamp_min(1e-6)).long()
    others = torch.where(syms[:, 0] == REFLECTIVE, 0, 1)
    return torch.where(syms[:, 0] == ROTATIONAL, folds, others)


def _in_post_order(
    sizes: list[int], arrays: dict[str, NDArray[Any]], complete: Bools
) -> DecodedTrees:
    """Sort nodes that were made level by level, each level by kind, into shapes and post-order."""
    kind, shape, parent = arrays["kind"], arrays["shape"], arrays["parent"]
    ends = np.cumsum(sizes)
    levels = [slice(end - size, end) for end, size in zip(ends, sizes, strict=True)]
    below = np.ones(len(kind), dtype=np.int64)  # nodes of the subtree
    for level in reversed(levels[1:]):
        np.add.at(below, parent[level], below[level])
    # An ADJ's children were made left, right; post-order is right subtree, left subtree, node.
    position = np.zeros(len(kind), dtype=np.int64)
    position[levels[0]] = below[levels[0]] - 1
    for level in levels[1:]:
        above = parent[level]
        made = np.argsort(arrays["slot"][level])
        left, right = made[: (kind[above] == ADJ).sum()].reshape(-1, 2).T
        skipped = np.zeros(len(made), dtype=np.int64)
        skipped[right] = below[level][left]
        position[level] = position[above] - 1 - skipped
    order = np.lexsort((position, shape))
    row = np.empty_like(order)
    row[order] = np.arange(len(order))
    sorted_parent = parent[order]
    is_box, is_sym = kind == BOX, kind == SYM
    box_row, sym_row = np.cumsum(is_box) - 1, np.cumsum(is_sym) - 1
    box_order = box_row[order[is_box[order]]]
    boxes = arrays["boxes"].astype(np.float64)[box_order]
    syms = arrays["syms"].astype(np.float64)[sym_row[order[is_sym[order]]]]
    finite = np.ones(len(complete), dtype=bool)
    for values, mask in ((boxes, is_box), (syms, is_sym)):
        finite[shape[order][mask[order]][~np.isfinite(values).all(1)]] = False
    return DecodedTrees(
        kind=kind[order],
        shape=shape[order],
        parent=np.where(sorted_parent >= 0, row[sorted_parent], -1),
        boxes=boxes,
        syms=syms,
        labels=arrays["labels"][box_order],
        complete=complete & finite,
    )
