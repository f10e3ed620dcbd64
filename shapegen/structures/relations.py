"""Relations of siblings: find them in plain boxes, and measure how far they are from exact."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from shapegen.core import boxes as box_algebra
from shapegen.structures.contact import gaps, pairs_of
from shapegen.structures.groups import TOLERANCE, Group, GroupFinder
from shapegen.structures.motion import corner_distances, mapped
from shapegen.structures.part_tree import PartTree, Relation, RelationKind
from shapegen.structures.regular import Regular, averaged

Array = NDArray[np.float64]
Ints = NDArray[np.int64]

_GAP_REACH = 2.0
"""Gap that still counts as contact, in standard deviations: 97.7 % of true contacts of one face
stay, and many parts touch with several."""


def detect_relations(
    tree: PartTree, *, tolerance: float = TOLERANCE, same_label: bool = True
) -> PartTree:
    """Find the relations of all siblings from their boxes, in place of those that are listed.

    Two parts are adjacent if a leaf of the one touches a leaf of the other. Symmetries come in
    groups, listed from the first member to each of the others as PartNet's are: rows of three and
    more equal steps and rings of three and more equal angles, the largest first, then pairs:
    mirrors (left-right goes first), translations, half turns. A part is in one group at most;
    inner parts are twins if their boxes are and their leaves correspond. The members of the groups
    also say how noisy the boxes are, and are averaged before contacts are measured: exact shapes
    get exact contacts.

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
    regular = averaged(tree.box, groups, leaves)
    edges = [edge for group in groups for edge in group_relations(group)]
    edges += [Relation(RelationKind.ADJ, a, b) for a, b in _contacts(tree, regular, tolerance)]
    return replace(tree, edges=tuple(edges))


def group_relations(group: Group) -> list[Relation]:
    """Relations from the first member of a group to each of the others."""
    first, *others = group.members
    return [
        Relation(group.kind, first, other, group.power(times))
        for times, other in enumerate(others, start=1)
    ]


def _contacts(tree: PartTree, regular: Regular, tolerance: float) -> list[tuple[int, int]]:
    """Sibling pairs ``(a, b)``, a < b, some leaves of which touch."""
    leaves = np.flatnonzero(tree.is_leaf)
    pairs = leaves[pairs_of(len(leaves))]
    if not len(pairs):
        return []
    errors = _GAP_REACH * regular.face_errors(tolerance)
    pairs = pairs[gaps(_grown(regular.boxes, errors), pairs, beyond=0.0) <= 0]
    touching = gaps(regular.boxes, pairs, beyond=0.0) <= 0
    for order in (slice(None), slice(None, None, -1)):
        apart = np.flatnonzero(~touching)
        touching[apart] = _face_to_face(regular.boxes, errors, pairs[apart][:, order])
    siblings = np.sort(_siblings_above(tree, pairs[touching]), axis=1)
    return sorted({(a, b) for a, b in siblings.tolist()})


def _face_to_face(boxes: Array, errors: Array, pairs: Ints) -> NDArray[np.bool_]:
    """Whether a box of the first column, pushed out along one of its axes, meets the second.

    Noise opens a contact across its faces; beside them the boxes overlap as before, while things
    that pass one another at an edge do not.
    """
    a, b = pairs.T
    frame = box_algebra.axes(boxes)
    cosines = frame[a] @ frame[b].transpose(0, 2, 1)
    reach = np.sqrt(errors[a] ** 2 + (cosines**2 @ errors[b][:, :, None] ** 2)[:, :, 0])
    # Hardly beside it: enough for rounding.
    along = reach[:, :, None] * (np.eye(3) + 1e-3)
    pushed = _grown(np.repeat(boxes[a], 3, axis=0), along.reshape(-1, 3))
    both = np.concatenate([pushed, boxes])
    rows = np.arange(len(pushed))
    apart = gaps(both, np.stack([rows, len(pushed) + np.repeat(b, 3)], axis=1), beyond=0.0)
    meets: NDArray[np.bool_] = apart.reshape(-1, 3).min(1) <= 0
    return meets


def _grown(boxes: Array, reach: Array) -> Array:
    """The boxes with their faces moved outwards by ``reach (n, 3)``."""
    grown = boxes.copy()
    grown[:, 3:6] = np.abs(grown[:, 3:6]) + 2 * reach
    return grown


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
    together for the kinds of symmetry that link them; what their boxes do not bear out within
    ``tolerance`` is left out.
    """
    linked: dict[int, tuple[list[int], set[RelationKind]]] = {}
    for edge in tree.edges:
        if edge.kind is RelationKind.ADJ:
            continue
        first = linked.setdefault(edge.a, ([edge.a], set()))
        second = linked.setdefault(edge.b, ([edge.b], set()))
        first[1].add(edge.kind)
        if first is not second:
            first[0].extend(second[0])
            first[1].update(second[1])
            for node in second[0]:
                linked[node] = first
    found = {id(component): component for component in linked.values()}
    components = sorted((sorted(members), kinds) for members, kinds in found.values())
    if not components:
        return []
    finder = GroupFinder(
        tree.box,
        contents=leaf_boxes(tree),
        tolerance=tolerance,
        side=2 if tree.front == "+x" else 0,
    )
    sets, kinds = zip(*components, strict=True)
    return finder.find(sets, kinds=kinds)


def _set_gap(a: Array, b: Array) -> float:
    rows, columns = np.indices((len(a), len(b))).reshape(2, -1)
    pairs = np.stack([rows, columns + len(a)], axis=1)
    return float(gaps(np.concatenate([a, b]), pairs).min())


def _siblings_above(tree: PartTree, pairs: Ints) -> Ints:
    """The children ``(m, 2)`` of the lowest common ancestor that nodes ``(m, 2)`` are under."""
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
