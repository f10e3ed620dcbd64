"""One solid of all parts, to print: watertight, edge to edge, without walls inside."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from shapegen.core import boxes as box_algebra
from shapegen.scene import Boxes, Mesh, Node, Scene, face_colors


def solid(scene: Scene) -> Scene:
    """Unite all boxes and meshes by manifold3d, in the colours of the parts.

    Raises:
        ValueError: There are none, or one of the meshes is not closed.
        RuntimeError: manifold3d is missing.
    """
    try:
        import manifold3d
    except ImportError:
        raise RuntimeError(
            "a solid needs manifold3d; install it with: pip install 'shapegen[solid]'"
        ) from None
    colors: dict[int, Any] = {}
    pieces = []
    for name, mesh, color in _closed(scene):
        corners = mesh.faces.astype(np.uint64)
        piece = manifold3d.Manifold(manifold3d.Mesh64(mesh.vertices, corners)).as_original()
        if piece.status() != manifold3d.Error.NoError:
            raise ValueError(f"part {name!r} is no closed surface ({piece.status().name})")
        colors[piece.original_id()] = color
        pieces.append(piece)
    if not pieces:
        raise ValueError("the scene has no boxes or meshes, so no solid")
    union = manifold3d.Manifold.batch_boolean(pieces, manifold3d.OpType.Add)
    if union.is_empty():
        raise ValueError("the parts have no volume, so no solid")
    found = union.to_mesh64()
    faces = np.asarray(found.tri_verts, dtype=np.int64)
    runs = np.asarray(found.run_index, dtype=np.int64) // 3
    owners = np.repeat(np.asarray(found.run_original_id), np.diff(runs))
    mesh = Mesh(
        np.asarray(found.vert_properties)[:, :3],
        faces,
        face_colors=np.array([colors[int(owner)] for owner in owners]),
    )
    return Scene((Node("solid", primitive=mesh),))


def _closed(scene: Scene) -> Iterator[tuple[str, Mesh, Any]]:
    """What is united: name, surface and colour. Boxes of one part may overlap: one by one."""
    for node in scene.nodes:
        if isinstance(node.primitive, Boxes):
            for box in node.primitive.boxes:
                yield node.name, Mesh(*box_algebra.mesh(box[None])), node.color
        elif isinstance(node.primitive, Mesh) and len(node.primitive.faces):
            mesh = node.primitive
            yield node.name, mesh, face_colors(mesh, node).mean(0)
