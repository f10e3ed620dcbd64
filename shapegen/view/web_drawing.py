"""What viser shows of a walk: boxes all at once, points, meshes, images, lines of relations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shapegen.core import boxes as box_algebra
from shapegen.scene import Image, Points
from shapegen.view.arrangement import Arrangement, Arranger
from shapegen.view.pieces import Piece, pieces
from shapegen.view.relations import relation_lines
from shapegen.view.state import image_size


class Drawing:
    """The things of one walk in viser's scene.

    Args:
        scene: viser's.
        arranger: Of the walk.
        picked: Called with the node that was clicked, a group where one box stands for it.
    """

    def __init__(self, scene: Any, arranger: Arranger, picked: Callable[[int], None]) -> None:
        self._scene = scene
        self._arranger = arranger
        self._picked = picked
        self._handles: dict[str, Any] = {}
        self._drawn: dict[str, Piece] = {}

    def draw(self, arrangement: Arrangement, *, own_colors: bool, relations: bool) -> None:
        """Bring the scene to an arrangement."""
        self._boxes(arrangement)
        self._others(arrangement, own_colors=own_colors)
        self._relations(arrangement, shown=relations)
        self._owners = arrangement.owners

    def clear(self) -> None:
        """Remove all."""
        for handle in self._handles.values():
            handle.remove()
        self._handles.clear()
        self._drawn.clear()

    def _clicked(self, number: int) -> None:
        self._picked(int(self._owners[number]))

    def _boxes(self, arrangement: Arrangement) -> None:
        numbers = np.flatnonzero(self._arranger.has_box)
        if not len(numbers):
            return
        # All boxes always, those that are not drawn with no size: their number never changes.
        values = {
            "batched_positions": arrangement.centers[numbers].astype(np.float32),
            "batched_wxyzs": arrangement.turns[numbers].astype(np.float32),
            "batched_scales": np.maximum(arrangement.sizes[numbers], 1e-6).astype(np.float32),
            "batched_colors": _bytes(arrangement.colors[numbers]),
        }
        if "boxes" in self._handles:
            for name, value in values.items():
                setattr(self._handles["boxes"], name, value)
            return
        vertices, faces = _cube()
        made = self._scene.add_batched_meshes_simple(
            "boxes", vertices, faces, flat_shading=True, lod="off", **values
        )
        made.on_click(lambda event: self._clicked(int(numbers[event.instance_index])))
        self._handles["boxes"] = made

    def _others(self, arrangement: Arrangement, *, own_colors: bool) -> None:
        wanted: dict[str, Piece] = {}
        for piece in pieces(self._arranger, arrangement, own_colors=own_colors):
            key = f"part_{piece.number}"
            # What was drawn and looks as it did is only moved.
            if not piece.looks_like(self._drawn.get(key)):
                self._handles[key] = self._added(key, piece)
            self._handles[key].position = tuple(piece.offset)
            wanted[key] = piece
        for key in self._drawn.keys() - wanted.keys():
            self._handles.pop(key).remove()
        self._drawn = wanted

    def _added(self, key: str, piece: Piece) -> Any:
        """Draw a part in one colour, or in its own."""
        primitive = piece.primitive
        if isinstance(primitive, Points):
            return self._cloud(key, piece.cloud())
        if isinstance(primitive, Image):
            pixels = primitive.pixels
            pixels = pixels.repeat(3, axis=2) if pixels.shape[2] == 1 else pixels
            return self._scene.add_image(key, pixels, *image_size(primitive))
        import trimesh

        mesh = piece.mesh()
        colors = _bytes(mesh.face_colors)
        solid = trimesh.Trimesh(mesh.vertices, mesh.faces, face_colors=colors, process=False)
        made = self._scene.add_mesh_trimesh(key, solid)
        made.on_click(lambda _: self._clicked(piece.number))
        return made

    def _cloud(self, key: str, cloud: Points) -> Any:
        size = 0.006 * float(np.linalg.norm(np.ptp(cloud.positions, axis=0)))
        return self._scene.add_point_cloud(
            key,
            cloud.positions.astype(np.float32),
            _bytes(cloud.colors),
            point_size=size,
            point_shape="circle",
        )

    def _relations(self, arrangement: Arrangement, *, shown: bool) -> None:
        old = self._handles.pop("relations", None)
        if old is not None:
            old.remove()
        if not shown:
            return
        ends, colors = relation_lines(
            self._arranger.relations(), arrangement.centers, arrangement.there
        )
        if len(ends):
            self._handles["relations"] = self._scene.add_line_segments(
                "relations",
                ends.astype(np.float32),
                _bytes(colors)[:, None].repeat(2, axis=1),
                thickness=2.0,
                thickness_units="screen",
            )


def _cube() -> tuple[NDArray[np.float32], NDArray[np.uint32]]:
    vertices, faces = box_algebra.mesh([[0.0, 0, 0, 1, 1, 1, 1, 0, 0, 0, 1, 0]])
    return vertices.astype(np.float32), faces.astype(np.uint32)


def _bytes(colors: Any) -> NDArray[np.uint8]:
    return np.asarray(np.rint(255 * np.asarray(colors)), dtype=np.uint8)
