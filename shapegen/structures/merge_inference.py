"""A merge hierarchy for plain boxes: symmetric groups first, then compact neighbours."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from shapegen.core import boxes as box_algebra
from shapegen.structures.contact import gaps, pairs_of
from shapegen.structures.groups import Group, GroupFinder
from shapegen.structures.merge_plan import Plan, fold, join
from shapegen.structures.merge_tree import MergeTree
from shapegen.structures.motion import corner_distances, mapped
from shapegen.structures.part_tree import RelationKind

Array = NDArray[np.float64]

INFER_TOLERANCE = 0.002
"""As of :class:`~shapegen.structures.groups.GroupFinder`."""

CONTACT = 0.01
"""Gap up to which two parts count as touching, in diagonals of the shape."""

_SAME_MOTION = 0.003
"""Corner distance, in diagonals of the shape, up to which one group's motion repeats another."""

_UPRIGHT = 2.5
"""Height of a standing bar in depths of it."""

_ALIKE = 0.25
"""Distance, in diagonals of the shape, between the ends of bars that make one row."""

_SIMPLE_BASE = 4
"""Mirror pairs that a base has at most if they are one part; others have parts of their own."""

_UP = 1


class _Part(NamedTuple):
    """A piece of the hierarchy that is still to be joined."""

    plan: Plan
    members: tuple[int, ...]
    """Numbers of all boxes that it stands for."""

    @classmethod
    def leaf(cls, boxes: Array, number: int) -> _Part:
        """One box."""
        return cls(Plan.leaf(boxes[number]), (number,))


def infer_merge_tree(
    boxes: ArrayLike, *, tolerance: float = INFER_TOLERANCE, contact: float = CONTACT
) -> MergeTree:
    """Build a merge hierarchy over boxes that have none.

    First symmetric groups are found: rows, rings, mirror pairs (the plane that most pairs share
    goes first). Groups with one motion become one SYM over several boxes where they make one part
    (:func:`_make_one_part`). Then parts are joined by ADJ: of the pairs that touch, the one first
    whose common bounding box wastes the least room.

    Args:
        boxes: ``(n, 12)``, y up, in any order, on which the result depends only for ties.
        tolerance: Of symmetries, see :class:`~shapegen.structures.groups.GroupFinder`.
        contact: Gap between touching parts, in diagonals of the shape.

    Returns:
        A merge tree whose expansion has as many boxes, the copies being exact images.

    Reference: Wang et al., *Symmetry Hierarchy of Man-Made Objects*, 2011; Li et al., *GRASS*,
    2017, section 3.
    """
    boxes = box_algebra.as_boxes(boxes)
    if not len(boxes):
        raise ValueError("no boxes to merge; at least one is needed")
    if not np.isfinite(boxes).all():
        raise ValueError("boxes must be finite; got NaN or infinity")
    groups = GroupFinder(boxes, tolerance=tolerance, side=None, snap=0.05).find()
    grouped = {member for group in groups for member in group.members}
    single = [n for n in range(len(boxes)) if n not in grouped]
    room = _Room.of(boxes, single)
    parts = [_Part.leaf(boxes, n) for n in single]
    mirrors = [group for group in groups if group.kind is RelationKind.REF_SYM]
    simple_base = sum(room.in_base(group) for group in mirrors) <= _SIMPLE_BASE
    blocks: list[list[Group]] = []
    for group in groups:
        fitting = (
            block
            for block in blocks
            if _make_one_part(room, block[0], group, simple_base=simple_base)
        )
        home = next(fitting, None)
        if home is None:
            blocks.append([group])
        else:
            home.append(group)
    reach = contact * room.diagonal
    for block in blocks:
        parts.extend(_folded(boxes, block, reach))
    return _merged(boxes, parts, reach).tree()


class _Room(NamedTuple):
    """Where the boxes are."""

    boxes: Array
    low: Array
    """Lowest coordinates ``(n, 3)`` of every box."""
    high: Array
    diagonal: float
    ground: float
    seat: float
    """Height of the middle of the widest unrepeated box: what most shapes are built around."""

    @classmethod
    def of(cls, boxes: Array, single: list[int]) -> _Room:
        reach = np.abs(box_algebra.half_axes(boxes)).sum(1)
        low, high = boxes[:, :3] - reach, boxes[:, :3] + reach
        diagonal = max(float(np.linalg.norm(high.max(0) - low.min(0))), 1e-12)
        area = reach[single, 0] * reach[single, 2]
        seat = float(boxes[single[int(area.argmax())], _UP]) if single else -np.inf
        return cls(boxes, low, high, diagonal, float(low[:, _UP].min()), seat)

    def in_base(self, group: Group) -> bool:
        """Whether all members stand in the lower half below the seat, or end below it."""
        members = list(group.members)
        bottom, top = self.low[members, _UP].max(), self.high[members, _UP].max()
        return bool(bottom < 0.5 * (self.ground + self.seat) or top < self.seat)

    def is_upright(self, group: Group, depth: int) -> bool:
        """Whether the members are standing bars or panels."""
        extent = self.high[group.members[0]] - self.low[group.members[0]]
        return bool(extent[_UP] > _UPRIGHT * extent[depth])


