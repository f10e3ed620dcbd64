"""Losses of StructureNet that do not depend on what a part is, per shape.

Reference: Mo et al., *StructureNet*, 2019, section 4.2, and the authors' code for the details.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

from shapegen.structures.structurenet_matching import Matched
from shapegen.structures.tree_batch import TreeBatch


def hierarchy_losses(
    found: Matched,
    batch: TreeBatch,
    label: Int[Tensor, "nodes"],
    kind: Int[Tensor, "edges"],
    *,
    roots: Int[Tensor, "roots"],
) -> dict[str, Float[Tensor, "shapes"]]:
    """Losses of leaves, existence, labels and relations, sums over the nodes of every shape.

    Args:
        found: What the decoder says along the true hierarchies.
        batch: The hierarchies.
        label: Semantic class of every node.
        kind: Number of every relation's kind, as the decoder counts them.
        roots: Semantic classes of the roots.
    """
    children = slice(0, len(found.slot))
    leaf = _binary_entropy(found.leaf, (batch.num_children == 0).to(found.leaf))
    semantic = functional.cross_entropy(found.semantic, label[children], reduction="none")
    semantic = batch.total(semantic, children)
    if found.category is not None:
        root = torch.searchsorted(roots, label[len(found.slot) :])
        semantic = semantic + functional.cross_entropy(found.category, root, reduction="none")
    edges = _binary_entropy(found.edges, _edge_targets(found, batch, kind))
    per_pair = edges.sum((1, 2, 3)) / (edges.shape[2] * edges.shape[3])
    exists = _binary_entropy(found.exists, found.used)
    return {
        "leaf": batch.total(leaf),
        "exists": batch.total(exists.sum(1), found.parents),
        "semantic": semantic,
        "edge_exists": batch.total(per_pair, found.parents),
    }


def _binary_entropy(logits: Tensor, target: Tensor) -> Tensor:
    return functional.binary_cross_entropy_with_logits(logits, target, reduction="none")


def _edge_targets(found: Matched, batch: TreeBatch, kind: Tensor) -> Tensor:
    target = torch.zeros_like(found.edges)
    a, b = batch.edge_index
    parent = found.parent[a]
    target[parent, found.slot[a], found.slot[b], kind] = 1.0
    target[parent, found.slot[b], found.slot[a], kind] = 1.0
    return target
