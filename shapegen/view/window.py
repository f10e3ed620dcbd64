"""A window on shapes with Open3D."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from types import ModuleType
from typing import Any

import numpy as np

from shapegen.scene import Boxes, Mesh, Node, Points, Scene, face_colors, part_mesh

HELP = "N, right: next shape; P, left: previous; R: reset the view; Q: close"


def show(
    scenes: Scene | Sequence[Scene], *, title: str = "shapegen", frames: int | None = None
) -> None:
    """Open a window on one scene at a time; N and P go through them, the mouse turns.

    Args:
        scenes: At least one scene with something to see.
        title: Of the window.
        frames: Close after this many frames; None: when the user closes it.

    Raises:
        ValueError: There is nothing to show.
        RuntimeError: Open3D is missing, or there is no display.
    """
    shown = [scenes] if isinstance(scenes, Scene) else list(scenes)
    if not shown:
        raise ValueError("a window needs at least one scene; got none")
    bounds = [scene.bounds() for scene in shown]
    o3d = _open3d()
    window = o3d.visualization.VisualizerWithKeyCallback()
    if not window.create_window(window_name=title, width=1100, height=820):
        raise RuntimeError("no window could be opened: OpenGL does not work on this display")
    try:
        _run(window, o3d, shown, bounds, frames)
    finally:
        window.destroy_window()


def geometries(scene: Scene) -> list[Any]:
    """The points, boxes and meshes of a scene as Open3D geometries, coloured.

    Raises:
        RuntimeError: Open3D is missing.
    """
    o3d = _imported()
    made = [_geometry(o3d, node) for node in scene.nodes]
    return [geometry for geometry in made if geometry is not None]


def _run(
    window: Any,
    o3d: ModuleType,
    scenes: Sequence[Scene],
    bounds: Sequence[Any],
    frames: int | None,
) -> None:
    options = window.get_render_option()
    options.background_color = np.ones(3)
    options.light_on = True
    options.point_size = 4.0
    at = 0

    def put(step: int) -> bool:
        nonlocal at
        at = (at + step) % len(scenes)
        window.clear_geometries()
        for geometry in geometries(scenes[at]):
            window.add_geometry(geometry, reset_bounding_box=True)
        view = window.get_view_control()
        view.set_lookat(bounds[at].mean(0))
        view.set_front([0.53, 0.35, 0.77])
        view.set_up([0.0, 1.0, 0.0])
        return True

    right, left = 262, 263  # GLFW's codes of the arrow keys
    for key, step in ((ord("N"), 1), (right, 1), (ord("P"), -1), (left, -1), (ord("R"), 0)):
        window.register_key_callback(key, lambda _, step=step: put(step))
    put(0)
    drawn = 0
    while window.poll_events() and (frames is None or drawn < frames):
        window.update_renderer()
        drawn += 1


def _geometry(o3d: ModuleType, node: Node) -> Any:
    if isinstance(node.primitive, Points):
        cloud = o3d.geometry.PointCloud(o3d.utility.Vector3dVector(node.primitive.positions))
        if node.primitive.colors is None:
            cloud.paint_uniform_color(node.color)
        else:
            cloud.colors = o3d.utility.Vector3dVector(node.primitive.colors)
        return cloud
    if not isinstance(node.primitive, Boxes | Mesh):
        return None
    mesh = part_mesh(node)
    # Corners of their own give every face its own colour and its own flat normal.
    corners = mesh.vertices[mesh.faces].reshape(-1, 3)
    solid = o3d.geometry.TriangleMesh(
        o3d.utility.Vector3dVector(corners),
        o3d.utility.Vector3iVector(np.arange(len(corners)).reshape(-1, 3)),
    )
    colors = np.repeat(face_colors(mesh, node), 3, axis=0)
    solid.vertex_colors = o3d.utility.Vector3dVector(colors)
    solid.compute_vertex_normals()
    return solid


def _open3d() -> ModuleType:
    o3d = _imported()
    if sys.platform == "linux" and not (
        os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    ):
        raise RuntimeError(
            "the window needs a display, and DISPLAY is not set; "
            "without one use the picture: shapegen view --backend image"
        )
    return o3d


def _imported() -> ModuleType:
    try:
        import open3d
    # A missing system library (libGL, libusb, ...) is an OSError of the dynamic loader.
    except (ImportError, OSError) as error:
        raise RuntimeError(
            f"the window needs Open3D, which cannot be loaded ({error}); "
            "install it with: pip install 'shapegen[viewer]'"
        ) from None
    module: ModuleType = open3d
    return module
