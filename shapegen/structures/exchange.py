"""Let two shapes exchange a part: each goes into the box of the other, and nothing else moves.

Beside :func:`shapegen.structures.editing.swap`, which changes one shape and lets what the part
touched follow, this is a swap in the word's sense: doing it twice is doing nothing.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from shapegen.core import boxes as box_algebra
from shapegen.structures.editing import box_map, check_part
from shapegen.structures.part_tree import PartTree, Relation, RelationKind
from shapegen.structures.subtrees import Motion, grafted, subtree

Array = NDArray[np.float64]


def exchange(
    first: PartTree, node: int, second: PartTree, other_node: int
) -> tuple[PartTree, PartTree]:
    """Exchange two parts of equal labels, each with all below it.

    A part is stretched along the axes of its box to fill the box that it takes the place of. Its
    number is that of the part it replaces, whose relations to its siblings it takes over. All
    other boxes stay as they are, bit for bit. Exchanged twice, all boxes and relations are what
    they were, but for rounding; a tilted box inside a part is only where the stretch leaves its
    axes in the order of their lengths.

    Args:
        first: A shape.
        node: Number of its part.
        second: Another shape, or the same as a copy.
        other_node: Number of that one's part.

    Returns:
        Both shapes, each with its own front and name. Parts below those that were exchanged have
        new instance ids; points of parts and merge trees are dropped.

    Raises:
        ValueError: A node does not exist or is a root, or the labels differ.
    """
    check_part(first, node, "exchange")
    check_part(second, other_node, "exchange")
    ours, theirs = first.label[node], second.label[other_node]
    if ours != theirs:
        raise ValueError(
            f"parts that are exchanged need equal labels; got {ours!r} and {theirs!r}"
        )
    return _given(first, node, second, other_node), _given(second, other_node, first, node)


def _given(tree: PartTree, node: int, source: PartTree, taken: int) -> PartTree:
    """The tree with the other one's part in the box of a node."""
    piece = subtree(source.facing(tree.front), taken)
    ends = box_algebra.orthonormalised(np.stack([piece.box[0], tree.box[node]]))
    change = box_map(ends[0], ends[1])
    stretched = replace(
        piece,
        box=_followed(piece.box, change),
        edges=tuple(_carried(edge, change) for edge in piece.edges),
    )
    result = grafted(tree, {node: stretched}).tree
    # The place keeps its id, so that a walk from one shape to the other knows it again.
    instance = result.instance.copy()
    instance[node] = tree.instance[node]
    return replace(result, instance=instance)


def _followed(boxes: Array, change: Motion) -> Array:
    """Boxes stretched in a way that the stretch back undoes.

    The image of a tilted box is none. Here its longest axis and the plane of its two longest go
    where the stretch takes them, and its volume with them: what a stretch does to a line in a
    plane, the stretch back undoes, as the nearest box (``core.boxes.stretched``) does not.
    """
    order = np.argsort(-np.abs(boxes[:, 3:6]), axis=1, kind="stable")
    rows = np.arange(len(boxes))[:, None]
    image = box_algebra.axes(boxes)[rows, order] @ change.matrix.T
    axes, scales = np.linalg.qr(image.transpose(0, 2, 1))  # columns: the axes, the longest first
    factor = np.einsum("nii->ni", scales)
    result = boxes.copy()
    result[:, :3] = boxes[:, :3] @ change.matrix.T + change.offset
    result[rows, 3 + order] *= np.abs(factor)
    frame = np.empty_like(image)
    frame[rows, order] = (axes * np.sign(factor)[:, None]).transpose(0, 2, 1)
    result[:, 6:] = frame[:, :2].reshape(-1, 6)
    return result


def _carried(edge: Relation, change: Motion) -> Relation:
    """A relation whose points and directions are stretched with the parts.

    Of a mirror or a step along the box's axes that is the relation of the stretched parts; of a
    rotation it is only where both directions across the axis are stretched alike.
    """
    values = np.asarray(edge.params, dtype=np.float64)
    if edge.kind is RelationKind.ADJ:
        return edge
    if edge.kind is RelationKind.TRANS_SYM:
        return replace(edge, params=tuple((change.matrix @ values).tolist()))
    point = change.matrix @ values[:3] + change.offset
    # Normals of planes go with the inverse transpose, axes with what lies on them.
    across = edge.kind is RelationKind.REF_SYM
    direction = (np.linalg.inv(change.matrix).T if across else change.matrix) @ values[3:6]
    direction *= np.linalg.norm(values[3:6]) / np.linalg.norm(direction)
    return replace(edge, params=(*point.tolist(), *direction.tolist(), *edge.params[6:]))
