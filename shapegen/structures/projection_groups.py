"""Symmetries of a shape that share a plane or an axis."""

from __future__ import annotations

from collections import defaultdict

import numpy as np

from shapegen.core import boxes as box_algebra
from shapegen.structures.projection_trees import (
    REF,
    ROT,
    Array,
    Hierarchies,
    Ints,
    Motions,
    image_distances,
)

_SNAP = 2.0
"""Motions that agree within this many times the violation of a shape's symmetries are one."""
_SNAP_ANGLE = np.deg2rad(15.0)
_SAME_NORMAL = np.cos(np.deg2rad(45.0))
"""Least cosine: normals of narrow pairs are noisy."""


class Grouping:
    """Finds the relations of a shape that share a plane or an axis."""

    def __init__(
        self,
        trees: Hierarchies,
        box: Array,
        rows: Ints,
        motions: Motions,
        distance: Array,
        diagonal: Array,
    ) -> None:
        self.trees, self.box, self.rows, self.motions = trees, box, rows, motions
        self.distance = distance
        self.ends = trees.ends[rows]
        self.kind = trees.kind[rows]
        self.shape = trees.shape[self.ends[:, 0]]
        self.baseline = np.linalg.norm(box[self.ends[:, 0], :3] - box[self.ends[:, 1], :3], axis=1)
        count = np.bincount(self.shape, minlength=len(diagonal))
        square = np.bincount(self.shape, distance**2, minlength=len(diagonal))
        self.snap = _SNAP * np.sqrt(square / np.maximum(count, 1))
        self.leader = np.arange(len(rows))
        """The relation whose motion every relation shares."""
        self.direction = motions.direction
        self.angle = np.where(self.kind == ROT, trees.params[rows, 6], 0.0)

    def mirrors(self) -> None:
        """Join reflections by planes that agree within the noise, the widest pair first."""
        rows = np.flatnonzero(self.kind == REF)
        pairs = _pairs_within(rows, self.shape)
        if not len(pairs):
            return
        first, second = pairs.T
        half = box_algebra.half_axes(self.box)
        shared = self.motions.pick(first)
        a, b = self.ends[second].T
        apart = image_distances(self.box[:, :3], half, a, b, shared)
        # In a plane across the right one, a narrow pair's images are near the wrong partners.
        noise = np.minimum(self.snap[self.shape[second]], 0.5 * self.baseline[second])
        cosine = np.abs((self.direction[first] * self.direction[second]).sum(1))
        agree = (apart <= self.distance[second] + noise + 1e-12) & (cosine >= _SAME_NORMAL)
        near: dict[int, list[int]] = defaultdict(list)
        for leader, other in pairs[agree].tolist():
            near[leader].append(other)
        free = set(rows.tolist())
        for leader in rows[np.argsort(-self.baseline[rows], kind="stable")].tolist():
            if leader not in free:
                continue
            free.discard(leader)
            for other in near[leader]:
                if other in free:
                    free.discard(other)
                    self.leader[other] = leader

    def rings(self) -> None:
        """Give the members of a ring equal shares of a full turn about one axis."""
        by_parent: dict[int, list[int]] = defaultdict(list)
        for row in np.flatnonzero(self.kind == ROT).tolist():
            by_parent[int(self.trees.parent[self.ends[row, 0]])].append(row)
        for rows in by_parent.values():
            for ring in _aligned_components(rows, self.ends, self.direction):
                self._close(ring)

    def _close(self, rows: list[int]) -> None:
        axis = self.direction[rows[0]]
        turn = _turns(rows, self.ends, self.angle, self.direction, axis)
        members = list(turn)
        count = len(members)
        share = np.array([turn[node] for node in members]) * count / (2 * np.pi)
        whole = np.round(share).astype(np.int64)
        arms = self.box[members, :3] - self.box[members, :3].mean(0)
        lever = np.linalg.norm(arms, axis=1) + 0.5 * box_algebra.diagonals(self.box[members])
        off = np.abs(share - whole) * 2 * np.pi / count
        snap = self.snap[self.shape[rows[0]]] + 1e-12
        if len(set((whole % count).tolist())) < count:
            return
        if off.max() > _SNAP_ANGLE or (off * lever).max() > snap:
            return
        place = dict(zip(members, whole.tolist(), strict=True))
        for row in rows:
            a, b = self.ends[row].tolist()
            self.leader[row] = rows[0]
            self.angle[row] = (place[b] - place[a]) * 2 * np.pi / count

    def numbered(self, edges: int) -> tuple[Ints, Ints, Array, Array]:
        """Group of every relation, and kind and direction of every group; angles."""
        order = self._order()
        position = np.full(len(self.rows), -1)
        position[order] = np.arange(len(order))
        group, angle = np.full(edges, -1), np.zeros(edges)
        group[self.rows] = position[self.leader]
        angle[self.rows] = self.angle
        return group, self.kind[order], self.direction[order], angle

    def _order(self) -> Ints:
        """Leaders, those of higher levels and wider pairs first."""
        leaders = np.unique(self.leader)
        depth = self.trees.depth[self.ends[leaders, 0]]
        order: Ints = leaders[np.lexsort((-self.baseline[leaders], depth))]
        return order

    def upright(self) -> Ints:
        """For every plane up to two others that it is perpendicular to, within the noise."""
        order = self._order()
        found = np.full((len(order), 2), -1)
        mirror = np.flatnonzero(self.kind[order] == REF)
        pairs = _pairs_within(mirror, self.shape[order])
        pairs = pairs[pairs[:, 0] < pairs[:, 1]]
        if not len(pairs):
            return found
        first, second = order[pairs].T
        cosine = np.abs((self.direction[first] * self.direction[second]).sum(1))
        arm = 0.5 * np.minimum(self.baseline[first], self.baseline[second])
        square = (cosine <= np.sin(_SNAP_ANGLE)) & (
            cosine * arm <= self.snap[self.shape[first]] + 1e-12
        )
        linked: set[tuple[int, int]] = set()
        for lower, higher in sorted(pairs[square].tolist(), key=lambda pair: (pair[1], pair[0])):
            slots = found[higher]
            if slots[0] < 0:
                slots[0] = lower
            elif slots[1] < 0 and (int(slots[0]), lower) in linked:
                slots[1] = lower
            linked.add((lower, higher))
        return found


