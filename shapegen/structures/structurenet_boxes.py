"""Parts of StructureNet as boxes: their networks, costs and losses.

Reference: Mo et al., *StructureNet*, 2019, sections 4.1 and 4.2, and the authors' code for the
details.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from shapegen.structures.box_points import (
    Frames,
    anchor_loss,
    area_weights,
    box_cost,
    box_loss,
    direction_boxes,
    frames,
    mean_weights,
    moments,
    nearest,
    nearest_distances,
    quaternion_boxes,
    spread,
)
from shapegen.structures.box_symmetry import symmetries
from shapegen.structures.part_tree import RelationKind
from shapegen.structures.structurenet_head import NodeHead, Parts
from shapegen.structures.structurenet_layers import ACTIVATIONS, Activation
from shapegen.structures.structurenet_matching import Matched
from shapegen.structures.structurenet_subtrees import Below, SetPairs
from shapegen.structures.tree_batch import KIND_NUMBER, Siblings, TreeBatch

BOX_DIM = 10
"""Centre, full lengths, quaternion."""
UNMATCHED_WEIGHT = 0.01
"""Of the squared size of a slot that no child was matched to, in units of the box loss."""


class BoxHead(NodeHead):
    """Parts are boxes of ten numbers.

    Args:
        feature_dim: Of the latents.
        hidden_dim: Of the decoder's hidden layer.
        bounded: Bound decoded centres to (-1, 1) and lengths to (0, 2).
        activation: Of the layers.
        official: Estimate rotations as the authors' code does.
    """

    def __init__(
        self,
        feature_dim: int,
        hidden_dim: int,
        *,
        bounded: bool,
        activation: Activation,
        official: bool,
    ) -> None:
        super().__init__()
        self.sizes = feature_dim, hidden_dim
        self.bounded, self.activation, self.official = bounded, activation, official

    @property
    def loss_weights(self) -> Mapping[str, float]:
        """None: boxes are what ``LossWeights`` knows."""
        return {}

    def encoder(self) -> BoxEncoder:
        """Features of boxes."""
        return BoxEncoder(self.sizes[0], activation=self.activation)

    def decoder(self) -> BoxDecoder:
        """Boxes of latents."""
        return BoxDecoder(*self.sizes, bounded=self.bounded, activation=self.activation)

    def rows(self, batch: TreeBatch) -> Float[Tensor, "nodes 10"]:
        """The true boxes."""
        return quaternion_boxes(batch.box)

    def costs(
        self,
        slots: Float[Tensor, "parents slots 10"],
        rows: Float[Tensor, "nodes 10"],
        batch: TreeBatch,
        siblings: Siblings,
    ) -> Float[Tensor, "children slots"]:
        """The box losses."""
        return box_cost(slots, rows[siblings.rows], siblings.parent)

    def part_losses(
        self, found: Matched, rows: Float[Tensor, "nodes 10"], batch: TreeBatch
    ) -> dict[str, Float[Tensor, "shapes"]]:
        """``box``, the small slots that nothing was matched to included, and ``anchor``."""
        unused = (1 - found.used) * found.slot_parts[:, :, 3:6].square().sum(2)
        box = batch.total(box_loss(found.parts, rows))
        box = box + UNMATCHED_WEIGHT * batch.total(unused.sum(1), found.parents)
        return {"box": box, "anchor": batch.total(anchor_loss(found.parts, rows))}

    def relation_losses(
        self, found: Matched, batch: TreeBatch
    ) -> dict[str, Float[Tensor, "shapes"]]:
        """``sym`` and ``adj`` of the predicted boxes."""
        predicted = frames(found.parts)
        return {
            "sym": symmetry_loss(predicted, batch, official=self.official),
            "adj": adjacency_loss(predicted, batch),
        }

    def parts(self, rows: Float[Tensor, "n 10"]) -> Parts:
        """The boxes, without points."""
        return Parts(direction_boxes(rows))


class BoxEncoder(nn.ModuleDict):
    """Features of boxes; a dictionary for the names of the authors' state dict."""

    def __init__(self, feature_dim: int, *, activation: Activation) -> None:
        super().__init__({"encoder": nn.Linear(BOX_DIM, feature_dim)})
        self.activation = ACTIVATIONS[activation]

    def forward(self, boxes: Float[Tensor, "n 10"]) -> Float[Tensor, "n feature"]:
        """One layer."""
        return self.activation(self["encoder"](boxes))


class BoxDecoder(nn.Module):
    """Boxes from latents: centre, full lengths, quaternion."""

    def __init__(
        self, feature_dim: int, hidden_dim: int, *, bounded: bool, activation: Activation
    ) -> None:
        super().__init__()
        self.bounded = bounded
        self.activation = ACTIVATIONS[activation]
        self.mlp = nn.Linear(feature_dim, hidden_dim)
        self.out = nn.Linear(hidden_dim, BOX_DIM)
        """Centre, size and quaternion: three layers in the authors' code."""

    def forward(self, latents: Float[Tensor, "*n feature"]) -> Float[Tensor, "*n 10"]:
        """Centres in (-1, 1) and lengths in (0, 2) if bounded; quaternions are of length 1.

        In full precision, whatever the layers run in: distances of boxes need it.
        """
        out = self.out(self.activation(self.mlp(latents))).to(self.out.weight.dtype)
        centre, size, turn = out.split([3, 3, 4], dim=-1)
        turn = turn + turn.new_tensor([1.0, 0.0, 0.0, 0.0])
        turn = turn / (1e-12 + turn.norm(dim=-1, keepdim=True))
        if self.bounded:
            return torch.cat([torch.tanh(centre), 2 * torch.sigmoid(size), turn], dim=-1)
        return torch.cat([centre, functional.softplus(size), turn], dim=-1)


