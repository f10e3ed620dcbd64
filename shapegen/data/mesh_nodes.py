"""Hierarchies of named meshes to part trees: a box a node, labels from names, relations found."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from shapegen.core import boxes as box_algebra
from shapegen.data.alignment import aligning_rotation
from shapegen.data.bounding import UPRIGHT_SHARE, canonical_box, oriented_box
from shapegen.structures.contact import gaps, pairs_of
from shapegen.structures.part_tree import PartTree, Relation, RelationKind
from shapegen.structures.relations import detect_relations
from shapegen.structures.repair import RepairReport, repair_boxes

_MEETING = 1e-6
"""Gap that is rounding of a file, in diagonals of the shape."""
MAX_PARTS = 1000
"""Most nodes of an imported shape."""
MAX_DEPTH = 64
"""Most edges from the root to a node of an imported shape."""
TOLERANCE = 0.003
"""For :func:`~shapegen.structures.relations.detect_relations`: boxes of meshes have no noise but
what was modelled inexactly."""

Array = NDArray[np.float64]

_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_ODD = re.compile(r"[\W_]+")
_COPY = re.compile(r"\.\d{3,}(?!\d)")
"""Blender's number of a copy, which stands within a name that was joined of two."""
_NUMBER = re.compile(r"[._ -]*(\(\s*\d+\s*\)|\d+|(?<![a-z])copy)$")
_NO_KIND = frozenset(
    {
        *("root", "root_node", "scene", "scene_root", "gltf_scene_root_node", "sketchfab_model"),
        *("aux_scene", "world", "collection", "geometry", "object", "mesh", "model", "default"),
    }
)
"""Labels that programs give to the whole of a file, whatever it is."""
_SIDES = frozenset({"left", "right"})
_SHORT_SIDES = frozenset({"l", "r"})


@dataclass
class MeshNode:
    """A node of a scene; only nodes without children have triangles."""

    label: str
    children: list[MeshNode] = field(default_factory=list)
    vertices: Array | None = None
    """Corners ``(v, 3)`` of a leaf's triangles, in the frame of the toolkit."""
    instance: int | None = None
    """The source's id, if it has one."""
    order: int = 0
    """Place in the file."""


def label_of(name: str) -> str:
    """A label from the name of a node: lower-case words of any script joined by ``_``.

    Numbers of copies go, and the side of a pair: its two parts are of one kind.

    Example:
        >>> label_of("Front Leg.001"), label_of("armRest_L"), label_of("Leg (2)")
        ('front_leg', 'arm_rest', 'leg')
    """
    plain = _COPY.sub("", unicodedata.normalize("NFC", name.rpartition(":")[2].strip()))
    lowered = _CAMEL.sub("_", plain).lower()
    before = None
    while before != lowered:
        before, lowered = lowered, _NUMBER.sub("", lowered)
    words = _ODD.sub("_", lowered).strip("_").split("_")
    inner = list(words)
    if len(inner) > 1 and inner[-1] in _SIDES | _SHORT_SIDES:
        inner.pop()
    if len(inner) > 1 and inner[0] in _SIDES:
        inner.pop(0)
    return "_".join(inner)


def unwrapped(root: MeshNode, label: str) -> MeshNode:
    """Drop wrappers at the top, and cut a single piece of triangles where it falls apart.

    Args:
        root: The top of a file.
        label: For the whole, where its own says nothing.

    Raises:
        ValueError: It falls into more than 1000 pieces.
    """
    while len(root.children) == 1:
        (root,) = root.children
    label = label if root.label in _NO_KIND else root.label or label
    if root.vertices is None:
        return replace(root, label=label)
    pieces = _pieces(root.vertices)
    if len(pieces) > 1:
        return MeshNode(label, [MeshNode("part", vertices=piece) for piece in pieces])
    return MeshNode(label, [root])


def part_tree_of(
    root: MeshNode,
    name: str,
    *,
    report: RepairReport,
    place: str,
    inner: Callable[[Array, Array], Array] | None = None,
) -> PartTree:
    """Fit boxes to a hierarchy of meshes and find the relations of its parts.

    Args:
        root: Every node has children or triangles; labels are words without ``/``.
        name: Name of the shape.
        report: Gets the counts of mended boxes: flat parts among them.
        place: For messages.
        inner: Box ``(12,)`` of an inner node from all corners ``(v, 3)`` and leaf boxes
            ``(k, 12)`` below it; by default along the axes that most of the shape's leaves share,
            or along those of a leaf below it where that is clearly smaller.

    Raises:
        ValueError: There are more than 1000 parts or 64 levels, or no part has a size.
    """
    nodes = list(_flattened(root, place))
    leaves = [oriented_box(n.vertices) for n, _ in nodes if n.vertices is not None]
    rotation = aligning_rotation(np.stack(leaves))
    boxes = _boxes(nodes, leaves, _along_leaves(rotation) if inner is None else inner)
    boxes = repair_boxes(boxes, report=report, place=f"{place}: node {{}}".format)
    labels = [root.label or "shape"]
    for node, parent in nodes[1:]:
        labels.append(f"{labels[parent]}/{node.label or 'part'}")
    tree = PartTree(
        box=boxes,
        parent=np.array([parent for _, parent in nodes]),
        label=tuple(labels),
        name=name,
    )
    given = [node.instance for node, _ in nodes]
    if None not in given and len(set(given)) == len(given):
        tree = replace(tree, instance=np.array(given, dtype=np.int64))
    # Left-right mirrors are preferred to others: they are looked for where left-right is x.
    turned = detect_relations(tree.transformed(rotation=rotation), tolerance=TOLERANCE)
    edges = turned.transformed(rotation=rotation.T).edges
    known = {(edge.a, edge.b) for edge in edges if edge.kind is RelationKind.ADJ}
    fresh = sorted(_touching(tree) - known)
    return replace(tree, edges=(*edges, *(Relation(RelationKind.ADJ, a, b) for a, b in fresh)))


