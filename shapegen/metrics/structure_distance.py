"""Structure distance of StructureNet between all shapes of two sets.

Reference: Mo et al., *StructureNet*, 2019, section 5.2.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from shapegen.structures.part_tree import PartTree
from shapegen.structures.tree_matching import FlatTrees, Paths, match_trees

Array = NDArray[np.float64]

_CHUNK = 20_000
"""Pairs of trees at once."""


def structure_matrix(generated: Sequence[PartTree], reference: Sequence[PartTree]) -> Array:
    """Structure distance ``(generated, reference)`` of every shape from every reference shape.

    It is the number of nodes that find no partner, on both sides, over the number of nodes of the
    *reference* shape, as for a reconstruction: not symmetric, and not made so. Only siblings of
    one label that have children on both sides need their boxes looked at: the other matches of
    equal labels differ in which nodes they pair, not in how many.

    Raises:
        ValueError: An empty set.
    """
    if not len(generated) or not len(reference):
        raise ValueError(f"both sets need a shape; got {len(generated)} and {len(reference)}")
    paths: Paths = {}
    ours, theirs = FlatTrees.of(generated, paths), FlatTrees.of(reference, paths)
    shape = (len(ours.size), len(theirs.size))
    a, b = (axis.ravel() for axis in np.indices(shape))
    matched = np.empty(len(a), dtype=np.int64)
    for start in range(0, len(a), _CHUNK):
        rows = slice(start, start + _CHUNK)
        pair = match_trees(ours, theirs, a[rows], b[rows], count_only=True).pair
        matched[rows] = np.bincount(pair, minlength=len(a[rows]))
    values: Array = (ours.size[a] + theirs.size[b] - 2 * matched) / theirs.size[b]
    return values.reshape(shape)
