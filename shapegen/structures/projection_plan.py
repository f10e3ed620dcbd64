"""What to project boxes onto: which relations count, what corresponds, which motions are one.

These are the decisions, made in numpy and without gradient; the boxes themselves are changed by
:mod:`shapegen.structures.projection_solver`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from shapegen.core import boxes as box_algebra
from shapegen.structures.motion import shape_squares
from shapegen.structures.projection_groups import Grouping
from shapegen.structures.projection_trees import (
    ADJ,
    ROT,
    Array,
    Bools,
    Hierarchies,
    Ints,
    Motions,
    image_distances,
    own_motions,
    violations,
)

_LEAST_TURN = 1e-3
"""Radians: below it a rotation has no axis."""
_WORST_LEAF = 1.5
"""Of what is allowed for a part: how far its leaves may be from their partners' images."""


class Step(NamedTuple):
    """Parts whose place follows from a part reached before, by a relation's motion."""

    child: Ints
    parent: Ints
    edge: Ints
    back: Bools
    """Whether the motion is undone: the relation leads from the child to the parent."""


@dataclass(frozen=True, eq=False)
class Level:
    """The relations down to one depth, and the orbits that they make."""

    groups: Ints
    """Motion groups to be estimated on this level."""
    root: Ints
    """``(n,)``: the part that every part is an image of; itself for most."""
    steps: tuple[Step, ...]


@dataclass(frozen=True, eq=False)
class Plan:
    """Relations that are plausible, and how their motions hang together."""

    used: Bools
    """``(e,)``: the relations that are imposed; contacts are judged later."""
    group: Ints
    """``(e,)``: number of the motion group: relations of one plane or one axis; -1 for ADJ."""
    group_kind: Ints
    axis: Array
    """``(groups, 3)``: first guess of the normals and axes."""
    angle: Array
    """``(e,)``: angle about the group's axis."""
    upright: Ints
    """``(groups, 2)``: groups whose normals are to be perpendicular to this one's, or -1; they
    have lower numbers."""
    fit_edge: Ints
    fit_ends: Ints
    """``(l, 2)``: pairs of boxes that motions are fitted to, nodes or their leaves."""
    linear: Array
    """``(e, 3, 3)``: first guess of every motion's matrix."""
    levels: tuple[Level, ...]


def plan(trees: Hierarchies, box: Array, diagonal: Array, *, reach: float) -> Plan:
    """Decide what to impose.

    A symmetry is implausible, and left out, where the best motion of its kind leaves the two
    boxes more than ``reach`` diagonals apart, or one of the two is a leaf and the other is not.

    Args:
        trees: The shapes.
        box: ``(n, 12)``.
        diagonal: ``(shapes,)``.
        reach: Of the diagonal.
    """
    rows = np.flatnonzero(trees.kind != ADJ)
    size = diagonal[trees.shape[trees.ends[rows, 0]]]
    motions = own_motions(trees, box, rows, diagonal)
    distance = violations(trees, box, rows, motions)
    fits = distance <= reach * size
    fits &= trees.leaf[trees.ends[rows, 0]] == trees.leaf[trees.ends[rows, 1]]
    turning = trees.kind[rows] == ROT
    fits &= ~turning | (np.abs(np.sin(0.5 * trees.params[rows, 6])) > _LEAST_TURN)
    used = trees.kind == ADJ
    used[rows[fits]] = True
    rows, distance = rows[fits], distance[fits]
    motions = motions.pick(fits)
    link_row, link_ends = _links(trees, box, rows, motions, reach * diagonal)
    alone = np.bincount(link_row, minlength=len(rows)) == 1
    fitted = trees.leaf[link_ends[:, 0]] | alone[link_row]
    groups = Grouping(trees, box, rows, motions, distance, diagonal)
    groups.mirrors()
    groups.rings()
    linear = np.repeat(np.eye(3)[None], len(trees.kind), axis=0)
    linear[rows] = motions.linear
    group, kinds, axis, angle = groups.numbered(len(trees.kind))
    return Plan(
        used=used,
        group=group,
        group_kind=kinds,
        axis=axis,
        angle=angle,
        upright=groups.upright(),
        fit_edge=rows[link_row[fitted]],
        fit_ends=link_ends[fitted],
        linear=linear,
        levels=_levels(trees, rows, distance, group, link_row, link_ends),
    )


