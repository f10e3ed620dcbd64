"""Boxes projected onto planned relations: symmetric orbits first, then contacts, then parents."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from shapegen.structures.projection_contacts import Contacts, closing, separations
from shapegen.structures.projection_motions import (
    Boxes,
    Links,
    edge_motions,
    matched_axes,
    perpendicular,
    stiff_axes,
    turned,
)
from shapegen.structures.projection_plan import Level, Plan, plan
from shapegen.structures.projection_rings import ring_params
from shapegen.structures.projection_trees import ADJ, REF, TRANS, Array, Hierarchies, Ints

REACH = 0.1
"""Of the shape's diagonal: relations that are violated by more are not believed."""

STIFFNESS = 1.0
"""One: each face moves on its own."""

_POLAR_STEPS = 7
_PORTION = 16_384
"""Pairs of boxes measured at once: bounds the memory."""


class Orbits(NamedTuple):
    """Boxes as images of generators: ``x -> linear @ x + offset`` of the box at ``root``."""

    root: Int[Tensor, " n"]
    linear: Float[Tensor, "n 3 3"]
    offset: Float[Tensor, "n 3"]
    order: Int[Tensor, "n 3"]
    """The axes of each box that correspond to its generator's."""
    sign: Float[Tensor, "n 3"]
    size: Float[Tensor, " n"]
    """Weight of all images together, at the rows of generators."""

    def images(self, generators: Boxes) -> Boxes:
        """The boxes, with axes named as in the generators."""
        own = generators.pick(self.root)
        centre = (self.linear @ own.centre[:, :, None])[:, :, 0] + self.offset
        return Boxes(centre, own.half, own.frame @ self.linear.transpose(1, 2))

    def renamed(self, images: Boxes) -> Boxes:
        """Images with the axes named as in the boxes before."""
        place = self.order.argsort(dim=1)
        frame = images.frame * self.sign[:, :, None]
        frame = frame.gather(1, place[:, :, None].expand(-1, 3, 3))
        return Boxes(images.centre, images.half.gather(1, place), frame)


class Projection(NamedTuple):
    """What :func:`project_boxes` finds."""

    box: Float[Tensor, "n 12"]
    plan: Plan
    trees: Hierarchies
    """The relations as they were read: rings may have other parameters than before."""
    diagonal: Float[Tensor, " shapes"]
    direction: Float[Tensor, "groups 3"]
    """Normals and axes of the motion groups."""
    point: Float[Tensor, "groups 3"]
    """A point of each plane and axis."""


def box_frames(box: Float[Tensor, "n 12"]) -> Boxes:
    """Centres, half lengths and orthonormal axes of boxes (as in :mod:`shapegen.core.boxes`).

    Directions must be longer than 1e-6 and not parallel.
    """
    x = box[:, 6:9] / box[:, 6:9].norm(dim=1, keepdim=True)
    y = box[:, 9:12] - (box[:, 9:12] * x).sum(1, keepdim=True) * x
    y = y / y.norm(dim=1, keepdim=True)
    frame = torch.stack([x, y, torch.linalg.cross(x, y)], dim=1)
    return Boxes(box[:, :3], box[:, 3:6].abs() / 2, frame)


def project_boxes(
    box: Float[Tensor, "n 12"],
    trees: Hierarchies,
    *,
    weight: Float[Tensor, " n"] | None = None,
    reach: float = REACH,
    stiffness: float = STIFFNESS,
) -> Projection:
    """Change boxes as little as possible so that plausible relations hold; differentiable.

    1. Symmetries: motions are fitted to the boxes, level by level from the top, and every part
       becomes the weighted mean of itself and its partners' images (of orientations, the polar
       factor of the mean).
    2. Contacts: of every relation the closest two leaves are moved and stretched until they
       touch, all of a shape at once, partners alike. Gaps above ``reach`` diagonals stay.
    3. Inner boxes become the tightest around their leaves, and their partners' leaves, along
       their own axes.

    Decisions (what is plausible, what corresponds, which leaves touch) are made for the boxes as
    they are and have no gradient.

    Args:
        box: Nodes of all shapes; directions longer than 1e-6 and not parallel.
        trees: Their relations.
        weight: Of every node, positive: heavier ones change less; default 1.
        reach: Of the diagonal: relations that are violated by more are left out.
        stiffness: How much harder it is to stretch a box than to move it by the same amount.

    Returns:
        The new boxes, in double precision, and how they were found.

    Raises:
        ValueError: Other numbers of boxes or weights than of nodes, or not finite.
    """
    count = len(trees.parent)
    if len(box) != count or not bool(torch.isfinite(box).all()):
        raise ValueError(f"one finite box a node ({count}) is needed; got {tuple(box.shape)}")
    if weight is None:
        weight = torch.ones(count, device=box.device)
    if len(weight) != count or not bool((weight > 0).all() & torch.isfinite(weight).all()):
        raise ValueError(
            f"one positive, finite weight a node ({count}) is needed; got {tuple(weight.shape)}"
        )
    box, weight = box.double(), weight.double()
    now = box.detach().cpu().numpy()
    spans = trees.diagonals(now)
    trees = replace(trees, params=ring_params(trees, now, spans))
    planned = plan(trees, now, spans, reach=reach)
    diagonal = torch.from_numpy(spans).to(box.device)
    orbits, generators, direction, point = _symmetric(box_frames(box), planned, weight)
    images = orbits.images(generators)
    contacts = _contacts(images, trees, planned, diagonal, reach)
    if len(contacts.a):
        shift, growth = closing(
            images,
            orbits.root,
            contacts,
            diagonal=diagonal,
            weight=orbits.size,
            stiffness=stiffness,
        )
        generators = Boxes(
            generators.centre + (shift[:, None] @ generators.frame)[:, 0],
            generators.half + growth,
            generators.frame,
        )
        images = orbits.images(generators)
    images = _inner(images, orbits, generators, trees)
    after = orbits.renamed(images)
    rows = torch.cat([after.centre, 2 * after.half, after.frame[:, 0], after.frame[:, 1]], dim=1)
    return Projection(rows, planned, trees, diagonal, direction, point)


