"""Scenes in the unit and with the axes of another program."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from shapegen.core.frames import TO_Z_UP
from shapegen.formats import PER_METRE, check_frame
from shapegen.scene import Scene, moved

Float = NDArray[np.float64]

TURNS: dict[str, Float] = {"y": np.eye(3), "z": TO_Z_UP}
"""From the axes of a scene to those with another one upwards."""


def converted(scene: Scene, *, unit: str = "m", up: str = "y") -> Scene:
    """State a scene, taken to be in metres, in another unit and with another axis upwards.

    Raises:
        ValueError: An unknown unit or axis.
    """
    check_frame(".obj", unit, up)
    scale, turn = PER_METRE[unit], TURNS[up]
    return Scene(tuple(moved(node, rotation=turn, scale=scale) for node in scene.nodes))
