"""Pictures of scenes by a software rasteriser: no graphics driver, the same on every machine."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shapegen.core.camera import NEAR, Camera, framing
from shapegen.core.raster import Canvas
from shapegen.core.shading import FILL, Shadows, exposed, studio, to_display, to_linear
from shapegen.formats.drawing import Drawing, drawing
from shapegen.scene import Colour, Scene, positions

Float = NDArray[np.float64]
Float32 = NDArray[np.float32]
Pixels = NDArray[np.uint8]

SAMPLES = 2
"""Samples a pixel in each direction."""

_FLOOR = 64
"""Side of the grid of light on the ground."""

_SMALL = 320
"""Longer side, in pixels, up to which a picture has fewer lights."""


@dataclass(frozen=True, eq=False)
class Style:
    """How a picture looks."""

    background: Colour = (1.0, 1.0, 1.0)
    lines: float = 0.45
    """Darkness of the lines around parts, 0 (none) to 1 (black)."""
    creases: float = 0.12
    """Darkness of the lines between faces of one part."""
    shadow: float = 0.6
    """Strength of the shadow on the ground, 0 (none) to 1."""
    ground: float | None = None
    """Height of the ground; None: the lowest point of the scene."""
    point_size: float = 0.012
    """Radius of a point by the diagonal of the scene's bounds."""


def scene_camera(*scenes: Scene, **view: float) -> Camera:
    """A camera that frames all the given scenes, for pictures of the same scale.

    Args:
        scenes: At least one with something to see.
        view: ``azimuth``, ``elevation``, ``distance``, ``margin``, ``aspect`` of
            :func:`shapegen.core.camera.framing`.
    """
    points = [positions(node) for scene in scenes for node in scene.nodes]
    return framing(np.concatenate([np.empty((0, 3)), *points]), **view)


def thumbnail(
    scene: Scene,
    size: int | tuple[int, int] = 256,
    *,
    camera: Camera | None = None,
    style: Style | None = None,
) -> Pixels:
    """Draw a scene: shaded, with soft shadows and fine lines around the parts.

    Args:
        scene: Boxes, meshes and points are drawn; a scene of images only gives the first image.
        size: Height and width in pixels, or both as a pair.
        camera: Default: from the front right and above, framing the scene.
        style: Default: on white.

    Returns:
        ``(H, W, 3)``.

    Raises:
        ValueError: ``size`` is below 1.
    """
    height, width = (size, size) if isinstance(size, int) else size
    if min(height, width) < 1:
        raise ValueError(f"a picture needs at least one pixel; got {height} x {width}")
    style = style or Style()
    drawn = drawing(scene, point_size=style.point_size)
    if not len(drawn):
        return _first_image(scene, height, width, style)
    return _Studio(drawn, camera, height, width).picture(style)


def seen_nodes(
    scene: Scene, size: int | tuple[int, int], *, camera: Camera | None = None
) -> NDArray[np.int32]:
    """The node that most of every pixel of a :func:`thumbnail` shows: numbers ``(H, W)``.

    Where there is nothing it is -1; of as much of several, the one further up, then left.

    Args:
        scene: With something to draw.
        size: Height and width in pixels, or both as a pair.
        camera: Default: that of :func:`thumbnail`.

    Raises:
        ValueError: There is nothing to draw.
    """
    height, width = (size, size) if isinstance(size, int) else size
    drawn = drawing(scene, point_size=Style().point_size)
    if not len(drawn):
        raise ValueError("a scene needs boxes, meshes or points to be seen; got none")
    number = _Studio(drawn, camera, height, width).number
    nodes = np.append(drawn.part, -1)[number]  # the number -1 finds the entry at the end
    samples = _planes(nodes)
    alike = (samples[:, None] == samples[None]).sum(1)
    return np.asarray(np.take_along_axis(samples, alike.argmax(0)[None], 0)[0], dtype=np.int32)


