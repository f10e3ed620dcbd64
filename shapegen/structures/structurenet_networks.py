"""Networks of StructureNet: graph encoder and decoder of part hierarchies, level by level.

Parameters are named as in the authors' state dicts. A linear layer over concatenated features is
applied as a sum of products with slices of its weight, so that what belongs to a node is computed
once a node and not once an edge.

Reference: Mo et al., *StructureNet*, 2019, section 4.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional
from torch_geometric.utils import scatter

from shapegen.core.gaussian import DiagGaussian
from shapegen.structures.tree_batch import Siblings, TreeBatch

BOX_DIM = 10
Pooling = Literal["max", "sum", "avg"]
Activation = Literal["relu", "gelu"]

_ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": functional.relu,
    "gelu": functional.gelu,
}
_REDUCE: dict[str, str] = {"max": "max", "sum": "sum", "avg": "mean"}


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
        self.activation = _ACTIVATIONS[activation]
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
        x = self.activation(_with_class(self.child_op, features, label))
        pooled = [self._pooled(x, siblings)]
        # Parents without a relation among their children pass them on unchanged.
        linked = torch.zeros(len(siblings.parents), dtype=torch.bool, device=x.device)
        linked[siblings.parent[edges[0]]] = True
        linked = linked[siblings.parent][:, None]
        for layer in self.node_edge_op:
            if edges.shape[1]:
                message = self.activation(_message(layer, x, edges) + _column(layer, x, kind))
                received = scatter(
                    message, edges[0], dim_size=len(x), reduce=_REDUCE[self.edge_pool]
                )
                x = torch.where(linked, received, x)
            pooled.append(self._pooled(x, siblings))
        return self.activation(_split_linear(self.parent_op, pooled))

    def _pooled(self, x: Tensor, siblings: Siblings) -> Tensor:
        return scatter(
            x, siblings.parent, dim_size=len(siblings.parents), reduce=_REDUCE[self.node_pool]
        )


class StructureEncoder(nn.Module):
    """Posterior of a hierarchy's code, folded from the leaves up."""

    def __init__(self, feature_dim: int, hidden_dim: int, **options: object) -> None:
        super().__init__()
        self.box_encoder = nn.ModuleDict({"encoder": nn.Linear(BOX_DIM, feature_dim)})
        self.child_encoder = ChildEncoder(feature_dim, hidden_dim, **options)  # type: ignore[arg-type]
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
        boxes: Float[Tensor, "nodes 10"],
        label: Int[Tensor, "nodes"],
        kind: Int[Tensor, "edges"],
    ) -> Float[Tensor, "shapes feature"]:
        """Features of the roots.

        Args:
            batch: The hierarchies.
            boxes: Boxes of all nodes; only those of leaves are used.
            label: Semantic class of every node.
            kind: Number of every relation's kind.
        """
        activation = self.child_encoder.activation
        is_leaf = batch.num_children == 0
        leaves = activation(self.box_encoder["encoder"](boxes[is_leaf]))
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
        boxes: Float[Tensor, "nodes 10"],
        label: Int[Tensor, "nodes"],
        kind: Int[Tensor, "edges"],
    ) -> DiagGaussian:
        """Posterior of every shape's code; see :meth:`root_features`."""
        return self.posterior(self.root_features(batch, boxes, label, kind))

    def posterior(self, features: Float[Tensor, "shapes feature"]) -> DiagGaussian:
        """Gaussian from the root features."""
        hidden = self.child_encoder.activation(self.sample_encoder["mlp1"](features))
        mean, logvar = (
            self.sample_encoder["mlp2mu"](hidden),
            self.sample_encoder["mlp2var"](hidden),
        )
        return DiagGaussian(mean, logvar)


class Slots(NamedTuple):
    """What a decoder makes of every parent: ``slots`` possible children, all pairs related."""

    latent: Float[Tensor, "parents slots feature"]
    hidden: Float[Tensor, "parents slots hidden"]
    """What the semantic class is read from."""
    exists: Float[Tensor, "parents slots"]
    """Logits."""
    edges: Float[Tensor, "parents slots slots kinds"]
    """Logits of directed relations."""
    messages: Int[Tensor, "parents"]
    """Number of directed relations that messages were passed over."""


