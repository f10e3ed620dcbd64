"""Relations of siblings: find them in plain boxes, and measure how far they are from exact."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from shapegen.core import boxes as box_algebra
from shapegen.structures.contact import gaps, pairs_of
from shapegen.structures.groups import TOLERANCE, Group, GroupFinder
from shapegen.structures.motion import (
    BOX_AXES,
    corner_distances,
    inverse,
    mapped,
    matching,
)
from shapegen.structures.part_tree import PartTree, Relation, RelationKind

Array = NDArray[np.float64]
Ints = NDArray[np.int64]

_GAP_REACH = 2.5
"""Gap that still counts as contact, in standard deviations of one box's coordinate (root sum of
squares of both boxes'): a face moves by 1.12 of them, so 98.7 % of true contacts stay."""


def detect_relations(
    tree: PartTree, *, tolerance: float = TOLERANCE, same_label: bool = True
) -> PartTree:
    """Find the relations of all siblings from their boxes, in place of those that are listed.

    Two parts are adjacent if a leaf of the one touches a leaf of the other. Symmetries come in
    groups, listed from the first member to each of the others as PartNet's are: rows of three and
    more equal steps and rings of three and more equal angles, the largest first, then pairs:
    mirrors (left-right goes first), translations, half turns. A part is in one group at most; inner
    parts are twins if their boxes are and their leaves correspond. Contacts are measured after the
    members of every group were averaged, which takes most of the noise out of them.

    Args:
        tree: Any part tree.
        tolerance: Noise to allow for: standard deviation of every coordinate of a centre and of
            every length, in diagonals of the box.
        same_label: Whether symmetric parts must have equal labels.

    Returns:
        The tree with new ``edges``.
    """
    sets: list[list[int]] = []
    for children in tree.children:
        alike: dict[str, list[int]] = {}
        for node in children:
            alike.setdefault(tree.label[node] if same_label else "", []).append(node)
        sets.extend(part for part in alike.values() if len(part) > 1)
    leaves = leaves_below(tree)
    finder = GroupFinder(
        tree.box,
        contents=[tree.box[numbers] for numbers in leaves],
        tolerance=tolerance,
        side=2 if tree.front == "+x" else 0,
    )
    groups = finder.find(sets)
    boxes, count = averaged(tree.box, groups, leaves)
    edges = [edge for group in groups for edge in group_relations(group)]
    reach = _GAP_REACH * tolerance * box_algebra.diagonals(boxes) / np.sqrt(count)
    edges += [Relation(RelationKind.ADJ, a, b) for a, b in contacts(tree, boxes, reach)]
    return replace(tree, edges=tuple(edges))


def group_relations(group: Group) -> list[Relation]:
    """Relations from the first member of a group to each of the others."""
    first, *others = group.members
    return [
        Relation(group.kind, first, other, group.power(times))
        for times, other in enumerate(others, start=1)
    ]


def contacts(tree: PartTree, boxes: Array, reach: Array) -> list[tuple[int, int]]:
    """Sibling pairs ``(a, b)``, a < b, some leaves of which touch.

    Args:
        tree: The hierarchy.
        boxes: ``(n, 12)``, a row a node.
        reach: ``(n,)``: two leaves touch if their gap is at most the root sum of squares of their
            reaches.
    """
    leaves = np.flatnonzero(tree.is_leaf)
    pairs = leaves[pairs_of(len(leaves))]
    if not len(pairs):
        return []
    allowed = np.sqrt((reach[pairs] ** 2).sum(1))
    apart = gaps(boxes, pairs, beyond=float(allowed.max()))
    # Rounding alone must not part what touches exactly.
    touching = apart <= np.maximum(allowed, 1e-9 * box_algebra.diagonals(boxes).max())
    siblings = np.sort(_siblings_above(tree, pairs[touching]), axis=1)
    return sorted({(a, b) for a, b in siblings.tolist()})


def averaged(
    boxes: Array, groups: Sequence[Group], leaves: Sequence[Sequence[int]]
) -> tuple[Array, Array]:
    """Make the leaves of symmetric groups exact copies of their mean.

    Args:
        boxes: ``(n, 12)``.
        groups: Disjoint groups of nodes on every level.
        leaves: Numbers of the leaves below every node.

    Returns:
        The boxes with the leaves replaced, and how many boxes ``(n,)`` were averaged for each.
    """
    boxes, count = boxes.copy(), np.ones(len(boxes))
    for group in groups:
        first = list(leaves[group.members[0]])
        rows, pulled = [first], [boxes[first]]
        for times, member in enumerate(group.members[1:], start=1):
            params = group.power(times)
            own = np.array(leaves[member])
            match = matching(mapped(boxes[first], group.kind, params), boxes[own])
            rows.append(own[match].tolist())
            pulled.append(mapped(boxes[rows[-1]], group.kind, inverse(group.kind, params)))
        mean = _mean_boxes(np.stack(pulled))
        boxes[first] = mean
        for times, numbers in enumerate(rows[1:], start=1):
            boxes[numbers] = mapped(mean, group.kind, group.power(times))
        count[np.concatenate(rows)] *= len(group.members)
    return boxes, count


