"""Shapes made by hand, for the tests of part trees and their files."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from shapegen.core import boxes as box_algebra
from shapegen.structures.merge_tree import ADJ, BOX, SYM, MergeTree
from shapegen.structures.merging import to_part_tree
from shapegen.structures.part_tree import PartTree, PartTrees
from shapegen.structures.relations import detect_relations

Array = NDArray[np.float64]

UNIT = [1.0, 0, 0, 0, 1, 0]
"""Directions of an upright box."""


def box(
    centre: Sequence[float],
    lengths: Sequence[float],
    x: Sequence[float] = (1, 0, 0),
    y: Sequence[float] = (0, 1, 0),
) -> Array:
    return np.array([*centre, *lengths, *x, *y], dtype=np.float64)


def chair() -> PartTree:
    """A seat, four legs in a base, a back of two posts and five slats, all with relations."""
    seat = box((0, 0, 0), (1, 0.1, 1))
    legs = [box((x, -0.55, z), (0.1, 1, 0.1)) for z in (0.4, -0.4) for x in (0.4, -0.4)]
    posts = [box((x, 0.65, -0.45), (0.1, 1.2, 0.1)) for x in (0.45, -0.45)]
    rail = box((0, 1.2, -0.45), (0.8, 0.1, 0.1))
    slats = [box((0.15 * n, 0.6, -0.45), (0.05, 1.1, 0.05)) for n in range(-2, 3)]
    parts = [
        (None, "chair", -1),
        (seat, "chair/seat", 0),
        (None, "chair/base", 0),
        *((leg, "chair/base/leg", 2) for leg in legs),
        (None, "chair/back", 0),
        *((post, "chair/back/post", 7) for post in posts),
        (rail, "chair/back/rail", 7),
        *((slat, "chair/back/slat", 7) for slat in slats),
    ]
    below = {0: [seat, *legs, *posts, rail, *slats], 2: legs, 7: [*posts, rail, *slats]}
    boxes = []
    for number, (own, _, _) in enumerate(parts):
        if own is None:
            low, high = box_algebra.bounds(np.stack(below[number]))
            own = box(0.5 * (low + high), high - low)
        boxes.append(own)
    labels, parents = [part[1] for part in parts], [part[2] for part in parts]
    return detect_relations(PartTree(np.stack(boxes), np.array(parents), tuple(labels)))


def stools(count: int = 2) -> PartTrees:
    """Stools of different height: a seat and a mirrored leg."""
    trees = []
    for number in range(count):
        merge = MergeTree(
            ops=np.array([BOX, BOX, SYM, ADJ]),
            boxes=np.array(
                [
                    [0, 0.5 + number, 0, 1, 0.125, 1, *UNIT],
                    [0.25, 0, 0.0, 0.125, 1 + number, 0.125, *UNIT],
                ]
            ),
            syms=np.array([[1.0, 1, 0, 0, 0, 0, 0, 0]]),
        )
        trees.append(to_part_tree(merge, name=str(number)))
    return PartTrees(trees)
