"""Pictures of scenes by a software rasteriser: no graphics driver, the same on every machine."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

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

_FLOOR = 96
"""Side of the grid of light on the ground."""


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
    samples = np.stack(
        [nodes[y::SAMPLES, x::SAMPLES] for y in range(SAMPLES) for x in range(SAMPLES)]
    )
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
        self.seen = np.flatnonzero(self.number.ravel() >= 0)

    @cached_property
    def shadows(self) -> Shadows:
        """Nine tenths of the work: what is seen needs none."""
        axes = self.camera.axes
        azimuth = float(np.arctan2(-axes[2, 0], -axes[2, 2]))
        tile = min(max(round(0.25 * max(self.height, self.width)), 48), 192)
        return Shadows(self.occluders, studio(azimuth), closed=self.closed, tile=tile)

    def picture(self, style: Style) -> Pixels:
        """Light everything and average the samples."""
        number = self.number
        shade = np.zeros((number.size, 1), dtype=np.float32)
        shade[self.seen, 0] = exposed(self._light()[self.seen]) * self._ink(style).flat[self.seen]
        # The number -1 (nothing) finds the entry at the end.
        albedo = np.append(self.drawn.albedo, np.zeros((1, 3)), axis=0).astype(np.float32)
        color = albedo.take(number.ravel(), axis=0)
        color *= shade
        alpha = _averaged((number >= 0).astype(np.float32))[..., None]
        behind = self._background(alpha[..., 0] < 1.0, style)
        front = _averaged(color.reshape(*number.shape, 3))
        picture = to_display(front + (1.0 - alpha) * behind)
        return np.asarray(255.0 * picture + 0.5, dtype=np.uint8)

    def _to_image(self, row: NDArray[np.int64], column: NDArray[np.int64], samples: int) -> Float:
        """Image coordinates ``(n, 2)`` of the middles of pixels, ``samples`` a pixel a side."""
        scale = 0.5 * min(self.height, self.width) * samples
        x = (column + 0.5 - 0.5 * self.width * samples) / scale
        y = (row + 0.5 - 0.5 * self.height * samples) / scale
        return np.stack([x, y], axis=1)

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

    def _light(self) -> Float32:
        """Light at every sample, found once a pixel and primitive since it changes slowly."""
        number = self.number
        first = number[::SAMPLES, ::SAMPLES]
        own = number >= 0
        for y in range(SAMPLES):
            for x in range(SAMPLES):
                if x or y:
                    own[y::SAMPLES, x::SAMPLES] &= number[y::SAMPLES, x::SAMPLES] != first
        at = np.flatnonzero(own.ravel())
        row, column = np.divmod(at, number.shape[1])
        rays = self.camera.rays(self._to_image(row, column, SAMPLES))
        points = self.camera.eye + rays / self.canvas.nearness.ravel()[at, None]
        normals = self._normals(number.ravel()[at], points)
        # A surface that is open is lit on the side that is seen.
        normals[(rays * normals).sum(1) > 0] *= -1.0
        light = np.zeros(number.size, dtype=np.float32)
        light[at] = self.shadows.light(points, normals) + FILL
        every = light.reshape(number.shape)
        shared = every[::SAMPLES, ::SAMPLES].copy()
        for y in range(SAMPLES):
            for x in range(SAMPLES):
                block = every[y::SAMPLES, x::SAMPLES]
                np.copyto(block, shared, where=number[y::SAMPLES, x::SAMPLES] == first)
        return light

    def _normals(self, which: NDArray[np.int32], points: Float) -> Float:
        drawn = self.drawn
        if not len(drawn.balls):
            return drawn.normals[which]
        normals = np.empty((len(which), 3))
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

    def _background(self, visible: NDArray[np.bool_], style: Style) -> Float32:
        """Linear background ``(H, W, 3)`` with the shadow that falls on the ground."""
        base = to_linear(np.array(style.background)).astype(np.float32)
        picture = np.tile(base, (*visible.shape, 1))
        corners = self.occluders.reshape(-1, 3)
        lowest, highest = corners.min(0), corners.max(0)
        ground = float(lowest[1]) if style.ground is None else style.ground
        reach = 0.9 * max(float(highest[1]) - ground, 0.0)
        low, high = lowest[[0, 2]] - reach, highest[[0, 2]] + reach
        drop = ground - self.camera.eye[1]
        across, steep, along = self._pixel_rays()
        down = np.where(steep * drop > 0, drop / steep, np.inf)
        unit = (_FLOOR - 1) / np.maximum(high - low, 1e-12)
        with np.errstate(invalid="ignore"):  # of rays that never meet the ground
            x = (self.camera.eye[0] + across * down - low[0]) * unit[0]
            z = (self.camera.eye[2] + along * down - low[1]) * unit[1]
        near = visible & (x > 0) & (x < _FLOOR - 1) & (z > 0) & (z < _FLOOR - 1)
        row, column = np.nonzero(near)
        place = np.stack([x[near], z[near]], 1)
        dark = _bilinear(_floor_shadow(self.shadows, low, high, ground), place)
        dark *= style.shadow * _vignette(row, self.height) * _vignette(column, self.width)
        picture[near] *= (1.0 - dark).astype(np.float32)[:, None]
        return picture

    def _pixel_rays(self) -> tuple[Float, Float, Float]:
        """x, y and z of the rays through the middles of all pixels, each ``(H, W)``."""
        rows, columns = np.array([0, 0, 1]), np.array([0, 1, 0])
        first, right, below = self.camera.rays(self._to_image(rows, columns, 1))
        row, column = np.arange(self.height)[:, None], np.arange(self.width)
        x, y, z = (
            start + row * (down - start) + column * (over - start)
            for start, over, down in zip(first, right, below, strict=True)
        )
        return x, y, z


def _floor_shadow(shadows: Shadows, low: Float, high: Float, ground: float) -> Float:
    """Share of the open sky's light that is missing on a grid of the ground; 0 on its border."""
    grid = np.stack(np.meshgrid(*np.linspace(low, high, _FLOOR).T, indexing="ij"), axis=-1)
    flat = grid.reshape(-1, 2)
    points = np.insert(flat, 1, ground, axis=1)
    up = np.tile([0.0, 1.0, 0.0], (len(flat), 1))
    dark = 1.0 - shadows.light(points, up) / shadows.open_light(up[:1])
    dark = dark.reshape(_FLOOR, _FLOOR).astype(np.float64)
    # Each light's shadow has a hard border: blurred, and the faintest streaks are left out.
    for _ in range(4):
        total = np.cumsum(np.pad(dark, ((3, 2), (0, 0))), axis=0)
        dark = ((total[5:] - total[:-5]) / 5).T
    dark = np.clip(dark - 0.05, 0.0, None) / 0.95
    fade = np.clip(8.0 * (1.0 - np.abs(np.linspace(-1, 1, _FLOOR))), 0.0, 1.0)
    return np.asarray(dark * fade[:, None] * fade[None, :])


def _vignette(index: NDArray[np.int64], size: int) -> Float:
    """1 inside, falling to 0 at the border: pictures side by side show no seams."""
    return np.asarray(np.clip(np.minimum(index, size - 1 - index) / (0.08 * size), 0.0, 1.0))


def _bilinear(grid: Float, place: Float) -> Float:
    low = place.astype(np.int64)
    x, y = np.minimum(low, np.array(grid.shape) - 2).T
    u, v = (place - np.stack([x, y], axis=1)).T
    near = grid[x, y] * (1 - v) + grid[x, y + 1] * v
    far = grid[x + 1, y] * (1 - v) + grid[x + 1, y + 1] * v
    return np.asarray(near * (1 - u) + far * u)


def _averaged(samples: Float32) -> Float32:
    """Mean over the samples of every pixel."""
    rows = samples[::SAMPLES].copy()
    for y in range(1, SAMPLES):
        rows += samples[y::SAMPLES]
    total = rows[:, ::SAMPLES].copy()
    for x in range(1, SAMPLES):
        total += rows[:, x::SAMPLES]
    return total / np.float32(SAMPLES**2)


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
