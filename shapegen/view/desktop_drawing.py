"""What the Open3D window shows of shapes: a mesh of boxes a shape, pieces, lines, labels."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shapegen.core.shading import srgb_to_linear
from shapegen.scene import Image, Mesh, Points
from shapegen.view.pieces import Piece, box_mesh, labels, pieces
from shapegen.view.relations import relation_lines
from shapegen.view.rooms import image_size
from shapegen.view.state import Picture, ViewerState

Float = NDArray[np.float64]


class Drawing:
    """Shapes in the scene of a window.

    Args:
        o3d: The module.
        widget: Open3D's scene widget.
    """

    def __init__(self, o3d: ModuleType, widget: Any) -> None:
        self._o3d = o3d
        self._widget = widget
        self._scene = widget.scene
        self._drawn: dict[str, Piece] = {}
        self._brief: list[str] = []
        self._labels: list[Any] = []

    def draw(self, state: ViewerState) -> None:
        """Bring the scene to a state."""
        self._forget()
        wanted: dict[str, Piece] = {}
        for picture in state.pictures():
            self._boxes(picture)
            self._pieces(picture, wanted, own_colors=state.coloring == "semantics")
            if state.relations:
                self._relations(picture)
            if state.labels:
                self._label(picture)
            if state.compare:
                self._name(picture, state)
        for key in self._drawn.keys() - wanted.keys():
            self._scene.remove_geometry(key)
        self._drawn = wanted

    def _forget(self) -> None:
        """Remove what is made anew every time."""
        for key in self._brief:
            self._scene.remove_geometry(key)
        for label in self._labels:
            self._widget.remove_3d_label(label)
        self._brief.clear()
        self._labels.clear()

    def _boxes(self, picture: Picture) -> None:
        mesh = box_mesh(picture.arrangement)
        if len(mesh.faces):
            key = f"boxes {picture.shape}"
            made = solid(self._o3d, mesh).translate(picture.offset)
            self._scene.add_geometry(key, made, self._material("defaultLit"), False)
            self._brief.append(key)

    def _pieces(self, picture: Picture, wanted: dict[str, Piece], *, own_colors: bool) -> None:
        for piece in pieces(picture.arranger, picture.arrangement, own_colors=own_colors):
            key = f"part {picture.shape} {piece.number}"
            # What was drawn and looks as it did is only moved.
            if not piece.looks_like(self._drawn.get(key)):
                if key in self._drawn:
                    self._scene.remove_geometry(key)
                if not self._added(key, piece):
                    continue
            place = np.eye(4)
            place[:3, 3] = piece.offset + picture.offset
            if isinstance(piece.primitive, Image) and picture.facing is not None:
                place[:3, :3] = picture.facing
            self._scene.set_geometry_transform(key, place)
            wanted[key] = piece

    def _added(self, key: str, piece: Piece) -> bool:
        material = self._material("defaultLit")
        made: Any
        if isinstance(piece.primitive, Points):
            made, material = cloud(self._o3d, piece.cloud()), self._material("defaultUnlit")
        elif isinstance(piece.primitive, Image):
            made, material = _plate(self._o3d, piece.primitive), self._material("defaultUnlit")
            pixels = np.ascontiguousarray(_rgb(piece.primitive))
            material.albedo_img = self._o3d.geometry.Image(pixels)
        else:
            mesh = piece.mesh()
            if not len(mesh.faces):
                return False
            made = solid(self._o3d, mesh)
        self._scene.add_geometry(key, made, material, False)
        return True

    def _relations(self, picture: Picture) -> None:
        found = picture.arrangement
        ends, colors = relation_lines(picture.arranger.relations(), found.centers, found.there)
        if not len(ends):
            return
        utility = self._o3d.utility
        made = self._o3d.geometry.LineSet(
            utility.Vector3dVector((ends + picture.offset).reshape(-1, 3)),
            utility.Vector2iVector(np.arange(2 * len(ends)).reshape(-1, 2)),
        )
        made.colors = utility.Vector3dVector(colors)
        material = self._material("unlitLine")
        material.line_width = 3.0
        key = f"relations {picture.shape}"
        self._scene.add_geometry(key, made, material, False)
        self._brief.append(key)

    def _label(self, picture: Picture) -> None:
        for text, place in labels(picture.arranger, picture.arrangement):
            self._write(text, place + picture.offset)

    def _name(self, picture: Picture, state: ViewerState) -> None:
        low, high = state.room(picture.shape)
        place = np.array([0.5 * (low[0] + high[0]), high[1] + 0.1 * (high[1] - low[1]), high[2]])
        self._write(state.names[picture.shape], place + picture.offset)

    def _write(self, text: str, place: Float) -> None:
        label = self._widget.add_3d_label(place, text)
        label.color = type(label.color)(0.1, 0.1, 0.1)
        self._labels.append(label)

    def _material(self, shader: str) -> Any:
        material = self._o3d.visualization.rendering.MaterialRecord()
        material.shader = shader
        material.base_roughness = 0.8
        material.base_reflectance = 0.3
        material.point_size = 5.0
        return material


def solid(o3d: ModuleType, mesh: Mesh) -> Any:
    """Triangles whose faces have colours, as Open3D's mesh; flat where it has no normals."""
    assert mesh.face_colors is not None
    # Corners of their own give every face its own colour and its own flat normal.
    order = mesh.faces.reshape(-1)
    made = o3d.geometry.TriangleMesh(
        o3d.utility.Vector3dVector(mesh.vertices[order]),
        o3d.utility.Vector3iVector(np.arange(len(order)).reshape(-1, 3)),
    )
    # The renderer takes colours of corners and points for linear light.
    made.vertex_colors = o3d.utility.Vector3dVector(
        np.repeat(srgb_to_linear(mesh.face_colors), 3, axis=0)
    )
    if mesh.vertex_normals is None:
        made.compute_vertex_normals()
    else:
        made.vertex_normals = o3d.utility.Vector3dVector(mesh.vertex_normals[order])
    return made


def cloud(o3d: ModuleType, points: Points) -> Any:
    """Points that have colours, as Open3D's cloud."""
    made = o3d.geometry.PointCloud(o3d.utility.Vector3dVector(points.positions))
    made.colors = o3d.utility.Vector3dVector(srgb_to_linear(points.colors))
    return made


def _plate(o3d: ModuleType, image: Image) -> Any:
    """A rectangle around the origin with an image on it, seen from the front."""
    width, height = image_size(image)
    corners = 0.5 * np.array(
        [[-width, -height], [width, -height], [width, height], [-width, height]]
    )
    faces = np.array([[0, 1, 2], [0, 2, 3]])
    made = o3d.geometry.TriangleMesh(
        o3d.utility.Vector3dVector(np.column_stack([corners, np.zeros(4)])),
        o3d.utility.Vector3iVector(faces),
    )
    # The first row of pixels is at the top: v grows upwards for an image of a material.
    uv = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
    made.triangle_uvs = o3d.utility.Vector2dVector(uv[faces.reshape(-1)])
    # Its vertices would be grey otherwise, and darken the image.
    made.paint_uniform_color([1.0, 1.0, 1.0])
    made.compute_vertex_normals()
    return made


def _rgb(image: Image) -> NDArray[np.uint8]:
    pixels = image.pixels
    return pixels.repeat(3, axis=2) if pixels.shape[2] == 1 else pixels[..., :3]
