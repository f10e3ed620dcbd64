"""What cameras see of a scene: shaded pixels with their alpha, depth, parts and normals.

Pictures for models to learn from, where :mod:`shapegen.formats.picture` makes pictures to look at:
no ground, no lines, and light that is fixed in the world, so that the views of a shape agree.
Cameras and what they see are in the frame of poses, z up (:mod:`shapegen.core.frames`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from shapegen.core import boxes as box_algebra
from shapegen.core.camera import Camera
from shapegen.core.frames import TO_Z_UP, to_z_up
from shapegen.core.raster import Canvas
from shapegen.core.shading import FILL, Lights, Shadows, exposed, studio, to_display
from shapegen.formats.drawing import Drawing, drawing
from shapegen.scene import Boxes, Mesh, Scene

Float = NDArray[np.float64]
Float32 = NDArray[np.float32]

SAMPLES = 3
"""Samples a pixel in each direction; odd, so that one lies in its middle."""


@dataclass(frozen=True, eq=False)
class View:
    """What one camera sees; depth, parts and normals are those in the middles of the pixels."""

    pixels: NDArray[np.uint8]
    """``(size, size, 3)`` on white."""
    alpha: Float32
    """``(size, size)``: share of a pixel that the shape covers, 0 to 1."""
    depth: Float32
    """``(size, size)``: along the camera's axis in units of the world; infinite: nothing."""
    parts: NDArray[np.int32]
    """``(size, size)``: number of the scene's node that is seen, -1: none."""
    normals: Float32
    """``(size, size, 3)``: outward unit normals in the frame of poses; 0: nothing."""


