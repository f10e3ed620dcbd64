"""Free decoding of StructureNet codes, breadth first, and the part trees that come out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from numpy.typing import NDArray
from torch import Tensor

from shapegen.core import boxes as box_algebra
from shapegen.structures import box_symmetry
from shapegen.structures.box_points import frames
from shapegen.structures.part_tree import PartTree, PartTrees, Relation, RelationKind
from shapegen.structures.structurenet_decoder import Children, StructureDecoder
from shapegen.structures.structurenet_head import NodeHead
from shapegen.structures.vocabulary import Vocabulary

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

_SHORT = 1e-9
"""Shorter vectors have no direction, smaller angles turn nothing."""


@dataclass(frozen=True)
class StructureLimits:
    """Where free decoding stops; an untrained decoder need not stop by itself."""

    depth: int = 20
    """Levels below the root; deeper nodes are leaves."""
    nodes: int = 256
    """Nodes a shape: a level that would exceed it is not unfolded."""

    def __post_init__(self) -> None:
        if self.depth < 0 or self.nodes < 1:
            raise ValueError(f"depth must be >= 0 and nodes >= 1; got {self.depth}, {self.nodes}")


class LabelTable:
    """Which labels may stand below which.

    Args:
        labels: Full labels; the semantic class of one is its position + 1, class 0 is unused.
    """

    def __init__(self, labels: tuple[str, ...]) -> None:
        self.vocabulary = Vocabulary(labels)
        allowed = np.zeros((len(labels) + 1, len(labels) + 1), dtype=bool)
        for number, label in enumerate(labels, start=1):
            for child in self.vocabulary.children(label):
                allowed[number, self.vocabulary.index(child) + 1] = True
        self.allowed = torch.from_numpy(allowed)
        """``[parent class, child class]``."""
        self.inner = self.allowed.any(1)
        roots = [self.vocabulary.index(root) + 1 for root in self.vocabulary.roots]
        self.roots = torch.tensor(roots)
        """Classes of the roots."""

    def __len__(self) -> int:
        return len(self.allowed)


@dataclass(frozen=True)
class DecodedStructures:
    """Decoded hierarchies: nodes sorted by shape, depth first within a shape."""

    shape: Ints
    parent: Ints
    """Row of the parent; -1 at the roots."""
    label: Ints
    """Semantic class: position in the vocabulary + 1."""
    box: Floats
    """``(n, 12)``."""
    latent: Float[Tensor, "nodes feature"]
    edges: Ints
    """``(e, 3)``: rows of the two parts and the number of the kind, parents in node order."""
    complete: Bools
    """Whether a shape ended by itself, within the limits and with finite numbers."""
    labels: tuple[str, ...] = field(repr=False)
    kinds: tuple[RelationKind, ...] = field(repr=False)
    points: NDArray[np.floating[Any]] | None = None
    """``(n, p, 3)``, where parts have points."""

    def __len__(self) -> int:
        return len(self.complete)

    def part_trees(self) -> PartTrees:
        """The shapes one by one; symmetries get the parameters that the boxes suggest.

        A relation of a part to itself, or without parameters (a reflection of concentric parts),
        is left out.
        """
        relations = self._relations()
        ends = np.cumsum(np.bincount(self.shape, minlength=len(self)))
        starts = ends - np.bincount(self.shape, minlength=len(self))
        owner = self.shape[self.edges[:, 0]] if len(self.edges) else np.empty(0, np.int64)
        edge_ends = np.cumsum(np.bincount(owner, minlength=len(self)))[:-1]
        trees = []
        for start, end, listed in zip(
            starts, ends, np.split(np.arange(len(self.edges)), edge_ends), strict=True
        ):
            edges = tuple(
                Relation(kind, a - start, b - start, params)
                for kind, a, b, params in (relations[row] for row in listed)
                if params is not None
            )
            parent = self.parent[start:end]
            trees.append(
                PartTree(
                    box=self.box[start:end],
                    parent=np.where(parent >= 0, parent - start, -1),
                    label=tuple(self.labels[i - 1] for i in self.label[start:end]),
                    edges=edges,
                    part_points=None if self.points is None else self.points[start:end],
                )
            )
        return PartTrees(trees)

    def _relations(self) -> list[tuple[RelationKind, int, int, tuple[float, ...] | None]]:
        kinds = [self.kinds[number] for number in self.edges[:, 2].tolist()]
        params: list[tuple[float, ...] | None] = [()] * len(kinds)
        for kind in RelationKind:
            rows = [row for row, other in enumerate(kinds) if other is kind]
            if kind is not RelationKind.ADJ and rows:
                a, b = (self.box[self.edges[rows, side]] for side in (0, 1))
                for row, values in zip(rows, relation_params(kind, a, b), strict=True):
                    params[row] = values
        return [
            (kind, a, b, None if a == b else values)
            for kind, (a, b, _), values in zip(kinds, self.edges.tolist(), params, strict=True)
        ]


def relation_params(kind: RelationKind, a: Floats, b: Floats) -> list[tuple[float, ...] | None]:
    """Parameters of the symmetries from boxes ``a`` to ``b`` ``(n, 12)``, None where none is.

    They are those of :class:`~shapegen.structures.part_tree.Relation`.
    """
    from_, to = a[:, :3], b[:, :3]
    if kind is RelationKind.TRANS_SYM:
        return [tuple(vector) for vector in (to - from_).tolist()]
    if kind is RelationKind.REF_SYM:
        between = from_ - to
        length = np.linalg.norm(between, axis=1, keepdims=True)
        values = np.concatenate([(from_ + to) / 2, between / np.maximum(length, _SHORT)], axis=1)
        return [
            tuple(row) if long else None
            for row, long in zip(values.tolist(), length[:, 0] > _SHORT, strict=True)
        ]
    axes = [torch.from_numpy(box_algebra.axes(box)).transpose(1, 2) for box in (a, b)]
    parts = [
        frames(torch.zeros(len(a), 10, dtype=torch.float64))._replace(
            centre=torch.from_numpy(box[:, :3]), size=torch.from_numpy(box[:, 3:6]), rotation=axis
        )
        for box, axis in zip((a, b), axes, strict=True)
    ]
    motion = box_symmetry.rotations(parts[0], parts[1]).numpy()
    linear, offset = motion[:, :, :3], motion[:, :, 3]
    skew = np.stack(
        [
            linear[:, 2, 1] - linear[:, 1, 2],
            linear[:, 0, 2] - linear[:, 2, 0],
            linear[:, 1, 0] - linear[:, 0, 1],
        ],
        axis=1,
    )
    angle = np.arccos(np.clip((np.trace(linear, axis1=1, axis2=2) - 1) / 2, -1, 1))
    # The axis is what the rotation leaves alone; the skew part only gives its sense.
    axis = np.linalg.svd(linear - np.eye(3))[2][:, 2]
    axis *= np.where((axis * skew).sum(1, keepdims=True) < 0, -1.0, 1.0)
    pivot = (np.linalg.pinv(np.eye(3) - linear) @ offset[:, :, None])[:, :, 0]
    values = np.concatenate([pivot, axis, angle[:, None]], axis=1)
    return [tuple(row) if row[-1] > _SHORT else None for row in values.tolist()]


@torch.no_grad()
def decode_free(
    decoder: StructureDecoder,
    head: NodeHead,
    z: Float[Tensor, "shapes feature"],
    table: LabelTable,
    kinds: tuple[RelationKind, ...],
    limits: StructureLimits,
    *,
    directed: bool,
) -> DecodedStructures:
    """Decode greedily, all shapes level by level: one network call a level.

    Args:
        decoder: The networks.
        head: What a part is.
        z: Codes.
        table: Labels below labels: a part without possible children is a leaf.
        kinds: Kinds of relations in the decoder's order.
        limits: Where to stop.
        directed: Keep every directed relation, a part's to itself too, as the authors' code does;
            otherwise a relation of two parts is listed once, by the mean of its two logits.
    """
    contexts = decoder.contexts(z)
    latents = decoder.root_latents(z)
    allowed, inner = table.allowed.to(z.device), table.inner.to(z.device)
    shape = torch.arange(len(z), device=z.device)
    label = decoder.root_label(latents, table.roots.to(z.device))
    parent = torch.full_like(shape, -1)
    nodes = torch.ones_like(shape)
    complete = torch.ones(len(z), dtype=torch.bool, device=z.device)
    levels: list[tuple[Tensor, ...]] = []
    edges = [torch.empty(0, 3, dtype=torch.long, device=z.device)]
    start = 0
    for depth in range(limits.depth + 1):
        levels.append((shape, parent, label, latents))
        opens = inner[label] & (decoder.leaf_logits(latents) <= 0)
        if depth == limits.depth:
            complete[shape[opens]] = False
            break
        parents = opens.nonzero()[:, 0]
        if not len(parents):
            break
        grown = decoder.grow(latents[parents], label[parents], shape[parents], contexts)
        owner = shape[parents]
        total = nodes.index_add(0, owner[grown.parent], torch.ones_like(grown.parent))
        closed = total > limits.nodes
        complete &= ~closed
        nodes = torch.where(closed, nodes, total)
        kept = ~closed[owner[grown.parent]]
        # Numbers of the new nodes; those of closed shapes are not kept.
        number = kept.cumsum(0) - 1 + start + len(shape)
        edges.append(_relations(grown, kept, number, directed=directed))
        above = parents[grown.parent[kept]]
        possible = allowed[label[above]]
        logits = decoder.child_decoder.mlp_sem(grown.hidden[kept])
        latents = grown.latent[kept]
        label = logits.masked_fill(~possible, -torch.inf).argmax(1)
        parent = start + above
        start += len(shape)
        shape = shape[above]
        if not len(shape):
            break
    flat = [torch.cat(values) for values in zip(*levels, strict=True)]
    parts = head.parts(decoder.box_decoder(flat[3]))
    finite = torch.isfinite(parts.boxes).all(1)
    complete[flat[0][~finite]] = False
    return _depth_first(
        [len(level[0]) for level in levels],
        *(values.cpu().numpy() for values in flat[:3]),
        box=np.nan_to_num(parts.boxes.double().cpu().numpy()),
        points=None if parts.points is None else np.nan_to_num(parts.points.cpu().numpy()),
        latent=flat[3],
        edges=torch.cat(edges).cpu().numpy(),
        complete=complete.cpu().numpy(),
        table=table,
        kinds=kinds,
    )


def _relations(
    grown: Children,
    kept: Bool[Tensor, "children"],
    number: Int[Tensor, "children"],
    *,
    directed: bool,
) -> Int[Tensor, "edges 3"]:
    """Rows of both parts and the kind, of all relations between parts that are kept."""
    logits, first, second = grown.edges, grown.first, grown.second
    usable = kept[first]
    if not directed:
        # Pairs of a parent are a square, row by row: find the same pair the other way round.
        size = torch.bincount(first, minlength=len(kept))
        begin = size.cumsum(0) - size
        lowest = torch.full_like(begin, len(kept)).scatter_reduce(0, first, second, "amin")
        logits = (logits + logits[begin[second] + first - lowest[second]]) / 2
        usable = usable & (first < second)
    pair, kind = ((logits > 0) & usable[:, None]).nonzero().unbind(1)
    return torch.stack([number[first[pair]], number[second[pair]], kind], dim=1)


def _depth_first(
    sizes: list[int],
    shape: Ints,
    parent: Ints,
    label: Ints,
    *,
    box: Floats,
    points: NDArray[np.floating[Any]] | None,
    latent: Tensor,
    edges: Ints,
    complete: Bools,
    table: LabelTable,
    kinds: tuple[RelationKind, ...],
) -> DecodedStructures:
    """Sort nodes that were made level by level into shapes, depth first."""
    ends = np.cumsum(sizes)
    levels = [slice(end - size, end) for end, size in zip(ends, sizes, strict=True)]
    below = np.ones(len(shape), dtype=np.int64)  # nodes of the subtree
    for level in reversed(levels[1:]):
        np.add.at(below, parent[level], below[level])
    position = np.zeros(len(shape), dtype=np.int64)
    for level in levels[1:]:
        # Siblings stand side by side: a child comes after the subtrees of those before it.
        before = np.cumsum(below[level]) - below[level]
        _, first = np.unique(parent[level], return_index=True)
        own = np.searchsorted(parent[level][first], parent[level])
        position[level] = position[parent[level]] + 1 + before - before[first][own]
    order = np.lexsort((position, shape))
    row = np.empty_like(order)
    row[order] = np.arange(len(order))
    edges = np.concatenate([row[edges[:, :2]], edges[:, 2:]], axis=1)
    # Parents in node order; within a parent as they were found.
    edges = edges[np.argsort(row[parent[order[edges[:, 0]]]], kind="stable")]
    sorted_parent = parent[order]
    return DecodedStructures(
        shape=shape[order],
        parent=np.where(sorted_parent >= 0, row[sorted_parent], -1),
        label=label[order],
        box=box[order],
        points=None if points is None else points[order],
        latent=latent[torch.from_numpy(order).to(latent.device)],
        edges=edges,
        complete=complete,
        labels=table.vocabulary.labels,
        kinds=kinds,
    )