def _make_one_part(room: _Room, a: Group, b: Group, *, simple_base: bool) -> bool:
    """Whether two groups are repeated by one motion and are, by their place, one part.

    Rings about one axis always are. Mirror pairs are if both are in a simple base (legs, their
    runners and stretchers) or alike: bars of about one place and extent, in the base or upright
    (the slats of a back). Others stay apart: the arms and the back of a chair have one mirror
    plane, but are parts of their own.
    """
    if (
        a.kind is not b.kind
        or a.kind is RelationKind.TRANS_SYM
        or len(a.members) != len(b.members)
    ):
        return False
    if a.kind is RelationKind.REF_SYM:
        in_base = room.in_base(a) and room.in_base(b)
        if not (in_base and simple_base) and not _are_alike(room, a, b, upright=not in_base):
            return False
    image = mapped(room.boxes[[b.members[0]]], a.kind, a.power(1))
    others = room.boxes[list(b.members[1:])]
    distances = corner_distances(np.repeat(image, len(others), 0), others)
    return bool(distances.min() <= _SAME_MOTION * room.diagonal)


def _are_alike(room: _Room, a: Group, b: Group, *, upright: bool) -> bool:
    """Whether the pairs stand in one row and end at about the same places."""
    normal = np.abs(a.params[3:6])
    if upright and normal[_UP] > 0.7:
        return False
    depth = 2 if normal[0] > normal[2] else 0
    if upright and not (room.is_upright(a, depth) and room.is_upright(b, depth)):
        return False
    members = [a.members[0], b.members[0]]
    low, high = room.low[members], room.high[members]
    common = high[:, depth].min() - low[:, depth].max()
    if upright and common < 0.4 * (high - low)[:, depth].min():
        return False
    apart = max(np.abs(low[0] - low[1]).max(), np.abs(high[0] - high[1]).max())
    return bool(apart <= _ALIKE * room.diagonal)


def _folded(boxes: Array, block: list[Group], reach: float) -> list[_Part]:
    """A block as one SYM over its generators, all taken from one side."""
    first = block[0]
    chosen = [group.members[0] for group in block]
    if first.kind is RelationKind.REF_SYM:
        normal = np.array(first.params[3:6])
        normal = normal * np.sign(normal[np.abs(normal).argmax()])
        chosen = [
            max(group.members, key=lambda n: float(boxes[n, :3] @ normal)) for group in block
        ]
    members = tuple(member for group in block for member in group.members)
    plan = _merged(boxes, [_Part.leaf(boxes, n) for n in chosen], reach)
    folded = fold(plan, first)
    if folded is None:
        return [_Part.leaf(boxes, n) for n in members]
    return [_Part(folded, members)]


def _merged(boxes: Array, parts: list[_Part], reach: float) -> Plan:
    """Join parts pair by pair until one is left."""
    extent = np.abs(box_algebra.half_axes(boxes)).sum(1)
    lows = [(boxes[list(part.members), :3] - extent[list(part.members)]).min(0) for part in parts]
    highs = [(boxes[list(part.members), :3] + extent[list(part.members)]).max(0) for part in parts]
    low, high = np.stack(lows), np.stack(highs)
    plans = [part.plan for part in parts]
    touching = _touching(boxes, parts, reach)
    # Room is measured with the reach added: flat parts have a volume to compare, too.
    while len(plans) > 1:
        around = np.maximum(high[:, None], high) - np.minimum(low[:, None], low) + reach
        own = (high - low + reach).prod(1)
        waste = around.prod(2) - own[:, None] - own[None]
        waste = np.where(touching, waste, waste + 1e6 * max(around.prod(2).max(), 1e-12))
        waste[np.tril_indices(len(plans))] = np.inf
        a, b = (int(n) for n in np.unravel_index(waste.argmin(), waste.shape))
        # The larger part is the left child.
        left, right = (a, b) if own[a] >= own[b] else (b, a)
        plans[a] = join(plans[left], plans[right])
        low[a], high[a] = np.minimum(low[a], low[b]), np.maximum(high[a], high[b])
        touching[a] |= touching[b]
        touching[:, a] |= touching[:, b]
        del plans[b]
        low, high = np.delete(low, b, 0), np.delete(high, b, 0)
        touching = np.delete(np.delete(touching, b, 0), b, 1)
    return plans[0]


def _touching(boxes: Array, parts: list[_Part], reach: float) -> NDArray[np.bool_]:
    owner = np.concatenate([np.full(len(part.members), n) for n, part in enumerate(parts)])
    numbers = np.concatenate([list(part.members) for part in parts]).astype(np.int64)
    pairs = pairs_of(len(numbers))
    near = pairs[gaps(boxes, numbers[pairs], beyond=reach) <= reach]
    touching = np.zeros((len(parts), len(parts)), dtype=bool)
    touching[owner[near[:, 0]], owner[near[:, 1]]] = True
    return touching | touching.T
