"""Nodes of labelled trees matched to one another, many pairs of trees level by level.

Children of matched nodes are matched within equal labels, by the least total of StructureNet's
box loss.

Reference: Mo et al., *StructureNet*, 2019, section 5.2, and the authors' ``eval_recon_box.py``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from shapegen.structures.box_points import Frames, frames, pair_costs, quaternion_boxes
from shapegen.structures.part_tree import PartTree

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

Paths = dict[tuple[int, str], int]
"""A number for every path of labels below a root, from the parent's number and the last word."""


@dataclass(frozen=True)
class FlatTrees:
    """Nodes of many trees in one numbering; the children of a node are one range of ``below``."""

    frames: Frames
    path: Ints
    """Number of the labels from below the root down to the node; 0 for every root. Only nodes of
    equal paths can be matched."""
    start: Ints
    """Number of every tree's root."""
    size: Ints
    below: Ints
    first: Ints
    count: Ints

    @classmethod
    def of(cls, trees: Sequence[PartTree], paths: Paths) -> FlatTrees:
        """Lay trees out; ``paths`` is filled, and shared by what is to be matched."""
        size = np.array([len(tree) for tree in trees])
        start = np.cumsum(size) - size
        own = np.concatenate([tree.parent for tree in trees])
        parent = np.where(own < 0, -1, own + np.repeat(start, size))
        count = np.bincount(parent[parent >= 0], minlength=len(parent))
        boxes = torch.from_numpy(np.concatenate([tree.box for tree in trees]))
        return cls(
            frames=frames(quaternion_boxes(boxes)),
            path=np.concatenate([_paths(tree, paths) for tree in trees]),
            start=start,
            size=size,
            below=np.argsort(parent, kind="stable")[len(trees) :],
            first=np.cumsum(count) - count,
            count=count,
        )


class Matches(NamedTuple):
    """Matched nodes, the roots of every pair of trees first, then level by level."""

    pair: Ints
    first: Ints
    """Nodes of the first tree of the pair."""
    second: Ints


def match_trees(
    ours: FlatTrees, theirs: FlatTrees, a: Ints, b: Ints, *, count_only: bool = False
) -> Matches:
    """Match the nodes of trees ``a[i]`` of ``ours`` to those of ``b[i]`` of ``theirs``.

    Args:
        ours: First trees.
        theirs: Second trees.
        a: Numbers ``(n,)`` of trees; one may occur many times.
        b: The same.
        count_only: Only the number of matches is wanted: where siblings without children decide
            nothing, any of them are matched, and no box is looked at.
    """
    pair, first, second = np.arange(len(a)), ours.start[a], theirs.start[b]
    levels = [(pair, first, second)]
    while len(pair):
        row, one, other = _children(ours, theirs, first, second)
        kept = _assigned(ours, theirs, row, one, other, count_only=count_only)
        pair, first, second = pair[row[kept]], one[kept], other[kept]
        levels.append((pair, first, second))
    return Matches(*(np.concatenate(values) for values in zip(*levels, strict=True)))


def _paths(tree: PartTree, paths: Paths) -> Ints:
    found = np.zeros(len(tree), dtype=np.int64)
    for node, (parent, label) in enumerate(zip(tree.parent.tolist(), tree.label, strict=True)):
        if parent >= 0:
            key = (int(found[parent]), label.rpartition("/")[2])
            found[node] = paths.setdefault(key, len(paths) + 1)
    return found


def _children(
    ours: FlatTrees, theirs: FlatTrees, first: Ints, second: Ints
) -> tuple[Ints, Ints, Ints]:
    """All pairs of children, of equal paths, of matched nodes: row of the match, and both."""
    wide = theirs.count[second]
    number = ours.count[first] * wide
    row = np.repeat(np.arange(len(first)), number)
    within = np.arange(len(row)) - np.repeat(np.cumsum(number) - number, number)
    one = ours.below[ours.first[first[row]] + within // wide[row]]
    other = theirs.below[theirs.first[second[row]] + within % wide[row]]
    equal = ours.path[one] == theirs.path[other]
    return row[equal], one[equal], other[equal]


def _assigned(
    ours: FlatTrees,
    theirs: FlatTrees,
    row: Ints,
    one: Ints,
    other: Ints,
    *,
    count_only: bool,
) -> Bools:
    """Which candidates are matched: least total cost within a parent and a label."""
    from scipy.optimize import linear_sum_assignment

    kept = np.zeros(len(row), dtype=bool)
    if not len(row):
        return kept
    label = ours.path[one]
    group = np.unique(row * (label.max() + 1) + label, return_inverse=True)[1].ravel()
    # Every candidate of a group with every other: a table, first nodes down, second ones across.
    order = np.argsort(group, kind="stable")
    size = np.bincount(group)
    start = np.cumsum(size) - size
    place = np.empty_like(order)
    place[order] = np.arange(len(order)) - start[group[order]]
    first = np.unique(group * len(ours.path) + one, return_inverse=True)[1].ravel()
    across = np.bincount(first)[first]
    settled = size == 1
    if count_only:
        idle = np.ones((2, len(size)), dtype=bool)
        idle[0, group[ours.count[one] > 0]] = False
        idle[1, group[theirs.count[other] > 0]] = False
        settled |= idle.any(0)
    decided = settled[group]
    kept[decided] = (place // across == place % across)[decided]
    left = np.flatnonzero(~decided)
    cost = np.zeros(len(row))
    chosen = (torch.from_numpy(nodes[left]) for nodes in (one, other))
    cost[left] = pair_costs(ours.frames, theirs.frames, *chosen).numpy()
    for number in np.flatnonzero(~settled):
        members = order[start[number] : start[number] + size[number]]
        table = members.reshape(-1, across[members[0]])
        kept[table.T[linear_sum_assignment(cost[table.T])]] = True
    return kept
