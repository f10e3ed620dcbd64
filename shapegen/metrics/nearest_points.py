"""Mean distances from the points of every cloud to the nearest ones of every other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

Array = NDArray[np.float64]

_LEAF = 24
"""Points of a tree's leaf: fewer cost more than they spare."""


def mean_nearest(
    clouds: Sequence[Array] | Array, targets: Sequence[Array] | Array, *, squared: bool = False
) -> Array:
    """Mean (squared) distance of every cloud's points to every target's nearest.

    Args:
        clouds: Arrays ``(n, 3)`` with equally many points.
        targets: Arrays ``(m, 3)``.
        squared: Square the distances before the mean.

    Returns:
        ``(clouds, targets)``. Work is shared by torch's number of threads.
    """
    from scipy.spatial import cKDTree

    trees = [cKDTree(target, leafsize=_LEAF) for target in targets]
    # Points that lie together are asked for one after the other: their leaves are in the cache.
    queries = np.concatenate([cloud[_order(cloud)] for cloud in clouds])
    means = np.empty((len(clouds), len(trees)))
    for column, tree in enumerate(trees):
        distance: Any = tree.query(queries, workers=torch.get_num_threads())[0]
        means[:, column] = _power(distance, squared).reshape(len(clouds), -1).mean(1)
    return means


def nearest_pairs(
    clouds: Sequence[Array] | Array, targets: Sequence[Array] | Array, *, squared: bool = False
) -> Array:
    """:func:`mean_nearest` of the pairs of one number, ``(n,)``."""
    return np.array(
        [
            mean_nearest([cloud], [target], squared=squared)[0, 0]
            for cloud, target in zip(clouds, targets, strict=True)
        ]
    )


def _order(cloud: Array) -> NDArray[np.int64]:
    """The points leaf by leaf."""
    from scipy.spatial import cKDTree

    return np.asarray(cKDTree(cloud, leafsize=_LEAF).indices)


def _power(distance: Array, squared: bool) -> Array:
    return np.square(distance) if squared else distance
