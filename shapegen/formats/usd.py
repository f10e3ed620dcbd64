"""Universal Scene Description as text (.usda): transforms, cubes, meshes, points, semantics.

A part is a prim in its hierarchy with ``displayColor``, a preview material of its colour and its
label by ``SemanticsLabelsAPI``; scenes that turn into one another are time samples. Reference:
Alliance for OpenUSD, *OpenUSD documentation*, https://openusd.org.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from shapegen.core import boxes as box_algebra
from shapegen.core.shading import srgb_to_linear
from shapegen.formats.atomic import replacing
from shapegen.formats.usd_text import Block, array, identifier, quoted, samples, text, vector
from shapegen.formats.walks import Track, Walk, walk_of
from shapegen.scene import Boxes, Colour, Mesh, Node, Points, Primitive, Scene

ROOT = "scene"
"""The default prim, which another stage refers to."""
_POINT_WIDTH = 0.006
"""Diameter of a point by the diagonal of the scene."""


def write_usda(
    scene: Scene | Sequence[Scene],
    path: str | Path,
    *,
    fps: float = 12.0,
    unit: float = 1.0,
    up: str = "y",
) -> None:
    """Write a scene, or scenes that turn into one another as one that moves; images are left out.

    Args:
        scene: One, or the frames: parts keep their identity as
            :func:`~shapegen.formats.walks.walk_of` finds it.
        path: A ``.usda`` file.
        fps: Frames a second.
        unit: Metres in one unit of the coordinates, which are written as they are.
        up: ``"y"`` or ``"z"``: the axis that the coordinates have upwards.

    Raises:
        ValueError: No scenes, nothing to see in any, or a rate that is not positive.
    """
    scenes = [scene] if isinstance(scene, Scene) else list(scene)
    if not fps > 0:
        raise ValueError(f"frames a second must be positive; got {fps}")
    walk = walk_of(scenes)
    walk.scene().bounds()
    block = _Stage(walk).block()
    head = ["#usda 1.0", "(", f"    defaultPrim = {quoted(ROOT)}"]
    if walk.frames > 1:
        head.append(f"    endTimeCode = {walk.frames - 1}")
    head.append(f"    metersPerUnit = {text(unit)}")
    if walk.frames > 1:
        head += ["    startTimeCode = 0", f"    timeCodesPerSecond = {text(fps)}"]
    head += [f"    upAxis = {quoted(up.upper())}", ")", ""]
    with replacing(path) as aside:
        aside.write_text("\n".join([*head, *block.lines(), ""]), encoding="utf-8", newline="\n")


class _Stage:
    def __init__(self, walk: Walk) -> None:
        self.walk = walk
        self.scene = walk.scene()
        self.materials: dict[Colour, str] = {}
        self.material_names: set[str] = set()
        low, high = self.scene.bounds()
        self.width = _POINT_WIDTH * float(np.linalg.norm(high - low))

    def block(self) -> Block:
        root = Block(f'def Xform "{ROOT}"', ['kind = "component"'])
        names: set[str] = {"materials"}
        for number, track in enumerate(self.walk.tracks):
            if track.node.parent < 0:
                root.blocks.append(self._prim(number, names))
        materials = Block('def Scope "materials"')
        materials.blocks = [_material(name, color) for color, name in self.materials.items()]
        root.blocks.append(materials)
        return root

    def _prim(self, number: int, taken: set[str]) -> Block:
        track = self.walk.tracks[number]
        children = self.scene.children[number]
        name = identifier(track.node.name, taken)
        metadata = [f"displayName = {quoted(track.node.name)}"]
        label = track.node.extras.get("label")
        schemas = ["SemanticsLabelsAPI:part"] if label else []
        drawn = track.node.primitive is not None
        if drawn and not children:
            block = self._drawn(track, name, metadata, schemas)
        else:
            block = Block(f'def Xform "{name}"', [*metadata, *_applied(schemas)])
        if label:
            block.properties.append(f"token[] semantics:labels:part = [{quoted(str(label))}]")
        if "instance" in track.node.extras:
            instance = int(track.node.extras["instance"])
            block.properties.append(f"custom int userProperties:instance = {instance}")
        if not track.present.all():
            states = ["inherited" if here else "invisible" for here in track.present]
            block.properties += samples("token visibility", [quoted(state) for state in states])
        below: set[str] = set()
        if drawn and children:
            # What is drawn stands beside the children: prims below a drawn one are not allowed.
            block.blocks.append(self._drawn(track, identifier("geometry", below), [], []))
        block.blocks += [self._prim(child, below) for child in children]
        return block

    def _drawn(
        self, track: Track, name: str, metadata: list[str], schemas: Sequence[str]
    ) -> Block:
        kind = "Cube" if track.is_box else _kind(track.node.primitive)
        lines = _cube(track) if track.is_box else _geometry(track, self.width)
        if _has_own_colors(track.node.primitive):
            # A preview surface would hide them; without one they are what renderers show.
            return Block(f'def {kind} "{name}"', [*metadata, *_applied(schemas)], lines)
        applied = _applied([*schemas, "MaterialBindingAPI"])
        binding = f"rel material:binding = </{ROOT}/materials/{self._material(track.node)}>"
        return Block(f'def {kind} "{name}"', [*metadata, *applied], [binding, *lines])

    def _material(self, node: Node) -> str:
        if node.color not in self.materials:
            plain = re.sub(r"(_\d+)+$", "", node.name)
            self.materials[node.color] = identifier(plain, self.material_names)
        return self.materials[node.color]


def _applied(schemas: Sequence[str]) -> list[str]:
    if not schemas:
        return []
    return [f"prepend apiSchemas = [{', '.join(quoted(schema) for schema in schemas)}]"]


def _kind(primitive: Primitive | None) -> str:
    return "Points" if isinstance(primitive, Points) else "Mesh"


def _material(name: str, color: Colour) -> Block:
    """A preview surface of a part's colour."""
    shader = Block('def Shader "surface"')
    shader.properties = [
        'uniform token info:id = "UsdPreviewSurface"',
        f"color3f inputs:diffuseColor = {vector(srgb_to_linear(color))}",
        "float inputs:roughness = 0.75",
        "token outputs:surface",
    ]
    block = Block(f'def Material "{name}"')
    path = f"/{ROOT}/materials/{name}/surface.outputs:surface"
    block.properties = [f"token outputs:surface.connect = <{path}>"]
    block.blocks = [shader]
    return block


