"""Walks as the data of an HTML page: a JSON description and one block of numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shapegen.formats.relations import related_groups, relations_of
from shapegen.formats.walks import Track, Walk
from shapegen.scene import Image, Mesh, Points, Primitive, part_mesh, positions

Float = NDArray[np.float64]
Reference = list[Any]
"""``[type, byte offset, count]`` of an array in the block."""

_STEPS = 65535
"""Coordinates of points and vertices are whole numbers of steps through the shape's bounds."""


class Arrays:
    """Numbers of the page, one array after the other."""

    def __init__(self) -> None:
        self._data = bytearray()
        self._known: dict[tuple[str, bytes], Reference] = {}

    def add(self, values: NDArray[Any], kind: str) -> Reference:
        """Append an array of ``f4``, ``u4``, ``u2`` or ``u1``; equal ones are kept once."""
        raw = np.ascontiguousarray(values, dtype=f"<{kind}").tobytes()
        key = (kind, raw)
        if key not in self._known:
            self._data += b"\0" * (-len(self._data) % 4)
            self._known[key] = [kind, len(self._data), np.asarray(values).size]
            self._data += raw
        return self._known[key]

    def data(self) -> bytes:
        """The block."""
        return bytes(self._data)


def walk_document(walk: Walk, name: str, arrays: Arrays) -> dict[str, Any]:
    """Describe a shape and its frames; its numbers go to ``arrays``."""
    low, high = _bounds(walk)
    tracks = [_node(track, walk.frames, low, high, arrays) for track in walk.tracks]
    for node, group in zip(tracks, related_groups(walk), strict=True):
        node["related"] = group
    return {
        "name": name,
        "frames": walk.frames,
        "low": low.tolist(),
        "high": high.tolist(),
        "nodes": tracks,
        "relations": [list(each) for each in relations_of(walk)],
    }


def _bounds(walk: Walk) -> tuple[Float, Float]:
    """Low and high corner of all frames; images are pictures of side one around the origin.

    Where there is nothing, a cube of side one keeps its place.
    """
    clouds = []
    for track in walk.tracks:
        for primitive in track.primitives:
            if isinstance(primitive, Image):
                clouds.append(np.array([[-0.5, -0.5, 0.0], [0.5, 0.5, 0.0]]))
            elif primitive is not None:
                clouds.append(positions(_drawing(track, primitive)))
    points = np.concatenate([np.empty((0, 3)), *clouds])
    if not len(points):
        return np.full(3, -0.5), np.full(3, 0.5)
    return points.min(0), points.max(0)


def _drawing(track: Track, primitive: Primitive) -> Any:
    return replace(track.node, primitive=primitive)


def _node(track: Track, frames: int, low: Float, high: Float, arrays: Arrays) -> dict[str, Any]:
    node = track.node
    out: dict[str, Any] = {
        "name": node.name,
        "label": str(node.extras.get("label", "")),
        "instance": _instance(node.extras),
        "parent": node.parent,
        "colour": [round(value, 4) for value in node.color],
    }
    if not track.present.all():
        out["present"] = track.present.astype(int).tolist()
    if track.boxes is not None:
        rows = [track.boxes[:, :3], np.abs(track.boxes[:, 3:6]), track.turns()]
        out["box"] = arrays.add(np.concatenate(rows, axis=1), "f4")
    if track.is_box:
        out["isBox"] = True
    elif node.primitive is not None:
        out["drawn"] = [
            None if primitive is None else _drawn(track, primitive, low, high, arrays)
            for primitive in track.primitives
        ]
        out["matched"] = _matched(track.primitives)
    return out


def _instance(extras: Mapping[str, Any]) -> int:
    value = extras.get("instance", 0)
    return int(value) if isinstance(value, int | np.integer) else 0


def _drawn(
    track: Track, primitive: Primitive, low: Float, high: Float, arrays: Arrays
) -> dict[str, Any]:
    if isinstance(primitive, Image):
        height, width, _ = primitive.pixels.shape
        pixels = arrays.add(_rgba(primitive.pixels), "u1")
        return {"kind": "image", "width": width, "height": height, "pixels": pixels}
    if isinstance(primitive, Points):
        points, colors = primitive.positions, primitive.colors
        out: dict[str, Any] = {"kind": "points"}
    else:
        points, faces, colors = _surface(track, primitive)
        out = {"kind": "mesh", "faces": arrays.add(faces, "u2" if len(points) < 65536 else "u4")}
    span = np.where(high > low, high - low, 1.0)
    out["positions"] = arrays.add(np.rint(_STEPS * (points - low) / span), "u2")
    if colors is not None:
        out["colours"] = arrays.add(np.rint(255 * colors), "u1")
    return out


def _surface(track: Track, primitive: Primitive) -> tuple[Float, NDArray[np.int64], Float | None]:
    """Vertices, faces and colours of vertices; corners are shared where a surface is round."""
    mesh = part_mesh(_drawing(track, primitive))
    if isinstance(primitive, Mesh) and mesh.face_colors is None:
        return mesh.vertices, mesh.faces, mesh.vertex_colors
    colors = None if mesh.face_colors is None else np.repeat(mesh.face_colors, 3, axis=0)
    corners = mesh.vertices[mesh.faces].reshape(-1, 3)
    return corners, np.arange(len(corners)).reshape(-1, 3), colors


def _rgba(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    if pixels.shape[2] == 1:
        pixels = pixels.repeat(3, axis=2)
    if pixels.shape[2] == 3:
        opaque = np.full((*pixels.shape[:2], 1), 255, np.uint8)
        pixels = np.concatenate([pixels, opaque], axis=2)
    return pixels


def _matched(primitives: tuple[Primitive | None, ...]) -> bool:
    """Whether points of one number are the same point in all frames, so that they may glide.

    Points that keep their identity stay nearer to themselves than to the point after them.
    """
    clouds = [p.positions for p in primitives if isinstance(p, Points)]
    if len(clouds) < 2 or len({len(cloud) for cloud in clouds}) != 1:
        return False
    moved = shuffled = 0.0
    for before, after in pairwise(clouds):
        moved += float(np.linalg.norm(after - before, axis=1).sum())
        shuffled += float(np.linalg.norm(np.roll(after, 1, axis=0) - before, axis=1).sum())
    return moved < 0.3 * shuffled
