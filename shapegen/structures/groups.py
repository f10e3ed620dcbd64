"""Find symmetric groups among boxes: mirror pairs, rows of equal steps, rings of equal angles."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence, Set
from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from shapegen.core import boxes as box_algebra
from shapegen.structures.arrangements import clusters, equal_steps, layers
from shapegen.structures.motion import mapped, set_distance, shape_squares
from shapegen.structures.part_tree import RelationKind

Array = NDArray[np.float64]

TOLERANCE = 0.01
"""Noise that is allowed for: standard deviation of every coordinate of a box's centre and of
every length, in diagonals of the box."""

# Of two noisy boxes, how far corners (moved to one centre) and centres may be apart, in standard
# deviations: 99 % of what the noise makes is below 2.4 and 4.3; tilts add to the former.
_SHAPE_REACH, _PLACE_REACH = 3.0, 4.5

# Of the many parts of a ring, or leaves of a part, the worst counts.
_MANY = 1.5

SYMMETRIES = frozenset({RelationKind.REF_SYM, RelationKind.TRANS_SYM, RelationKind.ROT_SYM})

_UP = 1


class Group(NamedTuple):
    """Parts that one motion carries into one another, the first into the second and so on."""

    kind: RelationKind
    members: tuple[int, ...]
    params: tuple[float, ...]
    """Of the motion from one member to the next: REF_SYM point 3, normal 3; TRANS_SYM step 3;
    ROT_SYM pivot 3, axis 3, angle in radians."""

    def power(self, times: int) -> tuple[float, ...]:
        """Parameters of the motion from the first member to number ``times``."""
        if self.kind is RelationKind.TRANS_SYM:
            return tuple(times * value for value in self.params)
        if self.kind is RelationKind.ROT_SYM:
            return (*self.params[:6], times * self.params[6])
        return self.params


class _Twins(NamedTuple):
    """Two parts and a motion from the one to the other."""

    group: Group
    residual: float
    """In units of what is allowed: at most 1."""
    rank: int
    """Lower is preferred: upright mirrors, translations, lying mirrors, half turns."""


class GroupFinder:
    """Search a set of boxes for disjoint symmetric groups, the largest first.

    Args:
        boxes: ``(n, 12)``.
        contents: The leaves ``(k, 12)`` of every part, which must correspond too; default none.
        tolerance: In diagonals, see :data:`TOLERANCE`.
        side: Coordinate axis from left to right, whose mirrors are preferred to others; None where
            it is not known: the planes that most pairs share are preferred.
        snap: How much of what is allowed a mirror may miss in favour of a coordinate plane.
    """

    def __init__(
        self,
        boxes: ArrayLike,
        *,
        contents: Sequence[Array] | None = None,
        tolerance: float = TOLERANCE,
        side: int | None = 0,
        snap: float = 0.5,
    ) -> None:
        if not tolerance > 0:
            raise ValueError(f"the tolerance must be positive; got {tolerance}")
        self.boxes = box_algebra.as_boxes(boxes)
        self.contents = contents
        self.tolerance = tolerance
        self.centres = self.boxes[:, :3]
        self.half = box_algebra.half_axes(self.boxes)
        self.sides = np.sort(0.5 * np.abs(self.boxes[:, 3:6]), axis=1)
        self.side, self.snap = side, snap
        # Of two boxes, the root mean square of their reaches counts.
        size = tolerance * box_algebra.diagonals(self.boxes)
        self.shape_reach, self.reach = _SHAPE_REACH * size, _PLACE_REACH * size

    def find(
        self,
        sets: Iterable[Sequence[int]] | None = None,
        *,
        kinds: Sequence[Set[RelationKind]] | None = None,
    ) -> list[Group]:
        """Find the groups within every set of parts.

        Args:
            sets: Disjoint sets of part numbers; default one of all parts.
            kinds: The symmetries to look for in every set; default all.
        """
        sets = [range(len(self.boxes))] if sets is None else list(sets)
        kinds = [SYMMETRIES] * len(sets) if kinds is None else kinds
        pairs = np.array([pair for part in sets for pair in combinations(part, 2)], dtype=np.int64)
        if not len(pairs):
            return []
        a, b = pairs.T
        # The sorted sides bound the corner distance from below, whatever the motion.
        squares = ((self.sides[a] - self.sides[b]) ** 2).sum(1)
        pairs = pairs[squares <= self._reach(self.shape_reach, pairs) ** 2]
        if not len(pairs):
            return []
        mirrors = self._mirrors(pairs)
        steps = self._steps(pairs)
        votes = _votes(mirrors, self.reach)
        alike = [(a, b) for a, b in pairs.tolist()]
        level = {(twins.group.members[0], twins.group.members[1]) for twins in steps}
        twins = [*mirrors, *steps, *self._half_turns(pairs)]
        ranked = sorted(range(len(twins)), key=lambda n: self._rank(twins[n], votes.get(n, 0)))
        groups: list[Group] = []
        used: set[int] = set()
        for part, allowed in zip(sets, kinds, strict=True):
            self._long_groups(part, alike, level, groups, used, allowed)
        kind_of = {n: allowed for part, allowed in zip(sets, kinds, strict=True) for n in part}
        for n in ranked:
            group = twins[n].group
            if group.kind not in kind_of[group.members[0]]:
                continue
            if used.isdisjoint(group.members) and self._contents_agree(group):
                groups.append(group)
                used.update(group.members)
        return groups

    def _long_groups(
        self,
        part: Sequence[int],
        alike: list[tuple[int, int]],
        level: set[tuple[int, int]],
        groups: list[Group],
        used: set[int],
        allowed: Set[RelationKind],
    ) -> None:
        """Add the rows and rings of three and more parts of one set, the longest first."""
        while True:
            rest = [n for n in part if n not in used]
            found: list[Group] = []
            if RelationKind.ROT_SYM in allowed:
                # Four equal boxes at the corners of a square are two mirror pairs, if they may.
                even = level if RelationKind.REF_SYM in allowed else set()
                for cluster in clusters(rest, alike):
                    found.extend(self._rings(cluster, even))
            if RelationKind.TRANS_SYM in allowed:
                for cluster in clusters(rest, level):
                    found.extend(self._rows(cluster))
            found.sort(key=lambda group: (-len(group.members), group.kind is RelationKind.ROT_SYM))
            agreed = next((group for group in found if self._contents_agree(group)), None)
            if agreed is None:
                return
            groups.append(agreed)
            used.update(agreed.members)

    def _reach(self, reach: Array, pairs: NDArray[np.int64]) -> Array:
        mean: Array = np.sqrt((reach[pairs] ** 2).mean(1))
        return mean

    def _rank(self, twins: _Twins, votes: int) -> tuple[float, ...]:
        """Sort key of twins, the preferred first."""
        normal = twins.group.params[3:6]
        sideways = self.side is not None and len(normal) == 3 and abs(normal[self.side]) > 0.99
        # What fits exactly goes before what fits within the noise.
        rough = twins.residual > 0.1
        return (twins.rank, not sideways, rough, -votes, twins.residual, *twins.group.members)

    def _mirrors(self, pairs: NDArray[np.int64]) -> list[_Twins]:
        """The mirror of every pair that has one, in a coordinate plane if that fits."""
        a, b = pairs.T
        offset = self.centres[b] - self.centres[a]
        normals = np.empty((len(pairs), 4, 3))
        normals[:, :3] = np.eye(3)
        length = np.linalg.norm(offset, axis=1, keepdims=True)
        normals[:, 3] = np.where(length > 1e-9, offset / np.maximum(length, 1e-9), np.eye(3)[0])
        half_a, half_b = self.half[a][:, None], self.half[b][:, None]
        along = half_a @ normals[..., None]  # (p, 4, axis, 1)
        image = half_a - 2 * along * normals[:, :, None]
        beside = offset[:, None] - (offset[:, None] * normals).sum(2, keepdims=True) * normals
        residual = self._residual(pairs, shape_squares(image, half_b), (beside**2).sum(2))
        axis = residual[:, :3].argmin(1)
        rows = np.arange(len(pairs))
        snapped = residual[rows, axis] <= np.maximum(residual[:, 3], self.snap)
        chosen = np.where(snapped, axis, 3)
        twins = []
        for n in np.flatnonzero(residual[rows, chosen] <= 1).tolist():
            normal = normals[n, chosen[n]]
            middle = 0.5 * (self.centres[a[n]] + self.centres[b[n]])
            params = (*middle.tolist(), *normal.tolist())
            group = Group(RelationKind.REF_SYM, (int(a[n]), int(b[n])), params)
            rank = 2 if abs(normal[_UP]) > 0.7 else 0
            twins.append(_Twins(group, float(residual[n, chosen[n]]), rank))
        return twins

    def _residual(self, pairs: NDArray[np.int64], shape: Array, place: Array) -> Array:
        """Larger of two squares ``(p, ...)`` in units of their reach, as a length."""
        extra = (slice(None),) + (None,) * (shape.ndim - 1)
        shape_reach = self._reach(self.shape_reach, pairs)[extra]
        place_reach = self._reach(self.reach, pairs)[extra]
        residual: Array = np.sqrt(np.maximum(shape / shape_reach**2, place / place_reach**2))
        return residual

    def _steps(self, pairs: NDArray[np.int64]) -> list[_Twins]:
        a, b = pairs.T
        shape = shape_squares(self.half[a], self.half[b])
        residual = self._residual(pairs, shape, np.zeros_like(shape))
        twins = []
        for n in np.flatnonzero(residual <= 1).tolist():
            step = tuple((self.centres[b[n]] - self.centres[a[n]]).tolist())
            group = Group(RelationKind.TRANS_SYM, (int(a[n]), int(b[n])), step)
            twins.append(_Twins(group, float(residual[n]), 1))
        return twins

    def _half_turns(self, pairs: NDArray[np.int64]) -> list[_Twins]:
        """Half turns about coordinate axes; a box turned so is its mirror image moved."""
        a, b = pairs.T
        offset = self.centres[b] - self.centres[a]
        flip = 1 - 2 * np.eye(3)
        image = self.half[a][:, None] * flip[:, None]  # (p, axis of rotation, 3, 3)
        shape = shape_squares(image, self.half[b][:, None])
        residual = self._residual(pairs, shape, offset**2)
        axis = residual.argmin(1)
        twins = []
        for n in np.flatnonzero(residual.min(1) <= 1).tolist():
            middle = 0.5 * (self.centres[a[n]] + self.centres[b[n]])
            params = (*middle.tolist(), *np.eye(3)[axis[n]].tolist(), float(np.pi))
            group = Group(RelationKind.ROT_SYM, (int(a[n]), int(b[n])), params)
            twins.append(_Twins(group, float(residual[n].min()), 3))
        return twins

    def _rows(self, cluster: list[int]) -> Iterator[Group]:
        """The longest row of equal steps on every line through parts of a cluster."""
        if len(cluster) < 3:
            return
        members = np.array(cluster)
        centres = self.centres[members]
        reach = float(np.sqrt((self.reach[members] ** 2).mean()))
        first, second = np.triu_indices(len(members), 1)
        step = centres[second] - centres[first]
        length = np.linalg.norm(step, axis=1)
        direction = step / np.maximum(length, 1e-9)[:, None]
        rest = centres - centres[first][:, None]  # (p, k, 3)
        beside = rest - (rest * direction[:, None]).sum(2, keepdims=True) * direction[:, None]
        on_line = ((beside**2).sum(2) <= reach**2) & (length > 1e-6)[:, None]
        lines = {tuple(np.flatnonzero(line).tolist()) for line in on_line if line.sum() >= 3}
        for line in sorted(lines, key=len, reverse=True):
            row = equal_steps(centres[list(line)], reach)
            if row is None:
                continue
            order, step_vector = row
            ordered = tuple(int(members[line[n]]) for n in order)
            if ordered[0] > ordered[-1]:
                ordered, step_vector = ordered[::-1], -step_vector
            yield Group(RelationKind.TRANS_SYM, ordered, tuple(step_vector.tolist()))

    def _rings(self, cluster: list[int], level: set[tuple[int, int]]) -> Iterator[Group]:
        """Full rings of equal angles about a coordinate direction, or all about an oblique one."""
        if len(cluster) < 3:
            return
        centres = self.centres[cluster]
        reach = float(np.sqrt((self.reach[cluster] ** 2).mean()))
        oblique = np.linalg.svd(centres - centres.mean(0))[2][2]
        for axis in (*np.eye(3)[[1, 0, 2]], oblique):
            for layer in layers(centres @ axis, reach):
                for ring in self._rings_of_layer([cluster[n] for n in layer], axis, reach):
                    square = len(ring.members) == 4 and all(
                        pair in level for pair in combinations(sorted(ring.members), 2)
                    )
                    if not square:
                        yield ring

    def _rings_of_layer(self, layer: list[int], axis: Array, reach: float) -> Iterator[Group]:
        if len(layer) < 3:
            return
        centres = self.centres[layer]
        pivot = centres.mean(0)
        spokes = centres - pivot
        spokes = spokes - (spokes @ axis)[:, None] * axis
        for circle in layers(np.linalg.norm(spokes, axis=1), reach):
            if len(circle) < 3:
                continue
            ring = sorted(layer[n] for n in circle)
            params = (*pivot.tolist(), *axis.tolist(), 2 * np.pi / len(ring))
            order = self._ring_order(ring, params)
            if order is not None:
                yield Group(RelationKind.ROT_SYM, order, params)

    def _ring_order(self, ring: list[int], params: tuple[float, ...]) -> tuple[int, ...] | None:
        """The members in the order in which the first one's images meet them; None if not."""
        first, count = self.boxes[ring[:1]], len(ring)
        turns = [(*params[:6], times * params[6]) for times in range(count)]
        images = np.concatenate([mapped(first, RelationKind.ROT_SYM, turn) for turn in turns])
        half = box_algebra.half_axes(images)
        shape = shape_squares(half[:, None], self.half[ring][None])
        place = ((images[:, None, :3] - self.centres[ring]) ** 2).sum(2)
        shape_reach, reach = _MANY * self.shape_reach[ring].mean(), _MANY * self.reach[ring].mean()
        residual = np.maximum(shape / shape_reach**2, place / reach**2)  # (image, member)
        order = residual.argmin(1)
        if len(set(order.tolist())) < count or (residual.min(1) > 1.0).any():
            return None
        # A turn that moves no corner is no symmetry worth the name.
        if residual[1:, order[0]].min() <= 1.0:
            return None
        return tuple(ring[n] for n in order.tolist())

    def _contents_agree(self, group: Group) -> bool:
        """Whether the first member's leaves, moved, are those of every other member."""
        if self.contents is None:
            return True
        first, *others = (self.contents[n] for n in group.members)
        if any(len(other) != len(first) for other in others):
            return False
        if len(first) == 1:
            return True
        reach = _MANY * self.reach[list(group.members)]
        return all(
            set_distance(mapped(first, group.kind, group.power(times)), other)
            <= max(reach[0], reach[times])
            for times, other in enumerate(others, start=1)
        )


def _votes(mirrors: list[_Twins], reach: Array) -> dict[int, int]:
    """Number of pairs that share the mirror plane of every pair."""
    if not mirrors:
        return {}
    params = np.array([twins.group.params for twins in mirrors])
    normal, middle = params[:, 3:], params[:, :3]
    scale = np.array([max(reach[n] for n in twins.group.members) for twins in mirrors])
    parallel = np.abs(normal @ normal.T) > 0.99
    apart = np.abs(((middle[:, None] - middle[None]) * normal[:, None]).sum(2))
    return dict(enumerate((parallel & (apart <= scale[:, None])).sum(1).tolist()))
