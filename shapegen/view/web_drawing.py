"""What viser shows of a walk: boxes all at once, points, meshes, images, lines of relations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shapegen.core import boxes as box_algebra
from shapegen.scene import Image, Node, Points, Primitive, face_colors, part_mesh
from shapegen.view.arrangement import Arrangement, Arranger

_KIND_COLORS = {"ADJ": (90, 90, 96), "ROT_SYM": (217, 77, 64), "TRANS_SYM": (51, 153, 90)}
_OTHER_COLOR = (64, 115, 217)


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
        self._looks: dict[str, Any] = {}

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
        self._looks.clear()

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
        wanted: dict[str, Any] = {}
        for number, primitive, offset in arrangement.others:
            key = f"part_{number}"
            own = own_colors and arrangement.owners[number] == number
            shade = None if own else _bytes(arrangement.colors[number])
            look = (id(primitive), None if shade is None else tuple(shade.tolist()))
            # What was drawn and looks as it did is only moved.
            if self._looks.get(key) != look:
                self._handles[key] = self._added(key, number, primitive, shade)
                self._looks[key] = look
            self._handles[key].position = tuple(offset)
            wanted[key] = self._handles[key]
        for key in self._looks.keys() - wanted.keys():
            self._handles.pop(key).remove()
            del self._looks[key]

    def _added(
        self, key: str, number: int, primitive: Primitive, shade: NDArray[np.uint8] | None
    ) -> Any:
        """Draw a part in one colour, or in its own."""
        node = replace(self._arranger.nodes[number], primitive=primitive)
        if isinstance(primitive, Points):
            return self._cloud(key, primitive, node, shade)
        if isinstance(primitive, Image):
            height, width, channels = primitive.pixels.shape
            pixels = primitive.pixels.repeat(3, axis=2) if channels == 1 else primitive.pixels
            side = max(height, width)
            return self._scene.add_image(key, pixels, width / side, height / side)
        import trimesh

        mesh = part_mesh(node)
        colors = _bytes(face_colors(mesh, node))
        if shade is not None:
            colors = np.tile(shade, (len(mesh.faces), 1))
        solid = trimesh.Trimesh(mesh.vertices, mesh.faces, face_colors=colors, process=False)
        made = self._scene.add_mesh_trimesh(key, solid)
        made.on_click(lambda _: self._clicked(number))
        return made

    def _cloud(self, key: str, cloud: Points, node: Node, shade: NDArray[np.uint8] | None) -> Any:
        if shade is None:
            shade = _bytes(node.color if cloud.colors is None else cloud.colors)
        size = 0.006 * float(np.linalg.norm(np.ptp(cloud.positions, axis=0)))
        return self._scene.add_point_cloud(
            key,
            cloud.positions.astype(np.float32),
            shade,
            point_size=size,
            point_shape="circle",
        )

    def _relations(self, arrangement: Arrangement, *, shown: bool) -> None:
        old = self._handles.pop("relations", None)
        if old is not None:
            old.remove()
        found = self._arranger.relations() if shown else []
        if found:
            ends = np.array(
                [[arrangement.centers[a], arrangement.centers[b]] for _, a, b in found]
            )
            shades = [[_KIND_COLORS.get(kind, _OTHER_COLOR)] * 2 for kind, _, _ in found]
            self._handles["relations"] = self._scene.add_line_segments(
                "relations",
                ends.astype(np.float32),
                np.array(shades, dtype=np.uint8),
                thickness=2.0,
                thickness_units="screen",
            )


def _cube() -> tuple[NDArray[np.float32], NDArray[np.uint32]]:
    vertices, faces = box_algebra.mesh([[0.0, 0, 0, 1, 1, 1, 1, 0, 0, 0, 1, 0]])
    return vertices.astype(np.float32), faces.astype(np.uint32)


def _bytes(colors: Any) -> NDArray[np.uint8]:
    return np.asarray(np.rint(255 * np.asarray(colors)), dtype=np.uint8)
