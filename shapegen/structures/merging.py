"""Part trees to binary merge trees: symmetric siblings folded first, then neighbours joined."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from shapegen.core import boxes as box_algebra
from shapegen.structures.groups import Group
from shapegen.structures.merge_expansion import to_part_tree
from shapegen.structures.merge_inference import infer_merge_tree
from shapegen.structures.merge_plan import Plan, fold, join
from shapegen.structures.merge_tree import MergeTree
from shapegen.structures.part_tree import PartTree, RelationKind
from shapegen.structures.relations import detect_relations, relation_groups

__all__ = ["FOLD_TOLERANCE", "infer_merge_tree", "to_merge_tree", "to_part_tree"]

Array = NDArray[np.float64]

FOLD_TOLERANCE = 0.005
"""As of :class:`~shapegen.structures.groups.GroupFinder`: a group is folded if its members are
images of one another to about 2 % of their diagonal; others keep all their boxes."""

_GRID = 0.005
"""Positions closer than this, in diagonals of the shape, count as equal when siblings are put in
order: what is symmetric or flush must not be ordered by rounding."""


_NOTHING = Plan((), ())


class _Item(NamedTuple):
    """What takes part in the joining: a single child or a folded group."""

    members: tuple[int, ...]
    plan: Plan


def to_merge_tree(tree: PartTree, *, tolerance: float = FOLD_TOLERANCE) -> MergeTree:
    """Convert an n-ary part tree to GRASS's binary merge tree.

    At every inner node, groups of children under symmetry relations become one SYM over their
    first member; then children are joined one by one by ADJ, touching ones first. The order
    depends on labels and places, not on the order of siblings. A SYM inside another's generator
    would take its place, so of nested symmetries the one that saves more boxes is folded (the
    outer one on ties), and the other is written out. Groups that the boxes do not bear out keep
    all their boxes. A tree without any relations gets those that are detected.

    Args:
        tree: Its own ``merge`` is returned where there is one.
        tolerance: See :data:`FOLD_TOLERANCE`.

    Returns:
        The merge tree, in the frame of the part tree, with the leaves' labels.

    Reference: Li et al., *GRASS*, 2017, section 3 (symmetry first, as in Wang et al., *Symmetry
    Hierarchy of Man-Made Objects*, 2011).
    """
    if tree.merge is not None:
        return tree.merge
    if not tree.edges and len(tree) > 2:
        tree = detect_relations(tree)
    groups: dict[int, list[Group]] = {}
    for group in relation_groups(tree, tolerance=tolerance):
        groups.setdefault(int(tree.parent[group.members[0]]), []).append(group)
    neighbours: list[set[int]] = [set() for _ in range(len(tree))]
    for edge in tree.edges:
        if edge.kind is RelationKind.ADJ:
            neighbours[edge.a].add(edge.b)
            neighbours[edge.b].add(edge.a)
    keys = _keys(tree)
    children = tree.children
    plain, folded = [_NOTHING] * len(tree), [_NOTHING] * len(tree)
    for node in range(len(tree) - 1, -1, -1):
        below = children[node]
        if not below:
            plain[node] = folded[node] = Plan.leaf(tree.box[node], tree.label[node])
            continue
        items = _items(below, groups.get(node, []), plain, folded, keys)
        folded[node] = _joined(items, neighbours, keys)
        if len(folded[node].syms):
            singles = [_Item((child,), plain[child]) for child in below]
            plain[node] = _joined(singles, neighbours, keys)
        else:
            plain[node] = folded[node]
    return folded[0].tree()


def _items(
    below: Sequence[int],
    groups: Sequence[Group],
    plain: Sequence[Plan],
    folded: Sequence[Plan],
    keys: Sequence[tuple[str, int, int, int]],
) -> list[_Item]:
    items: list[_Item] = []
    grouped: set[int] = set()
    for group in groups:
        group = _canonical(group, keys)
        generator = plain[group.members[0]]
        if len(generator.boxes) > sum(len(folded[member].boxes) for member in group.members):
            continue
        piece = fold(generator, group)
        if piece is not None:
            items.append(_Item(group.members, piece))
            grouped.update(group.members)
    items.extend(_Item((child,), folded[child]) for child in below if child not in grouped)
    return items


def _joined(
    items: list[_Item],
    neighbours: Sequence[set[int]],
    keys: Sequence[tuple[str, int, int, int]],
) -> Plan:
    """Join items one by one: the one with most neighbours first, then what touches the rest."""
    rest = sorted(items, key=lambda item: min(keys[member] for member in item.members))
    near: list[set[int]] = [
        set().union(*(neighbours[member] for member in item.members)) for item in rest
    ]
    degree = [
        sum(not touching.isdisjoint(other.members) for other in rest if other is not item)
        for item, touching in zip(rest, near, strict=True)
    ]
    start = degree.index(max(degree))
    plan, reached = rest.pop(start).plan, set(near[start])
    near.pop(start)
    while rest:
        touched = [n for n, item in enumerate(rest) if not reached.isdisjoint(item.members)]
        chosen = touched[0] if touched else 0
        plan = join(plan, rest.pop(chosen).plan)
        reached |= near.pop(chosen)
    return plan


def _canonical(group: Group, keys: Sequence[tuple[str, int, int, int]]) -> Group:
    """The same group from a first member that does not depend on the order of siblings."""
    members = group.members
    places = [keys[member][1:] for member in members]
    if group.kind is RelationKind.ROT_SYM:
        # The spoke in front, of two the right one.
        first = max(range(len(members)), key=lambda n: (places[n][1], places[n][2], places[n][0]))
        return group._replace(members=members[first:] + members[:first])
    if (places[0][2], *places[0]) >= (places[-1][2], *places[-1]):
        return group
    if group.kind is RelationKind.TRANS_SYM:
        group = group._replace(params=tuple(-value for value in group.params))
    return group._replace(members=members[::-1])


def _keys(tree: PartTree) -> list[tuple[str, int, int, int]]:
    """Sort key of every node: label, then height, front-back and left-right place on a grid."""
    low, high = box_algebra.bounds(tree.box)
    cell = max(_GRID * float(np.linalg.norm(high - low)), 1e-12)
    x, z = (2, 0) if tree.front == "+x" else (0, 2)
    places = np.round(tree.box[:, [1, z, x]] / cell).astype(np.int64)
    return [(label, *place) for label, place in zip(tree.label, places.tolist(), strict=True)]
