"""The node hierarchies of mesh files (GLB, OBJ, ...), transforms applied, in the file's order.

Nodes of glTF files are told apart by number, not by name: names may occur twice or not at all.
"""

from __future__ import annotations

import io
import json
import struct
import warnings
from pathlib import Path
from typing import Any, Literal, get_args
from urllib.parse import unquote

import numpy as np
from numpy.typing import NDArray

from shapegen.data.mesh_nodes import MAX_PARTS, MeshNode, label_of
from shapegen.formats.compressed import MAX_BYTES, existing, read_bytes
from shapegen.formats.gltf import read_document

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
_COMPRESSED = ("KHR_draco_mesh_compression", "EXT_meshopt_compression")
_HEADER = struct.Struct("<4sIIII")


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
    names: list[str] = []
    if extension in (".glb", ".gltf"):
        document = read_document(path, max_nodes=_MAX_FILE_NODES)
        _refuse_compressed(document, path)
        _refuse_missing(document, path)
        names = _names(document)
    try:
        scene = _gltf_scene(path, document) if names else _scene(path)
        root = _scene_node(scene, names, path.name, turn)
    # On damaged bytes trimesh raises whatever its parsers run into.
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ValueError(f"{path}: not a mesh, damaged or cut off ({reason})") from None
    if root is None:
        raise ValueError(f"{path} holds no triangles; at least one is needed")
    return root


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


def _refuse_compressed(document: dict[str, Any], path: Path) -> None:
    used = document.get("extensionsRequired", [])
    for name in _COMPRESSED:
        if isinstance(used, list) and name in used:
            raise ValueError(f"{path}: its meshes are compressed ({name}); save it without that")
    accessors = document.get("accessors", [])
    for mesh in document.get("meshes", []):
        for primitive in mesh["primitives"]:
            number = primitive["attributes"].get("POSITION")
            if number is not None and accessors[number].get("normalized"):
                raise ValueError(f"{path}: its vertices are quantised; save it without that")


def _refuse_missing(document: dict[str, Any], path: Path) -> None:
    for buffer in document.get("buffers", []):
        if _is_beside(buffer) and not (path.parent / unquote(buffer["uri"])).is_file():
            raise ValueError(f"{path}: its file {buffer['uri'][:80]!r} is not beside it")


def _is_beside(buffer: dict[str, Any]) -> bool:
    """Whether a buffer lies in a file of its own."""
    uri = buffer.get("uri")
    return isinstance(uri, str) and not uri.startswith("data:")


def _names(document: dict[str, Any]) -> list[str]:
    """A name for every node of a glTF file; ours, and what programs made of them, say a label."""
    names = []
    for node in document.get("nodes", []):
        extras = node.get("extras")
        label = extras.get("label") if isinstance(extras, dict) else None
        name = label if isinstance(label, str) else node.get("name")
        names.append(name.rpartition("/")[2] if isinstance(name, str) else "")
    return names


def _gltf_scene(path: Path, document: dict[str, Any]) -> Any:
    """Load a glTF file with its nodes named by number."""
    import trimesh

    nodes = [{**node, "name": str(number)} for number, node in enumerate(document["nodes"])]
    # The loader takes names of files as they stand.
    buffers = [
        {**each, "uri": unquote(each["uri"])} if _is_beside(each) else each
        for each in document.get("buffers", [])
    ]
    text = json.dumps({**document, "nodes": nodes, "buffers": buffers}).encode()
    options: dict[str, Any] = {"process": False, "skip_materials": True}
    if path.suffix.lower() == ".gltf":
        resolver = trimesh.resolvers.FilePathResolver(str(path))
        return trimesh.load_scene(io.BytesIO(text), file_type="gltf", resolver=resolver, **options)
    data = read_bytes(path)
    magic, version, _, size, kind = _HEADER.unpack_from(data)
    text += b" " * (-len(text) % 4)
    rest = data[_HEADER.size + size :]
    header = _HEADER.pack(magic, version, _HEADER.size + len(text) + len(rest), len(text), kind)
    return trimesh.load_scene(io.BytesIO(header + text + rest), file_type="glb", **options)


def _scene(path: Path) -> Any:
    import trimesh

    options: dict[str, Any] = {"process": False, "skip_materials": True}
    if path.suffix.lower() == ".obj":
        # Some programs write an object a part, others one object with a group a part.
        objects = {line for line in path.read_bytes().splitlines() if line.startswith(b"o ")}
        several = len(objects) > 1
        options |= {"split_objects": several, "split_groups": not several}
        options["group_material"] = False
    with warnings.catch_warnings():
        # What NumPy says of damaged numbers is said by the check of the vertices.
        warnings.simplefilter("ignore", RuntimeWarning)
        return trimesh.load_scene(path, **options)


def _scene_node(scene: Any, names: list[str], file: str, turn: Array) -> MeshNode | None:
    graph = scene.graph
    below: dict[str, list[str]] = graph.transforms.children
    order = [graph.base_frame]
    seen = set(order)
    for name in order:
        fresh = [child for child in below.get(name, []) if child not in seen]
        order.extend(fresh)
        seen.update(fresh)
    made: dict[str, MeshNode] = {}
    for name in reversed(order):
        matrix, geometry = graph.get(name)
        pieces = [made.pop(c) for c in below.get(name, []) if c in made and _is_piece(c, names)]
        corners = [piece.vertices for piece in pieces if piece.vertices is not None]
        own = _vertices(scene.geometry.get(geometry), matrix, turn)
        corners += [] if own is None else [own]
        vertices = np.concatenate(corners) if corners else None
        children = [made[child] for child in below.get(name, []) if child in made]
        if vertices is None and not children:
            continue
        if names:
            # The loader walks from the last child to the first.
            children.sort(key=lambda child: child.order)
            # The loader adds a root of its own.
            number = int(name) if name.isdigit() and int(name) < len(names) else 0
            said = names[number] if str(number) == name else ""
        else:
            number, said = 0, str(name)
        # Files without names get some from the loader, after the file or by number.
        made_up = said in (graph.base_frame, file) or said.startswith("geometry_")
        label = "" if made_up else label_of(said.rpartition("/")[2])
        if vertices is not None and children:
            children.insert(0, MeshNode(f"{label or 'part'}_body", vertices=vertices))
            vertices = None
        made[name] = MeshNode(label, children, vertices, order=number)
    return made.get(graph.base_frame)


def _is_piece(name: str, names: list[str]) -> bool:
    """Whether the loader made a node of one material of a glTF node's mesh: ``7_a1b2c3``."""
    number, _, rest = name.partition("_")
    return bool(names and rest and number.isdigit())


def _vertices(geometry: Any, matrix: Array, turn: Array) -> Array | None:
    import trimesh

    if not isinstance(geometry, trimesh.Trimesh) or not len(geometry.faces):
        return None
    used = np.asarray(geometry.vertices, dtype=np.float64)[np.asarray(geometry.faces)]
    if not (np.isfinite(used).all() and np.isfinite(matrix).all()):
        raise ValueError("a vertex is not finite")
    points = used.reshape(-1, 3) @ matrix[:3, :3].T + matrix[:3, 3]
    return np.asarray(points @ turn.T)
