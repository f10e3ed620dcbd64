"""People's own shapes: meshes (GLB, OBJ, ...) to part trees with boxes, labels and relations."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from shapegen.data.bounding import oriented_box, upright_box
from shapegen.formats.compressed import MAX_BYTES, existing
from shapegen.formats.gltf import read_document
from shapegen.structures.files import read_part_trees
from shapegen.structures.glb_trees import is_own_glb, read_glb_trees
from shapegen.structures.part_tree import PartTree, PartTrees
from shapegen.structures.relations import detect_relations
from shapegen.structures.repair import RepairReport, repair_boxes

MESH_EXTENSIONS = (".glb", ".gltf", ".obj", ".ply", ".stl")
"""Kinds of files that are imported."""
MAX_PARTS = 1000
"""Most nodes of an imported shape."""
MAX_DEPTH = 64
_MAX_FILE_NODES = 10 * MAX_PARTS

Up = Literal["y", "z"]
"""Up axis of a file: ``"y"`` with front +z (glTF), or ``"z"`` with front -y (Blender, CAD)."""

_UP: dict[str, NDArray[np.float64]] = {
    "y": np.eye(3),
    "z": np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]]),
}
_SUFFIX = re.compile(r"([._ -]?\d+)+$")
_ODD = re.compile(r"[^a-z0-9]+")


@dataclass(frozen=True)
class Imported:
    """What came of a folder."""

    trees: PartTrees
    rejects: tuple[str, ...] = ()
    """A line for every file that could not be taken: which, and why."""
    repairs: RepairReport = field(default_factory=RepairReport)
    """Boxes that were mended, flat parts among them."""


def import_folder(path: str | Path, *, up: Up = "y") -> Imported:
    """Import every mesh file in a folder and its subfolders, or else its files of part trees.

    Args:
        path: The folder; a single file is taken as well.
        up: Up axis of the meshes.

    Raises:
        FileNotFoundError: There is nothing at ``path``.
        ValueError: It holds no file of shapes.
    """
    _turn(up)  # a wrong axis is refused once, not with every file
    path = existing(path)
    trees: list[PartTree] = []
    rejects: list[str] = []
    repairs = RepairReport()
    files = sorted(p for p in path.rglob("*") if _is_mesh(p)) if path.is_dir() else [path]
    if not any(map(_is_mesh, files)):
        read = read_part_trees(path, report=repairs, rejects=rejects)
        return Imported(read, tuple(rejects), repairs)
    for file in files:
        name = file.relative_to(path).with_suffix("").as_posix() if file != path else file.stem
        try:
            found = import_file(file, up=up, report=repairs)
        except (ValueError, OSError) as error:
            rejects.append(str(error))
            continue
        trees += [replace(tree, name=name) for tree in found] if len(found) == 1 else found
    return Imported(PartTrees(trees), tuple(rejects), repairs)


def import_file(
    path: str | Path, *, up: Up = "y", report: RepairReport | None = None
) -> PartTrees:
    """Read a mesh file: the part trees in a ``.glb`` of ours, else one tree of boxes.

    Args:
        path: As in :func:`import_mesh`; so are the others.
        up: Up axis of the file.
        report: Gets the counts of mended boxes; without it they are warned of.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is damaged or holds no triangles.
    """
    if Path(path).suffix.lower() == ".glb" and is_own_glb(path):
        return read_glb_trees(path, report=report)
    return PartTrees([import_mesh(path, up=up, report=report)])


def import_mesh(path: str | Path, *, up: Up = "y", report: RepairReport | None = None) -> PartTree:
    """Turn a mesh file into a part tree.

    Every node with triangles becomes a leaf with the smallest oriented box around them (upright
    where that is hardly larger); a node above others gets the axis-aligned box of its leaves.
    Names become labels without their numbers (``Leg.001``: ``leg``). A file without a hierarchy
    is cut into its connected pieces. Relations are detected.

    Args:
        path: ``.glb``, ``.gltf``, ``.obj``, ``.ply`` or ``.stl``.
        up: Up axis of the file.
        report: Gets the counts of mended boxes; without it they are warned of.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is damaged, holds no triangles, or has more than 1000 parts.
    """
    turn = _turn(up)
    path = existing(path)
    root = _stripped(_loaded(path, turn))
    nodes = list(_flattened(root, path))
    boxes = _boxes(nodes)
    counts = RepairReport() if report is None else report
    boxes = repair_boxes(boxes, report=counts, place=f"{path}: node {{}}".format)
    if report is None:
        counts.warn(path)
    labels = [root.label or label_of(path.stem) or "shape"]
    for node, parent in nodes[1:]:
        labels.append(f"{labels[parent]}/{node.label or 'part'}")
    tree = PartTree(
        box=boxes,
        parent=np.array([parent for _, parent in nodes]),
        label=tuple(labels),
        name=path.stem,
    )
    return detect_relations(tree)


@dataclass
class _Node:
    label: str
    children: list[_Node] = field(default_factory=list)
    vertices: NDArray[np.float64] | None = None
    """Corners ``(v, 3)`` of a leaf's triangles."""


def _turn(up: str) -> NDArray[np.float64]:
    if up not in get_args(Up):
        raise ValueError(f"up must be one of {get_args(Up)}; got {up!r}")
    return _UP[up]


def _is_mesh(path: Path) -> bool:
    return path.suffix.lower() in MESH_EXTENSIONS and path.is_file()


