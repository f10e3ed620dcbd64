"""How far the point clouds of parts are from their relations, and all parts below them.

Reference: Mo et al., *StructureNet*, 2019, section 4.2 (structure consistency losses).
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from shapegen.core.point_sets import chamfer, gaps_of_pairs, nearest, nearest_squares
from shapegen.structures.box_symmetry import symmetries
from shapegen.structures.part_tree import RelationKind
from shapegen.structures.principal_boxes import principal_frames
from shapegen.structures.structurenet_subtrees import Below, SetPairs
from shapegen.structures.tree_batch import KIND_NUMBER, TreeBatch

_CHUNK = 256
"""Pairs of clouds at once."""


def symmetry_loss(
    points: Float[Tensor, "nodes points 3"], batch: TreeBatch, *, official: bool
) -> Float[Tensor, "shapes"]:
    """Chamfer distances of symmetric parts, and of all below them, from one another's images.

    The symmetry is estimated from boxes along the principal axes and taken as given.
    """
    chosen = (batch.edge_kind != KIND_NUMBER[RelationKind.ADJ]).nonzero()[:, 0]
    first, second = batch.edge_index[:, chosen]
    shape = batch.shape[first]
    loss = points.new_zeros(batch.num_shapes)
    if not len(chosen):
        return loss
    a, b = points[first], points[second]
    boxes = [principal_frames(each.detach()) for each in (a, b)]
    motion = symmetries(batch.edge_kind[chosen], *boxes, official=official)
    loss = loss.index_add(0, shape, chamfer(_moved(a, motion), b))
    both = (batch.num_children[first] > 0) & (batch.num_children[second] > 0)
    if not bool(both.any()):
        return loss
    below = Below.all_nodes(batch)
    sets = SetPairs.between(below, first[both], second[both])
    image = _moved(points[sets.first], motion[both][sets.first_group])
    distance = set_chamfer(image, points[sets.second], sets)
    size = (below.number[first] + below.number[second] + 2)[both] / 2
    return loss.index_add(0, shape[both], distance * size)


def _moved(
    points: Float[Tensor, "n points 3"], motion: Float[Tensor, "n 3 4"]
) -> Float[Tensor, "n points 3"]:
    return points @ motion[:, :, :3].transpose(1, 2) + motion[:, None, :, 3]


def adjacency_loss(
    points: Float[Tensor, "nodes points 3"], batch: TreeBatch
) -> Float[Tensor, "shapes"]:
    """Twice the smallest squared distance of adjacent parts, and of the leaves below them."""
    chosen = (batch.edge_kind == KIND_NUMBER[RelationKind.ADJ]).nonzero()[:, 0]
    first, second = batch.edge_index[:, chosen]
    loss = points.new_zeros(batch.num_shapes)
    if not len(chosen):
        return loss
    loss = loss.index_add(0, batch.shape[first], 2 * _gaps(points[first], points[second]))
    inner = (batch.num_children[first] > 0) | (batch.num_children[second] > 0)
    first, second = first[inner], second[inner]
    if not len(first):
        return loss
    sets = SetPairs.between(Below.leaves(batch), first, second)
    a, b = sets.first[sets.row], sets.second[sets.column]
    gap = gaps_of_pairs(points, points, a, b)
    pair = _first_smallest(gap[:, None], sets.first_group[sets.row], len(first))[:, 0]
    return loss.index_add(0, batch.shape[first], 2 * _gaps(points[a[pair]], points[b[pair]]))


def _gaps(a: Float[Tensor, "n p 3"], b: Float[Tensor, "n q 3"]) -> Float[Tensor, "n"]:
    """Smallest squared distances."""
    return nearest_squares(a, b)[0].min(1).values


def set_chamfer(
    a: Float[Tensor, "firsts points 3"], b: Float[Tensor, "seconds points 3"], sets: SetPairs
) -> Float[Tensor, "groups"]:
    """:func:`~shapegen.core.point_sets.chamfer` between unions of clouds.

    Args:
        a: Clouds of the first sets, row by row of ``sets.first``.
        b: Clouds of the second sets.
        sets: Which clouds form a set.
    """
    chunks = list(zip(sets.row.split(_CHUNK), sets.column.split(_CHUNK), strict=True))
    found = [nearest(a[rows], b[columns]) for rows, columns in chunks]
    forth = torch.cat([each.forth for each in found])
    back = torch.cat([each.back for each in found])
    groups = int(sets.first_group.max()) + 1
    ours = _one_way(a, b, sets.row, sets.column, forth, sets.first_group, groups)
    return ours + _one_way(b, a, sets.column, sets.row, back, sets.second_group, groups)


def _one_way(
    a: Float[Tensor, "clouds p 3"],
    b: Float[Tensor, "others q 3"],
    row: Int[Tensor, "pairs"],
    column: Int[Tensor, "pairs"],
    point: Int[Tensor, "pairs p"],
    group: Int[Tensor, "clouds"],
    groups: int,
) -> Float[Tensor, "groups"]:
    """Mean squared distance to the nearest point of any cloud of the other set.

    ``point`` is the nearest of every pair of clouds.
    """
    with torch.no_grad():
        apart = torch.cat(
            [
                (a[rows] - _picked(b, columns[:, None], points)).square().sum(2)
                for rows, columns, points in zip(
                    row.split(_CHUNK), column.split(_CHUNK), point.split(_CHUNK), strict=True
                )
            ]
        )
        pair = _first_smallest(apart, row, len(a))  # (clouds, p)
        chosen = point.gather(0, pair)
    squares = (a - _picked(b, column[pair], chosen)).square().sum(2).mean(1)
    number = torch.bincount(group, minlength=groups)
    return squares.new_zeros(groups).index_add(0, group, squares) / number


def _picked(clouds: Tensor, number: Tensor, point: Tensor) -> Tensor:
    """Point ``point`` of cloud ``number``."""
    return clouds.flatten(0, 1)[number * clouds.shape[1] + point]


def _first_smallest(
    values: Float[Tensor, "pairs p"], group: Int[Tensor, "pairs"], groups: int
) -> Int[Tensor, "groups p"]:
    """The first pair of every group with its smallest value, column by column."""
    index = group[:, None].expand_as(values)
    best = values.new_full((groups, values.shape[1]), torch.inf)
    best = best.scatter_reduce(0, index, values, "amin")
    pair = torch.arange(len(values), device=values.device)[:, None].expand_as(values)
    pair = torch.where(values <= best[group], pair, len(values))
    return pair.new_full(best.shape, len(values)).scatter_reduce(0, index, pair, "amin")
