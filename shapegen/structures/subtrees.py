"""Surgery on part trees: take subtrees out, put others in, find the images of a part.

Parts are boxes here: the points of parts stay with what is taken out, and are dropped where trees
are put together.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from shapegen.core import boxes as box_algebra
from shapegen.structures.correspondence import correspond
from shapegen.structures.motion import inverse, motion
from shapegen.structures.part_tree import PartTree, Relation, RelationKind

Array = NDArray[np.float64]
Ints = NDArray[np.int64]


class Motion(NamedTuple):
    """A map ``x -> matrix @ x + offset``."""

    matrix: Array
    offset: Array

    @property
    def still(self) -> bool:
        """Whether nothing moves, but for rounding."""
        change = np.concatenate([(self.matrix - np.eye(3)).ravel(), self.offset])
        return bool((np.abs(change) < 1e-14).all())

    def after(self, other: Motion) -> Motion:
        """This motion of the other one's image."""
        return Motion(self.matrix @ other.matrix, self.matrix @ other.offset + self.offset)

    def undone(self) -> Motion:
        """The motion back, of one without stretching."""
        return Motion(self.matrix.T, -self.matrix.T @ self.offset)


class Grafted(NamedTuple):
    """A tree with subtrees of others in it."""

    tree: PartTree
    origin: Ints
    """``(n,)``: number that every node had in the tree before, -1 for those of other trees; the
    root of a subtree put in place of a node has that node's."""
    place: dict[int, int]
    """New numbers of the roots of subtrees put in: by the node replaced."""
    added: tuple[int, ...]
    """New numbers of the roots of subtrees that were added."""


def below(tree: PartTree, node: int) -> range:
    """Numbers of a node and all parts below it, which follow it."""
    depth = tree.depth
    end = node + 1
    while end < len(tree) and depth[end] > depth[node]:
        end += 1
    return range(node, end)


def mask_below(tree: PartTree, nodes: Iterable[int]) -> NDArray[np.bool_]:
    """``(n,)``: whether a node is one of ``nodes`` or below one."""
    mask = np.zeros(len(tree), dtype=bool)
    for node in nodes:
        mask[below(tree, node)] = True
    return mask


def ancestors(tree: PartTree, node: int) -> list[int]:
    """Numbers of all nodes above one, the parent first."""
    found = []
    while (node := int(tree.parent[node])) >= 0:
        found.append(node)
    return found


def subtree(tree: PartTree, node: int) -> PartTree:
    """A node and all below it as a tree of its own, with the relations inside."""
    rows = below(tree, node)
    inside = set(rows[1:])
    return PartTree(
        box=tree.box[rows],
        parent=np.array([-1, *(tree.parent[rows[1:]] - node)]),
        label=tree.label[node : rows.stop],
        edges=tuple(replace(e, a=e.a - node, b=e.b - node) for e in tree.edges if e.a in inside),
        instance=tree.instance[rows],
        name=tree.name,
        front=tree.front,
        part_points=None if tree.part_points is None else tree.part_points[rows],
    )


def pruned(tree: PartTree, kept: NDArray[np.bool_]) -> PartTree:
    """The tree without some parts; what is kept must have its parent kept, up to the root."""
    number = np.cumsum(kept) - 1
    parent = tree.parent[kept]
    return replace(
        tree,
        box=tree.box[kept],
        parent=np.where(parent < 0, -1, number[parent]),
        label=tuple(label for label, keep in zip(tree.label, kept, strict=True) if keep),
        edges=tuple(
            replace(e, a=int(number[e.a]), b=int(number[e.b]))
            for e in tree.edges
            if kept[e.a] and kept[e.b]
        ),
        instance=tree.instance[kept],
        merge=None,
        part_points=None if tree.part_points is None else tree.part_points[kept],
    )


