"""Binary glTF 2.0 (.glb): a node a part in its hierarchy, with materials and extras.

Boxes share one unit cube: a part's place, turn and size are its node's translation, rotation and
scale, so that they can be edited as such. Reference: Khronos, *glTF 2.0 Specification*, 2021.
"""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shapegen.core import boxes as box_algebra
from shapegen.core.shading import srgb_to_linear
from shapegen.formats.atomic import replacing
from shapegen.formats.glb_animation import ABSENT, Channels
from shapegen.formats.walks import Walk, walk_of
from shapegen.scene import Boxes, Colour, Mesh, Node, Points, Scene, part_mesh, positions

Float = NDArray[np.float64]

_FLOAT, _UINT = 5126, 5125
_ARRAY_BUFFER, _ELEMENT_BUFFER = 34962, 34963
_POINTS, _TRIANGLES = 0, 4
_ROUGHNESS = 0.75


def write_glb(scene: Scene, path: str | Path) -> None:
    """Write a scene; images are left out.

    Raises:
        ValueError: There are no points, boxes or meshes in the scene.
    """
    _write(walk_of([scene]), path, fps=1.0)


def write_animated_glb(scenes: Sequence[Scene], path: str | Path, *, fps: float = 12.0) -> None:
    """Write scenes that turn into one another as one that moves; images are left out.

    Boxes that keep their identity (:func:`~shapegen.formats.walks.walk_of`) move, turn and grow
    from frame to frame; one that comes or goes grows from nothing or shrinks to it. Points and
    meshes that change are shown one after the other. At rest, before it is played, the file shows
    the first frame; parts that are not in it have ``"absent": true`` in their extras.

    Args:
        scenes: The frames, at least one.
        path: A ``.glb`` file.
        fps: Frames a second.

    Raises:
        ValueError: No scenes, nothing to see in any, or a rate that is not positive.
    """
    if not fps > 0:
        raise ValueError(f"frames a second must be positive; got {fps}")
    _write(walk_of(scenes).frame_by_frame(), path, fps=fps)


def glb_bytes(scene: Scene) -> bytes:
    """The file of :func:`write_glb`."""
    scene.bounds()
    return _Writer(scene, walk_of([scene]), 1.0).glb()


def _write(walk: Walk, path: str | Path, *, fps: float) -> None:
    scene = walk.scene()
    scene.bounds()
    data = _Writer(scene, walk, fps).glb()
    with replacing(path) as aside:
        aside.write_bytes(data)