def _links(
    trees: Hierarchies, box: Array, rows: Ints, motions: Motions, reach: Array
) -> tuple[Ints, Ints]:
    """Pairs of parts that correspond under each relation, as position in ``rows`` and nodes."""
    half = box_algebra.half_axes(box)
    number: list[int] = []
    ends: list[tuple[int, int]] = []
    signature = _signatures(trees) if not trees.leaf[trees.ends[rows]].all() else []
    for row, edge in enumerate(rows.tolist()):
        a, b = trees.ends[edge].tolist()
        pairs = [(a, b)]
        if trees.children[a] and signature[a] == signature[b]:
            turn = motions.linear[row].T
            image = box[:, :3] @ turn + motions.offset[row], half @ turn
            whole = list(_corresponding(trees, signature, image, (box[:, :3], half), a, b))
            first, second = np.array(whole).T
            both = trees.leaf[first]
            one = motions.pick([row])
            apart = image_distances(box[:, :3], half, first[both], second[both], one)
            if apart.max() <= _WORST_LEAF * reach[trees.shape[a]]:
                pairs = whole
        ends += pairs
        number += [row] * len(pairs)
    return np.array(number, dtype=np.int64), np.array(ends, dtype=np.int64).reshape(-1, 2)


def _signatures(trees: Hierarchies) -> list[int]:
    """A number for every node; equal where the labelled trees below are, whatever the order."""
    names: dict[tuple[str, tuple[int, ...]], int] = {}
    signature = [0] * len(trees.parent)
    for node in range(len(signature) - 1, -1, -1):
        below = tuple(sorted(signature[child] for child in trees.children[node]))
        signature[node] = names.setdefault((trees.label[node], below), len(names))
    return signature


def _corresponding(
    trees: Hierarchies,
    signature: list[int],
    image: tuple[Array, Array],
    target: tuple[Array, Array],
    a: int,
    b: int,
) -> Iterable[tuple[int, int]]:
    """Nodes of two subtrees of equal structure, matched by centres and half axes.

    Places are compared within the two parents: a parent's own place is as noisy as a child's.
    """
    from scipy.optimize import linear_sum_assignment

    yield a, b
    first, second = list(trees.children[a]), list(trees.children[b])
    middle = image[0][first].mean(0) - target[0][second].mean(0)
    alike: dict[int, tuple[list[int], list[int]]] = defaultdict(lambda: ([], []))
    for side, below in enumerate((first, second)):
        for child in below:
            alike[signature[child]][side].append(child)
    for ours, theirs in alike.values():
        pairs = [(0, 0)]
        if len(ours) > 1:
            between = image[0][ours][:, None] - target[0][theirs][None] - middle
            apart = (between**2).sum(2)
            apart += shape_squares(image[1][ours][:, None], target[1][theirs][None])
            pairs = list(zip(*linear_sum_assignment(apart), strict=True))
        for row, column in pairs:
            if trees.leaf[ours[row]]:
                yield ours[row], theirs[column]
            else:
                yield from _corresponding(
                    trees, signature, image, target, ours[row], theirs[column]
                )


def _levels(
    trees: Hierarchies, rows: Ints, distance: Array, group: Ints, link_row: Ints, ends: Ints
) -> tuple[Level, ...]:
    """Spanning forests of what corresponds, from the top relations down, the best ones first.

    A relation that closes a circle is not imposed: it holds if the others do, or contradicts
    them.
    """
    depth = trees.depth[trees.ends[rows, 0]]
    root = np.arange(len(trees.parent)).tolist()

    def find(node: int) -> int:
        while root[node] != node:
            root[node] = root[root[node]]
            node = root[node]
        return node

    levels: list[Level] = []
    beside: dict[int, list[tuple[int, int, bool]]] = defaultdict(list)
    order = np.lexsort((distance[link_row], depth[link_row]))
    seen: set[int] = set()
    for level in np.unique(depth).tolist():
        for link in order[depth[link_row[order]] == level].tolist():
            a, b = ends[link].tolist()
            edge = int(rows[link_row[link]])
            if find(a) != find(b):
                root[find(a)] = find(b)
                beside[a].append((b, edge, False))
                beside[b].append((a, edge, True))
        fresh = {int(group[edge]) for edge in rows[depth == level].tolist()} - seen
        seen |= fresh
        levels.append(Level(np.array(sorted(fresh), np.int64), *_breadth_first(beside, len(root))))
    return tuple(levels)


def _breadth_first(
    beside: dict[int, list[tuple[int, int, bool]]], count: int
) -> tuple[Ints, tuple[Step, ...]]:
    root = np.arange(count)
    reached: set[int] = set()
    front = []
    for node in sorted(beside):
        if node in reached:
            continue
        front.append(node)
        stack = [node]
        reached.add(node)
        while stack:
            own = stack.pop()
            root[own] = node
            for other, _, _ in beside[own]:
                if other not in reached:
                    reached.add(other)
                    stack.append(other)
    steps = []
    done = set(front)
    while front:
        hops = [
            (other, own, edge, back)
            for own in front
            for other, edge, back in beside[own]
            if other not in done
        ]
        if not hops:
            break
        front = [hop[0] for hop in hops]
        done.update(front)
        child, parent, edge, back = map(np.array, zip(*hops, strict=True))
        steps.append(Step(child, parent, edge, back))
    return root, tuple(steps)
