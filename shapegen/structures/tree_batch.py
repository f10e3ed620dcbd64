"""Many n-ary part trees as one flat set of arrays, children before parents."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch import Tensor

from shapegen.structures.part_tree import PartTree, RelationKind
from shapegen.structures.vocabulary import Vocabulary

Ints = NDArray[np.int64]

KIND_NUMBER = {kind: number for number, kind in enumerate(RelationKind)}
"""Number of a relation's kind in :attr:`TreeBatch.edge_kind`: ADJ 0, REF_SYM 1, TRANS_SYM 2,
ROT_SYM 3."""


@dataclass(frozen=True)
class Siblings:
    """The nodes of one depth, grouped by their parents."""

    start: int
    """Row in the batch of the first of them; they are one slice."""
    parents: Int[Tensor, "parents"]
    """Rows of the nodes above that have children."""
    parent: Int[Tensor, "children"]
    """Position of every child's parent in :attr:`parents`."""
    edges: Int[Tensor, "edges"]
    """Relations among them: columns of :attr:`TreeBatch.edge_index`."""

    def to(self, device: torch.device | str) -> Siblings:
        """Copy to a device."""
        return replace(
            self,
            parents=self.parents.to(device),
            parent=self.parent.to(device),
            edges=self.edges.to(device),
        )

    @property
    def rows(self) -> slice:
        """Their rows in the batch."""
        return slice(self.start, self.start + len(self.parent))


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
    siblings: tuple[Siblings, ...]
    """The levels below the roots, the deepest first."""
    num_shapes: int
    points: Float[Tensor, "nodes points 3"] | None = None
    """Points of every node, where the data were laid out with them."""

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
        return TreeData(trees, vocabulary=vocabulary)[torch.arange(len(trees))]

    def __len__(self) -> int:
        return self.num_shapes

    def levels(self) -> list[slice]:
        """Rows of every level, the deepest first; a node's children are in the slice before."""
        ends = np.cumsum(self.level_sizes).tolist()
        return [slice(end - size, end) for end, size in zip(ends, self.level_sizes, strict=True)]

    def total(
        self, values: Float[Tensor, "rows"], rows: Tensor | slice = slice(None)
    ) -> Float[Tensor, "shapes"]:
        """Sum values of nodes, of all of them or of ``rows``, over every shape."""
        return values.new_zeros(self.num_shapes).index_add(0, self.shape[rows], values)

    def to(self, device: torch.device | str) -> TreeBatch:
        """Copy to a device."""
        moved: dict[str, Any] = {
            name: value.to(device)
            for name, value in vars(self).items()
            if isinstance(value, Tensor)
        }
        return replace(self, **moved, siblings=tuple(each.to(device) for each in self.siblings))


