"""What of a scene can be drawn, as flat arrays: triangles and balls with colours."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shapegen.core import boxes as box_algebra
from shapegen.core.shading import to_linear
from shapegen.scene import Boxes, Mesh, Node, Points, Scene, face_colors

Float = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Drawing:
    """Primitives numbered from 0: first the triangles, then the balls (points)."""

    triangles: Float
    """``(t, 3, 3)``."""
    normals: Float
    """``(t, 3)``: unit normals."""
    closed: NDArray[np.bool_]
    """``(t,)``: whether only the outside can be seen."""
    balls: Float
    """``(p, 3)``."""
    radius: float
    """Of the balls."""
    albedo: Float
    """``(t + p, 3)``: linear colours."""
    part: NDArray[np.int32]
    """``(t + p,)``: number of the node that each belongs to."""

    def __len__(self) -> int:
        return len(self.part)

    def occluders(self) -> tuple[Float, NDArray[np.bool_]]:
        """Triangles ``(o, 3, 3)`` that cast the shadows, and which of them are closed.

        A ball casts the shadow of a flat square.
        """
        side = 0.8 * self.radius
        square = np.array([[-side, 0, -side], [side, 0, -side], [side, 0, side], [-side, 0, side]])
        squares = (self.balls[:, None] + square)[:, [[0, 1, 2], [0, 2, 3]]]
        casting = np.concatenate([self.triangles, squares.reshape(-1, 3, 3)])
        return casting, np.append(self.closed, np.zeros(2 * len(self.balls), bool))


def drawing(scene: Scene, *, point_size: float) -> Drawing:
    """Collect what can be drawn.

    Args:
        scene: Images and groups are left out.
        point_size: Radius of a point by the diagonal of everything's bounds.
    """
    pieces = _pieces(scene)
    triangles = np.concatenate([np.empty((0, 3, 3)), *(piece[0] for piece in pieces)])
    clouds = [(i, n) for i, n in enumerate(scene.nodes) if isinstance(n.primitive, Points)]
    balls = np.concatenate([np.empty((0, 3)), *(_cloud(node)[0] for _, node in clouds)])
    colors = [*(piece[1] for piece in pieces), *(_cloud(node)[1] for _, node in clouds)]
    owners = [*(piece[2] for piece in pieces)]
    owners += [np.full(len(_cloud(node)[0]), number) for number, node in clouds]
    sides = triangles[:, 1:] - triangles[:, :1]
    cross = np.cross(sides[:, 0], sides[:, 1])
    points = np.concatenate([triangles.reshape(-1, 3), balls])
    diagonal = float(np.linalg.norm(np.ptp(points, axis=0))) if len(points) else 0.0
    return Drawing(
        triangles=triangles,
        normals=cross / np.maximum(np.linalg.norm(cross, axis=1, keepdims=True), 1e-30),
        closed=np.concatenate([np.empty(0, bool), *(piece[3] for piece in pieces)]),
        balls=balls,
        radius=point_size * diagonal,
        albedo=to_linear(np.concatenate([np.empty((0, 3)), *colors])),
        part=np.concatenate([np.empty(0), *owners]).astype(np.int32),
    )


def _pieces(scene: Scene) -> list[tuple[Float, Float, NDArray[np.int64], NDArray[np.bool_]]]:
    """Corners, colours, node numbers and closedness of the triangles of boxes and meshes."""
    boxed = [(i, node) for i, node in enumerate(scene.nodes) if isinstance(node.primitive, Boxes)]
    pieces = []
    if boxed:
        # All boxes at once: hundreds of small arrays would cost more than the drawing.
        rows = [node.primitive.boxes for _, node in boxed if isinstance(node.primitive, Boxes)]
        vertices, faces = box_algebra.mesh(np.concatenate(rows))
        counts = [12 * len(row) for row in rows]
        colors = np.repeat(np.array([node.color for _, node in boxed]), counts, axis=0)
        owners = np.repeat([number for number, _ in boxed], counts)
        pieces.append((vertices[faces], colors, owners, np.ones(len(faces), bool)))
    for number, node in enumerate(scene.nodes):
        mesh = node.primitive
        if isinstance(mesh, Mesh):
            count = len(mesh.faces)
            colors = face_colors(mesh, node)
            owners = np.full(count, number)
            pieces.append((mesh.vertices[mesh.faces], colors, owners, np.zeros(count, bool)))
    return pieces


def _cloud(node: Node) -> tuple[Float, Float]:
    """Positions and colours of a node's points."""
    assert isinstance(node.primitive, Points)
    cloud = node.primitive
    if cloud.colors is not None:
        return cloud.positions, cloud.colors
    return cloud.positions, np.tile(np.array(node.color), (len(cloud.positions), 1))
