"""Voxels as scenes: a named mesh a shape."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from shapegen.core.grid import grid_offsets
from shapegen.fields.voxel_surface import voxel_surface
from shapegen.scene import Colour, Mesh, Node, Scene

if TYPE_CHECKING:
    from shapegen.fields.voxels import Voxels

COLOR: Colour = (0.72, 0.55, 0.36)


def voxels_scene(voxels: Voxels, *, columns: int | None = None) -> Scene:
    """Lower grids to the surfaces of their full cells, in rows from the back to the front.

    Args:
        voxels: At least one. One alone stays where it is; in a grid every shape stands on the
            ground y = 0. A shape without a full cell is a node with nothing in it.
        columns: Shapes in a row; default about 1.6 times as many as rows.

    Raises:
        ValueError: There are no shapes.
    """
    if not len(voxels):
        raise ValueError("a scene needs at least one shape; got none")
    meshes = [voxel_surface(each.numpy(), voxels.extent) for each in voxels.occupancy]
    if len(meshes) > 1:
        moves = grid_offsets(np.stack([_bounds(mesh) for mesh in meshes]), columns=columns)
        meshes = [
            Mesh(mesh.vertices + move, mesh.faces)
            for mesh, move in zip(meshes, moves, strict=True)
        ]
    return Scene(
        tuple(
            Node(
                name="voxels" if len(meshes) == 1 else f"voxels_{number}",
                primitive=mesh if len(mesh.faces) else None,
                color=COLOR,
                extras={"name": name} if name else {},
            )
            for number, (mesh, name) in enumerate(zip(meshes, voxels.names, strict=True), start=1)
        )
    )


def _bounds(mesh: Mesh) -> np.ndarray:
    if not len(mesh.vertices):
        return np.zeros((2, 3))
    return np.stack([mesh.vertices.min(0), mesh.vertices.max(0)])