def grafted(
    tree: PartTree,
    pieces: Mapping[int, PartTree],
    added: Sequence[tuple[int, PartTree]] = (),
) -> Grafted:
    """Put trees in the place of nodes and add others below nodes.

    Relations of a replaced node stay with what replaces it; those inside a piece come with it.
    Instance ids of the tree's own nodes stay, those of pieces are numbered on from the largest.

    Args:
        tree: Any tree.
        pieces: By number of the node that they replace with all below it.
        added: Numbers of parents, which stay, and their new last children.
    """
    children = tree.children
    box: list[Array] = []
    parent: list[int] = []
    label: list[str] = []
    origin: list[int] = []
    edges: list[Relation] = []
    place: dict[int, int] = {}
    starts: list[int] = [-1] * len(added)

    def put(piece: PartTree, above: int, old: int) -> int:
        start = len(parent)
        box.extend(piece.box)
        parent.extend([above, *(piece.parent[1:] + start).tolist()])
        label.extend(piece.label)
        origin.extend([old] + [-1] * (len(piece) - 1))
        edges.extend(replace(e, a=e.a + start, b=e.b + start) for e in piece.edges)
        return start

    # Negative entries are pieces to add.
    stack = [(0, -1)]
    while stack:
        node, above = stack.pop()
        if node < 0:
            starts[-1 - node] = put(added[-1 - node][1], above, -1)
        elif node in pieces:
            place[node] = put(pieces[node], above, node)
        else:
            own = len(parent)
            box.append(tree.box[node])
            parent.append(above)
            label.append(tree.label[node])
            origin.append(node)
            extra = [-1 - row for row, (owner, _) in enumerate(added) if owner == node]
            stack += [(child, own) for child in reversed([*children[node], *extra])]
    number = {old: new for new, old in enumerate(origin) if old >= 0}
    edges += [
        replace(edge, a=number[edge.a], b=number[edge.b])
        for edge in tree.edges
        if edge.a in number and edge.b in number
    ]
    source = np.array(origin)
    kept = (source >= 0) & ~np.isin(np.arange(len(source)), list(place.values()))
    instance = np.empty(len(source), dtype=np.int64)
    instance[kept] = tree.instance[source[kept]]
    instance[~kept] = tree.instance.max() + 1 + np.arange((~kept).sum())
    whole = PartTree(
        np.array(box),
        np.array(parent),
        tuple(label),
        tuple(edges),
        instance,
        tree.name,
        tree.front,
    )
    return Grafted(whole, source, place, tuple(starts))


def images(tree: PartTree, node: int) -> dict[int, Motion]:
    """Parts that the relations say are images of a part, and the motions that lead to them.

    Symmetries of the part itself count, those of these images, and so on; and symmetries of parts
    above it, where the twin has a part that corresponds.
    """
    beside = _symmetries(tree)
    found = {node: Motion(np.eye(3), np.zeros(3))}
    waiting = [node]
    while waiting:
        own = waiting.pop(0)
        for above in [own, *ancestors(tree, own)]:
            for other, there in beside.get(above, ()):
                twin = other if above == own else _twin(tree, above, other, own, there)
                if twin is not None and twin not in found:
                    found[twin] = there.after(found[own])
                    waiting.append(twin)
    del found[node]
    return found


def _symmetries(tree: PartTree) -> dict[int, list[tuple[int, Motion]]]:
    """The symmetries of every node: the other part and the motion to it."""
    beside: dict[int, list[tuple[int, Motion]]] = {}
    for edge in tree.edges:
        if edge.kind is RelationKind.ADJ:
            continue
        there = Motion(*motion(edge.kind, edge.params))
        back = Motion(*motion(edge.kind, inverse(edge.kind, edge.params)))
        beside.setdefault(edge.a, []).append((edge.b, there))
        beside.setdefault(edge.b, []).append((edge.a, back))
    return beside


def _twin(tree: PartTree, above: int, other: int, node: int, there: Motion) -> int | None:
    """The part below ``other`` that corresponds to ``node`` below ``above``."""
    first, second = subtree(tree, above), subtree(tree, other)
    image = replace(
        first,
        box=box_algebra.transformed(first.box, rotation=there.matrix, translation=there.offset),
    )
    number = int(correspond([second], [image]).predicted[node - above])
    return number + other if number >= 0 else None
