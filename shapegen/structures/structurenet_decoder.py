"""Decoder of StructureNet: codes unfolded into part hierarchies, level by level.

Parameters are named as in the authors' state dicts.

Reference: Mo et al., *StructureNet*, 2019, section 4.1.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional

from shapegen.structures.pair_scores import pair_scores
from shapegen.structures.structurenet_layers import (
    ACTIVATIONS,
    Activation,
    Pooling,
    gathered,
    message_inputs,
    split_linear,
    weight_of,
)


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


class Children(NamedTuple):
    """The possible children that exist, parent by parent, in the order of their slots."""

    parent: Int[Tensor, "children"]
    """Position of the parent among those that were given."""
    latent: Float[Tensor, "children feature"]
    hidden: Float[Tensor, "children hidden"]
    first: Int[Tensor, "pairs"]
    """All pairs of children of one parent, row by row, a child with itself too."""
    second: Int[Tensor, "pairs"]
    edges: Float[Tensor, "pairs kinds"]
    """Logits of directed relations."""


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
        self.activation_name, self.activation = activation, ACTIVATIONS[activation]
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
        count, slots = len(parents), self.slots
        x, exists = self._slots(parents)
        ones, twos = (part.view(count, slots, x.shape[1]) for part in self._pair_parts(x))
        edges = pair_scores(ones, twos, self.mlp_edge_exists, self.activation_name).flatten(0, 2)
        numbers = torch.arange(count * slots, device=x.device).view(count, slots)
        first = numbers[:, :, None].expand(-1, -1, slots).reshape(-1)
        second = numbers[:, None].expand(-1, slots, -1).reshape(-1)
        with torch.no_grad():
            alive = exists.view(-1) > 0
            chosen = (edges > 0) & (alive[first] & alive[second])[:, None]
            related = chosen.any(1)
        latents = self._pair_latents(
            ones.flatten(0, 1), twos.flatten(0, 1), first[related], second[related]
        )
        parent = numbers.view(-1) // max(slots, 1)
        ends = torch.stack([first, second])
        hidden = self._related(x, parent, ends, latents, edges, chosen, parents=count)
        latent = self._latents(hidden, None if context is None else context[parent])
        return Slots(
            latent=latent.view(count, slots, latent.shape[1]),
            hidden=hidden.view(count, slots, hidden.shape[1]),
            exists=exists,
            edges=edges.view(count, slots, slots, edges.shape[1]),
            messages=chosen.view(count, slots * slots * chosen.shape[1]).sum(1),
        )

    def grow(
        self,
        parents: Float[Tensor, "parents feature"],
        context: Float[Tensor, "parents feature"] | None = None,
    ) -> Children:
        """The same for the slots that exist alone: nothing else is computed."""
        x, exists = self._slots(parents)
        parent, slot = (exists > 0).nonzero().unbind(1)
        x = x[parent * self.slots + slot]
        number = torch.bincount(parent, minlength=len(parents))
        start = number.cumsum(0) - number
        first = torch.arange(len(x), device=x.device).repeat_interleave(number[parent])
        skipped = number[parent].cumsum(0) - number[parent]
        within = torch.arange(len(first), device=x.device) - skipped[first]
        second = start[parent[first]] + within
        pairs = self._pair_latents(*self._pair_parts(x), first, second)
        edges = self.mlp_edge_exists(pairs)
        chosen = edges > 0
        ends, latents = torch.stack([first, second]), pairs[chosen.any(1)]
        hidden = self._related(x, parent, ends, latents, edges, chosen, parents=len(parents))
        latent = self._latents(hidden, None if context is None else context[parent])
        return Children(parent, latent, hidden, first, second, edges)

    def _slots(self, parents: Tensor) -> tuple[Tensor, Tensor]:
        """First features of all slots, and the logits of their existence."""
        x = self.activation(self.mlp_parent(parents)).view(-1, self.mlp_exists.in_features)
        return x, self.mlp_exists(x).view(len(parents), self.slots)

    def _pair_parts(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """What the first and the second part give to the latent of a pair."""
        first, second = self.mlp_edge_latent.weight.split(x.shape[1], dim=1)
        return functional.linear(x, first, self.mlp_edge_latent.bias), functional.linear(x, second)

    def _pair_latents(self, ones: Tensor, twos: Tensor, first: Tensor, second: Tensor) -> Tensor:
        return self.activation(ones.index_select(0, first) + twos.index_select(0, second))

    def _related(
        self,
        x: Float[Tensor, "children hidden"],
        parent: Int[Tensor, "children"],
        ends: Int[Tensor, "2 pairs"],
        latents: Float[Tensor, "related hidden"],
        edges: Float[Tensor, "pairs kinds"],
        chosen: Bool[Tensor, "pairs kinds"],
        *,
        parents: int,
    ) -> Float[Tensor, "children hidden"]:
        """Features after messages over the chosen relations; gradients do not see the choice.

        ``latents`` are those of the pairs with a chosen relation; several relations of a pair
        share its own. Some of the ``parents`` may have no child at all.
        """
        pair, kind = chosen.nonzero().unbind(1)
        versions = [x]
        if len(pair):
            strength = edges[pair, kind, None]
            number = chosen.any(1).cumsum(0)[pair] - 1
            ends = ends[:, pair]
            linked = torch.zeros(parents, dtype=torch.bool, device=x.device)
            linked[parent[ends[0]]] = True
            linked = linked[parent][:, None]
        for layer in self.node_edge_op:
            if len(pair):
                weight = weight_of(layer)[:, 2 * x.shape[1] :]
                of_pair, of_kind = weight.split([x.shape[1], edges.shape[1]], dim=1)
                between = functional.linear(latents, of_pair).index_select(0, number)
                message = message_inputs(layer, x, ends) + between + of_kind.T[kind] * strength
                received = gathered(self.activation(message), ends[0], len(x), self.edge_pool)
                # A parent without any relation among its children passes them on unchanged.
                x = torch.where(linked, received, x)
            versions.append(x)
        return self.activation(split_linear(self.mlp_child, versions))

    def _latents(self, hidden: Tensor, context: Tensor | None) -> Tensor:
        latent = self.mlp_child2(hidden)
        return self.activation(latent if context is None else latent + context)


class StructureDecoder(nn.Module):
    """Hierarchies from codes, unfolded from the root down; ``part`` makes what decodes a part."""

    def __init__(
        self,
        feature_dim: int,
        hidden_dim: int,
        *,
        part: Callable[[], nn.Module],
        context: bool,
        activation: Activation,
        num_labels: int,
        num_roots: int,
        **options: Any,
    ) -> None:
        super().__init__()
        self.activation = ACTIVATIONS[activation]
        self.sample_decoder = nn.ModuleDict(
            {
                "mlp1": nn.Linear(feature_dim, hidden_dim),
                "mlp2": nn.Linear(hidden_dim, feature_dim),
            }
        )
        self.box_decoder = part()
        """Whatever a part is: see :mod:`~shapegen.structures.structurenet_head`."""
        self.leaf_classifier = nn.ModuleDict(
            {"mlp1": nn.Linear(feature_dim, hidden_dim), "mlp2": nn.Linear(hidden_dim, 1)}
        )
        self.child_decoder = ChildDecoder(
            feature_dim,
            hidden_dim,
            num_labels=num_labels,
            activation=activation,
            **options,
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
        slots: Slots = self.child_decoder(*self._told(latents, label, shape, contexts))
        return slots

    def grow(
        self,
        latents: Float[Tensor, "parents feature"],
        label: Int[Tensor, "parents"],
        shape: Int[Tensor, "parents"],
        contexts: Float[Tensor, "shapes feature"] | None,
    ) -> Children:
        """The children that exist, of parents of one level."""
        return self.child_decoder.grow(*self._told(latents, label, shape, contexts))

    def _told(
        self, latents: Tensor, label: Tensor, shape: Tensor, contexts: Tensor | None
    ) -> tuple[Tensor, Tensor | None]:
        """Latents that know their label, and what their shapes' codes add to the children's."""
        if contexts is None or self.label is None:
            return latents, None
        return latents + self.label(label), contexts.index_select(0, shape)