class ChildDecoder(nn.Module):
    """Possible children of inner nodes, and the relations among them."""

    def __init__(
        self,
        feature_dim: int,
        hidden_dim: int,
        *,
        num_labels: int,
        num_kinds: int,
        passes: int,
        slots: int,
        edge_pool: Pooling,
        activation: Activation,
    ) -> None:
        super().__init__()
        self.slots, self.edge_pool = slots, edge_pool
        self.activation = _ACTIVATIONS[activation]
        self.mlp_parent = nn.Linear(feature_dim, hidden_dim * slots)
        self.mlp_exists = nn.Linear(hidden_dim, 1)
        self.mlp_edge_latent = nn.Linear(2 * hidden_dim, hidden_dim)
        self.mlp_edge_exists = nn.Linear(hidden_dim, num_kinds)
        self.node_edge_op = nn.ModuleList(
            nn.Linear(3 * hidden_dim + num_kinds, hidden_dim) for _ in range(passes)
        )
        self.mlp_child = nn.Linear(hidden_dim * (passes + 1), hidden_dim)
        self.mlp_sem = nn.Linear(hidden_dim, num_labels)
        self.mlp_child2 = nn.Linear(hidden_dim, feature_dim)

    def forward(
        self,
        parents: Float[Tensor, "parents feature"],
        context: Float[Tensor, "parents feature"] | None = None,
    ) -> Slots:
        """Unfold parents of one level; ``context`` is added to their children's latents."""
        count, slots, kinds = len(parents), self.slots, self.mlp_edge_exists.out_features
        children = self.activation(self.mlp_parent(parents)).view(count * slots, -1)
        exists = self.mlp_exists(children).view(count, slots)
        pairs = self._pair_latents(children, count)
        edges = self.mlp_edge_exists(pairs).view(count, slots, slots, -1)
        with torch.no_grad():
            alive = exists > 0
            chosen = (edges > 0) & alive[:, :, None, None] & alive[:, None, :, None]
            parent, first, second, kind = chosen.nonzero().unbind(1)
            related = chosen.any(-1).view(-1)
            pair = related.cumsum(0)[(parent * slots + first) * slots + second] - 1
        strength = edges[parent, first, second, kind, None]
        ends = parent * slots + torch.stack([first, second])
        latents = pairs[related]
        versions = [children]
        linked = chosen.view(count, -1).any(1).repeat_interleave(slots)[:, None]
        for layer in self.node_edge_op:
            x = versions[-1]
            if len(parent):
                weight = _weight(layer)
                of_pair, of_kind = weight[:, 2 * x.shape[1] :].split([x.shape[1], kinds], dim=1)
                between = functional.linear(latents, of_pair).index_select(0, pair)
                message = _message(layer, x, ends) + between + of_kind.T[kind] * strength
                received = scatter(
                    self.activation(message),
                    ends[0],
                    dim_size=len(x),
                    reduce=_REDUCE[self.edge_pool],
                )
                x = torch.where(linked, received, x)
            versions.append(x)
        hidden = self.activation(_split_linear(self.mlp_child, versions))
        latent = self.mlp_child2(hidden).view(count, slots, -1)
        if context is not None:
            latent = latent + context[:, None]
        return Slots(
            latent=self.activation(latent),
            hidden=hidden.view(count, slots, -1),
            exists=exists,
            edges=edges,
            messages=chosen.sum((1, 2, 3)),
        )

    def _pair_latents(self, children: Tensor, count: int) -> Float[Tensor, "pairs hidden"]:
        width = children.shape[1]
        first, second = self.mlp_edge_latent.weight.split(width, dim=1)
        ones = functional.linear(children, first, self.mlp_edge_latent.bias)
        twos = functional.linear(children, second)
        shape = (count, self.slots, width)
        pairs = ones.view(shape)[:, :, None] + twos.view(shape)[:, None]
        return self.activation(pairs).view(-1, width)


class BoxDecoder(nn.Module):
    """Boxes from latents: centre, full lengths, quaternion."""

    def __init__(
        self, feature_dim: int, hidden_dim: int, *, bounded: bool, activation: Activation
    ) -> None:
        super().__init__()
        self.bounded = bounded
        self.activation = _ACTIVATIONS[activation]
        self.mlp = nn.Linear(feature_dim, hidden_dim)
        self.out = nn.Linear(hidden_dim, BOX_DIM)
        """Centre, size and quaternion: three layers in the authors' code."""

    def forward(self, latents: Float[Tensor, "*n feature"]) -> Float[Tensor, "*n 10"]:
        """Centres in (-1, 1) and lengths in (0, 2) if bounded; quaternions are of length 1."""
        out = self.out(self.activation(self.mlp(latents)))
        centre, size, turn = out.split([3, 3, 4], dim=-1)
        turn = turn + turn.new_tensor([1.0, 0.0, 0.0, 0.0])
        turn = turn / (1e-12 + turn.norm(dim=-1, keepdim=True))
        if self.bounded:
            return torch.cat([torch.tanh(centre), 2 * torch.sigmoid(size), turn], dim=-1)
        return torch.cat([centre, functional.softplus(size), turn], dim=-1)


