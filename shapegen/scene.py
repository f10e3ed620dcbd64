"""Scenes: what every result lowers to, and what every viewer and file writer reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shapegen.core import boxes as box_algebra
from shapegen.core.grid import grid_offsets

Float = NDArray[np.float64]
Colour = tuple[float, float, float]
"""Red, green, blue in 0..1, sRGB."""


@dataclass(frozen=True, eq=False)
class Points:
    """A point cloud."""

    positions: Float
    """``(n, 3)``."""
    colors: Float | None = None
    """``(n, 3)`` in 0..1; the node's colour where there is none."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "positions", _rows(self.positions, "positions", 3))
        _set_colors(self, "colors", len(self.positions))


@dataclass(frozen=True, eq=False)
class Boxes:
    """Oriented boxes in the frame of the scene."""

    boxes: Float
    """``(n, 12)``: centre, full lengths, x direction, y direction."""

    def __post_init__(self) -> None:
        boxes = box_algebra.as_boxes(self.boxes)
        if not np.isfinite(boxes).all():
            raise ValueError("the boxes of a scene must be finite; got NaN or infinity")
        object.__setattr__(self, "boxes", boxes)


@dataclass(frozen=True, eq=False)
class Mesh:
    """Triangles, counter-clockwise seen from outside."""

    vertices: Float
    """``(v, 3)``."""
    faces: NDArray[np.int64]
    """``(f, 3)`` vertex numbers."""
    vertex_colors: Float | None = None
    """``(v, 3)`` in 0..1."""
    face_colors: Float | None = None
    """``(f, 3)`` in 0..1; they go before the colours of the vertices."""
    vertex_normals: Float | None = None
    """``(v, 3)``: outward unit normals of a surface that is to look round; formats and pictures
    that know none take those of the triangles."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "vertices", _rows(self.vertices, "vertices", 3))
        if self.vertex_normals is not None:
            normals = _rows(self.vertex_normals, "vertex_normals", 3)
            if len(normals) != len(self.vertices):
                raise ValueError(
                    f"vertex_normals must be ({len(self.vertices)}, 3); got {normals.shape}"
                )
            object.__setattr__(self, "vertex_normals", normals)
        faces = np.asarray(self.faces, dtype=np.int64).reshape(-1, 3)
        if len(faces) and not (faces.min() >= 0 and faces.max() < len(self.vertices)):
            raise ValueError(
                f"faces must name vertices 0..{len(self.vertices) - 1}; "
                f"got {faces.min()}..{faces.max()}"
            )
        object.__setattr__(self, "faces", faces)
        _set_colors(self, "vertex_colors", len(self.vertices))
        _set_colors(self, "face_colors", len(faces))


@dataclass(frozen=True, eq=False)
class Image:
    """A picture."""

    pixels: NDArray[np.uint8]
    """``(H, W, C)``, C = 1 (grey), 3 (RGB) or 4 (RGBA)."""

    def __post_init__(self) -> None:
        pixels = np.asarray(self.pixels)
        if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] not in (1, 3, 4):
            raise ValueError(
                f"pixels must be (H, W, 1, 3 or 4) uint8; got {pixels.shape} {pixels.dtype}"
            )
        object.__setattr__(self, "pixels", pixels)


Primitive = Points | Boxes | Mesh | Image


@dataclass(frozen=True, eq=False)
class Node:
    """One named part of a scene; its primitive lies in the frame of the scene."""

    name: str
    parent: int = -1
    """Number of the parent node, -1 for a root."""
    primitive: Primitive | None = None
    """What is drawn; None for a group."""
    color: Colour = (0.7, 0.7, 0.7)
    extras: Mapping[str, Any] = field(default_factory=dict)
    """JSON values written to files that can hold them: label, instance, relations, box, ..."""

    def __post_init__(self) -> None:
        red, green, blue = (float(value) for value in self.color)
        if not all(0.0 <= value <= 1.0 for value in (red, green, blue)):
            raise ValueError(f"a colour is three numbers in 0..1; got {self.color}")
        object.__setattr__(self, "color", (red, green, blue))
        object.__setattr__(self, "extras", MappingProxyType(dict(self.extras)))


@dataclass(frozen=True, eq=False)
class Scene:
    """Nodes in a hierarchy, a parent before its children: y up, x left-right, front +z."""

    nodes: tuple[Node, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "nodes", tuple(self.nodes))
        for number, node in enumerate(self.nodes):
            if not -1 <= node.parent < number:
                raise ValueError(
                    f"the parent of node {number} must come before it (or be -1); "
                    f"got {node.parent}"
                )

    def __len__(self) -> int:
        return len(self.nodes)

    @cached_property
    def children(self) -> tuple[tuple[int, ...], ...]:
        """Child numbers of every node, in order."""
        lists: list[list[int]] = [[] for _ in self.nodes]
        for number, node in enumerate(self.nodes):
            if node.parent >= 0:
                lists[node.parent].append(number)
        return tuple(tuple(children) for children in lists)

    @property
    def images(self) -> tuple[Image, ...]:
        """The pictures in the scene, in node order."""
        return tuple(n.primitive for n in self.nodes if isinstance(n.primitive, Image))

    def bounds(self) -> Float:
        """Axis-aligned bounds ``(2, 3)`` (low, high) of all that has a place.

        Raises:
            ValueError: Nothing in the scene has a place.
        """
        clouds = [cloud for cloud in map(positions, self.nodes) if len(cloud)]
        if not clouds:
            raise ValueError("a scene without points, boxes or meshes has no bounds")
        points = np.concatenate(clouds)
        return np.stack([points.min(0), points.max(0)])

    def mesh(self) -> Mesh:
        """All boxes and meshes as one mesh with a colour a face; points are left out."""
        pieces = [part_mesh(node) for node in self.nodes]
        offsets = np.cumsum([0, *(len(piece.vertices) for piece in pieces)])
        colors = [face_colors(piece, n) for piece, n in zip(pieces, self.nodes, strict=True)]
        return Mesh(
            vertices=np.concatenate([np.empty((0, 3)), *(piece.vertices for piece in pieces)]),
            faces=np.concatenate(
                [
                    np.empty((0, 3), np.int64),
                    *(p.faces + start for p, start in zip(pieces, offsets[:-1], strict=True)),
                ]
            ),
            face_colors=np.concatenate([np.empty((0, 3)), *colors]),
        )


def side_by_side(scenes: Sequence[Scene]) -> Scene:
    """One scene of several, in rows from the back to the front; one alone stays where it is.

    Raises:
        ValueError: There are no scenes, or one without anything that has a place.
    """
    if not scenes:
        raise ValueError("at least one scene is needed; got none")
    if len(scenes) == 1:
        return scenes[0]
    offsets = grid_offsets(np.stack([scene.bounds() for scene in scenes]))
    nodes: list[Node] = []
    for scene, offset in zip(scenes, offsets, strict=True):
        start = len(nodes)
        for node in scene.nodes:
            parent = node.parent + start if node.parent >= 0 else -1
            nodes.append(replace(moved(node, offset=offset), parent=parent))
    return Scene(tuple(nodes))


STATED = ("box", "relations")
"""Extras in the coordinates of a scene; a node that is moved loses them."""


def moved(
    node: Node, *, rotation: Any = None, scale: float = 1.0, offset: Any = (0.0, 0.0, 0.0)
) -> Node:
    """A node whose points ``x`` lie at ``scale * rotation @ x + offset``."""
    turn = np.eye(3) if rotation is None else np.asarray(rotation, dtype=np.float64)
    primitive = node.primitive
    if isinstance(primitive, Boxes):
        rows = box_algebra.transformed(
            primitive.boxes, rotation=turn, scale=scale, translation=offset
        )
        primitive = Boxes(rows)
    elif isinstance(primitive, Points):
        primitive = replace(primitive, positions=scale * primitive.positions @ turn.T + offset)
    elif isinstance(primitive, Mesh):
        normals = primitive.vertex_normals
        primitive = replace(
            primitive,
            vertices=scale * primitive.vertices @ turn.T + offset,
            vertex_normals=None if normals is None else normals @ turn.T,
        )
    extras = {name: value for name, value in node.extras.items() if name not in STATED}
    return replace(node, primitive=primitive, extras=extras)


def positions(node: Node) -> Float:
    """The points ``(n, 3)`` that a node's primitive is spanned by: corners, vertices, points."""
    primitive = node.primitive
    if isinstance(primitive, Points):
        return primitive.positions
    return part_mesh(node).vertices


