"""Meshes made by hand, for the tests of imports."""

from __future__ import annotations

import numpy as np
import trimesh

LEGS = [(x, z) for x in (-0.4, 0.4) for z in (-0.4, 0.4)]


def placed(size: tuple[float, ...], x: float, y: float, z: float) -> trimesh.Trimesh:
    mesh = trimesh.creation.box(size)
    mesh.apply_translation((x, y, z))
    return mesh


def table(turn: float = 0.0) -> trimesh.Scene:
    """A top and a group of four legs, under a wrapper that turns it."""
    scene = trimesh.Scene()
    matrix = trimesh.transformations.rotation_matrix(turn, [0, 1, 0])
    scene.graph.update(frame_from="world", frame_to="Table", matrix=matrix)
    scene.graph.update(frame_from="Table", frame_to="Legs", matrix=np.eye(4))
    top = placed((1.0, 0.1, 1.0), 0, 0.55, 0)
    scene.add_geometry(top, node_name="Table Top", parent_node_name="Table")
    for number, (x, z) in enumerate(LEGS):
        leg = placed((0.1, 1.0, 0.1), x, 0, z)
        scene.add_geometry(leg, node_name=f"leg.{number:03d}", parent_node_name="Legs")
    return scene