class StructureDecoder(nn.Module):
    """Hierarchies from codes, unfolded from the root down."""

    def __init__(
        self,
        feature_dim: int,
        hidden_dim: int,
        *,
        bounded: bool,
        context: bool,
        activation: Activation,
        num_labels: int,
        num_roots: int,
        **options: object,
    ) -> None:
        super().__init__()
        self.activation = _ACTIVATIONS[activation]
        self.sample_decoder = nn.ModuleDict(
            {
                "mlp1": nn.Linear(feature_dim, hidden_dim),
                "mlp2": nn.Linear(hidden_dim, feature_dim),
            }
        )
        self.box_decoder = BoxDecoder(
            feature_dim, hidden_dim, bounded=bounded, activation=activation
        )
        self.leaf_classifier = nn.ModuleDict(
            {"mlp1": nn.Linear(feature_dim, hidden_dim), "mlp2": nn.Linear(hidden_dim, 1)}
        )
        self.child_decoder = ChildDecoder(
            feature_dim,
            hidden_dim,
            num_labels=num_labels,
            activation=activation,
            **options,  # type: ignore[arg-type]
        )
        self.root_classifier = nn.Linear(feature_dim, num_roots) if num_roots > 1 else None
        self.context = nn.Linear(feature_dim, feature_dim, bias=False) if context else None
        self.label = nn.Embedding(num_labels, feature_dim) if context else None
        if self.label is not None:
            nn.init.zeros_(self.label.weight)

    def root_latents(self, z: Float[Tensor, "shapes feature"]) -> Float[Tensor, "shapes feature"]:
        """Latents of the roots from the codes."""
        hidden = self.activation(self.sample_decoder["mlp1"](z))
        result: Tensor = self.activation(self.sample_decoder["mlp2"](hidden))
        return result

    def contexts(
        self, z: Float[Tensor, "shapes feature"]
    ) -> Float[Tensor, "shapes feature"] | None:
        """What the codes tell every node of their shape, if they do."""
        return None if self.context is None else self.context(z)

    def leaf_logits(self, latents: Float[Tensor, "nodes feature"]) -> Float[Tensor, "nodes"]:
        """Whether nodes are leaves."""
        hidden = self.activation(self.leaf_classifier["mlp1"](latents))
        result: Tensor = self.leaf_classifier["mlp2"](hidden)[:, 0]
        return result

    def root_label(
        self, latents: Float[Tensor, "shapes feature"], roots: Int[Tensor, "roots"]
    ) -> Int[Tensor, "shapes"]:
        """Most likely semantic class of the root among ``roots``, the categories' classes."""
        if self.root_classifier is None:
            return roots.expand(len(latents))
        return roots[self.root_classifier(latents).argmax(1)]

    def unfold(
        self,
        latents: Float[Tensor, "parents feature"],
        label: Int[Tensor, "parents"],
        shape: Int[Tensor, "parents"],
        contexts: Float[Tensor, "shapes feature"] | None,
    ) -> Slots:
        """Possible children of parents of one level, whose semantic classes are known."""
        if contexts is None or self.label is None:
            slots: Slots = self.child_decoder(latents)
            return slots
        slots = self.child_decoder(latents + self.label(label), contexts.index_select(0, shape))
        return slots


def _with_class(
    layer: nn.Linear, x: Float[Tensor, "n dim"], number: Int[Tensor, "n"]
) -> Float[Tensor, "n out"]:
    """``layer`` of features and one-hot classes."""
    width = x.shape[1]
    own = functional.linear(x, layer.weight[:, :width], layer.bias)
    return own + functional.embedding(number, layer.weight[:, width:].T)


def _message(
    layer: nn.Module, x: Float[Tensor, "n dim"], edges: Int[Tensor, "2 edges"]
) -> Float[Tensor, "edges out"]:
    """``layer`` of the features of both ends, which come first among its inputs."""
    width, weight = x.shape[1], _weight(layer)
    bias = layer.bias
    assert isinstance(bias, Tensor)
    first = functional.linear(x, weight[:, :width], bias)
    second = functional.linear(x, weight[:, width : 2 * width])
    return first.index_select(0, edges[0]) + second.index_select(0, edges[1])


def _column(layer: nn.Module, x: Tensor, kind: Int[Tensor, "edges"]) -> Float[Tensor, "edges out"]:
    """``layer`` of the one-hot kinds, which follow the features of both ends."""
    return functional.embedding(kind, _weight(layer)[:, 2 * x.shape[1] :].T)


def _weight(layer: nn.Module) -> Tensor:
    weight = layer.weight
    assert isinstance(weight, Tensor)
    return weight


def _split_linear(layer: nn.Linear, parts: list[Tensor]) -> Tensor:
    """``layer`` of the concatenated parts."""
    weights = layer.weight.split([part.shape[1] for part in parts], dim=1)
    result = functional.linear(parts[0], weights[0], layer.bias)
    for part, weight in zip(parts[1:], weights[1:], strict=True):
        result = result + functional.linear(part, weight)
    return result