class _Studio:
    """One drawing in front of one camera, in samples of the image."""

    def __init__(self, drawn: Drawing, camera: Camera | None, height: int, width: int) -> None:
        if camera is None:
            points = np.concatenate([drawn.triangles.reshape(-1, 3), drawn.balls])
            camera = framing(points, aspect=width / height)
        self.drawn, self.camera = drawn, camera
        self.height, self.width = height, width
        self.occluders, self.closed = drawn.occluders()
        self.canvas = self._canvas()
        self.number = self.canvas.number
        # Most pixels show nothing: the others' samples are (samples, pixels) from here on.
        touched = _planes(self.number).max(0) >= 0
        self.pixels = np.flatnonzero(touched)

    @cached_property
    def shadows(self) -> Shadows:
        """Half of the work: what is seen needs none."""
        axes = self.camera.axes
        azimuth = float(np.arctan2(-axes[2, 0], -axes[2, 2]))
        side = max(self.height, self.width)
        tile = min(max(round(0.25 * side), 48), 192)
        # The steps between few lights' shadows are too faint to see in a small picture.
        many = side > _SMALL
        lights = studio(azimuth) if many else studio(azimuth, key_lights=5, sky_lights=11)
        return Shadows(self.occluders, lights, closed=self.closed, tile=tile)

    def picture(self, style: Style) -> Pixels:
        """Light everything and average the samples."""
        number = self._samples(self.number)
        shade = exposed(self._light(number)) * self._samples(self._ink(style))
        # The number -1 (nothing) finds the entry at the end.
        albedo = np.append(self.drawn.albedo, np.zeros((1, 3)), axis=0).astype(np.float32)
        front = (albedo.take(number, axis=0) * shade[..., None]).mean(0)
        covered = np.zeros(self.height * self.width, dtype=np.float32)
        covered[self.pixels] = (number >= 0).mean(0, dtype=np.float32)
        free = (1.0 - covered) * self._ground(covered < 1.0, style).ravel()
        picture = free[:, None] * to_linear(np.array(style.background)).astype(np.float32)
        picture[self.pixels] += front
        levels = 255.0 * to_display(picture) + 0.5
        return levels.astype(np.uint8).reshape(self.height, self.width, 3)

    def _samples(self, values: NDArray[Any]) -> NDArray[Any]:
        """What is at the samples ``(samples, p)`` of the pixels that show something."""
        return np.asarray(_planes(values).reshape(SAMPLES**2, -1).take(self.pixels, axis=1))

    def _corner_rays(self, samples: int) -> Float:
        """Rays ``(3, 3)`` at the first pixel, the one below and the one to its right.

        Others lie between them, evenly. ``samples`` a pixel a side take the pixels' place.
        """
        scale = 0.5 * min(self.height, self.width) * samples
        middle = 0.5 * samples * np.array([self.width, self.height])
        return self.camera.rays((np.array([[0, 0], [0, 1], [1, 0]]) + 0.5 - middle) / scale)

    def _canvas(self) -> Canvas:
        drawn, camera = self.drawn, self.camera
        height, width = self.height * SAMPLES, self.width * SAMPLES
        scale, middle = 0.5 * min(height, width), np.array([0.5 * width, 0.5 * height])
        near = NEAR * max(float(np.linalg.norm(camera.eye)), 1e-9)
        canvas = Canvas(height, width)

        def on_canvas(points: Float) -> tuple[Float, NDArray[np.bool_]]:
            seen = camera.project(points)
            ahead = seen[..., 2] > near
            seen[..., :2] = seen[..., :2] * scale + middle
            seen[..., 2] = 1.0 / np.where(ahead, seen[..., 2], 1.0)
            return seen, ahead

        corners, ahead = on_canvas(drawn.triangles)
        away = ((drawn.triangles[:, 0] - camera.eye) * drawn.normals).sum(1) > 0
        # A triangle that is not drawn keeps its number: it shrinks to a point.
        corners[~ahead.all(1) | (drawn.closed & away)] = 0.0
        canvas.draw(corners)
        if len(drawn.balls):
            centres, ahead = on_canvas(drawn.balls)
            size = np.where(ahead, drawn.radius * centres[:, 2], 0.0)
            radius = size * camera.zoom * scale
            canvas.splat(centres, radius, size * centres[:, 2], first=len(drawn.triangles))
        return canvas

    def _light(self, number: NDArray[np.int32]) -> Float32:
        """Light at every sample, found once a pixel and primitive since it changes slowly."""
        shared = number == number[0]
        own = (number >= 0) & ~shared
        own[0] = number[0] >= 0
        sample, pixel = np.nonzero(own)
        which = number[sample, pixel]
        row, column = np.divmod(self.pixels.take(pixel), self.width)
        down, across = np.divmod(sample, SAMPLES)
        row, column = row * SAMPLES + down, column * SAMPLES + across
        first, below, right = self._corner_rays(SAMPLES)
        steps = np.stack([np.ones(len(row)), row, column], axis=1, dtype=np.float32)
        rays = steps @ np.stack([first, below - first, right - first]).astype(np.float32)
        near = self.canvas.nearness.take(row * self.number.shape[1] + column)
        points = self.camera.eye + rays / near[:, None]
        normals = self._normals(which, points)
        # A surface that is open is lit on the side that is seen.
        away = np.einsum("ij,ij->i", rays, normals) > 0
        normals[away] *= -1.0
        light = np.zeros(number.shape, dtype=np.float32)
        light[own] = self.shadows.light(points, normals) + FILL
        return np.where(shared, light[0], light)

    def _normals(self, which: NDArray[np.int32], points: Float) -> Float32:
        drawn = self.drawn
        if not len(drawn.balls):
            return drawn.normals.astype(np.float32).take(which, axis=0)
        normals = np.empty((len(which), 3), dtype=np.float32)
        flat = which < len(drawn.triangles)
        normals[flat] = drawn.normals[which[flat]]
        ball = points[~flat] - drawn.balls[which[~flat] - len(drawn.triangles)]
        normals[~flat] = ball / np.maximum(np.linalg.norm(ball, axis=1, keepdims=True), 1e-12)
        return normals

    def _ink(self, style: Style) -> Float32:
        """Share of light ``(h, w)`` that thin lines around parts and along creases let through."""
        number = self.number
        flat_count = len(self.drawn.triangles)
        # The number -1 (nothing) finds the entry at the end.
        part = np.append(self.drawn.part, -1).astype(np.int32)
        ink = np.ones(number.size, dtype=np.float32)
        width = number.shape[1]
        flat = number.ravel()
        for step, differs in (
            (width, number[:-1] != number[1:]),
            (1, np.pad(number[:, :-1] != number[:, 1:], ((0, 0), (0, 1)))),
        ):
            one = np.flatnonzero(differs.ravel())
            first, second = flat[one], flat[one + step]
            border = part[first] != part[second]
            for side in (one[border], one[border] + step):
                ink[side] = np.minimum(ink[side], 1.0 - style.lines)
            inner = ~border & (first < flat_count) & (second < flat_count)
            normals = self.drawn.normals
            bend = (normals[first[inner]] * normals[second[inner]]).sum(1) < 0.9
            crease = one[inner][bend]
            ink[crease] = np.minimum(ink[crease], 1.0 - style.creases)
        return ink.reshape(number.shape)

    def _ground(self, visible: NDArray[np.bool_], style: Style) -> Float32:
        """Share of the background's light ``(H, W)`` that the shadow on the ground leaves."""
        corners = self.occluders.reshape(-1, 3)
        lowest, highest = corners.min(0), corners.max(0)
        ground = float(lowest[1]) if style.ground is None else style.ground
        reach = 0.9 * max(float(highest[1]) - ground, 0.0)
        low, high = lowest[[0, 2]] - reach, highest[[0, 2]] + reach
        unit = (_FLOOR - 1) / np.maximum(high - low, 1e-12)
        drop = np.float32(ground - self.camera.eye[1])
        across, steep, along = self._pixel_rays()
        with np.errstate(divide="ignore", invalid="ignore"):  # of rays along the ground
            down = drop / steep
            x = across * np.float32(unit[0]) * down
            z = along * np.float32(unit[1]) * down
        x += np.float32((self.camera.eye[0] - low[0]) * unit[0])
        z += np.float32((self.camera.eye[2] - low[1]) * unit[1])
        last = np.float32(_FLOOR - 1)
        near = visible & ((down > 0) & (x > 0) & (x < last) & (z > 0) & (z < last)).ravel()
        dark = np.zeros(x.size, dtype=np.float32)
        floor = _floor_shadow(self.shadows, low, high, ground)
        dark[near] = _bilinear(floor, x.ravel()[near], z.ravel()[near])
        fade = style.shadow * _vignette(self.height)[:, None] * _vignette(self.width)
        return 1.0 - dark.reshape(x.shape) * fade.astype(np.float32)

    def _pixel_rays(self) -> tuple[Float32, Float32, Float32]:
        """x, y and z of the rays through the middles of all pixels, each ``(H, W)``."""
        first, below, right = self._corner_rays(1)
        row = np.arange(self.height)[:, None] * (below - first)[:, None, None]
        column = np.arange(self.width) * (right - first)[:, None, None] + first[:, None, None]
        x, y, z = row.astype(np.float32) + column.astype(np.float32)
        return x, y, z


