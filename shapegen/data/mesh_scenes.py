"""The node hierarchies of mesh files (GLB, OBJ, ...), transforms applied, in the file's order.

Nodes are told apart by their place, not by name: names may occur twice or not at all.
"""

from __future__ import annotations

import re
from itertools import groupby
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from shapegen.data.mesh_nodes import MAX_PARTS, MeshNode, label_of
from shapegen.formats.compressed import MAX_BYTES, existing
from shapegen.formats.gltf_meshes import GltfNode, read_gltf
from shapegen.formats.obj_reading import read_obj

MESH_EXTENSIONS = (".glb", ".gltf", ".obj", ".ply", ".stl")
"""Kinds of files that are imported."""
_MAX_FILE_NODES = 10 * MAX_PARTS

Up = Literal["y", "z"]
"""Up axis of a file: ``"y"`` with front +z (glTF), or ``"z"`` with front -y (Blender, CAD)."""

Array = NDArray[np.float64]

_UP: dict[str, Array] = {
    "y": np.eye(3),
    "z": np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]]),
}


def read_mesh_nodes(path: str | Path, *, up: Up = "y") -> MeshNode:
    """Read a file's nodes; those without triangles below them are left out.

    Args:
        path: ``.glb``, ``.gltf``, ``.obj``, ``.ply`` or ``.stl``.
        up: Up axis of the file.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is damaged, too large, or holds no triangles.
    """
    turn = turn_of(up)
    path = existing(path)
    extension = path.suffix.lower()
    if extension not in MESH_EXTENSIONS:
        accepted = ", ".join(MESH_EXTENSIONS)
        raise ValueError(f"{path}: meshes are read from {accepted}; got {path.suffix or 'none'}")
    size = path.stat().st_size
    if size == 0:
        raise ValueError(f"{path} is empty; a file of 0 bytes holds no mesh")
    if size > MAX_BYTES:
        raise ValueError(f"{path} is larger than {MAX_BYTES} bytes; that is the most that is read")
    if extension in (".glb", ".gltf"):
        roots = read_gltf(path, max_nodes=_MAX_FILE_NODES)
        found = [_of_gltf(node, turn) for node in roots]
    elif extension == ".obj":
        found = _of_obj(path, turn)
    else:
        found = [_leaf("", _triangles(path), turn)]
    children = [node for node in found if node is not None]
    if not children:
        raise ValueError(f"{path} holds no triangles of any size; at least one is needed")
    return MeshNode("", children)


def read_corners(path: str | Path) -> Array:
    """Read all triangles of a file as the corners ``(3 t, 3)`` of one part.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is damaged, too large, or holds no triangles.
    """
    found: list[Array] = []
    stack = [read_mesh_nodes(path)]
    while stack:
        node = stack.pop()
        stack.extend(node.children)
        if node.vertices is not None:
            found.append(node.vertices)
    return np.concatenate(found)


def turn_of(up: str) -> Array:
    """The rotation ``(3, 3)`` from a file's frame to that of the toolkit.

    Raises:
        ValueError: It is neither ``"y"`` nor ``"z"``.
    """
    if up not in get_args(Up):
        raise ValueError(f"up must be one of {get_args(Up)}; got {up!r}")
    return _UP[up]


def is_mesh(path: Path) -> bool:
    """Whether a path is a file of a kind that is imported."""
    return path.suffix.lower() in MESH_EXTENSIONS and path.is_file()


def _of_gltf(node: GltfNode, turn: Array) -> MeshNode | None:
    """A node and all below it; recursion is bounded by the depth that is accepted."""
    label = _label(node)
    if _is_split(node):
        # The exporter made a node of every material of one object's mesh.
        corners = [part for child in node.children for part in child.triangles]
        return _leaf(label, np.concatenate(corners), turn)
    below = [_of_gltf(child, turn) for child in node.children]
    children = [child for child in below if child is not None]
    own = [_leaf(label, triangles, turn) for triangles in node.triangles]
    bodies = [leaf for leaf in own if leaf is not None]
    if not children and len(bodies) <= 1:
        return bodies[0] if bodies else None
    if children:
        bodies = [MeshNode(f"{label or 'part'}_body", vertices=body.vertices) for body in bodies]
    return MeshNode(label, bodies + children)


def _label(node: GltfNode) -> str:
    """What a node is called; ours, and what programs made of them, say a label."""
    said = node.extras.get("label")
    name = said if isinstance(said, str) else node.name or node.mesh
    return label_of(name.rpartition("/")[2])


def _is_split(node: GltfNode) -> bool:
    """Whether all children are one object's mesh by material, as Sketchfab's exporter names them.

    They are called ``object_material_0``; a lone one, in newer files, ``Object_7``.
    """
    if node.triangles or not node.children:
        return False
    lone = len(node.children) == 1 and bool(label_of(node.name))
    for child in node.children:
        names = [rf"{re.escape(f'{node.name}_{material}')}_\d+" for material in child.materials]
        names += [r"Object_\d+"] if lone else []
        if child.children or not any(re.fullmatch(name, child.name) for name in names):
            return False
    return True


def _of_obj(path: Path, turn: Array) -> list[MeshNode | None]:
    """A node an object, with one a group below it where it has several."""
    vertices, parts = read_obj(path)
    if not np.isfinite(vertices).all():
        raise ValueError(f"{path}: a vertex is not finite")
    objects = [list(found) for _, found in groupby(parts, key=lambda part: part.number)]
    nodes: list[MeshNode | None] = []
    for groups in objects:
        # Where there is one object at most, its groups are the parts.
        names = [part.group or part.object for part in groups]
        if len(groups) == 1 and groups[0].object:
            names = [groups[0].object]
        below = [
            _leaf(label_of(name), vertices[part.faces], turn)
            for name, part in zip(names, groups, strict=True)
        ]
        leaves = [leaf for leaf in below if leaf is not None]
        if len(leaves) > 1 and len(objects) > 1:
            nodes.append(MeshNode(label_of(groups[0].object), leaves))
        else:
            nodes += leaves
    return nodes


def _triangles(path: Path) -> Array:
    """Corners ``(t, 3, 3)`` of a file that knows no parts."""
    import trimesh

    try:
        mesh: Any = trimesh.load_mesh(path, process=False)
        corners = np.asarray(mesh.vertices, dtype=np.float64)[np.asarray(mesh.faces)]
    # On damaged bytes trimesh raises whatever its parsers run into.
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ValueError(f"{path}: not a mesh, damaged or cut off ({reason})") from None
    if not np.isfinite(corners).all():
        raise ValueError(f"{path}: a vertex is not finite")
    return corners


def _leaf(label: str, triangles: Array, turn: Array) -> MeshNode | None:
    """A part, unless it has no extent: programs hide objects by a scale of zero."""
    points = triangles.reshape(-1, 3)
    if not len(points) or not np.ptp(points, axis=0).any():
        return None
    return MeshNode(label, vertices=np.asarray(points @ turn.T))
