"""Mend what an edit has torn: parts that touched, and the symmetries of what follows them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from shapegen.core import boxes as box_algebra
from shapegen.structures.contact import gaps, pairs_of
from shapegen.structures.holding import Draft, fitted
from shapegen.structures.part_tree import PartTree, RelationKind
from shapegen.structures.projection import relation_violations
from shapegen.structures.stability import shape_diagonal
from shapegen.structures.subtrees import subtree

Array = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]

_TOUCH = 0.01
"""Of the shape's diagonal: leaves nearer than this touch, and are to touch after an edit."""
_WORSE = 1e-6
"""Of the shape's diagonal: a gap or a violation that grew by less is as it was."""
_ROUNDS = 8


class Touch(NamedTuple):
    """Some leaf of the one group is to be as near to one of the other as it was."""

    first: tuple[int, ...]
    second: tuple[int, ...]
    gap: float


def touches(tree: PartTree, held: Bools) -> list[Touch]:
    """Pairs of leaves that touch, not both of them held."""
    leaves = np.flatnonzero(tree.is_leaf)
    pairs = leaves[pairs_of(len(leaves))]
    pairs = pairs[~held[pairs].all(1)]
    reach = _TOUCH * shape_diagonal(tree.boxes())
    apart = gaps(tree.box, pairs, beyond=reach)
    return [
        Touch((a,), (b,), gap)
        for (a, b), gap in zip(pairs.tolist(), apart.tolist(), strict=True)
        if gap <= reach
    ]


def reconnected(
    before: PartTree, edited: PartTree, held: Bools, origin: Ints, touches: Sequence[Touch]
) -> PartTree:
    """Mend what an edit has torn: contacts, and the symmetries of what follows them.

    What is violated no more than before is left alone, so that parts which nothing pulls at stay.
    """
    slack = _WORSE * shape_diagonal(before.boxes())
    loose = _loose(before, edited, held, origin, slack)
    known = {
        (edge.a, edge.b, edge.kind): violation
        for edge, violation in zip(before.edges, relation_violations(before), strict=True)
    }
    allowed = np.array(
        [
            np.inf
            if edge.kind is RelationKind.ADJ
            # What came with a new part has no past: it is to hold.
            else known.get((int(origin[edge.a]), int(origin[edge.b]), edge.kind), 0.0) + slack
            for edge in edited.edges
        ]
    )
    imposed = np.zeros(len(edited.edges), dtype=bool)
    wanted: list[tuple[int, int]] = []
    result = edited
    for _ in range(_ROUNDS):
        torn = _torn(result, touches, slack)
        bent = relation_violations(replace(edited, box=result.box)) > allowed
        fresh = set(torn) - set(wanted)
        if result is not edited and not fresh and not (bent & ~imposed).any():
            break
        wanted += sorted(fresh)
        imposed |= bent
        contacts = np.array(wanted, dtype=np.int64).reshape(-1, 2)
        result = fitted([Draft(edited, held, loose, imposed, contacts)])[0]
    return result


def _torn(tree: PartTree, touches: Sequence[Touch], slack: float) -> list[tuple[int, int]]:
    """The nearest leaves of all groups that are farther apart than they were."""
    if not touches:
        return []
    pairs = [np.stack(np.meshgrid(*touch[:2]), axis=-1).reshape(-1, 2) for touch in touches]
    apart = gaps(tree.box, np.concatenate(pairs))
    ends = np.cumsum([len(each) for each in pairs])[:-1]
    found = []
    for own, distance, touch in zip(pairs, np.split(apart, ends), touches, strict=True):
        if distance.min() > touch.gap + slack:
            a, b = own[distance.argmin()].tolist()
            found.append((a, b))
    return found


def _loose(before: PartTree, edited: PartTree, held: Bools, origin: Ints, slack: float) -> Bools:
    """Inner nodes around other leaves, or leaves elsewhere, than before."""
    loose = np.zeros(len(edited), dtype=bool)
    for node in np.flatnonzero(~edited.is_leaf & ~held).tolist():
        old = int(origin[node])
        loose[node] = old < 0 or bool(
            (np.abs(_extent(before, old) - _extent(edited, node)) > slack).any()
        )
    return loose


def _extent(tree: PartTree, node: int) -> Array:
    """Bounds ``(2, 3)`` of what is below a node along the axes of its box."""
    points = box_algebra.corners(subtree(tree, node).boxes()).reshape(-1, 3)
    along = points @ box_algebra.axes(tree.box[[node]])[0].T
    return np.stack([along.min(0), along.max(0)])
