"""A model of radiance fields as a viewer needs it: pictures from any side, and the surface."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from shapegen.core.frames import to_y_up, to_z_up
from shapegen.fields.camera_setting import CameraSetting
from shapegen.fields.cameras import look_at
from shapegen.fields.radiance import RadianceFields
from shapegen.scene import Image, Mesh

Float = NDArray[np.float64]

COARSE = 4
"""The first picture from a new side has so many times fewer pixels along its side."""
TOLERANCE = 0.01
"""Error of a colour in 0 to 1 that may buy speed."""
SLOW = 0.3
"""Seconds of a full picture from which on it pays to find out where its field is empty."""
CELLS = 64
"""Along the side of the cube that a surface is looked for in."""


@dataclass(frozen=True, eq=False)
class Looks:
    """How fields are looked at; their frame here is y up."""

    picture: Callable[[Float, Float, int], Image]
    """Of the field of a latent ``(d,)``, from a camera in a direction ``(3,)`` of the origin, so
    many pixels high."""
    mesh: Callable[[Float], Mesh]
    """The surface of a latent's field, where the side of a picture is a unit."""
    sizes: tuple[int, ...]
    """Of pictures from one side, one after the other."""
    front: Float
    """``(3,)``: direction of the camera in the middle of those that the model knows."""


def looks_of(decode: Callable[[Float], RadianceFields], like: RadianceFields) -> Looks:
    """Take a model of fields apart for a viewer.

    Args:
        decode: The field of a latent, a batch of one.
        like: Any field of the model: its cameras and size are those of all.
    """
    cameras, size = like.cameras, like.size
    kept: dict[bytes, RadianceFields] = {}
    slow: set[bytes] = set()

    def field(latent: Float) -> RadianceFields:
        # While one looks around it is the same one, which then knows where it is empty.
        key = latent.tobytes()
        if key not in kept:
            kept.clear()
            slow.clear()
            kept[key] = decode(latent)
        return kept[key]

    radius = sum(cameras.radius) / 2
    side = _side(cameras, radius)

    def picture(latent: Float, direction: Float, pixels: int) -> Image:
        place = radius * to_z_up(direction / np.linalg.norm(direction))
        pose, key = look_at(torch.from_numpy(place)), latent.tobytes()
        shape = field(latent)
        tolerance, began = TOLERANCE if key in slow else 0.0, time.perf_counter()
        shown = shape.render(pose, pixels, tolerance=tolerance)
        if (time.perf_counter() - began) * (size / pixels) ** 2 > SLOW:
            slow.add(key)
        return Image(shown.bytes[0])

    def mesh(latent: Float) -> Mesh:
        (found,) = field(latent).mesh(resolution=CELLS).meshes
        return replace(found, vertices=found.vertices / side)

    place = cameras.viewpoints.middle(like=like.poses)[:3, 3].double().cpu().numpy()
    sizes = (max(size // COARSE, 1), size)
    return Looks(picture, mesh, sizes, to_y_up(place / np.linalg.norm(place)))


def _side(cameras: CameraSetting, radius: float) -> float:
    """What a picture shows of the world from its left to its right, where the object is."""
    if cameras.parallel:
        return cameras.far - cameras.near
    return 2 * radius * math.tan(math.radians(cameras.fov) / 2)
