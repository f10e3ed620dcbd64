"""Losses of StructureNet, per shape: parts, hierarchy and relations.

Reference: Mo et al., *StructureNet*, 2019, section 4.2, and the authors' code for the details.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

from shapegen.structures import box_symmetry
from shapegen.structures.box_points import (
    Frames,
    anchor_loss,
    area_weights,
    box_loss,
    frames,
    mean_weights,
    moments,
    nearest,
    nearest_distances,
    spread,
)
from shapegen.structures.part_tree import RelationKind
from shapegen.structures.structurenet_matching import Matched
from shapegen.structures.tree_batch import KIND_NUMBER, TreeBatch

UNMATCHED_WEIGHT = 0.01
"""Of the squared size of a slot that no child was matched to, in units of the box loss."""


def structure_losses(
    found: Matched,
    batch: TreeBatch,
    boxes: Float[Tensor, "nodes 10"],
    label: Int[Tensor, "nodes"],
    kind: Int[Tensor, "edges"],
    *,
    roots: Int[Tensor, "roots"],
    official: bool,
) -> dict[str, Float[Tensor, "shapes"]]:
    """All losses of decoded hierarchies, unweighted sums over the nodes of every shape.

    Args:
        found: What the decoder says along the true hierarchies.
        batch: The hierarchies.
        boxes: Their boxes.
        label: Semantic class of every node.
        kind: Number of every relation's kind, as the decoder counts them.
        roots: Semantic classes of the roots.
        official: Estimate rotations as the authors' code does.
    """

    def total(values: Tensor, rows: Tensor | slice) -> Tensor:
        return values.new_zeros(batch.num_shapes).index_add(0, batch.shape[rows], values)

    every, children = slice(None), slice(0, len(found.slot))
    used = torch.zeros_like(found.exists)
    used[found.parent, found.slot] = 1.0
    unused = (1 - used) * found.slot_boxes[:, :, 3:6].square().sum(2)
    box = total(box_loss(found.boxes, boxes), every)
    box = box + UNMATCHED_WEIGHT * total(unused.sum(1), found.parents)
    leaf = _binary_entropy(found.leaf, (batch.num_children == 0).to(found.leaf))
    semantic = functional.cross_entropy(found.semantic, label[children], reduction="none")
    semantic = total(semantic, children)
    if found.category is not None:
        root = torch.searchsorted(roots, label[len(found.slot) :])
        semantic = semantic + functional.cross_entropy(found.category, root, reduction="none")
    edges = _binary_entropy(found.edges, _edge_targets(found, batch, kind))
    per_pair = edges.sum((1, 2, 3)) / (edges.shape[2] * edges.shape[3])
    predicted = frames(found.boxes)
    return {
        "box": box,
        "anchor": total(anchor_loss(found.boxes, boxes), every),
        "leaf": total(leaf, every),
        "exists": total(_binary_entropy(found.exists, used).sum(1), found.parents),
        "semantic": semantic,
        "edge_exists": total(per_pair, found.parents),
        "sym": symmetry_loss(predicted, batch, official=official),
        "adj": adjacency_loss(predicted, batch),
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
    below = _Below.all_nodes(batch)
    sets = _SetPairs.between(below, first[both], second[both])
    image = parts.pick(sets.first).moved(transform[both][sets.first_group])
    distance = set_chamfer(image, parts.pick(sets.second), sets)
    size = (below.number[first] + below.number[second] + 2)[both] / 2
    return loss.index_add(0, shape[both], distance * size)


def symmetries(
    kind: Int[Tensor, "pairs"], a: Frames, b: Frames, *, official: bool
) -> Float[Tensor, "pairs 3 4"]:
    """The estimated symmetry of every pair; kinds as in :data:`KIND_NUMBER`."""
    found = box_symmetry.translations(a, b)
    reflected = (kind == KIND_NUMBER[RelationKind.REF_SYM])[:, None, None]
    found = torch.where(reflected, box_symmetry.reflections(a, b), found)
    turned = (kind == KIND_NUMBER[RelationKind.ROT_SYM]).nonzero()[:, 0]
    if len(turned):
        rotations = box_symmetry.rotations(a.pick(turned), b.pick(turned), official=official)
        found = found.index_copy(0, turned, rotations)
    return found


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
    sets = _SetPairs.between(_Below.leaves(batch), first, second)
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


class _Below(NamedTuple):
    """Nodes below every node, as one list."""

    nodes: Int[Tensor, "listed"]
    start: Int[Tensor, "nodes"]
    number: Int[Tensor, "nodes"]
    """How many; the list has them from ``start``."""

    @classmethod
    def all_nodes(cls, batch: TreeBatch) -> _Below:
        """All descendants, without the node itself."""
        return cls._of(batch, *_ancestors(batch))

    @classmethod
    def leaves(cls, batch: TreeBatch) -> _Below:
        """The leaves; a leaf is its own."""
        node, ancestor = _ancestors(batch)
        leaf = batch.num_children == 0
        kept = leaf[node]
        own = leaf.nonzero()[:, 0]
        return cls._of(batch, torch.cat([own, node[kept]]), torch.cat([own, ancestor[kept]]))

    @classmethod
    def _of(cls, batch: TreeBatch, node: Tensor, ancestor: Tensor) -> _Below:
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


class _SetPairs(NamedTuple):
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
    def between(cls, below: _Below, a: Tensor, b: Tensor) -> _SetPairs:
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


def set_chamfer(a: Frames, b: Frames, sets: _SetPairs) -> Float[Tensor, "groups"]:
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
