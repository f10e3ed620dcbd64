"""Fit the boxes of shapes to one another around parts that stay where they are.

An edit leaves a shape whose parts miss one another: some were moved or are another shape's. They
are projected onto the relations (:mod:`shapegen.structures.projection`) with the held parts so
heavy that they do not move, and these are then put back to the last bit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from numpy.typing import NDArray

from shapegen.core import boxes as box_algebra
from shapegen.structures.contact import gaps, pairs_of
from shapegen.structures.motion import inverse, mapped
from shapegen.structures.part_tree import PARAMETER_COUNTS, PartTree, RelationKind
from shapegen.structures.projection import best_relations, corner_moves, relations_after
from shapegen.structures.projection_solver import REACH, project_boxes
from shapegen.structures.projection_trees import ADJ, Hierarchies, own_motions, violations
from shapegen.structures.relations import leaves_below
from shapegen.structures.stability import TOLERANCE, pieces, shape_diagonal

Array = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

_HEAVY = 1e9
"""Weight of held parts; of others 1."""
_MOVED = 1e-7
"""Of the shape's diagonal: smaller moves are rounding, or what is left of the weights."""
_HOLDS = 1e-3
"""Of the shape's diagonal: a symmetry that is violated by more is dropped."""
_ROUNDS = 4


@dataclass(frozen=True, eq=False)
class Draft:
    """A shape some parts of which are to be fitted to the others."""

    tree: PartTree
    held: Bools
    """``(n,)``: nodes that stay as they are. What is below a held node must be held too."""
    loose: Bools
    """``(n,)``: inner nodes whose boxes are to be closed around what is below them; others are,
    if that moves."""
    imposed: Bools
    """``(e,)``: relations that are to hold, but for those of two held parts."""
    contacts: Ints = field(default_factory=lambda: np.empty((0, 2), np.int64))
    """``(k, 2)``: leaves that are to touch, siblings or not."""


def fitted(drafts: Sequence[Draft]) -> list[PartTree]:
    """Change what is not held as little as possible so that relations and contacts hold.

    Symmetries that are implausible, or contradict what is held, are left out. A relation that was
    to hold and does not is dropped; one of two parts that did not change stays as it is.
    """
    if not drafts:
        return []
    imposed = [_plausible(draft) for draft in drafts]
    found: dict[int, PartTree] = {}
    left = list(range(len(drafts)))
    for _ in range(_ROUNDS):
        results = _projected([drafts[n] for n in left], [imposed[n] for n in left])
        found |= {n: tree for n, (tree, _) in zip(left, results, strict=True)}
        worst = {n: row for n, (_, row) in zip(left, results, strict=True) if row is not None}
        for number, row in worst.items():
            imposed[number][row] = False
        left = list(worst)
        if not left:
            break
    return [found[number] for number in range(len(drafts))]


def joined(drafts: Sequence[Draft]) -> list[PartTree]:
    """Fit shapes, and bring together what is left in pieces."""
    current, trees = list(drafts), fitted(drafts)
    left = list(range(len(drafts)))
    for _ in range(_ROUNDS):
        links = {n: _links(trees[n], current[n].held) for n in left}
        left = [n for n in left if len(links[n])]
        if not left:
            break
        for n in left:
            contacts = np.concatenate([current[n].contacts, links[n]])
            current[n] = replace(current[n], contacts=contacts)
        for n, tree in zip(left, fitted([current[n] for n in left]), strict=True):
            trees[n] = tree
    return trees


def _links(tree: PartTree, held: Bools) -> Ints:
    """Pairs of leaves ``(k, 2)`` that link every piece of a shape to the nearest other one."""
    leaves = np.flatnonzero(tree.is_leaf)
    piece = pieces(tree.box[leaves])
    pairs = pairs_of(len(leaves))
    apart = piece[pairs[:, 0]] != piece[pairs[:, 1]]
    pairs = pairs[apart & ~held[leaves[pairs]].all(1)]
    distance = gaps(tree.box[leaves], pairs)
    own = [np.flatnonzero((piece[pairs] == name).any(1)) for name in np.unique(piece)]
    nearest = {int(rows[distance[rows].argmin()]) for rows in own if len(rows)}
    return leaves[pairs[sorted(nearest)]]


def _plausible(draft: Draft) -> Bools:
    """The imposed relations without symmetries that miss by far too much."""
    flat = Hierarchies.of([draft.tree])
    box = box_algebra.orthonormalised(draft.tree.box)
    rows = np.flatnonzero(flat.kind != ADJ)
    diagonal = flat.diagonals(box)
    apart = violations(flat, box, rows, own_motions(flat, box, rows, diagonal))
    imposed = draft.imposed.copy()
    imposed[rows[apart > REACH * diagonal[0]]] = False
    return imposed


