"""Rings read off the places of their members.

The rotation between two boxes alone is ambiguous: a square bar looks the same after a quarter
turn. All members of a ring together tell its axis and the angles.
"""

from __future__ import annotations

from collections import defaultdict

import numpy as np

from shapegen.structures.projection_trees import (
    ROT,
    Array,
    Hierarchies,
    Ints,
    motions_through,
    own_motions,
    violations,
)

_LEAST_RING = 3
_OFF = np.deg2rad(20.0)
"""How far a member's place may be from its share of the full turn."""
_FLAT = 0.3
"""Least ratio of the middle to the largest extent of the members' centres."""


def ring_params(trees: Hierarchies, box: Array, diagonal: Array) -> Array:
    """Parameters ``(e, 7)`` with rotations of whole rings replaced where that fits better.

    Siblings that rotations link, three or more, are tried as one ring of equal angles about the
    normal of the plane through their centres. Better is what violates the relations less, by
    their mean square; exact parameters therefore stay.
    """
    params = trees.params.copy()
    rows = np.flatnonzero(trees.kind == ROT)
    for edges in _linked(rows, trees.ends):
        members = np.unique(trees.ends[edges])
        turn = _ring(box[members, :3])
        if turn is None:
            continue
        axis, angles = turn
        place = dict(zip(members.tolist(), angles.tolist(), strict=True))
        a, b = trees.ends[edges].T
        angle = np.array([place[j] - place[i] for i, j in trees.ends[edges].tolist()])
        direction = np.repeat(axis[None], len(edges), axis=0)
        ring = motions_through(trees.kind[edges], direction, angle, box[a, :3], box[b, :3])
        given = own_motions(trees, box, edges, diagonal)
        size = 1e-9 * diagonal[trees.shape[members[0]]]
        apart = [
            float(np.sqrt((violations(trees, box, edges, motions) ** 2).mean()))
            for motions in (ring, given)
        ]
        if apart[0] < apart[1] - size:
            params[edges, :3] = box[members, :3].mean(0)
            params[edges, 3:6] = axis
            params[edges, 6] = angle
    return params


def _linked(rows: Ints, ends: Ints) -> list[Ints]:
    """Relations that hang together by common parts."""
    root: dict[int, int] = {}

    def find(node: int) -> int:
        while root.setdefault(node, node) != node:
            node = root[node]
        return node

    for a, b in ends[rows].tolist():
        root[find(a)] = find(b)
    found: dict[int, list[int]] = defaultdict(list)
    for row in rows.tolist():
        found[find(int(ends[row, 0]))].append(row)
    return [np.array(edges) for edges in found.values()]


def _ring(centres: Array) -> tuple[Array, Array] | None:
    """Axis of a ring and the angle of every member, multiples of an equal share; None if none."""
    count = len(centres)
    if count < _LEAST_RING:
        return None
    arms = centres - centres.mean(0)
    _, extent, frame = np.linalg.svd(arms, full_matrices=False)
    if extent[1] <= _FLAT * extent[0] or extent[0] <= 0:
        return None
    across = np.cross(frame[2], frame[0])
    azimuth = np.arctan2(arms @ across, arms @ frame[0])
    share = 2 * np.pi / count
    order = np.argsort(azimuth)
    turn = np.empty(count)
    turn[order] = share * np.arange(count)
    # The common phase is a mean over a circle.
    off = azimuth - turn
    phase = np.angle(np.exp(1j * off).mean())
    if np.abs(np.angle(np.exp(1j * (off - phase)))).max() > _OFF:
        return None
    return frame[2], turn