class TreeData:
    """All trees of a data set as flat arrays, from which batches are gathered by index.

    Args:
        trees: At least one.
        vocabulary: Numbers the full labels; without it every label is -1.
        points: Lay out the parts' points too; all trees must have equally many a part.

    Raises:
        ValueError: No trees, or a label that the vocabulary lacks.
    """

    def __init__(
        self,
        trees: Sequence[PartTree],
        *,
        vocabulary: Vocabulary | None = None,
        points: bool = False,
    ) -> None:
        if not len(trees):
            raise ValueError("no trees to batch; at least one is needed")
        self.sizes = np.array([len(tree) for tree in trees])
        self._offset = np.cumsum(self.sizes) - self.sizes
        self._depth = np.concatenate([tree.depth for tree in trees])
        own = np.concatenate([tree.parent for tree in trees])
        start = np.repeat(self._offset, self.sizes)
        self._parent = np.where(own >= 0, own + start, -1)
        self._slot, self.num_children = _slots(self._parent)
        self._node = np.arange(len(own)) - start
        self._box = np.concatenate([tree.box for tree in trees]).astype(np.float32)
        self._points = None
        if points:
            clouds = [tree.part_points for tree in trees if tree.part_points is not None]
            self._points = np.concatenate(clouds)
        self._label = np.full(len(own), -1)
        if vocabulary is not None:
            self._label = np.concatenate([vocabulary.indices(tree) for tree in trees])
        edges = [edge for tree in trees for edge in tree.edges]
        self._num_edges = np.array([len(tree.edges) for tree in trees])
        self._edge_offset = np.cumsum(self._num_edges) - self._num_edges
        first = np.repeat(self._offset, self._num_edges)
        ends = np.array([(edge.a, edge.b) for edge in edges], dtype=np.int64).reshape(-1, 2)
        self._edges = ends.T + first
        self._edge_kind = np.array([KIND_NUMBER[edge.kind] for edge in edges], dtype=np.int64)
        self._edge_params = np.zeros((len(edges), 7), dtype=np.float32)
        for row, edge in enumerate(edges):
            self._edge_params[row, : len(edge.params)] = edge.params

    def __len__(self) -> int:
        return len(self.sizes)

    @cached_property
    def all(self) -> TreeBatch:
        """All trees in one batch."""
        return self[torch.arange(len(self))]

    def __getitem__(self, indices: Tensor) -> TreeBatch:
        chosen = np.asarray(indices, dtype=np.int64).reshape(-1)
        sizes = self.sizes[chosen]
        rows = _ranges(self._offset[chosen], sizes)
        edges = _ranges(self._edge_offset[chosen], self._num_edges[chosen])
        depth = self._depth[rows]
        # A stable sort keeps the order of siblings.
        order = np.argsort(-depth, kind="stable")
        position = np.empty_like(order)
        position[order] = np.arange(len(order))
        # From a row of the data set to one of this choice, tree by tree.
        shift = np.cumsum(sizes) - sizes - self._offset[chosen]
        shape = np.repeat(np.arange(len(chosen)), sizes)
        parent = self._parent[rows]
        parent = np.where(parent >= 0, position[(parent + shift[shape]) * (parent >= 0)], -1)
        owner = np.repeat(np.arange(len(chosen)), self._num_edges[chosen])
        index = position[self._edges[:, edges] + shift[owner]]
        level_sizes = np.bincount(depth)[::-1]
        rows, parent = rows[order], parent[order]
        return TreeBatch(
            box=torch.from_numpy(self._box[rows]),
            parent=torch.from_numpy(parent),
            slot=torch.from_numpy(self._slot[rows]),
            num_children=torch.from_numpy(self.num_children[rows]),
            label=torch.from_numpy(self._label[rows]),
            shape=torch.from_numpy(shape[order]),
            node=torch.from_numpy(self._node[rows]),
            level_sizes=tuple(level_sizes.tolist()),
            edge_index=torch.from_numpy(index),
            edge_kind=torch.from_numpy(self._edge_kind[edges]),
            edge_params=torch.from_numpy(self._edge_params[edges]),
            siblings=_siblings(level_sizes, parent, index[0]),
            num_shapes=len(chosen),
            points=None if self._points is None else torch.from_numpy(self._points[rows]),
        )


def _siblings(level_sizes: Ints, parent: Ints, first: Ints) -> tuple[Siblings, ...]:
    """Group every level but the roots by parents; ``first`` is the first part of every edge."""
    ends = np.cumsum(level_sizes)[:-1]
    level = np.searchsorted(ends, first, side="right")
    groups = []
    for number, end in enumerate(ends.tolist()):
        start = end - int(level_sizes[number])
        # Nodes of a level stand in the order of their parents.
        parents, position = np.unique(parent[start:end], return_inverse=True)
        groups.append(
            Siblings(
                start=start,
                parents=torch.from_numpy(parents),
                parent=torch.from_numpy(position.reshape(-1)),
                edges=torch.from_numpy(np.flatnonzero(level == number)),
            )
        )
    return tuple(groups)


def _ranges(start: Ints, size: Ints) -> Ints:
    """The numbers ``start, start + 1, ...`` of every range, one after the other."""
    skipped = np.cumsum(size) - size
    result: Ints = np.repeat(start - skipped, size) + np.arange(int(size.sum()))
    return result


def _slots(parent: Ints) -> tuple[Ints, Ints]:
    """Position of every node among its siblings, and its number of children."""
    num_children = np.bincount(parent[parent >= 0], minlength=len(parent))
    by_parent = np.argsort(parent, kind="stable")
    sorted_parent = parent[by_parent]
    start = np.searchsorted(sorted_parent, sorted_parent, side="left")
    slot = np.empty_like(parent)
    slot[by_parent] = np.arange(len(parent)) - start
    slot[parent < 0] = 0
    return slot, num_children
