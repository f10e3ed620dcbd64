"""Many n-ary part trees as one flat set of arrays, children before parents."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from shapegen.structures.part_tree import PartTree, RelationKind
from shapegen.structures.vocabulary import Vocabulary

KIND_NUMBER = {kind: number for number, kind in enumerate(RelationKind)}
"""Number of a relation's kind in :attr:`TreeBatch.edge_kind`: ADJ 0, REF_SYM 1, TRANS_SYM 2,
ROT_SYM 3."""


@dataclass(frozen=True)
class TreeBatch:
    """All nodes of all shapes, from the deepest level up: one level is one slice.

    In the manner of a PyTorch Geometric batch, the trees are one disconnected graph: ``shape``
    says which tree a node belongs to, ``edge_index`` links node numbers of the whole batch.
    """

    box: Float[Tensor, "nodes 12"]
    parent: Int[Tensor, "nodes"]
    """Number of the parent node in the batch, -1 for a root."""
    slot: Int[Tensor, "nodes"]
    """Position among its parent's children, in the tree's order; 0 for a root."""
    num_children: Int[Tensor, "nodes"]
    label: Int[Tensor, "nodes"]
    """Label number in the vocabulary; -1 without one."""
    shape: Int[Tensor, "nodes"]
    """Number of the tree in the batch."""
    node: Int[Tensor, "nodes"]
    """Number of the node in its own tree."""
    level_sizes: tuple[int, ...]
    """Nodes at every depth, the deepest first; the last are the roots."""
    edge_index: Int[Tensor, "2 edges"]
    """The two parts of every relation, each relation once, as listed in the tree."""
    edge_kind: Int[Tensor, "edges"]
    edge_params: Float[Tensor, "edges 7"]
    """Parameters of every relation, padded with zeros."""
    num_shapes: int

    @classmethod
    def from_trees(
        cls, trees: Sequence[PartTree], *, vocabulary: Vocabulary | None = None
    ) -> TreeBatch:
        """Lay out trees in batch order.

        Args:
            trees: At least one.
            vocabulary: Numbers the full labels; without it every label is -1.

        Raises:
            ValueError: No trees, or a label that the vocabulary lacks.
        """
        if not trees:
            raise ValueError("no trees to batch; at least one is needed")
        sizes = np.array([len(tree) for tree in trees])
        offset = np.cumsum(sizes) - sizes
        depth = np.concatenate([tree.depth for tree in trees])
        # A stable sort keeps the order of siblings.
        order = np.argsort(-depth, kind="stable")
        position = np.empty_like(order)
        position[order] = np.arange(len(order))
        parent = np.concatenate([tree.parent for tree in trees])
        shape = np.repeat(np.arange(len(trees)), sizes)
        has_parent = parent >= 0
        flat_parent = np.where(has_parent, parent + offset[shape], -1)
        slot, num_children = _slots(flat_parent)
        edges = [
            (
                position[start + edge.a],
                position[start + edge.b],
                KIND_NUMBER[edge.kind],
                edge.params,
            )
            for tree, start in zip(trees, offset.tolist(), strict=True)
            for edge in tree.edges
        ]
        params = np.zeros((len(edges), 7), dtype=np.float32)
        for row, (_, _, _, values) in enumerate(edges):
            params[row, : len(values)] = values
        label = np.full(len(parent), -1)
        if vocabulary is not None:
            label[:] = [vocabulary.index(name) for tree in trees for name in tree.label]
        box = np.concatenate([tree.box for tree in trees]).astype(np.float32)
        parent_position = np.where(has_parent, position[flat_parent], -1)
        index = np.array([edge[:2] for edge in edges], dtype=np.int64).reshape(-1, 2).T
        return cls(
            box=torch.from_numpy(box[order]),
            parent=torch.from_numpy(parent_position[order]),
            slot=torch.from_numpy(slot[order]),
            num_children=torch.from_numpy(num_children[order]),
            label=torch.from_numpy(label[order]),
            shape=torch.from_numpy(shape[order]),
            node=torch.from_numpy((np.arange(len(parent)) - offset[shape])[order]),
            level_sizes=tuple(np.bincount(depth)[::-1].tolist()),
            edge_index=torch.from_numpy(np.ascontiguousarray(index)),
            edge_kind=torch.tensor([edge[2] for edge in edges], dtype=torch.int64),
            edge_params=torch.from_numpy(params),
            num_shapes=len(trees),
        )

    def __len__(self) -> int:
        return self.num_shapes

    def levels(self) -> list[slice]:
        """Rows of every level, the deepest first; a node's children are in the slice before."""
        ends = np.cumsum(self.level_sizes).tolist()
        return [slice(end - size, end) for end, size in zip(ends, self.level_sizes, strict=True)]

    def to(self, device: torch.device | str) -> TreeBatch:
        """Copy to a device."""
        moved: dict[str, Any] = {
            name: value.to(device)
            for name, value in vars(self).items()
            if isinstance(value, Tensor)
        }
        return replace(self, **moved)


def _slots(parent: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Position of every node among its siblings, and its number of children."""
    num_children = np.bincount(parent[parent >= 0], minlength=len(parent))
    by_parent = np.argsort(parent, kind="stable")
    sorted_parent = parent[by_parent]
    start = np.searchsorted(sorted_parent, sorted_parent, side="left")
    slot = np.empty_like(parent)
    slot[by_parent] = np.arange(len(parent)) - start
    slot[parent < 0] = 0
    return slot, num_children
