"""What viser shows of a shape: boxes all at once, points, meshes, images, lines of relations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shapegen.core import boxes as box_algebra
from shapegen.scene import Image, Points
from shapegen.view.pieces import Piece, pieces
from shapegen.view.relations import relation_lines
from shapegen.view.rooms import image_size
from shapegen.view.state import Picture


class Drawing:
    """The things of one shape in viser's scene.

    Args:
        scene: viser's.
        name: Of the shape in the scene.
        picked: Called with the node that was clicked, a group where one box stands for it.
    """

    def __init__(self, scene: Any, name: str, picked: Callable[[int], None]) -> None:
        self._scene = scene
        self._name = name
        self._picked = picked
        self._root = scene.add_frame(name, show_axes=False)
        self._handles: dict[str, Any] = {}
        self._drawn: dict[str, Piece] = {}
        self._numbers = np.zeros(0, dtype=np.int64)

    def draw(self, picture: Picture, *, own_colors: bool, relations: bool) -> None:
        """Bring the scene to a picture of the shape, or of one in its place."""
        self._root.position = tuple(picture.offset)
        self._boxes(picture)
        self._others(picture, own_colors=own_colors)
        self._relations(picture, shown=relations)
        self._owners = picture.arrangement.owners

    def clear(self) -> None:
        """Remove all."""
        for handle in self._handles.values():
            handle.remove()
        self._handles.clear()
        self._drawn.clear()
        self._root.remove()

    def _clicked(self, number: int) -> None:
        self._picked(int(self._owners[number]))

    def _boxes(self, picture: Picture) -> None:
        arrangement = picture.arrangement
        numbers = np.flatnonzero(picture.arranger.has_box)
        if len(numbers) != len(self._numbers) and "boxes" in self._handles:
            self._handles.pop("boxes").remove()
        self._numbers = numbers
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
            f"{self._name}/boxes", vertices, faces, flat_shading=True, lod="off", **values
        )
        made.on_click(lambda event: self._clicked(int(self._numbers[event.instance_index])))
        self._handles["boxes"] = made

    def _others(self, picture: Picture, *, own_colors: bool) -> None:
        wanted: dict[str, Piece] = {}
        for piece in pieces(picture.arranger, picture.arrangement, own_colors=own_colors):
            key = f"part_{piece.number}"
            old = self._drawn.get(key)
            # What was drawn and looks as it did is only moved.
            if not piece.looks_like(old) and not self._changed(key, piece, old):
                self._handles[key] = self._added(f"{self._name}/{key}", piece)
            self._handles[key].position = tuple(piece.offset)
            if isinstance(piece.primitive, Image) and picture.facing is not None:
                self._handles[key].wxyz = tuple(_turn(picture.facing))
            wanted[key] = piece
        for key in self._drawn.keys() - wanted.keys():
            self._handles.pop(key).remove()
        self._drawn = wanted

    def _changed(self, key: str, piece: Piece, old: Piece | None) -> bool:
        """Whether a cloud or an image could be changed in place, which does not flicker."""
        new = piece.primitive
        if old is None or type(old.primitive) is not type(new):
            return False
        if isinstance(new, Image):
            assert isinstance(old.primitive, Image)
            if image_size(new) != image_size(old.primitive):
                return False
            self._handles[key].image = _rgb(new)
            return True
        if not isinstance(new, Points):
            return False
        assert isinstance(old.primitive, Points)
        if len(new.positions) != len(old.primitive.positions):
            return False
        if new is not old.primitive:
            self._handles[key].points = _places(new)
        self._handles[key].colors = _cloud_colors(piece)
        return True

    def _added(self, name: str, piece: Piece) -> Any:
        """Draw a part in one colour, or in its own."""
        primitive = piece.primitive
        if isinstance(primitive, Points):
            radius = 0.006 * float(np.linalg.norm(np.ptp(primitive.positions, axis=0)))
            return self._scene.add_point_cloud(
                name,
                _places(primitive),
                _cloud_colors(piece),
                point_size=radius,
                point_shape="circle",
            )
        if isinstance(primitive, Image):
            size = image_size(primitive)
            return self._scene.add_image(name, _rgb(primitive), *size, format="png")
        import trimesh

        mesh = piece.mesh()
        colors = _bytes(mesh.face_colors)
        solid = trimesh.Trimesh(mesh.vertices, mesh.faces, face_colors=colors, process=False)
        made = self._scene.add_mesh_trimesh(name, solid)
        made.on_click(lambda _: self._clicked(piece.number))
        return made

    def _relations(self, picture: Picture, *, shown: bool) -> None:
        old = self._handles.pop("relations", None)
        if old is not None:
            old.remove()
        if not shown:
            return
        found = picture.arrangement
        ends, colors = relation_lines(picture.arranger.relations(), found.centers, found.there)
        if len(ends):
            self._handles["relations"] = self._scene.add_line_segments(
                f"{self._name}/relations",
                ends.astype(np.float32),
                _bytes(colors)[:, None].repeat(2, axis=1),
                thickness=2.0,
                thickness_units="screen",
            )


def _cube() -> tuple[NDArray[np.float32], NDArray[np.uint32]]:
    vertices, faces = box_algebra.mesh([[0.0, 0, 0, 1, 1, 1, 1, 0, 0, 0, 1, 0]])
    return vertices.astype(np.float32), faces.astype(np.uint32)


def _turn(frame: NDArray[np.float64]) -> NDArray[np.float64]:
    """The quaternion wxyz of a frame."""
    row = np.concatenate([np.zeros(3), np.ones(3), frame[:, 0], frame[:, 1]])
    return np.asarray(box_algebra.quaternions(row[None])[0])


def _places(cloud: Points) -> NDArray[np.float16]:
    # In the browser's precision at once: a million points in double precision are slow to copy.
    return cloud.positions.astype(np.float16)


def _cloud_colors(piece: Piece) -> NDArray[np.uint8]:
    """A colour a point: one for all would look paler until it is changed."""
    cloud = piece.primitive
    assert isinstance(cloud, Points)
    if piece.shade is None and cloud.colors is not None:
        return _bytes(cloud.colors)
    color = _bytes(piece.node.color if piece.shade is None else piece.shade)
    return np.tile(color, (len(cloud.positions), 1))


def _rgb(image: Image) -> NDArray[np.uint8]:
    pixels = image.pixels
    return pixels.repeat(3, axis=2) if pixels.shape[2] == 1 else pixels


def _bytes(colors: Any) -> NDArray[np.uint8]:
    return np.asarray(np.rint(255 * np.asarray(colors)), dtype=np.uint8)
