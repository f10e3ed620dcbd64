"""Many merge trees as flat arrays, scheduled level by level."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch import Tensor

from shapegen.structures.merge_tree import ADJ, BOX, SYM, MergeTree

Ints = NDArray[np.int64]

KIND_ORDER = (ADJ, SYM, BOX)
"""Within a level, nodes are sorted by kind in this order, so that every kind is one slice."""


@dataclass(frozen=True)
class Level:
    """The nodes of one depth over all trees.

    Nodes come in two orders. As children: left and right of the first ADJ above, of the second,
    ..., then the generators of the SYMs above. By kind: all ADJ, all SYM, all BOX. A level is made
    in the one and used in the other; ``permutation`` leads from the first to the second.
    """

    permutation: Int[Tensor, "nodes"]
    """``by_kind = as_children[permutation]``."""
    inverse: Int[Tensor, "nodes"]
    """``as_children = by_kind[inverse]``."""
    num_adj: int
    num_sym: int
    num_box: int

    @property
    def counts(self) -> tuple[int, int, int]:
        """Nodes of each kind in :data:`KIND_ORDER`."""
        return self.num_adj, self.num_sym, self.num_box


@dataclass(frozen=True)
class MergeBatch:
    """A batch of trees: levels from the root down; all rows run through the levels in order."""

    levels: tuple[Level, ...]
    kind: Int[Tensor, "nodes"]
    """BOX, ADJ or SYM of every node, level by level, by kind within a level."""
    shape: Int[Tensor, "nodes"]
    """Number in the batch of the tree that every node belongs to."""
    boxes: Float[Tensor, "boxes box_dim"]
    box_shape: Int[Tensor, "boxes"]
    syms: Float[Tensor, "syms sym_dim"]
    sym_shape: Int[Tensor, "syms"]
    labels: Int[Tensor, "boxes"]
    """Label number of every box; -1 where it has none."""
    node: Int[Tensor, "nodes"]
    """Position of every node in its own tree's post-order."""
    num_shapes: int

    def to(self, device: torch.device | str) -> MergeBatch:
        """Copy to a device."""
        levels = tuple(
            replace(
                level,
                permutation=level.permutation.to(device),
                inverse=level.inverse.to(device),
            )
            for level in self.levels
        )
        names = ("kind", "shape", "boxes", "box_shape", "syms", "sym_shape", "labels", "node")
        moved = {name: getattr(self, name).to(device) for name in names}
        return replace(self, levels=levels, **moved)


class MergeData:
    """Trees in one flat set of arrays, from which a batch is gathered by index in microseconds.

    Args:
        trees: At least one.
        boxes: Rows ``(sum of boxes, box_dim)`` that the model sees, in the trees' order; default
            the trees' own.
        syms: Rows ``(sum of syms, sym_dim)``, likewise.
        labels: Label number of every box; default -1.
    """

    def __init__(
        self,
        trees: Sequence[MergeTree],
        *,
        boxes: NDArray[np.float64] | None = None,
        syms: NDArray[np.float64] | None = None,
        labels: Ints | None = None,
    ) -> None:
        if not trees:
            raise ValueError("no trees to batch; at least one is needed")
        self._count = len(trees)
        self._kind = np.concatenate([tree.ops for tree in trees])
        sizes = np.array([len(tree) for tree in trees])
        start = np.concatenate([[0], np.cumsum(sizes)])
        self._start = start[:-1]
        self._root = start[1:] - 1
        self._first = np.full(len(self._kind), -1)
        self._second = np.full(len(self._kind), -1)
        _link(self._kind, self._first, self._second)
        # The row of a node among the boxes (or symmetries) of all trees.
        self._row = np.zeros(len(self._kind), dtype=np.int64)
        for kind in (BOX, SYM):
            mask = self._kind == kind
            self._row[mask] = np.arange(mask.sum())
        if boxes is None:
            boxes = np.concatenate([tree.boxes for tree in trees])
        if syms is None:
            syms = np.concatenate([tree.syms for tree in trees])
        self._boxes = torch.from_numpy(np.ascontiguousarray(boxes, dtype=np.float32))
        self._syms = torch.from_numpy(np.ascontiguousarray(syms, dtype=np.float32))
        self._labels = torch.from_numpy(
            np.full(len(self._boxes), -1) if labels is None else np.asarray(labels)
        )

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, indices: Tensor) -> MergeBatch:
        chosen = np.asarray(indices, dtype=np.int64)
        if not len(chosen):
            raise ValueError("an empty batch has no levels; give at least one index")
        nodes, shape = self._root[chosen], np.arange(len(chosen))
        levels, all_nodes, all_shapes = [], [], []
        while len(nodes):
            kind = self._kind[nodes]
            masks = [np.flatnonzero(kind == k) for k in KIND_ORDER]
            permutation = np.concatenate(masks)
            inverse = np.empty_like(permutation)
            inverse[permutation] = np.arange(len(permutation))
            levels.append(
                Level(torch.from_numpy(permutation), torch.from_numpy(inverse), *map(len, masks))
            )
            nodes, shape = nodes[permutation], shape[permutation]
            all_nodes.append(nodes)
            all_shapes.append(shape)
            adj, sym = nodes[: len(masks[0])], nodes[len(masks[0]) :][: len(masks[1])]
            pairs = np.stack([self._first[adj], self._second[adj]], axis=1).reshape(-1)
            shape = np.concatenate(
                [np.repeat(shape[: len(adj)], 2), shape[len(adj) :][: len(sym)]]
            )
            nodes = np.concatenate([pairs, self._first[sym]])
        return self._batch(
            tuple(levels), np.concatenate(all_nodes), np.concatenate(all_shapes), chosen
        )

    def _batch(
        self, levels: tuple[Level, ...], nodes: Ints, shape: Ints, chosen: Ints
    ) -> MergeBatch:
        kind = self._kind[nodes]
        is_box, is_sym = kind == BOX, kind == SYM
        box_rows = torch.from_numpy(self._row[nodes[is_box]])
        return MergeBatch(
            levels=levels,
            kind=torch.from_numpy(kind),
            shape=torch.from_numpy(shape),
            boxes=self._boxes[box_rows],
            box_shape=torch.from_numpy(shape[is_box]),
            syms=self._syms[torch.from_numpy(self._row[nodes[is_sym]])],
            sym_shape=torch.from_numpy(shape[is_sym]),
            labels=self._labels[box_rows],
            node=torch.from_numpy(nodes - self._start[chosen[shape]]),
            num_shapes=len(chosen),
        )


def _link(kind: Ints, first: Ints, second: Ints) -> None:
    """Fill the children of every node of concatenated post-orders (one stack serves them all)."""
    stack: list[int] = []
    for node, op in enumerate(kind.tolist()):
        if op == ADJ:
            first[node] = stack.pop()
            second[node] = stack.pop()
        elif op == SYM:
            first[node] = stack.pop()
        stack.append(node)