def _symmetric(before: Boxes, plan: Plan, weight: Tensor) -> tuple[Orbits, Boxes, Tensor, Tensor]:
    device = weight.device
    group, angle = _long(plan.group, device), torch.from_numpy(plan.angle).to(before.centre)
    kind, guess = _long(plan.group_kind, device), torch.from_numpy(plan.axis).to(before.centre)
    upright = _long(plan.upright, device)
    links = _linked(before, plan)
    linear = torch.eye(3).to(weight).expand(len(group), 3, 3)
    offset = weight.new_zeros(len(group), 3)
    direction, point = guess, torch.zeros_like(guess)
    current = before
    orbits, generators = _mean_orbits(before, _none(len(weight)), linear, offset, weight)
    for level in plan.levels:
        if len(level.groups):
            own = torch.zeros(len(kind), dtype=torch.bool, device=device)
            own[_long(level.groups, device)] = True
            fitted, through, step = edge_motions(
                current, links, group=group, kind=kind, guess=guess, angle=angle, weight=weight
            )
            direction = torch.where(own[:, None], fitted, direction)
            point = torch.where(own[:, None], through, point)
            direction = torch.where(own[:, None], perpendicular(direction, upright), direction)
            fresh, turn, pivot = _motions(direction, point, step, kind, group, angle)
            linear = torch.where(fresh[:, None, None] & own[group][:, None, None], turn, linear)
            offset = torch.where(fresh[:, None] & own[group][:, None], pivot, offset)
        orbits, generators = _mean_orbits(before, level, linear, offset, weight)
        current = orbits.renamed(orbits.images(generators))
    return orbits, generators, direction, point