def _loaded(path: Path, turn: NDArray[np.float64]) -> _Node:
    """The file's nodes; those without triangles below them are left out."""
    import trimesh

    if path.suffix.lower() not in MESH_EXTENSIONS:
        accepted = ", ".join(MESH_EXTENSIONS)
        raise ValueError(f"{path}: meshes are read from {accepted}; got {path.suffix or 'none'}")
    if path.stat().st_size > MAX_BYTES:
        raise ValueError(f"{path} is larger than {MAX_BYTES} bytes; that is the most that is read")
    if path.suffix.lower() in (".glb", ".gltf"):
        read_document(path, max_nodes=_MAX_FILE_NODES)
    options: dict[str, Any] = {"process": False, "skip_materials": True}
    if path.suffix.lower() == ".obj":
        # Some programs write an object a part, others one object with a group a part.
        objects = {line for line in path.read_bytes().splitlines() if line.startswith(b"o ")}
        several = len(objects) > 1
        options |= {"split_objects": several, "split_groups": not several}
        options["group_material"] = False
    try:
        scene = trimesh.load_scene(path, **options)
        root = _scene_node(scene, path.name, turn)
    # On damaged bytes trimesh raises whatever its parsers run into.
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ValueError(f"{path}: not a mesh, damaged or cut off ({reason})") from None
    if root is None:
        raise ValueError(f"{path} holds no triangles; at least one is needed")
    return root


def _scene_node(scene: Any, file: str, turn: NDArray[np.float64]) -> _Node | None:
    graph = scene.graph
    below: dict[str, list[str]] = graph.transforms.children
    parents: dict[str, str] = graph.transforms.parents
    order = [graph.base_frame]
    seen = set(order)
    for name in order:
        fresh = [child for child in below.get(name, []) if child not in seen]
        order.extend(fresh)
        seen.update(fresh)
    made: dict[str, _Node] = {}
    for name in reversed(order):
        matrix, geometry = graph.get(name)
        children = [made[child] for child in below.get(name, []) if child in made]
        vertices = _vertices(scene.geometry.get(geometry), matrix, turn)
        # Files without names get some from the loader, after the file or by number.
        made_up = name in (graph.base_frame, file) or name.startswith("geometry_")
        # Our own files, and what modelling programs make of them, say the label beside the name.
        said = graph.transforms.edge_data.get((parents.get(name), name), {}).get("metadata", {})
        label = "" if made_up else label_of(str(said.get("label", name)).rpartition("/")[2])
        if vertices is None and not children:
            continue
        if vertices is not None and children:
            children.insert(0, _Node(f"{label or 'part'}_body", vertices=vertices))
            vertices = None
        made[name] = _Node(label, children, vertices)
    return made.get(graph.base_frame)


def _vertices(
    geometry: Any, matrix: NDArray[np.float64], turn: NDArray[np.float64]
) -> NDArray[np.float64] | None:
    import trimesh

    if not isinstance(geometry, trimesh.Trimesh) or not len(geometry.faces):
        return None
    used = np.asarray(geometry.vertices, dtype=np.float64)[np.asarray(geometry.faces)]
    points = used.reshape(-1, 3) @ matrix[:3, :3].T + matrix[:3, 3]
    if not np.isfinite(points).all():
        raise ValueError("a vertex is not finite")
    return np.asarray(points @ turn.T)


def label_of(name: str) -> str:
    """A label from the name of a node: lower case, words joined by ``_``, no closing number.

    Example:
        >>> label_of("Front Leg.001")
        'front_leg'
    """
    lowered = name.lower().strip()
    return _ODD.sub("_", _SUFFIX.sub("", lowered)).strip("_")


def _stripped(root: _Node) -> _Node:
    """Drop wrappers at the top, and cut a single piece of triangles where it falls apart."""
    while len(root.children) == 1:
        (root,) = root.children
    if root.vertices is not None:
        pieces = _pieces(root.vertices)
        if len(pieces) > 1:
            return _Node(root.label, [_Node("part", vertices=piece) for piece in pieces])
        return _Node(root.label, [root])
    return root


def _pieces(corners: NDArray[np.float64]) -> list[NDArray[np.float64]]:
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


def _flattened(root: _Node, path: Path) -> Iterator[tuple[_Node, int]]:
    """Nodes in depth-first order with their parents' numbers."""
    stack: list[tuple[_Node, int, int]] = [(root, -1, 0)]
    for number in itertools.count():
        if not stack:
            return
        node, parent, depth = stack.pop()
        if number >= MAX_PARTS or depth > MAX_DEPTH:
            raise ValueError(f"{path}: at most {MAX_PARTS} parts in {MAX_DEPTH} levels are read")
        yield node, parent
        stack.extend((child, number, depth + 1) for child in reversed(node.children))


def _boxes(nodes: list[tuple[_Node, int]]) -> NDArray[np.float64]:
    boxes = np.zeros((len(nodes), 12))
    low = np.full((len(nodes), 3), np.inf)
    high = -low
    for number in range(len(nodes) - 1, -1, -1):
        node, parent = nodes[number]
        if node.vertices is None:
            boxes[number] = upright_box(low[number], high[number])
        else:
            boxes[number] = oriented_box(node.vertices)
            low[number], high[number] = node.vertices.min(0), node.vertices.max(0)
        if parent >= 0:
            low[parent] = np.minimum(low[parent], low[number])
            high[parent] = np.maximum(high[parent], high[number])
    return boxes