def _projected(
    drafts: Sequence[Draft], imposed: Sequence[Bools]
) -> list[tuple[PartTree, int | None]]:
    """Every shape fitted, and the relation that contradicts held parts most, if one does."""
    listed = [
        np.flatnonzero(mask & ~_between_held(draft))
        for draft, mask in zip(drafts, imposed, strict=True)
    ]
    flat = _with_contacts(drafts, listed)
    held = np.concatenate([draft.held for draft in drafts])
    box = box_algebra.orthonormalised(np.concatenate([draft.tree.box for draft in drafts]))
    with torch.no_grad():
        # Which symmetries count has been decided, and contacts are wanted from any distance.
        result = project_boxes(
            torch.from_numpy(box),
            flat,
            weight=torch.from_numpy(np.where(held, _HEAVY, 1.0)),
            reach=np.inf,
        )
    params, violation = relations_after(result)
    after = result.box.numpy()
    trees, edge = [], 0
    for number, draft in enumerate(drafts):
        rows = slice(int(flat.start[number]), int(flat.start[number + 1]))
        own = slice(edge, edge + len(listed[number]))
        edge = own.stop
        trees.append(_merged(draft, after[rows], listed[number], params[own], violation[own]))
    strayed = corner_moves(box, after) > _MOVED * result.diagonal.numpy()[flat.shape]
    strays = np.split(strayed & held & flat.leaf, flat.start[1:-1])
    return [
        (tree, worst if stray.any() else None)
        for (tree, worst), stray in zip(_settled(drafts, trees, imposed), strays, strict=True)
    ]


def _between_held(draft: Draft) -> Bools:
    return np.array([draft.held[e.a] and draft.held[e.b] for e in draft.tree.edges], dtype=bool)


def _with_contacts(drafts: Sequence[Draft], listed: Sequence[Ints]) -> Hierarchies:
    """All shapes with the listed relations, followed by the contacts of leaves."""
    flat = Hierarchies.of(
        [
            replace(draft.tree, edges=tuple(draft.tree.edges[row] for row in rows))
            for draft, rows in zip(drafts, listed, strict=True)
        ]
    )
    ends = np.concatenate(
        [draft.contacts + first for draft, first in zip(drafts, flat.start, strict=False)]
    )
    return replace(
        flat,
        kind=np.concatenate([flat.kind, np.full(len(ends), ADJ)]),
        ends=np.concatenate([flat.ends, ends]),
        params=np.concatenate([flat.params, np.zeros((len(ends), 7))]),
    )


def _merged(draft: Draft, after: Array, listed: Ints, params: Array, violation: Array) -> PartTree:
    """The shape with new boxes where they changed, and the parameters of what was imposed."""
    tree, held = draft.tree, draft.held
    size = shape_diagonal(tree.boxes())
    moved = corner_moves(box_algebra.orthonormalised(tree.box), after) > _MOVED * size
    leaf = tree.is_leaf
    changed = moved & leaf
    for node, rows in enumerate(leaves_below(tree)):
        if not leaf[node]:
            changed[node] = draft.loose[node] or bool((changed[rows] & ~held[rows]).any())
    changed &= ~held
    box = np.where(changed[:, None], after, tree.box)
    edges = list(tree.edges)
    for row, values, apart in zip(listed.tolist(), params, violation, strict=True):
        edge = edges[row]
        values = tuple(values[: PARAMETER_COUNTS[edge.kind]].tolist())
        edges[row] = replace(edge, params=values, dist=None)
        if edge.kind is RelationKind.ADJ or apart > _HOLDS * size or leaf[edge.a]:
            continue
        # The box of a held inner node need not be the tightest: its images have one as loose.
        if held[edge.a] and not held[edge.b]:
            box[edge.b] = mapped(tree.box[[edge.a]], edge.kind, values)[0]
        elif held[edge.b] and not held[edge.a]:
            box[edge.a] = mapped(tree.box[[edge.b]], edge.kind, inverse(edge.kind, values))[0]
    return replace(tree, box=box, edges=tuple(edges), merge=None)


def _settled(
    drafts: Sequence[Draft], trees: Sequence[PartTree], imposed: Sequence[Bools]
) -> list[tuple[PartTree, int | None]]:
    """Shapes with the relations that hold, and the imposed symmetry that is violated most."""
    flat = Hierarchies.of(trees)
    box = box_algebra.orthonormalised(np.concatenate([tree.box for tree in trees]))
    diagonal = flat.diagonals(box)
    params, violation = best_relations(flat, box, diagonal)
    violation = violation / diagonal[flat.shape[flat.ends[:, 0]]]
    results, edge = [], 0
    for draft, tree, mask in zip(drafts, trees, imposed, strict=True):
        unchanged = (tree.box == draft.tree.box).all(1)
        between = _between_held(draft)
        kept, worst = [], None
        for row, old in enumerate(draft.tree.edges):
            values, apart = params[edge + row], float(violation[edge + row])
            contact = old.kind is RelationKind.ADJ
            still = unchanged[old.a] and unchanged[old.b]
            if between[row] or (still and not draft.imposed[row]):
                kept.append(old)
            elif apart <= (TOLERANCE if contact else _HOLDS):
                fresh = tuple(values[: PARAMETER_COUNTS[old.kind]].tolist())
                kept.append(old if still else replace(old, params=fresh, dist=None))
            elif not contact and mask[row] and (worst is None or apart > worst[1]):
                worst = row, apart
        edge += len(draft.tree.edges)
        results.append((replace(tree, edges=tuple(kept)), None if worst is None else worst[0]))
    return results