def _cube(track: Track) -> list[str]:
    assert track.boxes is not None
    size = np.abs(track.boxes[:, 3:6])
    color = srgb_to_linear([track.node.color])
    return [
        "double size = 1",
        "float3[] extent = [(-0.5, -0.5, -0.5), (0.5, 0.5, 0.5)]",
        f"color3f[] primvars:displayColor = {array(color)}",
        *samples("double3 xformOp:translate", [vector(row) for row in track.boxes[:, :3]]),
        *samples("quatf xformOp:orient", [vector(row) for row in track.turns()]),
        *samples("float3 xformOp:scale", [vector(row) for row in size]),
        'uniform token[] xformOpOrder = ["xformOp:translate", "xformOp:orient", "xformOp:scale"]',
    ]


def _geometry(track: Track, width: float) -> list[str]:
    """Points or a mesh; what changes from frame to frame is sampled."""
    # A frame in which the part is not there is invisible: what it holds does not matter.
    found = [primitive for primitive in track.primitives if primitive is not None]
    shown = np.maximum(np.cumsum([p is not None for p in track.primitives]) - 1, 0)
    frames = [found[number] for number in shown]
    columns: dict[str, list[str]] = {}
    for primitive in frames:
        for name, value in _values(primitive, track.node.color, width).items():
            columns.setdefault(name, []).append(value)
    interpolation = _interpolation(frames)
    lines = []
    for name, values in columns.items():
        metadata = f' (\n    interpolation = "{interpolation}"\n)' if "primvars" in name else ""
        lines += samples(name, values, metadata)
    if not isinstance(frames[0], Points):
        lines.append('uniform token subdivisionScheme = "none"')
    return lines


def _interpolation(frames: Sequence[Primitive]) -> str:
    if not all(map(_has_own_colors, frames)):
        return "constant"
    per_face = all(isinstance(p, Mesh) and p.face_colors is not None for p in frames)
    return "uniform" if per_face else "vertex"


def _has_own_colors(primitive: Primitive | None) -> bool:
    if isinstance(primitive, Points):
        return primitive.colors is not None
    return isinstance(primitive, Mesh) and (
        primitive.face_colors is not None or primitive.vertex_colors is not None
    )


def _values(primitive: Primitive, color: Colour, width: float) -> dict[str, str]:
    colors = None
    if isinstance(primitive, Points):
        points, colors = primitive.positions, primitive.colors
        out = {"float[] widths": f"[{text(width)}]"}
    else:
        mesh = (
            Mesh(*box_algebra.mesh(primitive.boxes)) if isinstance(primitive, Boxes) else primitive
        )
        assert isinstance(mesh, Mesh)
        points = mesh.vertices
        colors = mesh.vertex_colors if mesh.face_colors is None else mesh.face_colors
        counts = ", ".join(["3"] * len(mesh.faces))
        corners = ", ".join(map(str, mesh.faces.ravel().tolist()))
        out = {"int[] faceVertexCounts": f"[{counts}]", "int[] faceVertexIndices": f"[{corners}]"}
    shade = np.array([color]) if colors is None else colors
    out["point3f[] points"] = array(points)
    out["float3[] extent"] = array(np.stack([points.min(0), points.max(0)]))
    out["color3f[] primvars:displayColor"] = array(srgb_to_linear(shade))
    return out
