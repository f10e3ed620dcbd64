"""What is below the nodes of a batch, and all pairs of parts between two such sets."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Int
from torch import Tensor

from shapegen.structures.tree_batch import TreeBatch


class Below(NamedTuple):
    """Nodes below every node, as one list."""

    nodes: Int[Tensor, "listed"]
    start: Int[Tensor, "nodes"]
    number: Int[Tensor, "nodes"]
    """How many; the list has them from ``start``."""

    @classmethod
    def all_nodes(cls, batch: TreeBatch) -> Below:
        """All descendants, without the node itself."""
        return cls._of(batch, *_ancestors(batch))

    @classmethod
    def leaves(cls, batch: TreeBatch) -> Below:
        """The leaves; a leaf is its own."""
        node, ancestor = _ancestors(batch)
        leaf = batch.num_children == 0
        kept = leaf[node]
        own = leaf.nonzero()[:, 0]
        return cls._of(batch, torch.cat([own, node[kept]]), torch.cat([own, ancestor[kept]]))

    @classmethod
    def _of(cls, batch: TreeBatch, node: Tensor, ancestor: Tensor) -> Below:
        order = ancestor.argsort(stable=True)
        count = torch.bincount(ancestor, minlength=len(batch.parent))
        return cls(node[order], count.cumsum(0) - count, count)


def _ancestors(batch: TreeBatch) -> tuple[Tensor, Tensor]:
    """All pairs of a node and a node above it."""
    node, above = torch.arange(len(batch.parent), device=batch.parent.device), batch.parent
    nodes, ancestors = [node[:0]], [node[:0]]
    for _ in batch.siblings:
        kept = above >= 0
        node, above = node[kept], above[kept]
        nodes.append(node)
        ancestors.append(above)
        above = batch.parent[above]
    return torch.cat(nodes), torch.cat(ancestors)


class SetPairs(NamedTuple):
    """All pairs between two sets of nodes, for many pairs of sets."""

    first: Int[Tensor, "firsts"]
    """Nodes of the first sets, one set after the other."""
    first_group: Int[Tensor, "firsts"]
    second: Int[Tensor, "seconds"]
    second_group: Int[Tensor, "seconds"]
    row: Int[Tensor, "pairs"]
    """Position among ``first``."""
    column: Int[Tensor, "pairs"]
    """Position among ``second``."""

    @classmethod
    def between(cls, below: Below, a: Tensor, b: Tensor) -> SetPairs:
        """What is below ``a[i]`` with what is below ``b[i]``, for every ``i``."""
        first, first_group = _listed(below.start[a], below.number[a])
        second, second_group = _listed(below.start[b], below.number[b])
        # Every node of a first set meets one range of the second sets.
        count = below.number[b]
        start = count.cumsum(0) - count
        column, row = _listed(start[first_group], count[first_group])
        return cls(below.nodes[first], first_group, below.nodes[second], second_group, row, column)


def _listed(start: Tensor, count: Tensor) -> tuple[Tensor, Tensor]:
    """The numbers of every range one after the other, and the range of each."""
    group = torch.arange(len(start), device=start.device).repeat_interleave(count)
    skipped = count.cumsum(0) - count
    within = torch.arange(len(group), device=start.device) - skipped[group]
    return start[group] + within, group