def part_mesh(node: Node) -> Mesh:
    """The triangles of one node in the frame of the scene; empty for groups, points, images."""
    if isinstance(node.primitive, Mesh):
        return node.primitive
    if isinstance(node.primitive, Boxes):
        return Mesh(*box_algebra.mesh(node.primitive.boxes))
    return Mesh(np.empty((0, 3)), np.empty((0, 3), np.int64))


def face_colors(mesh: Mesh, node: Node) -> Float:
    """Colours ``(f, 3)`` of the faces of a node: the mesh's own, its vertices', the node's."""
    if mesh.face_colors is not None:
        return mesh.face_colors
    if mesh.vertex_colors is not None:
        return np.asarray(mesh.vertex_colors[mesh.faces].mean(1))
    return np.tile(np.array(node.color), (len(mesh.faces), 1))


def _rows(values: Any, name: str, width: int) -> Float:
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 2 or array.shape[1] != width:
        raise ValueError(f"{name} must be (n, {width}); got {array.shape}")
    if not np.isfinite(array).all():
        raise ValueError(f"{name} must be finite; got NaN or infinity")
    return array


def _set_colors(primitive: Points | Mesh, name: str, count: int) -> None:
    values = getattr(primitive, name)
    if values is None:
        return
    array = _rows(values, name, 3)
    if len(array) != count or (len(array) and not (array.min() >= 0 and array.max() <= 1)):
        raise ValueError(f"{name} must be ({count}, 3) in 0..1; got {array.shape}")
    object.__setattr__(primitive, name, array)