def _motions(
    direction: Tensor, point: Tensor, step: Tensor, kind: Tensor, group: Tensor, angle: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Whether each relation is a symmetry in use, and its matrix and offset."""
    fresh = group >= 0
    own = group.clamp_min(0)
    axis, through, of = direction[own], point[own], kind[own]
    mirror = torch.eye(3).to(axis) - 2 * axis[:, :, None] * axis[:, None, :]
    linear = torch.where((of == REF)[:, None, None], mirror, turned(axis, angle))
    offset = through - (linear @ through[:, :, None])[:, :, 0]
    moving = (of == TRANS)[:, None]
    linear = torch.where(moving[:, :, None], torch.eye(3).to(axis), linear)
    return fresh, linear, torch.where(moving, step, offset)


def _linked(before: Boxes, plan: Plan) -> Links:
    """The pairs that motions are fitted to, leaves or whole boxes."""
    device = before.centre.device
    ends, edge = _long(plan.fit_ends, device), _long(plan.fit_edge, device)
    half = stiff_axes(before)
    linear = torch.from_numpy(plan.linear).to(half)[edge]
    order, sign = matched_axes(half[ends[:, 0]] @ linear.transpose(1, 2), half[ends[:, 1]])
    return Links(ends[:, 0], ends[:, 1], edge, order, sign)


def _mean_orbits(
    boxes: Boxes, level: Level, linear: Tensor, offset: Tensor, weight: Tensor
) -> tuple[Orbits, Boxes]:
    """The mean of every orbit, and the motions that carry it to the members."""
    count, device = len(weight), weight.device
    root = _long(level.root, device)
    turn = torch.eye(3).to(weight).expand(count, 3, 3)
    move = weight.new_zeros(count, 3)
    for step in level.steps:
        child, parent, edge = (_long(v, device) for v in (step.child, step.parent, step.edge))
        back = torch.from_numpy(step.back).to(device)
        own, by = linear[edge], offset[edge]
        inverse = own.transpose(1, 2)
        by = torch.where(back[:, None], -(inverse @ by[:, :, None])[:, :, 0], by)
        own = torch.where(back[:, None, None], inverse, own)
        turn, move = (
            turn.index_copy(0, child, own @ turn[parent]),
            move.index_copy(0, child, (own @ move[parent][:, :, None])[:, :, 0] + by),
        )
    pulled = boxes.frame @ turn
    half = stiff_axes(boxes)
    order, sign = matched_axes(half[root], half @ turn)
    alike = torch.arange(count, device=device) == root
    order = torch.where(alike[:, None], torch.arange(3, device=device), order)
    sign = torch.where(alike[:, None], torch.ones_like(sign), sign)
    pulled = pulled.gather(1, order[:, :, None].expand(-1, 3, 3)) * sign[:, :, None]
    place = ((boxes.centre - move)[:, None] @ turn)[:, 0]
    size = weight.new_zeros(count).index_add(0, root, weight)
    share = weight / size[root]
    single = torch.bincount(root, minlength=count)[:, None] <= 1
    lengths = boxes.half.gather(1, order)
    mean = [
        torch.zeros_like(v).index_add(0, root, share.view(-1, *[1] * (v.dim() - 1)) * v)
        for v in (place, lengths, pulled)
    ]
    frame = torch.where(single[:, :, None], boxes.frame, _polar(mean[2], single[:, 0]))
    generators = Boxes(
        torch.where(single, boxes.centre, mean[0]),
        torch.where(single, boxes.half, mean[1]),
        frame,
    )
    return Orbits(root, turn, move, order, sign, size), generators


def _polar(matrix: Float[Tensor, "n 3 3"], skipped: Tensor) -> Float[Tensor, "n 3 3"]:
    """Nearest orthogonal matrices of those that are nearly so (Newton-Schulz, third order)."""
    x = torch.where(skipped[:, None, None], torch.eye(3).to(matrix), matrix)
    for _ in range(_POLAR_STEPS):
        square = x @ x.transpose(1, 2)
        x = (15 * x - 10 * square @ x + 3 * square @ square @ x) / 8
    return x


@torch.no_grad()
def _contacts(
    images: Boxes, trees: Hierarchies, plan: Plan, diagonal: Tensor, reach: float
) -> Contacts:
    """The closest two leaves of every contact relation in use, unless too far apart."""
    device = diagonal.device
    edges = np.flatnonzero(plan.used & (trees.kind == ADJ))
    number, a, b = candidates(trees, edges)
    distance = pair_distances(images, a, b)
    order = np.lexsort((distance, number))
    best = order[np.unique(number[order], return_index=True)[1]]
    shape = trees.shape[a[best]]
    near = distance[best] <= reach * diagonal.cpu().numpy()[shape]
    best = best[near]
    return Contacts(*(_long(v, device) for v in (a[best], b[best], trees.shape[a[best]])))


def candidates(trees: Hierarchies, edges: Ints) -> tuple[Ints, Ints, Ints]:
    """All pairs of leaves of two parts: position in ``edges``, leaf of a, leaf of b."""
    pairs = [
        (np.array(trees.leaves[first]), np.array(trees.leaves[second]))
        for first, second in trees.ends[edges].tolist()
    ]
    empty = [np.empty(0, dtype=np.int64)]
    number = np.repeat(np.arange(len(edges)), [len(a) * len(b) for a, b in pairs])
    first = np.concatenate([*empty, *(np.repeat(a, len(b)) for a, b in pairs)])
    return number, first, np.concatenate([*empty, *(np.tile(b, len(a)) for a, b in pairs)])


def pair_distances(boxes: Boxes, a: Ints, b: Ints) -> Array:
    """Distances of pairs of boxes as :class:`Separations` has them, in portions."""
    device = boxes.centre.device
    portions = [
        separations(
            boxes.pick(_long(a[n : n + _PORTION], device)),
            boxes.pick(_long(b[n : n + _PORTION], device)),
        ).distance
        for n in range(0, len(a), _PORTION)
    ]
    return torch.cat(portions).cpu().numpy() if portions else np.empty(0)


def _inner(images: Boxes, orbits: Orbits, generators: Boxes, trees: Hierarchies) -> Boxes:
    """Boxes of inner nodes around their leaves, in orbits around those of all members."""
    device = images.centre.device
    inner = np.flatnonzero(~trees.leaf).tolist()
    if not inner:
        return images
    pairs = np.array([(node, leaf) for node in inner for leaf in trees.leaves[node]])
    node, leaf = _long(pairs, device).unbind(1)
    root = orbits.root[node]
    own, content = images.frame[node], images.pick(leaf)
    middle = (own @ (content.centre - orbits.offset[node])[:, :, None])[:, :, 0]
    reach = ((own @ content.half_axes().transpose(1, 2)).abs()).sum(2)
    index = root[:, None].expand(-1, 3)
    blank = torch.full_like(images.centre, torch.inf)
    low = blank.scatter_reduce(0, index, middle - reach, "amin")
    high = (-blank).scatter_reduce(0, index, middle + reach, "amax")
    rows = torch.unique(root)
    centre = ((low[rows] + high[rows]) / 2)[:, None] @ generators.frame[rows]
    around = Boxes(
        generators.centre.index_copy(0, rows, centre[:, 0]),
        generators.half.index_copy(0, rows, (high[rows] - low[rows]) / 2),
        generators.frame,
    )
    return orbits.images(around)


def _none(count: int) -> Level:
    return Level(np.empty(0, np.int64), np.arange(count), ())


def _long(values: Ints, device: torch.device) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(values, dtype=np.int64)).to(device)
