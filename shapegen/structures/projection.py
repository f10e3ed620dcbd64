"""Make the relations of part trees hold: mirrored parts are images, adjacent parts touch.

A network predicts boxes and relations one by one, so that they miss one another by some per cent.
The boxes are projected onto the relations that are plausible; the rest is dropped and counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import torch

from shapegen.core import boxes as box_algebra
from shapegen.structures.part_tree import PARAMETER_COUNTS, PartTree, PartTrees, Relation
from shapegen.structures.projection_solver import (
    REACH,
    Projection,
    box_frames,
    candidates,
    pair_distances,
    project_boxes,
)
from shapegen.structures.projection_trees import (
    ADJ,
    REF,
    ROT,
    TRANS,
    Array,
    Hierarchies,
    Ints,
    Motions,
    motions_through,
    own_motions,
    violations,
)

MOST_MOVE = 0.15
"""Of the shape's diagonal: bound on how far any leaf moves (root mean square of its corners)."""

HOLDS = 1e-6
"""Of the shape's diagonal: violation up to which a relation holds."""

_HALVINGS = 3


@dataclass(frozen=True, eq=False)
class Refinement:
    """What was done to one shape."""

    kept: int
    """Relations that hold now."""
    dropped: tuple[Relation, ...]
    """Relations that do not: implausible ones, and those that contradict better ones."""
    move: float
    """Largest move of a leaf: root mean square over its corners, in diagonals of the shape."""
    reach: float
    """Violation up to which relations were imposed, in diagonals."""


class Refined(NamedTuple):
    """Shapes whose relations hold."""

    trees: PartTrees
    reports: tuple[Refinement, ...]


def refine_relations(
    trees: Sequence[PartTree],
    *,
    reach: float = REACH,
    most: float = MOST_MOVE,
    weights: Sequence[Array] | None = None,
    keep_dropped: bool = False,
    batch: int = 64,
) -> Refined:
    """Change the boxes of shapes as little as possible so that their relations hold.

    Symmetric parts become exact images, whole subtrees where their labelled structure is equal
    and otherwise the boxes of the nodes; planes and axes that agree within the violations are
    made one. The closest leaves of adjacent parts touch. Inner boxes are the tightest ones around
    their leaves along their own axes. A relation is dropped if its violation is above ``reach``
    before, or if it does not hold once the relations above it, and those of its level that were
    violated less, do. A shape that would move a leaf by more than ``most`` is tried again with
    half the reach, three times, and then keeps its leaves but for relations that hold anyway.

    Args:
        trees: Shapes with relations. A rotation's axis and angle are taken from its parameters
            as a first guess; the parameters of other symmetries matter for concentric parts only.
        reach: In diagonals of the shape, at least 0.
        most: In diagonals of the shape, above 0.
        weights: Per shape one positive number a node: heavier parts change less.
        keep_dropped: List dropped relations too, with the parameters that come nearest.
        batch: Shapes that are worked on at once.

    Returns:
        The shapes, their relations with new parameters, and a report each.

    Raises:
        ValueError: Bounds out of range, or weights that do not fit the nodes.
    """
    if not (reach >= 0 and most > 0 and batch >= 1):
        raise ValueError(f"reach must be >= 0, most > 0, batch >= 1; got {reach}, {most}, {batch}")
    given = [np.ones(len(tree)) for tree in trees] if weights is None else list(weights)
    if [len(weight) for weight in given] != [len(tree) for tree in trees]:
        raise ValueError(
            f"weights must be one a node, for {[len(t) for t in trees][:8]}...; "
            f"got {[len(w) for w in given][:8]}..."
        )
    if any(not (np.isfinite(w).all() and (np.asarray(w) > 0).all()) for w in given):
        raise ValueError("weights must be positive and finite")
    found: dict[int, tuple[PartTree, Refinement]] = {}
    # Shapes of one size together: batches are padded to the largest.
    order = sorted(range(len(trees)), key=lambda number: len(trees[number]))
    for first in range(0, len(order), batch):
        left = order[first : first + batch]
        for tries in range(_HALVINGS + 2):
            bound = reach * 0.5**tries if tries <= _HALVINGS else 0.0
            group = [trees[number] for number in left]
            weight = np.concatenate([given[number] for number in left]).astype(np.float64)
            results = _refined(group, weight, bound, keep_dropped)
            last = tries == _HALVINGS + 1
            for number, result in zip(left, results, strict=True):
                if last or result[1].move <= most:
                    found[number] = result
            left = [number for number in left if number not in found]
            if not left:
                break
    pairs = [found[number] for number in range(len(trees))]
    return Refined(PartTrees([tree for tree, _ in pairs]), tuple(report for _, report in pairs))


