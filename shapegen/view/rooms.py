"""What shapes take of the space of a viewer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from shapegen.formats.walks import walk_of
from shapegen.scene import Image, Scene
from shapegen.view.arrangement import Arrangement, Arranger

Float = NDArray[np.float64]

FRONT = np.array([0.53, 0.35, 0.77])
"""Where the camera stands, seen from the middle."""
BESIDE = 0.55
"""How far a picture and the mesh beside it are from the middle, by the picture's longer side."""


def arranged(scenes: Sequence[Scene]) -> Arranger:
    """A walk's scenes laid out for drawing.

    Raises:
        ValueError: Nothing in them can be drawn.
    """
    walk = walk_of(scenes)
    if next(walk.drawn(), None) is None:
        raise ValueError("a shape without points, boxes, meshes or images cannot be shown")
    return Arranger(walk)


def room_of(arranger: Arranger) -> Float:
    """Low and high corner ``(2, 3)`` of every part where it first appears."""
    scene = arranger.walk.scene()
    if not scene.images:
        return scene.bounds()
    # Drawn a unit long, around the origin.
    width, height = np.array([image_size(image) for image in scene.images]).max(0)
    room = 0.5 * np.array([[-width, -height, 0.0], [width, height, 0.0]])
    if len(scene.images) == len(scene):
        return room
    # Something stands beside the picture, on one side or another.
    both = np.stack([room, scene.bounds()])
    aside = np.array([BESIDE, 0.0, BESIDE])
    return np.stack([both[:, 0].min(0) - aside, both[:, 1].max(0) + aside])


def image_size(image: Image) -> tuple[float, float]:
    """Width and height of an image as it is drawn, the longer of which is 1."""
    height, width, _ = image.pixels.shape
    return width / max(height, width), height / max(height, width)


def facing(direction: Float) -> Float:
    """The frame ``(3, 3)`` of a camera that is in a direction: columns right, up, backward."""
    back = direction / np.linalg.norm(direction)
    right = np.cross([0.0, 1.0, 0.0], back)
    if np.linalg.norm(right) < 1e-6:  # straight above or below
        right = np.array([1.0, 0.0, 0.0])
    right = right / np.linalg.norm(right)
    return np.stack([right, np.cross(back, right), back], axis=1)


def beside(arrangement: Arrangement, right: Float) -> Arrangement:
    """A picture and the mesh beside it, to the left and right as the camera sees them."""
    if len(arrangement.others) < 2:
        return arrangement
    others = tuple(
        (number, primitive, offset + (-BESIDE if isinstance(primitive, Image) else BESIDE) * right)
        for number, primitive, offset in arrangement.others
    )
    return replace(arrangement, others=others)
