"""Which nodes of two hierarchies are the same part: equal labels and the nearest boxes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shapegen.structures.part_tree import PartTree
from shapegen.structures.tree_matching import FlatTrees, Paths, match_trees

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Correspondence:
    """Nodes of predicted trees matched to those of the true ones, all shapes in one numbering."""

    predicted: Ints
    """For every true node the predicted one, or -1."""
    true_start: Ints
    """Number of every true tree's root."""
    predicted_start: Ints


def correspond(predicted: Sequence[PartTree], true: Sequence[PartTree]) -> Correspondence:
    """Match the nodes of trees pair by pair (:mod:`shapegen.structures.tree_matching`).

    Raises:
        ValueError: No pairs, or other numbers of trees.
    """
    if not len(true) or len(predicted) != len(true):
        raise ValueError(
            f"as many predicted as true shapes are needed; got {len(predicted)} and {len(true)}"
        )
    paths: Paths = {}
    ours, theirs = FlatTrees.of(predicted, paths), FlatTrees.of(true, paths)
    every = np.arange(len(true))
    match = match_trees(ours, theirs, every, every)
    found = np.full(len(theirs.path), -1)
    found[match.second] = match.first
    return Correspondence(found, theirs.start, ours.start)
