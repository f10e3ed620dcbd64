"""Wavefront OBJ with its MTL: a named group a part, boxes as quads."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from shapegen.core import boxes as box_algebra
from shapegen.formats.atomic import replacing
from shapegen.scene import (
    Boxes,
    Colour,
    Mesh,
    Node,
    Points,
    Scene,
    face_colors,
    part_mesh,
    positions,
)

Float = NDArray[np.float64]
Int = NDArray[np.int64]


def write_obj(scene: Scene, path: str | Path) -> None:
    """Write ``path`` and, beside it, the materials in a file of the same name with ``.mtl``.

    Raises:
        ValueError: There are no points, boxes or meshes in the scene.
    """
    scene.bounds()
    path = Path(path)
    materials: dict[Colour, str] = {}
    lines = ["# shapegen", f"mtllib {path.with_suffix('.mtl').name}"]
    counts = [1, 1]  # OBJ counts vertices and normals from 1, over the whole file
    for node in scene.nodes:
        if len(positions(node)):
            lines += _part(node, counts, materials)
    with replacing(path.with_suffix(".mtl")) as aside:
        aside.write_text(
            "\n".join(["# shapegen", *_materials(materials)]) + "\n",
            encoding="utf-8",
            newline="\n",
        )
    with replacing(path) as aside:
        aside.write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")


def _part(node: Node, counts: list[int], materials: dict[Colour, str]) -> list[str]:
    name = _word(node.name)
    lines = [f"o {name}", f"g {name}"]
    if "label" in node.extras:
        lines.append(f"# label {node.extras['label']}")
    points = positions(node)
    first, first_normal = counts
    counts[0] += len(points)
    if isinstance(node.primitive, Points):
        colors = node.primitive.colors
        rows = points if colors is None else np.concatenate([points, colors], axis=1)
        lines += [f"v {_text(row)}" for row in rows]
        return [*lines, *(f"p {first + i}" for i in range(len(points)))]
    mesh = node.primitive
    if isinstance(mesh, Mesh) and mesh.vertex_colors is not None and mesh.face_colors is None:
        return lines + _smooth(mesh, counts, first, first_normal)
    lines += [f"v {_text(row)}" for row in points]
    faces, shades = _faces(node)
    sides = points[faces]
    normals = np.cross(sides[:, 1] - sides[:, 0], sides[:, 2] - sides[:, 0])
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-30)
    lines += [f"vn {_text(row)}" for row in normals]
    counts[1] += len(normals)
    current = None
    for number, (face, color) in enumerate(zip(faces, shades, strict=True)):
        if color != current:
            current = color
            lines.append(f"usemtl {_material(color, name, materials)}")
        corners = (f"{first + vertex}//{first_normal + number}" for vertex in face.tolist())
        lines.append("f " + " ".join(corners))
    return lines


def _smooth(mesh: Mesh, counts: list[int], first: int, first_normal: int) -> list[str]:
    """A mesh with colours at its vertices: a material a shade would be thousands of them."""
    assert mesh.vertex_colors is not None
    rows = np.concatenate([mesh.vertices, mesh.vertex_colors], axis=1)
    lines = [f"v {_text(row)}" for row in rows]
    if mesh.vertex_normals is None:
        return lines + [f"f {a} {b} {c}" for a, b, c in (mesh.faces + first).tolist()]
    counts[1] += len(mesh.vertices)
    lines += [f"vn {_text(row)}" for row in mesh.vertex_normals]
    step = first_normal - first
    return lines + [
        "f " + " ".join(f"{corner}//{corner + step}" for corner in face)
        for face in (mesh.faces + first).tolist()
    ]


def _faces(node: Node) -> tuple[Int, list[Colour]]:
    """Faces ``(f, 3 or 4)`` by the part's own vertices, and a colour each."""
    if isinstance(node.primitive, Boxes):
        offsets = 8 * np.arange(len(node.primitive.boxes))[:, None, None]
        quads = (box_algebra.QUADS[None] + offsets).reshape(-1, 4)
        return quads, [node.color] * len(quads)
    mesh = part_mesh(node)
    values = np.round(face_colors(mesh, node), 4).tolist()
    return mesh.faces, [(red, green, blue) for red, green, blue in values]


def _material(color: Colour, part: str, materials: dict[Colour, str]) -> str:
    if color not in materials:
        base = re.sub(r"(_\d+)+$", "", part) or "material"
        taken = set(materials.values())
        name, number = base, 1
        while name in taken:
            number += 1
            name = f"{base}_{number}"
        materials[color] = name
    return materials[color]


def _materials(materials: dict[Colour, str]) -> list[str]:
    lines = []
    for color, name in materials.items():
        lines += [f"newmtl {name}", f"Kd {_text(np.array(color))}", "Ks 0.04 0.04 0.04", "Ns 20"]
        lines += ["d 1", "illum 2"]
    return lines


def _word(name: str) -> str:
    """A name that OBJ can hold: no spaces or control characters."""
    return re.sub(r"[\s#\\]+", "_", name) or "part"


def _text(row: Float) -> str:
    return " ".join(f"{round(value, 7) + 0.0:.7g}" for value in row.tolist())