class _Writer:
    def __init__(self, scene: Scene, walk: Walk, fps: float) -> None:
        self.scene = scene
        self.walk = walk
        self.fps = fps
        self.blob = bytearray()
        self.views: list[dict[str, Any]] = []
        self.accessors: list[dict[str, Any]] = []
        self.meshes: list[dict[str, Any]] = []
        self.materials: dict[tuple[Colour, bool], int] = {}
        self.material_names: list[str] = []
        self.cube: dict[str, Any] | None = None
        self.cubes: dict[int, int] = {}
        self.pivots = _pivots(scene)

    def glb(self) -> bytes:
        nodes = [self._node(number) for number in range(len(self.scene))]
        document: dict[str, Any] = {
            "asset": {"version": "2.0", "generator": "shapegen"},
            "scene": 0,
            "scenes": [{"nodes": [i for i, n in enumerate(self.scene.nodes) if n.parent < 0]}],
            "nodes": nodes,
            "meshes": self.meshes,
            "materials": [
                _material(name, color, vertex_colors)
                for name, (color, vertex_colors) in zip(
                    self.material_names, self.materials, strict=True
                )
            ],
            "accessors": self.accessors,
            "bufferViews": self.views,
        }
        animation = self._animation(nodes) if self.walk.frames > 1 else None
        if animation is not None:
            document["animations"] = [animation]
        document["buffers"] = [{"byteLength": len(self.blob)}]
        text = json.dumps(document, separators=(",", ":"), allow_nan=False).encode()
        text += b" " * (-len(text) % 4)
        blob = bytes(self.blob) + b"\0" * (-len(self.blob) % 4)
        chunks = struct.pack("<I4s", len(text), b"JSON") + text
        chunks += struct.pack("<I4s", len(blob), b"BIN\0") + blob
        return struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks

    def _node(self, number: int) -> dict[str, Any]:
        node = self.scene.nodes[number]
        out: dict[str, Any] = {"name": node.name}
        if self.scene.children[number]:
            out["children"] = list(self.scene.children[number])
        primitive = node.primitive
        pivot = self.pivots[number]
        origin = self.pivots[node.parent] if node.parent >= 0 else np.zeros(3)
        if isinstance(primitive, Boxes) and self._is_single(number):
            out["mesh"] = self._cube_mesh(node)
            out["rotation"] = _numbers(box_algebra.quaternions(primitive.boxes)[0, [1, 2, 3, 0]])
            out["scale"] = _numbers(np.maximum(np.abs(primitive.boxes[0, 3:6]), ABSENT))
        elif len(positions(node)):
            out["mesh"] = self._own_mesh(node, pivot)
        if np.abs(pivot - origin).any():
            out["translation"] = _numbers(pivot - origin)
        if node.extras:
            out["extras"] = dict(node.extras)
        if not self.walk.tracks[number].present[0]:
            out["scale"] = [ABSENT] * 3
            out["extras"] = {**node.extras, "absent": True}
        return out

    def _animation(self, nodes: Sequence[dict[str, Any]]) -> dict[str, Any] | None:
        channels = Channels(self.walk.frames, self.fps, self._add)
        for number, track in enumerate(self.walk.tracks):
            if "mesh" not in nodes[number]:
                continue
            if self._is_single(number):
                parent = track.node.parent
                channels.box(number, track, self.pivots[parent] if parent >= 0 else np.zeros(3))
            else:
                channels.visibility(number, track)
        return channels.document()

    def _is_single(self, number: int) -> bool:
        primitive = self.scene.nodes[number].primitive
        # The scale of a node with children would stretch these too.
        single = isinstance(primitive, Boxes) and len(primitive.boxes) == 1
        return single and not self.scene.children[number]

    def _material(self, node: Node, *, vertex_colors: bool = False) -> int:
        key = ((1.0, 1.0, 1.0) if vertex_colors else node.color, vertex_colors)
        if key not in self.materials:
            self.materials[key] = len(self.materials)
            self.material_names.append(self._material_name(node))
        return self.materials[key]

    def _material_name(self, node: Node) -> str:
        """chair_back_bar of the label chair/chair_back/bar; numbered where it is taken."""
        label = "label" in node.extras
        words = str(node.extras["label"]).split("/")[-2:] if label else [node.name]
        base = "_".join(words if label else [re.sub(r"(_\d+)+$", "", words[0])]) or "material"
        name, number = base, 1
        while name in self.material_names:
            number += 1
            name = f"{base}_{number}"
        return name

    def _cube_mesh(self, node: Node) -> int:
        material = self._material(node)
        if material not in self.cubes:
            if self.cube is None:
                unit = np.array([[0.0, 0, 0, 1, 1, 1, 1, 0, 0, 0, 1, 0]])
                self.cube = self._surface(Mesh(*box_algebra.mesh(unit)), None, flat=True)
            self.cubes[material] = len(self.meshes)
            name = f"box_{self.material_names[material]}"
            primitive = {**self.cube, "material": material}
            self.meshes.append({"name": name, "primitives": [primitive]})
        return self.cubes[material]

    def _own_mesh(self, node: Node, pivot: Float) -> int:
        if isinstance(node.primitive, Points):
            cloud, colors = node.primitive, node.primitive.colors
            attributes = {"POSITION": self._vectors(cloud.positions - pivot, bounded=True)}
            if colors is not None:
                attributes["COLOR_0"] = self._vectors(srgb_to_linear(colors))
            primitive: dict[str, Any] = {"attributes": attributes, "mode": _POINTS}
        else:
            mesh = part_mesh(node)
            # Corners are shared only where the surface is meant to look round.
            flat = isinstance(node.primitive, Boxes) or mesh.face_colors is not None
            colors = mesh.vertex_colors if mesh.face_colors is None else mesh.face_colors
            moved = replace(mesh, vertices=mesh.vertices - pivot)
            primitive = self._surface(moved, colors, flat=flat)
        primitive["material"] = self._material(node, vertex_colors=colors is not None)
        self.meshes.append({"name": node.name, "primitives": [primitive]})
        return len(self.meshes) - 1

    def _surface(self, mesh: Mesh, colors: Float | None, *, flat: bool) -> dict[str, Any]:
        corners = mesh.vertices[mesh.faces]
        cross = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        if flat:
            vertices, faces = corners.reshape(-1, 3), np.arange(3 * len(corners)).reshape(-1, 3)
            normals = np.repeat(cross, 3, axis=0)
            if colors is not None:
                per_face = mesh.face_colors is not None
                colors = np.repeat(colors, 3, 0) if per_face else colors[mesh.faces.ravel()]
        else:
            vertices, faces = mesh.vertices, mesh.faces
            normals = np.zeros_like(vertices)
            np.add.at(normals, faces.ravel(), np.repeat(cross, 3, axis=0))
            normals = normals if mesh.vertex_normals is None else mesh.vertex_normals
        length = np.linalg.norm(normals, axis=1, keepdims=True)
        normals = np.where(
            length > 0, normals / np.where(length > 0, length, 1.0), [0.0, 1.0, 0.0]
        )
        attributes = {
            "POSITION": self._vectors(vertices, bounded=True),
            "NORMAL": self._vectors(normals),
        }
        if colors is not None:
            attributes["COLOR_0"] = self._vectors(srgb_to_linear(colors))
        indices = self._add(faces.ravel().astype("<u4"), "SCALAR", _UINT, _ELEMENT_BUFFER)
        return {"attributes": attributes, "indices": indices, "mode": _TRIANGLES}

    def _vectors(self, values: Float, *, bounded: bool = False) -> int:
        array = values.astype("<f4")
        extra = {"min": _numbers(array.min(0)), "max": _numbers(array.max(0))} if bounded else {}
        return self._add(array, "VEC3", _FLOAT, _ARRAY_BUFFER, **extra)

    def _add(
        self, array: NDArray[Any], kind: str, component: int, target: int | None, **extra: Any
    ) -> int:
        data = array.tobytes()
        view = {"buffer": 0, "byteOffset": len(self.blob), "byteLength": len(data)}
        self.views.append(view if target is None else {**view, "target": target})
        self.blob += data
        accessor = {"bufferView": len(self.views) - 1, "componentType": component}
        self.accessors.append({**accessor, "count": len(array), "type": kind, **extra})
        return len(self.accessors) - 1