def _floor_shadow(shadows: Shadows, low: Float, high: Float, ground: float) -> Float32:
    """Share of the open sky's light that is missing on a grid of the ground; 0 on its border."""
    grid = np.stack(np.meshgrid(*np.linspace(low, high, _FLOOR).T, indexing="ij"), axis=-1)
    flat = grid.reshape(-1, 2)
    points = np.insert(flat, 1, ground, axis=1)
    up = np.tile([0.0, 1.0, 0.0], (len(flat), 1))
    dark = 1.0 - shadows.light(points, up) / shadows.open_light(up[:1])
    dark = dark.reshape(_FLOOR, _FLOOR).astype(np.float64)
    # Each light's shadow has a hard border: blurred, and the faintest streaks are left out.
    for width in (3, 3, 5, 5):
        total = np.cumsum(np.pad(dark, ((width // 2 + 1, width // 2), (0, 0))), axis=0)
        dark = ((total[width:] - total[:-width]) / width).T
    dark = np.clip(dark - 0.05, 0.0, None) / 0.95
    fade = np.clip(8.0 * (1.0 - np.abs(np.linspace(-1, 1, _FLOOR))), 0.0, 1.0)
    return np.asarray(dark * fade[:, None] * fade[None, :], dtype=np.float32)


def _vignette(size: int) -> Float:
    """1 inside, falling to 0 at the border: pictures side by side show no seams."""
    index = np.arange(size)
    return np.asarray(np.clip(np.minimum(index, size - 1 - index) / (0.08 * size), 0.0, 1.0))


def _bilinear(grid: Float32, x: Float32, y: Float32) -> Float32:
    low_x, low_y = x.astype(np.int32), y.astype(np.int32)
    u, v = x - low_x.astype(np.float32), y - low_y.astype(np.float32)
    at, side = low_x * grid.shape[1] + low_y, grid.shape[1]
    near = grid.take(at) * (1 - v) + grid.take(at + 1) * v
    far = grid.take(at + side) * (1 - v) + grid.take(at + side + 1) * v
    return np.asarray(near * (1 - u) + far * u)


def _planes(values: NDArray[Any]) -> NDArray[Any]:
    """A plane ``(H, W)`` for each of the samples of a pixel, row by row."""
    height, width = values.shape[0] // SAMPLES, values.shape[1] // SAMPLES
    blocks = values.reshape(height, SAMPLES, width, SAMPLES).transpose(1, 3, 0, 2)
    return np.asarray(blocks.reshape(SAMPLES**2, height, width))


def _first_image(scene: Scene, height: int, width: int, style: Style) -> Pixels:
    """The first image of a scene in a frame of the given size, or only background."""
    back = np.rint(255 * np.array(style.background)).astype(np.uint8)
    picture = np.tile(back, (height, width, 1))
    if not scene.images:
        return picture
    from PIL import Image as pil

    pixels = scene.images[0].pixels
    image = pil.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels).convert("RGB")
    scale = min(height / image.height, width / image.width)
    size = max(round(image.width * scale), 1), max(round(image.height * scale), 1)
    # Small pictures (digits) stay sharp when they are enlarged.
    image = image.resize(size, pil.Resampling.NEAREST if scale >= 2 else pil.Resampling.LANCZOS)
    top, left = (height - size[1]) // 2, (width - size[0]) // 2
    picture[top : top + size[1], left : left + size[0]] = np.asarray(image)
    return picture