def _aligned_components(rows: list[int], ends: Ints, direction: Array) -> list[list[int]]:
    """Rotations of siblings that hang together and have one axis direction."""
    left, found = list(rows), []
    while left:
        ring, nodes = [left[0]], set(ends[left[0]].tolist())
        axis = direction[left[0]]
        grown = True
        while grown:
            grown = False
            for row in left:
                along = abs(float(direction[row] @ axis)) >= np.cos(_SNAP_ANGLE)
                if row not in ring and along and nodes & set(ends[row].tolist()):
                    ring.append(row)
                    nodes |= set(ends[row].tolist())
                    grown = True
        left = [row for row in left if row not in ring]
        found.append(ring)
    return found


def _turns(
    rows: list[int], ends: Ints, angle: Array, direction: Array, axis: Array
) -> dict[int, float]:
    """Angle of every member of a ring from the first one's."""
    turn = {int(ends[rows[0], 0]): 0.0}
    waiting = list(rows)
    while waiting:
        for row in list(waiting):
            a, b = ends[row].tolist()
            signed = float(angle[row]) * (1.0 if direction[row] @ axis >= 0 else -1.0)
            if a in turn:
                turn.setdefault(b, turn[a] + signed)
            elif b in turn:
                turn[a] = turn[b] - signed
            else:
                continue
            waiting.remove(row)
    return turn


def _pairs_within(rows: Ints, shape: Ints) -> Ints:
    """Ordered pairs ``(m, 2)`` of different rows of one shape."""
    by_shape: dict[int, list[int]] = defaultdict(list)
    for row in rows.tolist():
        by_shape[int(shape[row])].append(row)
    pairs = [(a, b) for same in by_shape.values() for a in same for b in same if a != b]
    return np.array(pairs, dtype=np.int64).reshape(-1, 2)
