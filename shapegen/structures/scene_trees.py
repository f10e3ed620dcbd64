"""Part trees out of the scenes that they were lowered to: what a viewer shows can be edited."""

from __future__ import annotations

import numpy as np

from shapegen.scene import Boxes, Node, Scene
from shapegen.structures.part_tree import PartTree, Relation, RelationKind

STATED = ("label", "instance", "box")
"""What every node of a part tree says of itself."""


def tree_of_scene(scene: Scene) -> PartTree:
    """The tree of a scene that :func:`shapegen.structures.lowering.part_tree_scene` has made.

    Its front is +z; merge trees are not in a scene.

    Raises:
        ValueError: The scene is not of one part tree, or its parts are no boxes.
    """
    nodes = scene.nodes
    if not nodes or any(not all(key in node.extras for key in STATED) for node in nodes):
        raise ValueError("the shape has no parts with labels and boxes: it is no part tree")
    if any(node.primitive is not None and not isinstance(node.primitive, Boxes) for node in nodes):
        raise ValueError("only parts that are boxes can be edited; these are points or meshes")
    return PartTree(
        box=np.array([node.extras["box"] for node in nodes], dtype=np.float64),
        parent=np.array([node.parent for node in nodes]),
        label=tuple(str(node.extras["label"]) for node in nodes),
        edges=_edges(nodes),
        instance=np.array([node.extras["instance"] for node in nodes]),
        name=str(nodes[0].extras.get("name", "")),
    )


def _edges(nodes: tuple[Node, ...]) -> tuple[Relation, ...]:
    number = {node.name: place for place, node in enumerate(nodes)}
    return tuple(
        Relation(
            RelationKind(entry["kind"]),
            number[entry["a"]],
            number[entry["b"]],
            tuple(entry.get("params", ())),
        )
        for node in nodes
        for entry in node.extras.get("relations", ())
    )