def _refined(
    trees: Sequence[PartTree], weight: Array, reach: float, keep_dropped: bool
) -> list[tuple[PartTree, Refinement]]:
    flat = Hierarchies.of(trees)
    box = box_algebra.orthonormalised(np.concatenate([tree.box for tree in trees]))
    with torch.no_grad():
        result = project_boxes(
            torch.from_numpy(box), flat, weight=torch.from_numpy(weight), reach=reach
        )
    after = result.box.numpy()
    moved = corner_moves(box, after)
    params, violation = relations_after(result)
    diagonal = result.diagonal.numpy()
    holds = violation <= HOLDS * diagonal[flat.shape[flat.ends[:, 0]]]
    results = []
    edge = 0
    for number, tree in enumerate(trees):
        rows = slice(int(flat.start[number]), int(flat.start[number + 1]))
        own = range(edge, edge + len(tree.edges))
        edge += len(tree.edges)
        fresh = [
            replace(
                old, params=tuple(params[row, : PARAMETER_COUNTS[old.kind]].tolist()), dist=None
            )
            for row, old in zip(own, tree.edges, strict=True)
        ]
        kept = [each for row, each in zip(own, fresh, strict=True) if holds[row]]
        dropped = [old for row, old in zip(own, tree.edges, strict=True) if not holds[row]]
        leaf = flat.leaf[rows]
        report = Refinement(
            kept=len(kept),
            dropped=tuple(dropped),
            move=float(moved[rows][leaf].max() / diagonal[number]),
            reach=reach,
        )
        edges = tuple(fresh if keep_dropped else kept)
        results.append((replace(tree, box=after[rows], edges=edges, merge=None), report))
    return results


def relations_after(result: Projection) -> tuple[Array, Array]:
    """Parameters ``(e, 7)`` that fit the new boxes best, and violations ``(e,)`` that are left.

    They are those of the relations of ``result.trees``, in their order; of what shares a plane or
    an axis, the shared one counts where it is as good.
    """
    trees, planned = result.trees, result.plan
    box, diagonal = result.box.numpy(), result.diagonal.numpy()
    params, violation = best_relations(trees, box, diagonal)
    rows = np.flatnonzero(planned.group >= 0)
    rows = rows[planned.group_kind[planned.group[rows]] != TRANS]
    if len(rows):
        group = planned.group[rows]
        axis, point = result.direction.numpy()[group], result.point.numpy()[group]
        mirror = trees.kind[rows] == REF
        shared = motions_through(trees.kind[rows], axis, planned.angle[rows], point, point)
        distance = violations(trees, box, rows, shared)
        slack = 0.1 * HOLDS * diagonal[trees.shape[trees.ends[rows, 0]]]
        better = distance <= violation[rows] + slack
        violation[rows[better]] = distance[better]
        params[rows[better]] = np.concatenate(
            [point, axis, np.where(mirror, 0.0, planned.angle[rows])[:, None]], axis=1
        )[better]
    return params, violation


def best_relations(trees: Hierarchies, box: Array, diagonal: Array) -> tuple[Array, Array]:
    """Parameters ``(e, 7)`` that fit boxes best, one relation at a time, and violations ``(e,)``.

    A rotation keeps its axis and angle. Violations are root mean square corner distances, or gaps.
    """
    params, violation = trees.params.copy(), np.zeros(len(trees.kind))
    rows = np.flatnonzero(trees.kind != ADJ)
    own = own_motions(trees, box, rows, diagonal)
    violation[rows] = violations(trees, box, rows, own)
    params[rows] = _own_params(trees, box, rows, own)
    contacts = np.flatnonzero(trees.kind == ADJ)
    number, a, b = candidates(trees, contacts)
    distance = pair_distances(box_frames(torch.from_numpy(box)), a, b)
    least = np.full(len(contacts), np.inf)
    np.minimum.at(least, number, np.maximum(distance, 0.0))
    violation[contacts] = least
    return params, violation


def relation_violations(tree: PartTree) -> Array:
    """Violations ``(e,)`` of a shape's relations with the parameters that fit its boxes best."""
    flat = Hierarchies.of([tree])
    box = box_algebra.orthonormalised(tree.box)
    return best_relations(flat, box, flat.diagonals(box))[1]


def with_best_relations(trees: Sequence[PartTree]) -> list[PartTree]:
    """Shapes whose boxes have changed, with the parameters that fit them (:func:`best_relations`).

    All relations stay, whether they hold or not.
    """
    flat = Hierarchies.of(trees)
    box = box_algebra.orthonormalised(np.concatenate([tree.box for tree in trees]))
    params, _ = best_relations(flat, box, flat.diagonals(box))
    rows = iter(params.tolist())
    return [
        replace(
            tree,
            edges=tuple(
                replace(edge, params=tuple(next(rows)[: PARAMETER_COUNTS[edge.kind]]), dist=None)
                for edge in tree.edges
            ),
        )
        for tree in trees
    ]


def _own_params(trees: Hierarchies, box: Array, rows: Ints, own: Motions) -> Array:
    """Parameters of motions that were fitted to one pair of boxes each."""
    a, b = (box[trees.ends[rows, side], :3] for side in (0, 1))
    params = trees.params[rows].copy()
    kind = trees.kind[rows]
    params[kind == TRANS, :3] = own.offset[kind == TRANS]
    middle = 0.5 * (a + b)
    params[kind != TRANS, :3] = middle[kind != TRANS]
    params[kind != TRANS, 3:6] = own.direction[kind != TRANS]
    for row in np.flatnonzero(kind == ROT):
        axis = own.direction[row]
        along = np.outer(axis, axis)
        fixed = np.eye(3) - own.linear[row] + along
        # Without a turn every point is on the axis.
        if abs(np.linalg.det(fixed)) > 1e-12:
            params[row, :3] = np.linalg.solve(fixed, own.offset[row] + along @ middle[row])
    return params


def corner_moves(before: Array, after: Array) -> Array:
    """Root mean square moves ``(n,)`` of the corners of boxes whose axes keep their names."""
    half = box_algebra.half_axes(after) - box_algebra.half_axes(before)
    squares = (half**2).sum((1, 2)) + ((after[:, :3] - before[:, :3]) ** 2).sum(1)
    moves: Array = np.sqrt(squares)
    return moves
