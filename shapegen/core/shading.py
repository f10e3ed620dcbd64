"""Light for pictures of shapes: many small lights with shadows, one mechanism for all softness.

A key light (a cluster of directions) and a sky (directions over the upper half) are each drawn as
a small shadow map; the maps lie in one atlas, which is filled by a single call of the rasteriser.
Soft shadows, the shade in corners and the shadow on the ground come out of the same sum
``sum_k weight_k max(0, n . l_k) visible_k``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shapegen.core.raster import Canvas

Float = NDArray[np.float64]
Float32 = NDArray[np.float32]

_CHUNK = 2048
"""Points that are lit at once: what is known of them stays in the processor's cache."""
FILL = 0.17
"""Light from everywhere, never in shadow, so that nothing is black."""


@dataclass(frozen=True, eq=False)
class Lights:
    """Distant lights."""

    directions: Float
    """``(k, 3)``: unit vectors towards the lights, all above the horizon."""
    weights: Float
    """``(k,)``: light received by a surface that faces the light."""


def studio(azimuth: float, *, key_lights: int = 7, sky_lights: int = 15) -> Lights:
    """A soft key light from the upper left of a viewer at ``azimuth`` and a bright sky.

    Args:
        azimuth: Radians from the front (+z) towards +x.
        key_lights: Of how many lights the key light is made; of more, shadows are softer.
        sky_lights: Of how many the sky is made.
    """
    key = _towards(_cap(key_lights, radius=0.16), np.array([np.sin(-0.75), 1.25, np.cos(-0.75)]))
    sky = _cap(sky_lights, radius=1.2)
    # The sky is brighter on the viewer's side (+z): faces that are seen are never flat dark.
    weights = (1.0 + 0.45 * sky[:, 2]) * 1.1 / len(sky)
    sin, cos = np.sin(azimuth), np.cos(azimuth)
    turn = np.array([[cos, 0.0, -sin], [0.0, 1.0, 0.0], [sin, 0.0, cos]])
    return Lights(
        np.concatenate([key, sky]) @ turn,
        np.concatenate([np.full(len(key), 0.68 / len(key)), weights]),
    )


