"""Which nodes of two hierarchies are the same part: equal labels and the nearest boxes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from shapegen.structures.part_tree import PartTree, PartTrees
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


def tracked(trees: Sequence[PartTree]) -> PartTrees:
    """Give every part the same instance id in all steps of a walk.

    The parts of each step are matched to those of the step before (:func:`correspond`). A part
    without a partner is a new one: an id that has ended does not come back.

    Args:
        trees: The steps in order. The first one's ids stay.
    """
    if len(trees) < 2:
        return PartTrees(trees)
    match = correspond(trees[:-1], trees[1:])
    found = [trees[0]]
    largest = int(trees[0].instance.max())
    for step, tree in enumerate(trees[1:]):
        start = int(match.true_start[step])
        rows = match.predicted[start : start + len(tree)]
        old = np.flatnonzero(rows >= 0)
        instance = largest + 1 + np.cumsum(rows < 0) - 1
        instance[old] = found[-1].instance[rows[old] - match.predicted_start[step]]
        largest = max(largest, int(instance.max()))
        found.append(replace(tree, instance=instance))
    return PartTrees(found)


def same_structure(a: PartTree, b: PartTree) -> bool:
    """Whether two hierarchies have the same labels everywhere, whatever the order of siblings."""
    return _outline(a) == _outline(b)


def _outline(tree: PartTree) -> str:
    """The labels as nested brackets, siblings sorted."""
    below: list[list[str]] = [[] for _ in tree.label]
    for node in range(len(tree) - 1, 0, -1):
        below[tree.parent[node]].append(f"{tree.label[node]}({','.join(sorted(below[node]))})")
    return f"{tree.label[0]}({','.join(sorted(below[0]))})"
