"""Merge trees to part trees: every SYM becomes its generator and the copies, with relations."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from shapegen.core import boxes as box_algebra
from shapegen.structures import symmetry
from shapegen.structures.groups import Group
from shapegen.structures.merge_tree import ADJ, BOX, ROTATIONAL, TRANSLATIONAL, MergeTree
from shapegen.structures.motion import mapped
from shapegen.structures.part_tree import PartTree, Relation, RelationKind

Array = NDArray[np.float64]

MAX_COPIES = 64
"""Copies of one generator; more are cut off."""

_PART, _GROUP = "part", "group"


class _Piece(NamedTuple):
    """A subtree: nodes with their parents before them, the root of the piece first."""

    box: Array
    parent: list[int]
    leaf: list[int]
    """Number of the BOX that a node came from; -1 at inner nodes."""
    edges: list[Relation]
    free: list[bool]
    """Whether a leaf is under no SYM of this piece, so that one above repeats it."""


def to_part_tree(
    merge: MergeTree,
    *,
    name: str = "",
    label: str = "shape",
    official: bool = False,
    front: str = "+z",
) -> PartTree:
    """Convert a binary merge tree to a part tree with all symmetric copies.

    An ADJ becomes an inner node with two adjacent children. A SYM becomes an inner node with its
    generator and the copies as children, related to the generator by the symmetry. An inner SYM
    takes the place of an outer one for the boxes under it, as in the authors' decoder.

    Args:
        merge: Kept as the tree's ``merge``.
        name: Of the shape.
        label: Of the root. Leaves take the merge tree's labels, other nodes one made of their
            parent's.
        official: Read symmetry vectors as the authors' code does, see
            :mod:`~shapegen.structures.symmetry`; every box of a translated generator then counts
            its own copies.
        front: The frame that the merge tree is in.
    """
    pieces: list[_Piece] = []
    box_number = sym_number = 0
    for op in merge.ops.tolist():
        if op == BOX:
            pieces.append(_Piece(merge.boxes[[box_number]], [-1], [box_number], [], [True]))
            box_number += 1
        elif op == ADJ:
            left = pieces.pop()
            right = pieces.pop()
            joined = _under_one([left, right])
            touching = Relation(RelationKind.ADJ, 1, 1 + len(left.parent))
            pieces.append(joined._replace(edges=[*joined.edges, touching]))
        else:
            pieces.append(_repeated(pieces.pop(), merge.syms[sym_number], official=official))
            sym_number += 1
    piece = pieces.pop()
    return PartTree(
        box=piece.box,
        parent=np.array(piece.parent),
        label=_labels(piece, merge.labels, label),
        edges=tuple(piece.edges),
        name=name,
        front=front,
        merge=merge,
    )


def _repeated(piece: _Piece, vector: Array, *, official: bool) -> _Piece:
    """A generator and its copies below a new node; the generator alone where there are none."""
    own = [n for n, leaf in enumerate(piece.leaf) if leaf >= 0 and piece.free[n]]
    bound = piece._replace(free=[False] * len(piece.free))
    if not own:
        return bound
    centres = piece.box[own, :3]
    counts = symmetry.copy_counts(centres, np.tile(vector, (len(own), 1)), official=official)
    if not official:
        counts[:] = symmetry.copy_counts(centres.mean(0, keepdims=True), vector[None])[0]
    copies = np.clip(counts, 0, MAX_COPIES).astype(np.int64)
    if not copies.max():
        return bound
    motion = _motion(vector, int(copies.max()) + 1, official=official)
    children, symmetric = [bound], []
    start = 1 + len(bound.parent)
    for times in range(1, int(copies.max()) + 1):
        repeated = {n for n, count in zip(own, copies.tolist(), strict=True) if count >= times}
        copy = _only(bound, repeated)
        params = motion.power(times)
        # What a copy holds inside are contacts, which have no parameters to move.
        children.append(copy._replace(box=mapped(copy.box, motion.kind, params)))
        symmetric.append(Relation(motion.kind, 1, start, params))
        start += len(copy.parent)
    joined = _under_one(children)
    return joined._replace(edges=[*joined.edges, *symmetric])


def _motion(vector: Array, count: int, *, official: bool) -> Group:
    """The motion from one copy to the next; ``count`` includes the original."""
    kind = float(symmetry.kinds(vector[None], official=official)[0])
    members = tuple(range(count))
    if kind == TRANSLATIONAL:
        return Group(RelationKind.TRANS_SYM, members, tuple(vector[1:4].tolist()))
    direction = vector[1:4] / max(float(np.linalg.norm(vector[1:4])), 1e-12)
    if not direction.any():
        direction = np.eye(3)[1]
    frame = (*vector[4:7].tolist(), *direction.tolist())
    if kind == ROTATIONAL:
        angle = 2 * np.pi / count
        if official:
            angle = float(vector[7]) * 2 * symmetry.OFFICIAL_PI
        return Group(RelationKind.ROT_SYM, members, (*frame, angle))
    return Group(RelationKind.REF_SYM, members, frame)


def _under_one(pieces: list[_Piece]) -> _Piece:
    """Pieces as children of a new node with an axis-aligned box around their leaves."""
    parent, leaf, free = [-1], [-1], [False]
    edges: list[Relation] = []
    for piece in pieces:
        start = len(parent)
        parent.extend(0 if above < 0 else above + start for above in piece.parent)
        leaf.extend(piece.leaf)
        free.extend(piece.free)
        edges.extend(replace(edge, a=edge.a + start, b=edge.b + start) for edge in piece.edges)
    boxes = np.concatenate([piece.box for piece in pieces])
    low, high = box_algebra.bounds(boxes[np.array(leaf[1:]) >= 0])
    around = np.concatenate([0.5 * (low + high), high - low, [1.0, 0.0, 0.0, 0.0, 1.0, 0.0]])
    return _Piece(np.concatenate([around[None], boxes]), parent, leaf, edges, free)


def _only(piece: _Piece, leaves: set[int]) -> _Piece:
    """The piece with these leaves only; inner nodes that lose children on one side vanish."""
    if len(leaves) == sum(number >= 0 for number in piece.leaf):
        return piece
    below = [0] * len(piece.parent)
    for node in range(len(piece.parent) - 1, -1, -1):
        below[node] += node in leaves
        if piece.parent[node] >= 0:
            below[piece.parent[node]] += below[node]
    # An inner node stays if two of its children have leaves left.
    branches = [0] * len(piece.parent)
    for node, above in enumerate(piece.parent):
        if above >= 0 and below[node]:
            branches[above] += 1
    kept = [n for n in range(len(piece.parent)) if n in leaves or branches[n] > 1]
    renamed = {old: new for new, old in enumerate(kept)}
    parent = []
    for node in kept:
        above = piece.parent[node]
        while above >= 0 and above not in renamed:
            above = piece.parent[above]
        parent.append(renamed.get(above, -1))
    edges = [
        replace(edge, a=renamed[edge.a], b=renamed[edge.b])
        for edge in piece.edges
        if edge.a in renamed
        and edge.b in renamed
        and parent[renamed[edge.a]] >= 0
        and parent[renamed[edge.a]] == parent[renamed[edge.b]]
    ]
    return _Piece(
        piece.box[kept],
        parent,
        [piece.leaf[n] for n in kept],
        edges,
        [piece.free[n] for n in kept],
    )


def _labels(piece: _Piece, leaves: tuple[str, ...], root: str) -> tuple[str, ...]:
    labels: list[str] = []
    inner = set(piece.parent)
    for node, above in enumerate(piece.parent):
        if leaves and piece.leaf[node] >= 0:
            labels.append(leaves[piece.leaf[node]])
        elif above < 0:
            labels.append(root)
        else:
            labels.append(f"{labels[above]}/{_GROUP if node in inner else _PART}")
    return tuple(labels)
