"""Edit shapes by hand: move a part, or put another shape's part in its place.

Symmetric partners do the same, mirrored or turned; what touched still touches, because the parts
that have to are stretched or moved; everything else stays where it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from shapegen.core import boxes as box_algebra
from shapegen.structures.part_tree import PartTree
from shapegen.structures.projection import with_best_relations
from shapegen.structures.reconnecting import Touch, reconnected, touches
from shapegen.structures.subtrees import (
    Motion,
    ancestors,
    below,
    grafted,
    images,
    mask_below,
    subtree,
)

Array = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]


def move(
    tree: PartTree,
    node: int,
    *,
    translation: ArrayLike = (0.0, 0.0, 0.0),
    rotation: ArrayLike | None = None,
    scale: float | Sequence[float] = 1.0,
    box: ArrayLike | None = None,
) -> PartTree:
    """Move, turn or stretch a part; its relations follow.

    The part and its symmetric partners, which do the same in their places, stay as they are put.

    Args:
        tree: The shape.
        node: Number of the part; what is below it goes along.
        translation: ``(3,)``, in the unit of the boxes, applied last.
        rotation: Matrix ``(3, 3)`` that turns the part about the centre of its box.
        scale: Factor, or one for each axis of the part's box, about its centre.
        box: ``(12,)``: the part's new box, in place of all the above.

    Raises:
        ValueError: The node does not exist or is the root, or the motion is none.
    """
    check_part(tree, node, "move")
    old = box_algebra.orthonormalised(tree.box[[node]])[0]
    if box is None:
        change = _about_centre(old, translation, rotation, scale)
    else:
        change = box_map(old, box_algebra.orthonormalised(np.reshape(box, (1, 12)))[0])
    moved = {node: change}
    for other, there in images(tree, node).items():
        if not any(other in below(tree, own) or own in below(tree, other) for own in moved):
            back = there.undone()
            moved[other] = there.after(change.after(back))
    if all(each.still for each in moved.values()):
        return tree
    boxes = tree.box.copy()
    for own, its in moved.items():
        rows = below(tree, own)
        boxes[rows] = box_algebra.stretched(tree.box[rows], its.matrix, its.offset)
    if box is not None:
        boxes[node] = np.asarray(box, dtype=np.float64).reshape(12)
    held = mask_below(tree, moved)
    fresh = held & (np.abs(boxes - tree.box) > 1e-12).any(1)
    edited = _with_inner_relations(replace(tree, box=boxes, merge=None), fresh)
    return reconnected(tree, edited, held, np.arange(len(tree)), touches(tree, held))


def swap(
    tree: PartTree,
    node: int,
    other: PartTree,
    other_node: int,
    *,
    keep_proportions: bool = False,
    partners: bool = True,
) -> PartTree:
    """Put a part of another shape, with all below it, in the place of a part.

    It is fitted into the box of the part that it replaces, and then to the parts that this one
    touched, which stay where they are.

    Args:
        tree: The shape.
        node: Number of the part to replace.
        other: The shape to take from; the same is fine.
        other_node: Number of the part to take.
        keep_proportions: Scale it by one factor, so that it just fits in, not by one an axis.
        partners: Replace the part's symmetric partners too, by its images.

    Returns:
        The shape; what came from the other one has new instance ids.

    Raises:
        ValueError: A node does not exist or is a root, or the labels do not fit: they must be
            equal, or stand below the same label.
    """
    check_part(tree, node, "replace")
    check_part(other, other_node, "take")
    ours, theirs = tree.label[node], other.label[other_node]
    if ours != theirs and ours.rpartition("/")[0] != theirs.rpartition("/")[0]:
        raise ValueError(f"a part {ours!r} cannot be replaced by a {theirs!r}: its parent differs")
    source = subtree(other.facing(tree.front), other_node)
    ends = box_algebra.orthonormalised(np.stack([source.box[0], tree.box[node]]))
    change = box_map(ends[0], ends[1], keep_proportions=keep_proportions)
    piece = replace(source, box=box_algebra.stretched(source.box, change.matrix, change.offset))
    pieces = {node: piece}
    for twin, there in images(tree, node).items() if partners else ():
        if not any(twin in below(tree, own) or own in below(tree, twin) for own in pieces):
            pieces[twin] = piece.transformed(rotation=there.matrix, translation=there.offset)
    result = grafted(tree, pieces)
    fresh = mask_below(result.tree, result.place.values())
    edited = _with_inner_relations(result.tree, fresh)
    place = {old: new for new, old in enumerate(result.origin.tolist()) if old >= 0}
    wanted = []
    for touch in touches(tree, ~mask_below(tree, pieces)):
        groups = [_new_leaves(tree, edited, pieces, place, side[0]) for side in touch[:2]]
        wanted.append(Touch(groups[0], groups[1], touch.gap))
    for start in result.place.values():
        wanted += [
            Touch((a + start,), (b + start,), gap)
            for (a,), (b,), gap in touches(source, np.zeros(len(source), dtype=bool))
        ]
    held = ~fresh
    held[[above for own in result.place.values() for above in ancestors(edited, own)]] = False
    return reconnected(tree, edited, held, result.origin, wanted)


def check_part(tree: PartTree, node: int, verb: str) -> None:
    """Refuse a node that is no part of a tree.

    Raises:
        ValueError: The node does not exist or is the root.
    """
    if not 0 <= node < len(tree):
        raise ValueError(f"nodes must be from 1 to {len(tree) - 1}; got {node}")
    if node == 0:
        raise ValueError(f"the root is the whole shape; name a part to {verb}")


def _about_centre(
    old: Array, translation: ArrayLike, rotation: ArrayLike | None, scale: float | Sequence[float]
) -> Motion:
    """The map that scales, turns and shifts a part about the centre of its box."""
    turn = np.eye(3) if rotation is None else np.asarray(rotation, dtype=np.float64)
    if (
        turn.shape != (3, 3)
        or not np.allclose(turn @ turn.T, np.eye(3), atol=1e-6)
        or np.linalg.det(turn) < 0
    ):
        raise ValueError(f"rotation must be a rotation matrix (3, 3); got {turn.tolist()}")
    factors = np.broadcast_to(np.asarray(scale, dtype=np.float64), (3,))
    if not (factors > 0).all():
        raise ValueError(f"scale must be positive; got {factors.tolist()}")
    shift = np.asarray(translation, dtype=np.float64)
    if shift.shape != (3,) or not np.isfinite(shift).all():
        raise ValueError(f"translation must be three finite numbers; got {shift.tolist()}")
    frame = box_algebra.axes(old[None])[0]
    matrix = turn @ (np.eye(3) + frame.T @ np.diag(factors - 1) @ frame)
    return Motion(matrix, shift + old[:3] - matrix @ old[:3])


def box_map(from_: Array, to: Array, *, keep_proportions: bool = False) -> Motion:
    """The map of one box onto another, axes matched by the coordinate axes nearest to them."""
    a, b = box_algebra.canonicalised(np.stack([from_, to]))
    frames = box_algebra.axes(np.stack([a, b]))
    # A flat box cannot be stretched across.
    ratio = np.where(a[3:6] > 1e-9, b[3:6] / np.maximum(a[3:6], 1e-9), 1.0)
    ratio = np.maximum(ratio, 1e-6)
    if keep_proportions:
        ratio = np.full(3, ratio.min())
    matrix = frames[1].T @ np.diag(ratio) @ frames[0]
    return Motion(matrix, b[:3] - matrix @ a[:3])


def _with_inner_relations(tree: PartTree, fresh: Bools) -> PartTree:
    """The tree with new parameters of the relations inside what was moved or put in."""
    best = with_best_relations([tree])[0].edges
    return replace(
        tree,
        edges=tuple(
            new if fresh[old.a] and fresh[old.b] and fresh[tree.parent[old.a]] else old
            for old, new in zip(tree.edges, best, strict=True)
        ),
    )


def _new_leaves(
    before: PartTree,
    after: PartTree,
    pieces: dict[int, PartTree],
    place: dict[int, int],
    leaf: int,
) -> tuple[int, ...]:
    """The leaf itself, or the leaves of what replaced the part that it belonged to."""
    for node in (leaf, *ancestors(before, leaf)):
        if node in pieces:
            rows = np.array(below(after, place[node]))
            return tuple(rows[after.is_leaf[rows]].tolist())
    return (place[leaf],)