def _touching(tree: PartTree) -> set[tuple[int, int]]:
    """Siblings ``(a, b)``, a < b, some leaves of which meet as they stand.

    The detection averages parts that are nearly regular, which can part what meets exactly.
    """
    leaves = np.flatnonzero(tree.is_leaf)
    pairs = leaves[pairs_of(len(leaves))]
    reach = _MEETING * float(np.linalg.norm(np.ptp(box_algebra.bounds(tree.boxes()), axis=0)))
    found: set[tuple[int, int]] = set()
    parent, depth = tree.parent.tolist(), tree.depth.tolist()
    for a, b in pairs[gaps(tree.box, pairs, beyond=reach) <= reach].tolist():
        while parent[a] != parent[b]:
            if depth[a] >= depth[b]:
                a = parent[a]
            else:
                b = parent[b]
        found.add((min(a, b), max(a, b)))
    return found


def _pieces(corners: Array) -> list[Array]:
    """Triangles ``(3 t, 3)`` grouped by the points that they share."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    # Files round: points closer than a millionth of the size are one.
    grid = max(float(np.ptp(corners, axis=0).max()), 1e-30) * 1e-6
    _, point = np.unique(np.round(corners / grid).astype(np.int64), axis=0, return_inverse=True)
    faces = point.reshape(-1, 3)
    ends = np.concatenate([faces[:, :2], faces[:, 1:]])
    count = int(faces.max()) + 1
    links = coo_array((np.ones(len(ends)), (ends[:, 0], ends[:, 1])), shape=(count, count))
    number, piece = connected_components(links, directed=False)
    if number > MAX_PARTS:
        raise ValueError(f"the mesh falls into {number} pieces; at most {MAX_PARTS} are read")
    of_corner = np.repeat(piece[faces[:, 0]], 3)
    return [corners[of_corner == k] for k in range(number)]


def _flattened(root: MeshNode, place: str) -> Iterator[tuple[MeshNode, int]]:
    """Nodes in depth-first order with their parents' numbers."""
    stack: list[tuple[MeshNode, int, int]] = [(root, -1, 0)]
    number = 0
    while stack:
        node, parent, depth = stack.pop()
        if number >= MAX_PARTS or depth > MAX_DEPTH:
            raise ValueError(f"{place}: at most {MAX_PARTS} parts in {MAX_DEPTH} levels are read")
        yield node, parent
        stack.extend((child, number, depth + 1) for child in reversed(node.children))
        number += 1


def _boxes(
    nodes: list[tuple[MeshNode, int]], leaves: list[Array], inner: Callable[[Array, Array], Array]
) -> Array:
    boxes = np.zeros((len(nodes), 12))
    below: list[list[Array]] = [[] for _ in nodes]
    parts: list[list[Array]] = [[] for _ in nodes]
    for number in range(len(nodes) - 1, -1, -1):
        node, parent = nodes[number]
        if node.vertices is not None:
            boxes[number] = leaves.pop()
            below[number] = [node.vertices]
            parts[number] = [boxes[number]]
        else:
            # The whole shape is not turned to any of its parts.
            axes = np.stack(parts[number]) if number else np.empty((0, 12))
            boxes[number] = inner(np.concatenate(below[number]), axes)
        if parent >= 0:
            below[parent] += below[number]
            parts[parent] += parts[number]
    return boxes


def _along_leaves(rotation: Array) -> Callable[[Array, Array], Array]:
    """What makes boxes ``(12,)`` of inner nodes, upright after a rotation or along a leaf."""

    def fit(points: Array, leaves: Array) -> Array:
        frames = np.concatenate([rotation[None], box_algebra.axes(leaves)])
        # Equal frames once: most leaves share theirs.
        frames = frames[np.sort(np.unique(frames.round(5), axis=0, return_index=True)[1])]
        inner = points @ frames.transpose(0, 2, 1)  # (f, v, 3)
        low, high = inner.min(1), inner.max(1)
        sides = high - low
        volumes = np.maximum(sides, 1e-3 * sides.max()).prod(1)
        best = int(volumes.argmin())
        chosen = 0 if volumes[0] <= UPRIGHT_SHARE * volumes[best] else best
        middle = 0.5 * (low[chosen] + high[chosen]) @ frames[chosen]
        box = np.concatenate([middle, sides[chosen], *frames[chosen][:2]])
        return canonical_box(box)

    return fit
