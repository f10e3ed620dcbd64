"""PLY, binary: vertices with colour, part number and label number; the labels in comments."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shapegen.formats.atomic import replacing
from shapegen.scene import Mesh, Node, Points, Scene, part_mesh

_VERTEX = np.dtype(
    [
        *((name, "<f4") for name in ("x", "y", "z")),
        *((name, "u1") for name in ("red", "green", "blue")),
        ("part", "<i4"),
        ("label", "<i4"),
    ]
)
_FACE = np.dtype([("count", "u1"), ("vertices", "<i4", 3)])


def write_ply(scene: Scene, path: str | Path) -> None:
    """Write a scene as one mesh (and points).

    ``part`` is the number of the node; ``label`` that of a ``comment label NUMBER TEXT`` line.

    Raises:
        ValueError: There are no points, boxes or meshes in the scene.
    """
    scene.bounds()
    labels: dict[str, int] = {}
    vertices, faces, count = [], [], 0
    for number, node in enumerate(scene.nodes):
        if node.primitive is None:
            continue
        own_vertices, own_faces = _part(node)
        if not len(own_vertices):
            continue
        own_vertices["part"] = number
        label = str(node.extras.get("label", node.name))
        own_vertices["label"] = labels.setdefault(label, len(labels))
        own_faces["vertices"] += count
        count += len(own_vertices)
        vertices.append(own_vertices)
        faces.append(own_faces)
    body = np.concatenate(vertices), np.concatenate(faces)
    header = _header(labels, len(body[0]), len(body[1]))
    with replacing(path) as aside:
        aside.write_bytes(header.encode() + body[0].tobytes() + body[1].tobytes())


def _header(labels: dict[str, int], vertices: int, faces: int) -> str:
    lines = ["ply", "format binary_little_endian 1.0", "comment shapegen"]
    lines += [
        f"comment label {number} {' '.join(text.split())}" for text, number in labels.items()
    ]
    lines += [f"element vertex {vertices}"]
    lines += [f"property float {axis}" for axis in "xyz"]
    lines += [f"property uchar {color}" for color in ("red", "green", "blue")]
    lines += ["property int part", "property int label"]
    # Clouds have no faces; some readers stumble over an empty list of them.
    if faces:
        lines += [f"element face {faces}", "property list uchar int vertex_indices"]
    return "\n".join([*lines, "end_header", ""])


def _part(node: Node) -> tuple[NDArray[Any], NDArray[Any]]:
    if isinstance(node.primitive, Points):
        points, colors = node.primitive.positions, node.primitive.colors
        triangles = np.empty((0, 3), np.int64)
    else:
        mesh = _with_vertex_colors(part_mesh(node))
        points, colors, triangles = mesh.vertices, mesh.vertex_colors, mesh.faces
    vertices = np.zeros(len(points), _VERTEX)
    for axis, name in enumerate(("x", "y", "z")):
        vertices[name] = points[:, axis]
    shade = np.tile(np.array(node.color), (len(points), 1)) if colors is None else colors
    for axis, name in enumerate(("red", "green", "blue")):
        vertices[name] = np.rint(255 * shade[:, axis])
    faces = np.zeros(len(triangles), _FACE)
    faces["count"] = 3
    faces["vertices"] = triangles
    return vertices, faces


def _with_vertex_colors(mesh: Mesh) -> Mesh:
    """The same surface with its colours at the vertices: faces of their own colour come apart."""
    if mesh.face_colors is None:
        return mesh
    return Mesh(
        vertices=mesh.vertices[mesh.faces].reshape(-1, 3),
        faces=np.arange(3 * len(mesh.faces)).reshape(-1, 3),
        vertex_colors=np.repeat(mesh.face_colors, 3, axis=0),
    )