class Stage:
    """A scene that is lit once, to be looked at from many sides.

    Args:
        scene: At least one box or mesh; points and images are left out.
        normalise: Put the middle of the bounding box to the origin, and scale its diagonal to 2:
            the shape is then within the unit sphere.
        shadows: Let parts shade one another, instead of light by direction alone.

    Raises:
        ValueError: There are no triangles.
    """

    def __init__(self, scene: Scene, *, normalise: bool = True, shadows: bool = False) -> None:
        drawn = drawing(scene, point_size=0.0)
        corners = to_z_up(drawn.triangles)
        if not len(corners):
            raise ValueError("a view needs boxes or meshes; the scene has none")
        self.centre, self.scale = np.zeros(3), 1.0
        if normalise:
            low, high = corners.min((0, 1)), corners.max((0, 1))
            self.centre = 0.5 * (low + high)
            self.scale = 2.0 / max(float(np.linalg.norm(high - low)), 1e-12)
            corners = (corners - self.centre) * self.scale
        self._scene = scene
        self.drawn: Drawing = replace(drawn, triangles=corners, normals=to_z_up(drawn.normals))
        lights = studio(0.0)
        lights = Lights(to_z_up(lights.directions), lights.weights)
        self.shadows = Shadows(corners, lights, closed=drawn.closed, tile=64) if shadows else None
        self._colors = self._flat_colors(lights)

    def view(self, pose: ArrayLike, size: int, fov: float) -> View:
        """Look at the scene.

        Args:
            pose: Camera-to-world ``(4, 4)``: columns right, up, backward, eye; z up.
            size: Height and width in pixels.
            fov: Field of view in radians, from border to border.

        Raises:
            ValueError: ``size`` is below 1, no pose, or a camera that does not have the whole
                shape before it.
        """
        if size < 1:
            raise ValueError(f"size must be at least 1 pixel; got {size}")
        camera = Camera.of_pose(pose, fov)
        canvas = self._canvas(camera, size * SAMPLES)
        number = canvas.number
        colors = self._colors[number] if self.shadows is None else self._lit(camera, canvas)
        centre = slice(SAMPLES // 2, None, SAMPLES)
        seen = number[centre, centre]
        nearness = canvas.nearness[centre, centre]
        # Of the number -1 the last entry is taken: nothing.
        part = np.append(self.drawn.part, -1).astype(np.int32)
        normals = np.append(self.drawn.normals, np.zeros((1, 3)), axis=0).astype(np.float32)
        with np.errstate(divide="ignore"):
            depth = np.where(seen < 0, np.float32(np.inf), 1.0 / nearness)
        return View(
            pixels=(255.0 * to_display(_averaged(colors)) + 0.5).astype(np.uint8),
            alpha=_averaged((number >= 0).astype(np.float32)),
            depth=depth.astype(np.float32),
            parts=part[seen],
            normals=normals[seen] * _towards(normals[seen], camera, size),
        )

    def boxes(self) -> Float | None:
        """The scene's boxes ``(k, 12)`` where cameras see them; None if it has meshes too."""
        found = [node.primitive for node in self._scene.nodes]
        if any(isinstance(each, Mesh) for each in found):
            return None
        rows = [each.boxes for each in found if isinstance(each, Boxes)]
        return box_algebra.transformed(
            box_algebra.orthonormalised(np.concatenate(rows)),
            rotation=TO_Z_UP,
            scale=self.scale,
            translation=-self.scale * self.centre,
        )

    def _flat_colors(self, lights: Lights) -> Float32:
        """Linear colours ``(t + 1, 3)`` of triangles without shadows, and of the background."""
        facing = self.drawn.normals @ lights.directions.T
        light = np.maximum(facing, 0.0) @ lights.weights
        # A surface that is open is lit on the side that is seen: on average on either.
        other = np.maximum(-facing, 0.0) @ lights.weights
        light = np.where(self.drawn.closed, light, np.maximum(light, other)) + FILL
        colors = self.drawn.albedo * exposed(light)[:, None]
        return np.append(colors, np.ones((1, 3)), axis=0).astype(np.float32)

    def _canvas(self, camera: Camera, width: int) -> Canvas:
        """The samples: nearness is one over the depth."""
        drawn = self.drawn
        seen = camera.project(drawn.triangles)
        nearest = float(seen[..., 2].min())
        if not nearest > 1e-6:
            raise ValueError(
                "a camera must have the whole shape before it; got one that is "
                f"{float(np.linalg.norm(camera.eye)):g} from the origin, a corner at depth "
                f"{nearest:g}"
            )
        seen[..., :2] = (seen[..., :2] + 1.0) * (0.5 * width)
        seen[..., 2] = 1.0 / seen[..., 2]
        away = ((drawn.triangles[:, 0] - camera.eye) * drawn.normals).sum(1) > 0
        # A triangle that is not drawn keeps its number: it shrinks to a point.
        seen[drawn.closed & away] = 0.0
        canvas = Canvas(width, width)
        canvas.draw(seen)
        return canvas

    def _lit(self, camera: Camera, canvas: Canvas) -> Float32:
        """Linear colours of all samples, with shadows."""
        assert self.shadows is not None
        number = canvas.number
        row, column = np.nonzero(number >= 0)
        place = (np.stack([column, row], axis=1) + 0.5) / (0.5 * len(number)) - 1.0
        rays = camera.rays(place)
        points = camera.eye + rays / canvas.nearness[row, column, None]
        normals = self.drawn.normals[number[row, column]]
        normals = np.where((rays * normals).sum(1, keepdims=True) > 0, -normals, normals)
        shade = exposed(self.shadows.light(points, normals) + FILL)
        colors = np.ones((*number.shape, 3), dtype=np.float32)
        colors[row, column] = self.drawn.albedo[number[row, column]] * shade[:, None]
        return colors


def _averaged(samples: Float32) -> Float32:
    """Mean over the samples of every pixel."""
    size = len(samples) // SAMPLES
    blocks = samples.reshape(size, SAMPLES, size, SAMPLES, *samples.shape[2:])
    return np.asarray(blocks.mean((1, 3)), dtype=np.float32)


def _towards(normals: Float32, camera: Camera, size: int) -> Float32:
    """Signs ``(size, size, 1)`` that turn normals to the side that is seen."""
    line = (np.arange(size) + 0.5) * (2.0 / size) - 1.0
    rays = camera.rays(np.stack(np.meshgrid(line, line), axis=-1))
    away = (rays * normals).sum(-1, keepdims=True) > 0
    return np.where(away, np.float32(-1), np.float32(1))