def symmetry_loss(parts: Frames, batch: TreeBatch, *, official: bool) -> Float[Tensor, "shapes"]:
    """How far symmetric parts, and all that is below them, are from images of one another.

    The symmetry is estimated from the two predicted boxes themselves and taken as given.
    """
    chosen = (batch.edge_kind != KIND_NUMBER[RelationKind.ADJ]).nonzero()[:, 0]
    first, second = batch.edge_index[:, chosen]
    shape = batch.shape[first]
    loss = parts.centre.new_zeros(batch.num_shapes)
    if not len(chosen):
        return loss
    a, b = parts.pick(first), parts.pick(second)
    transform = symmetries(batch.edge_kind[chosen], a.detach(), b.detach(), official=official)
    image = a.moved(transform)
    forth = moments(area_weights(a.size), nearest(image, b).point)
    back = moments(area_weights(b.size), nearest(b, image).point)
    loss = loss.index_add(0, shape, spread(image, b, forth) + spread(b, image, back))
    both = (batch.num_children[first] > 0) & (batch.num_children[second] > 0)
    if not bool(both.any()):
        return loss
    below = Below.all_nodes(batch)
    sets = SetPairs.between(below, first[both], second[both])
    image = parts.pick(sets.first).moved(transform[both][sets.first_group])
    distance = set_chamfer(image, parts.pick(sets.second), sets)
    size = (below.number[first] + below.number[second] + 2)[both] / 2
    return loss.index_add(0, shape[both], distance * size)


def adjacency_loss(parts: Frames, batch: TreeBatch) -> Float[Tensor, "shapes"]:
    """Twice the smallest squared distance of adjacent parts, and of the leaves below them."""
    chosen = (batch.edge_kind == KIND_NUMBER[RelationKind.ADJ]).nonzero()[:, 0]
    first, second = batch.edge_index[:, chosen]
    loss = parts.centre.new_zeros(batch.num_shapes)
    if not len(chosen):
        return loss
    itself = torch.arange(len(chosen), device=first.device)
    loss = loss.index_add(
        0, batch.shape[first], 2 * _smallest(parts, first, second, itself, len(chosen))
    )
    inner = (batch.num_children[first] > 0) | (batch.num_children[second] > 0)
    first, second = first[inner], second[inner]
    if not len(first):
        return loss
    sets = SetPairs.between(Below.leaves(batch), first, second)
    a, b = sets.first[sets.row], sets.second[sets.column]
    gap = _smallest(parts, a, b, sets.first_group[sets.row], len(first))
    return loss.index_add(0, batch.shape[first], 2 * gap)


def _smallest(
    parts: Frames,
    a: Int[Tensor, "pairs"],
    b: Int[Tensor, "pairs"],
    group: Int[Tensor, "pairs"],
    groups: int,
) -> Float[Tensor, "groups"]:
    """Smallest squared distance of grid points over the pairs of every group."""
    detached = parts.detach()
    apart = nearest_distances(detached.pick(a), detached.pick(b))
    gap, point = apart.min(1)
    best = gap.new_full((groups,), torch.inf).scatter_reduce(0, group, gap, "amin")
    rows = torch.arange(len(a), device=a.device)
    rows = torch.where(gap <= best[group], rows, len(a))
    winner = torch.full_like(rows[:1], len(a)).expand(groups)
    winner = winner.scatter_reduce(0, group, rows, "amin")
    point, a, b = point[winner], a[winner], b[winner]
    weights = functional.one_hot(point, apart.shape[1]).to(apart)
    one, other = parts.pick(a), parts.pick(b)
    return spread(one, other, moments(weights, nearest(one, other).point))


def set_chamfer(a: Frames, b: Frames, sets: SetPairs) -> Float[Tensor, "groups"]:
    """Mean squared nearest distances between unions of boxes, the two directions added up.

    Args:
        a: Boxes of the first sets, row by row of ``sets.first``.
        b: Boxes of the second sets.
        sets: Which boxes form a set.
    """
    groups = int(sets.first_group.max()) + 1
    forth = _one_way(a, b, sets.row, sets.column, sets.first_group, groups)
    return forth + _one_way(b, a, sets.column, sets.row, sets.second_group, groups)


def _one_way(
    a: Frames, b: Frames, row: Tensor, column: Tensor, group: Tensor, groups: int
) -> Float[Tensor, "groups"]:
    near = nearest(a.pick(row), b.pick(column))
    index = row[:, None].expand_as(near.distance)
    best = near.distance.new_full((len(group), near.distance.shape[1]), torch.inf)
    best = best.scatter_reduce(0, index, near.distance, "amin")
    won = (near.distance <= best[row]).to(best)
    # Boxes at the same distance share the point.
    won = won / torch.zeros_like(best).index_add(0, row, won)[row]
    boxes = torch.bincount(group, minlength=groups)
    weights = won * mean_weights(best) / boxes[group[row], None]
    used = weights.any(1).nonzero()[:, 0]
    row, column = row[used], column[used]
    moment = moments(weights[used], near.point[used])
    values = spread(a.pick(row), b.pick(column), moment)
    return values.new_zeros(groups).index_add(0, group[row], values)