def _pivots(scene: Scene) -> Float:
    """Origin ``(n, 3)`` of every node: a part's middle; for a root the middle of its footprint."""
    low = np.full((len(scene), 3), np.inf)
    high = np.full((len(scene), 3), -np.inf)
    for number in range(len(scene) - 1, -1, -1):
        node = scene.nodes[number]
        points = positions(node)
        if len(points):
            low[number] = np.minimum(low[number], points.min(0))
            high[number] = np.maximum(high[number], points.max(0))
        if node.parent >= 0:
            low[node.parent] = np.minimum(low[node.parent], low[number])
            high[node.parent] = np.maximum(high[node.parent], high[number])
    empty = ~np.isfinite(low)
    middle = 0.5 * (np.where(empty, 0.0, low) + np.where(empty, 0.0, high))
    for number, node in enumerate(scene.nodes):
        if isinstance(node.primitive, Boxes) and len(node.primitive.boxes) == 1:
            if not scene.children[number]:
                middle[number] = node.primitive.boxes[0, :3]
        elif node.parent < 0 and not empty[number].any():
            middle[number, 1] = low[number, 1]
    return middle


def _material(name: str, color: Colour, vertex_colors: bool) -> dict[str, Any]:
    return {
        "name": name,
        "doubleSided": vertex_colors,
        "pbrMetallicRoughness": {
            "baseColorFactor": [*_numbers(srgb_to_linear(color)), 1.0],
            "metallicFactor": 0.0,
            "roughnessFactor": _ROUGHNESS,
        },
    }


def _numbers(values: Any) -> list[float]:
    """JSON numbers of single precision: what readers keep."""
    return [float(f"{value:.9g}") + 0.0 for value in np.asarray(values, np.float32).tolist()]
