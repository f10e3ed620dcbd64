"""Encoder of StructureNet: part hierarchies folded into codes, level by level.

Parameters are named as in the authors' state dicts.

Reference: Mo et al., *StructureNet*, 2019, section 4.1.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from shapegen.core.gaussian import DiagGaussian
from shapegen.structures.structurenet_layers import (
    ACTIVATIONS,
    Activation,
    Pooling,
    gathered,
    kind_inputs,
    message_inputs,
    split_linear,
    with_class,
)
from shapegen.structures.tree_batch import Siblings, TreeBatch


class ChildEncoder(nn.Module):
    """Features of inner nodes from those of their children and the relations among them."""

    def __init__(
        self,
        feature_dim: int,
        hidden_dim: int,
        *,
        num_labels: int,
        num_kinds: int,
        passes: int,
        node_pool: Pooling,
        edge_pool: Pooling,
        activation: Activation,
    ) -> None:
        super().__init__()
        self.node_pool, self.edge_pool = node_pool, edge_pool
        self.activation = ACTIVATIONS[activation]
        self.child_op = nn.Linear(feature_dim + num_labels, hidden_dim)
        self.node_edge_op = nn.ModuleList(
            nn.Linear(2 * hidden_dim + num_kinds, hidden_dim) for _ in range(passes)
        )
        self.parent_op = nn.Linear(hidden_dim * (passes + 1), feature_dim)

    def forward(
        self,
        features: Float[Tensor, "children feature"],
        label: Int[Tensor, "children"],
        siblings: Siblings,
        edges: Int[Tensor, "2 directed"],
        kind: Int[Tensor, "directed"],
    ) -> Float[Tensor, "parents feature"]:
        """One level.

        Args:
            features: Of the children, grouped by parents.
            label: Semantic class of every child.
            siblings: The grouping.
            edges: Directed relations as positions among the children.
            kind: Kind of every relation.
        """
        x = self.activation(with_class(self.child_op, features, label))
        pooled = [self._pooled(x, siblings)]
        # Parents without a relation among their children pass them on unchanged.
        linked = torch.zeros(len(siblings.parents), dtype=torch.bool, device=x.device)
        linked[siblings.parent[edges[0]]] = True
        linked = linked[siblings.parent][:, None]
        for layer in self.node_edge_op:
            if edges.shape[1]:
                message = message_inputs(layer, x, edges) + kind_inputs(layer, x, kind)
                received = gathered(self.activation(message), edges[0], len(x), self.edge_pool)
                x = torch.where(linked, received, x)
            pooled.append(self._pooled(x, siblings))
        return self.activation(split_linear(self.parent_op, pooled))

    def _pooled(self, x: Tensor, siblings: Siblings) -> Tensor:
        return gathered(x, siblings.parent, len(siblings.parents), self.node_pool)


class StructureEncoder(nn.Module):
    """Posterior of a hierarchy's code, folded from the leaves up.

    ``part`` makes what encodes a leaf.
    """

    def __init__(
        self,
        feature_dim: int,
        hidden_dim: int,
        *,
        part: Callable[[], nn.Module],
        **options: Any,
    ) -> None:
        super().__init__()
        self.box_encoder = part()
        """Whatever a part is: see :mod:`~shapegen.structures.structurenet_head`."""
        self.child_encoder = ChildEncoder(feature_dim, hidden_dim, **options)
        self.sample_encoder = nn.ModuleDict(
            {
                "mlp1": nn.Linear(feature_dim, hidden_dim),
                "mlp2mu": nn.Linear(hidden_dim, feature_dim),
                "mlp2var": nn.Linear(hidden_dim, feature_dim),
            }
        )

    def root_features(
        self,
        batch: TreeBatch,
        rows: Float[Tensor, "nodes row"],
        label: Int[Tensor, "nodes"],
        kind: Int[Tensor, "edges"],
    ) -> Float[Tensor, "shapes feature"]:
        """Features of the roots.

        Args:
            batch: The hierarchies.
            rows: Parts of all nodes; only those of leaves are used.
            label: Semantic class of every node.
            kind: Number of every relation's kind.
        """
        is_leaf = batch.num_children == 0
        leaves = self.box_encoder(rows[is_leaf])
        inner = leaves[:0]
        used = 0
        groups = iter(batch.siblings)
        for level in batch.levels():
            leaf = is_leaf[level]
            count = int(leaf.sum())
            place = torch.where(leaf, leaf.cumsum(0), count + (~leaf).cumsum(0)) - 1
            features = torch.cat([leaves[used : used + count], inner]).index_select(0, place)
            used += count
            siblings = next(groups, None)
            if siblings is None:
                break
            forth = batch.edge_index[:, siblings.edges] - siblings.start
            edges = torch.cat([forth, forth.flip(0)], dim=1)
            kinds = kind[siblings.edges].repeat(2)
            inner = self.child_encoder(features, label[level], siblings, edges, kinds)
        return features

    def forward(
        self,
        batch: TreeBatch,
        rows: Float[Tensor, "nodes row"],
        label: Int[Tensor, "nodes"],
        kind: Int[Tensor, "edges"],
    ) -> DiagGaussian:
        """Posterior of every shape's code; see :meth:`root_features`."""
        return self.posterior(self.root_features(batch, rows, label, kind))

    def posterior(self, features: Float[Tensor, "shapes feature"]) -> DiagGaussian:
        """Gaussian from the root features."""
        hidden = self.child_encoder.activation(self.sample_encoder["mlp1"](features))
        mean, logvar = (
            self.sample_encoder["mlp2mu"](hidden),
            self.sample_encoder["mlp2var"](hidden),
        )
        return DiagGaussian(mean, logvar)