class Shadows:
    """What a set of lights sees of triangles.

    Args:
        triangles: ``(t, 3, 3)`` in the scene; at least one.
        lights: The lights.
        closed: ``(t,)``: whether only the outside of each can be seen; None: of none.
        tile: Side of one light's shadow map in texels.
    """

    def __init__(
        self,
        triangles: Float,
        lights: Lights,
        *,
        closed: NDArray[np.bool_] | None = None,
        tile: int = 80,
    ) -> None:
        self.lights, self.tile = lights, tile
        corners = triangles.reshape(-1, 3)
        low, high = corners.min(0), corners.max(0)
        middle, radius = 0.5 * (low + high), max(0.5 * float(np.linalg.norm(high - low)), 1e-9)
        count = len(lights.directions)
        frames = _frames(lights.directions)
        scale = np.array([(tile - 4) / 2, (tile - 4) / 2, 1.0]) / radius
        # Texel x, texel y and nearness (first axis) of all lights (last axis): p @ matrix + shift.
        matrix = (frames * scale[:, None]).transpose(1, 2, 0)
        shift = np.array([tile / 2, tile / 2, 2.0])[:, None] - middle @ matrix
        self.texel = 2 * radius / (tile - 4)
        x, y, nearness = corners @ matrix + shift[:, None]
        seen = np.stack([x, y + tile * np.arange(count), nearness], -1).reshape(-1, 3, count, 3)
        lit = seen.transpose(2, 0, 1, 3)
        if closed is not None:
            # What is turned away is behind what is turned to a light.
            sides = triangles[:, 1:] - triangles[:, :1]
            turned = lights.directions @ np.cross(sides[:, 0], sides[:, 1]).T > 0
            lit = lit[turned | ~closed]
        canvas = Canvas(tile * count, tile)
        canvas.draw(lit.reshape(-1, 3, 3))
        self._atlas = canvas.nearness.ravel()
        # As above, of points with a one at the end, and a little nearer: a point that was drawn is
        # not hidden by its own texel.
        shift[2] += 0.6 * self.texel / radius
        self._matrix = np.concatenate([matrix, shift[:, None]], axis=1).astype(np.float32)
        self._last = np.float32(tile - 1)
        self._directions = lights.directions.T.astype(np.float32)
        self._weights = lights.weights.astype(np.float32)
        self._first = (tile * tile * np.arange(count)).astype(np.int32)

    def light(self, points: Float, normals: Float | Float32) -> Float32:
        """Light ``(n,)`` that reaches points ``(n, 3)`` with unit normals ``(n, 3)``.

        Args:
            points: On the surface of the triangles, or anywhere.
            normals: Outward.
        """
        starts = range(0, len(points), _CHUNK)
        parts = [slice(start, start + _CHUNK) for start in starts]
        found = [self._light(points[part], normals[part]) for part in parts]
        return np.concatenate([np.empty(0, np.float32), *found])

    def _light(self, points: Float, normals: Float | Float32) -> Float32:
        facing = normals.astype(np.float32) @ self._directions
        np.maximum(facing, np.float32(0.0), out=facing)
        # A step along the normal keeps a surface from shading itself through its own texels.
        raised = np.ones((len(points), 4), dtype=np.float32)
        raised[:, :3] = points + 1.5 * self.texel * normals
        x, y, nearness = raised @ self._matrix
        texel = np.clip(y, np.float32(0.0), self._last, out=y).astype(np.int32)
        texel *= self.tile
        texel += np.clip(x, np.float32(0.0), self._last, out=x).astype(np.int32)
        texel += self._first
        facing *= nearness > self._atlas.take(texel)
        return np.asarray(facing @ self._weights)

    def open_light(self, normals: Float) -> Float:
        """Light ``(n,)`` that would reach surfaces with these normals if nothing stood around."""
        facing = np.maximum(normals @ self.lights.directions.T, 0.0)
        return np.asarray(facing @ self.lights.weights)


def to_linear(srgb: Float) -> Float:
    """Light of display values in 0..1, by the power 2.2."""
    return np.asarray(np.asarray(srgb, dtype=np.float64) ** 2.2)


def srgb_to_linear(values: Any) -> Float:
    """Linear values of sRGB's in 0..1, by its own curve: what files of other programs state."""
    srgb = np.asarray(values, dtype=np.float64)
    return np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)


def exposed(light: NDArray[np.floating]) -> NDArray[np.floating]:
    """Compress bright light smoothly: faces towards the key keep their hue instead of clipping."""
    return np.asarray(1.35 * (1.0 - np.exp(-1.05 * light)))


def to_display(light: NDArray[np.floating]) -> NDArray[np.floating]:
    """Display values in 0..1 of light; what is brighter than white becomes white."""
    return np.asarray(np.clip(light, 0.0, 1.0) ** (1 / 2.2))


def _cap(count: int, *, radius: float) -> Float:
    """Evenly spread directions within ``radius`` (radians) of straight up."""
    index = np.arange(count) + 0.5
    height = 1.0 - index / count * (1.0 - np.cos(radius))
    turn = index * np.pi * (3.0 - np.sqrt(5.0))  # the golden angle
    flat = np.sqrt(np.maximum(1.0 - height**2, 0.0))
    return np.stack([flat * np.cos(turn), height, flat * np.sin(turn)], axis=1)


def _frames(directions: Float) -> Float:
    """``(k, 3, 3)``: two axes across each direction, and the direction."""
    spare = np.eye(3)[np.abs(directions).argmin(1)]
    right = np.cross(spare, directions)
    right /= np.linalg.norm(right, axis=1, keepdims=True)
    return np.stack([right, np.cross(directions, right), directions], axis=1)


def _towards(cap: Float, direction: Float) -> Float:
    """Turn directions around straight up to lie around ``direction``."""
    unit = direction / np.linalg.norm(direction)
    right, other, _ = _frames(unit[None])[0]
    return np.asarray(cap @ np.stack([right, unit, other]))
