"""Scenes as picture files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from shapegen.core.camera import framing
from shapegen.formats.gif import write_gif
from shapegen.formats.picture import Style, thumbnail
from shapegen.formats.png import write_png
from shapegen.scene import Scene, positions

SIZE = 512
"""Side of a picture in pixels."""


def write_picture(scene: Scene, path: str | Path) -> None:
    """Draw a scene as PNG; a scene that is one image keeps its own pixels."""
    if len(scene.images) == len(scene) == 1:
        write_png(scene.images[0].pixels, path)
    else:
        write_png(thumbnail(scene, SIZE), path)


def write_turntable(scene: Scene, path: str | Path) -> None:
    """Draw a scene from all sides as an animated GIF."""
    write_gif(turntable(scene), path, hold=0.0)


def turntable(
    scene: Scene, size: int = 256, *, frames: int = 36, style: Style | None = None
) -> list[NDArray[np.uint8]]:
    """Pictures ``(H, W, 3)`` of a scene from all sides, at one scale.

    Args:
        scene: With something to see.
        size: Height and width in pixels.
        frames: Number of pictures in one turn.
        style: Default: on white.

    Raises:
        ValueError: ``frames`` is below 1 or the scene is empty.
    """
    if frames < 1:
        raise ValueError(f"a turntable needs at least one frame; got {frames}")
    low, high = scene.bounds()
    points = np.concatenate([positions(node) for node in scene.nodes])
    axis = 0.5 * (low + high)
    # The circle that every point runs through, so that no frame cuts one off.
    radius = np.linalg.norm((points - axis)[:, [0, 2]], axis=1)
    turns = np.linspace(0.0, 2.0 * np.pi, 24, endpoint=False)[:, None]
    swept = [axis[0] + radius * np.cos(turns), points[:, 1] + 0.0 * turns]
    swept.append(axis[2] + radius * np.sin(turns))
    cloud = np.stack(swept, axis=-1).reshape(-1, 3)
    return [
        thumbnail(scene, size, camera=framing(cloud, azimuth=0.6 + angle), style=style)
        for angle in np.linspace(0.0, 2.0 * np.pi, frames, endpoint=False).tolist()
    ]
