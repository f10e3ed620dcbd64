"""Ways to hold shapes out: at random, or whole families of near copies."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.random import RandomState
from numpy.typing import ArrayLike, NDArray

from shapegen.metrics.boxes import BoxSets, distance_matrix, lower_bounds

Index = NDArray[np.int64]

HELD_OUT = 460
THRESHOLD = 0.1


def random_split(count: int, *, held_out: int = HELD_OUT, seed: int = 0) -> tuple[Index, Index]:
    """Numbers of the shapes to train on, and of ``held_out`` drawn at random.

    The order is ``numpy.random.RandomState(seed).permutation(count)``, the last ones held out: a
    split that others can repeat without this package.
    """
    if not 0 < held_out < count:
        raise ValueError(f"held_out must be 1 to {count - 1} of {count} shapes; got {held_out}")
    order: Index = RandomState(seed).permutation(count).astype(np.int64)
    return order[:-held_out], order[-held_out:]


def families(shapes: Sequence[ArrayLike] | BoxSets, *, threshold: float = THRESHOLD) -> Index:
    """Family ``(n,)`` of every shape: linked by a chain of distances D below ``threshold``.

    Families are numbered by their smallest member.
    """
    sets = BoxSets.of(shapes)
    root = np.arange(len(sets))
    for row in range(len(sets) - 1):
        shape, rest = sets.take(slice(row, row + 1)), sets.take(slice(row + 1, None))
        columns = row + 1 + np.flatnonzero(lower_bounds(shape, rest)[0] < threshold)
        columns = columns[root[columns] != root[row]]
        if len(columns):
            near = distance_matrix(shape, sets.take(columns))[0] < threshold
            for other in np.unique(root[columns[near]]):
                low, high = sorted((int(root[row]), int(other)))
                root[root == high] = low
    return np.unique(root, return_inverse=True)[1].astype(np.int64)


def family_split(
    shapes: Sequence[ArrayLike] | BoxSets,
    *,
    held_out: int = HELD_OUT,
    seed: int = 0,
    threshold: float = THRESHOLD,
) -> tuple[Index, Index]:
    """Hold out whole families until at least ``held_out`` shapes are; ascending numbers.

    Families are visited in the order of ``numpy.random.RandomState(seed).permutation``.
    """
    family = families(shapes, threshold=threshold)
    if not 0 < held_out < len(family):
        raise ValueError(f"held_out must be 1 to {len(family) - 1} shapes; got {held_out}")
    sizes = np.bincount(family)
    order = RandomState(seed).permutation(len(sizes))
    enough = int(np.searchsorted(np.cumsum(sizes[order]), held_out)) + 1
    out = np.isin(family, order[:enough])
    if out.all():
        raise ValueError(
            f"the {len(sizes)} families are too large to hold out {held_out} shapes and keep any"
        )
    return np.flatnonzero(~out), np.flatnonzero(out)