def _mean_boxes(stacks: Array) -> Array:
    """Mean ``(l, 12)`` of boxes ``(k, l, 12)``, their axes named as in the first."""
    count, length = stacks.shape[:2]
    flat = stacks.reshape(-1, 12)
    frame = box_algebra.axes(flat).reshape(count, length, 3, 3)
    cosine = np.einsum("laj,klbj->klab", frame[0], frame)
    order = BOX_AXES[np.abs(cosine)[..., np.arange(3), BOX_AXES].sum(-1).argmax(-1)]  # (k, l, 3)
    sides = np.take_along_axis(np.abs(stacks[..., 3:6]), order, axis=2).mean(0)
    turned = np.take_along_axis(frame, order[..., None], axis=2)
    turned = turned * np.sign(np.einsum("laj,klaj->kla", frame[0], turned))[..., None]
    mean = np.concatenate(
        [stacks[..., :3].mean(0), sides, turned.mean(0)[:, 0], turned.mean(0)[:, 1]], axis=1
    )
    return box_algebra.orthonormalised(mean)


def leaves_below(tree: PartTree) -> list[list[int]]:
    """Numbers of the leaves at and below every node."""
    below: list[list[int]] = [[] for _ in range(len(tree))]
    leaf, parent = tree.is_leaf.tolist(), tree.parent.tolist()
    for node in range(len(tree) - 1, -1, -1):
        if leaf[node]:
            below[node].append(node)
        if parent[node] >= 0:
            below[parent[node]].extend(below[node])
    return [numbers[::-1] for numbers in below]


def leaf_boxes(tree: PartTree) -> list[Array]:
    """Boxes ``(k, 12)`` of the leaves at and below every node."""
    return [tree.box[numbers] for numbers in leaves_below(tree)]


def residual(relation: Relation, shape: PartTree | ArrayLike) -> float:
    """Measure by how much a relation is violated, in the unit of the boxes.

    A contact: the gap between the two parts (of a tree: between their leaves). A symmetry: root
    mean square distance of the corners of ``a``'s image from ``b``'s under the best matching of
    corners.

    Args:
        relation: Its ``a`` and ``b`` are node numbers, or rows of ``shape``.
        shape: A part tree or boxes ``(n, 12)``.
    """
    boxes = shape.box if isinstance(shape, PartTree) else box_algebra.as_boxes(shape)
    if not (0 <= relation.a < len(boxes) and 0 <= relation.b < len(boxes)):
        raise ValueError(
            f"a relation must link boxes 0..{len(boxes) - 1}; got {relation.a}, {relation.b}"
        )
    if relation.kind is RelationKind.ADJ:
        if isinstance(shape, PartTree):
            leaves = leaf_boxes(shape)
            return _set_gap(leaves[relation.a], leaves[relation.b])
        return _set_gap(boxes[[relation.a]], boxes[[relation.b]])
    image = mapped(boxes[[relation.a]], relation.kind, relation.params)
    return float(corner_distances(image, boxes[[relation.b]])[0])


def residuals(tree: PartTree) -> Array:
    """:func:`residual` ``(e,)`` of every relation of a tree, in the order of ``edges``."""
    values = np.zeros(len(tree.edges))
    leaves = leaf_boxes(tree)
    for row, edge in enumerate(tree.edges):
        if edge.kind is RelationKind.ADJ:
            values[row] = _set_gap(leaves[edge.a], leaves[edge.b])
        else:
            values[row] = residual(edge, tree.box)
    return values


def relation_groups(tree: PartTree, *, tolerance: float = TOLERANCE) -> list[Group]:
    """Disjoint symmetric groups that the relations of a tree make, as far as the boxes agree.

    Siblings that are linked by symmetry relations, directly or through others, are searched
    together; what their boxes do not bear out within ``tolerance`` is left out.
    """
    linked: dict[int, list[int]] = {}
    for edge in tree.edges:
        if edge.kind is not RelationKind.ADJ:
            a, b = linked.setdefault(edge.a, [edge.a]), linked.setdefault(edge.b, [edge.b])
            if a is not b:
                a.extend(b)
                for node in b:
                    linked[node] = a
    sets = {id(part): sorted(part) for part in linked.values()}
    finder = GroupFinder(tree.box, contents=leaf_boxes(tree), tolerance=tolerance)
    return finder.find(sorted(sets.values()))


def _set_gap(a: Array, b: Array) -> float:
    rows, columns = np.indices((len(a), len(b))).reshape(2, -1)
    pairs = np.stack([rows, columns + len(a)], axis=1)
    return float(gaps(np.concatenate([a, b]), pairs).min())


def _siblings_above(tree: PartTree, pairs: Ints) -> Ints:
    """The two children ``(m, 2)`` of the lowest common ancestor that nodes ``(m, 2)`` are under."""
    depth = tree.depth
    path = np.full((len(tree), int(depth.max()) + 2), -1)
    for node, parent in enumerate(tree.parent.tolist()):
        if parent >= 0:
            path[node] = path[parent]
        path[node, depth[node]] = node
    first, second = path[pairs[:, 0]], path[pairs[:, 1]]
    split = (first != second).argmax(1)
    rows = np.arange(len(pairs))
    return np.stack([first[rows, split], second[rows, split]], axis=1)
