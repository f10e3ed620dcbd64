"""Part trees as scenes: a named, coloured node a part, in the tree's hierarchy."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from shapegen.core import boxes as box_algebra
from shapegen.core.grid import grid_offsets
from shapegen.scene import Boxes, Colour, Node, Points, Primitive, Scene
from shapegen.structures.colors import label_color, ranked_color
from shapegen.structures.part_tree import PartTree, RelationKind

GROUP_COLOR: Colour = (0.7, 0.7, 0.7)


def part_tree_scene(tree: PartTree, *, points: bool = False) -> Scene:
    """Lower one tree: leaves are boxes, inner nodes groups; the front is turned to +z.

    With ``points`` leaves are the points of a tree that has them.
    """
    return Scene(tuple(_nodes(tree.facing("+z"), offset=0, prefix="", points=points)))


def part_trees_scene(
    trees: Iterable[PartTree], *, columns: int | None = None, points: bool = False
) -> Scene:
    """Lower trees side by side, in rows from the back to the front.

    Args:
        trees: At least one. One alone stays where it is; in a grid every shape stands on the
            ground y = 0.
        columns: Shapes in a row; default about 1.6 times as many as rows.
        points: Leaves are the points of the trees that have them.

    Raises:
        ValueError: There are no trees.
    """
    turned = [tree.facing("+z") for tree in trees]
    if not turned:
        raise ValueError("a scene needs at least one part tree; got none")
    if len(turned) == 1:
        return part_tree_scene(turned[0], points=points)
    nodes: list[Node] = []
    for number, tree in enumerate(_in_grid(turned, columns)):
        prefix = f"{_short(tree.label[0]) or 'shape'}_{number + 1}"
        nodes.extend(_nodes(tree, offset=len(nodes), prefix=prefix, points=points))
    return Scene(tuple(nodes))


def leaf_colors(tree: PartTree) -> dict[int, Colour]:
    """The colour of every leaf by node number.

    A label says it where the tree has labels; else the copies of a symmetry share a colour, and
    the parts are coloured by height, so that like parts of like shapes look alike.
    """
    leaves = np.flatnonzero(tree.is_leaf).tolist()
    if len({tree.label[leaf] for leaf in leaves}) > 1 or (len(leaves) == 1 and tree.label[0]):
        return {leaf: label_color(tree.label[leaf]) for leaf in leaves}
    kinds = _alike(tree, leaves)
    heights: dict[int, list[float]] = {}
    for leaf in leaves:
        heights.setdefault(kinds[leaf], []).append(float(tree.box[leaf, 1]))
    # Rounded: copies that are not exact must not change the order.
    order = sorted(heights, key=lambda kind: (round(float(np.mean(heights[kind])), 2), kind))
    rank = {kind: number for number, kind in enumerate(order)}
    return {leaf: ranked_color(rank[kinds[leaf]]) for leaf in leaves}


def _nodes(tree: PartTree, *, offset: int, prefix: str, points: bool) -> list[Node]:
    clouds = tree.part_points if points else None
    names = _unique_names(tree, prefix)
    colors = leaf_colors(tree)
    relations: dict[int, list[dict[str, Any]]] = {}
    for edge in tree.edges:
        entry: dict[str, Any] = {"kind": str(edge.kind), "a": names[edge.a], "b": names[edge.b]}
        if edge.params:
            entry["params"] = [float(value) for value in edge.params]
        relations.setdefault(int(tree.parent[edge.a]), []).append(entry)
    nodes = []
    for number, parent in enumerate(tree.parent.tolist()):
        extras: dict[str, Any] = {
            "label": tree.label[number],
            "instance": int(tree.instance[number]),
            "box": tree.box[number].tolist(),
        }
        if number == 0 and tree.name:
            extras["name"] = tree.name
        if number in relations:
            extras["relations"] = relations[number]
        primitive: Primitive | None = None
        if number in colors:
            box = tree.box[number][None]
            primitive = Boxes(box) if clouds is None else Points(clouds[number].astype(float))
        nodes.append(
            Node(
                name=names[number],
                parent=parent + offset if parent >= 0 else -1,
                primitive=primitive,
                color=colors.get(number, GROUP_COLOR),
                extras=extras,
            )
        )
    return nodes


def _short(label: str) -> str:
    return label.rsplit("/", 1)[-1]


def _unique_names(tree: PartTree, prefix: str) -> list[str]:
    """The last part of every label, numbered from 1 where a tree has it more than once."""
    plain = [_short(label) or "part" for label in tree.label]
    if prefix:
        plain = [prefix, *(f"{prefix}_{name}" for name in plain[1:])]
    total, used, names = Counter(plain), set(plain), []
    count: Counter[str] = Counter()
    for name in plain:
        if total[name] == 1:
            names.append(name)
            continue
        while True:
            count[name] += 1
            numbered = f"{name}_{count[name]}"
            if numbered not in used:
                break
        used.add(numbered)
        names.append(numbered)
    return names


def _copies(tree: PartTree) -> list[int]:
    """A number for every node that is equal for the copies of a symmetry, descendants included."""
    first = list(range(len(tree)))

    def find(node: int) -> int:
        while first[node] != node:
            node = first[node]
        return node

    for edge in tree.edges:
        if edge.kind is not RelationKind.ADJ:
            low, high = sorted((find(edge.a), find(edge.b)))
            first[high] = low
    children = tree.children
    kinds = [0] * len(tree)
    known: dict[tuple[int, int], int] = {}
    for node, parent in enumerate(tree.parent.tolist()):
        if parent < 0:
            continue
        # A child is known by its parent's kind and its place; copies have their parts in order.
        place = children[parent].index(find(node))
        kinds[node] = known.setdefault((kinds[parent], place), len(known) + 1)
    return kinds


def _alike(tree: PartTree, leaves: Sequence[int]) -> dict[int, int]:
    """Copies, and with them parts of the same size at the same height, by their first leaf."""
    kinds = _copies(tree)
    size = np.sort(np.abs(tree.box[:, 3:6]), axis=1)
    traits = np.concatenate([size, tree.box[:, 1:2]], axis=1)
    slack = 0.03 * float(np.linalg.norm(np.ptp(box_algebra.bounds(tree.boxes()), axis=0)))
    first: dict[int, int] = {}
    found: list[int] = []
    for leaf in leaves:
        if kinds[leaf] in first:
            continue
        same = [old for old in found if np.abs(traits[old] - traits[leaf]).max() <= slack]
        first[kinds[leaf]] = same[0] if same else leaf
        if not same:
            found.append(leaf)
    return {leaf: first[kinds[leaf]] for leaf in leaves}


def _in_grid(trees: Sequence[PartTree], columns: int | None) -> list[PartTree]:
    bounds = np.stack([box_algebra.bounds(tree.boxes()) for tree in trees])  # (n, 2, 3)
    offsets = grid_offsets(bounds, columns=columns)
    return [
        tree.transformed(translation=offset) for tree, offset in zip(trees, offsets, strict=True)
    ]
