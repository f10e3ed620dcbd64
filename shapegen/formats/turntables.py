"""Scenes from all sides: an animated picture, a film, a folder of pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from shapegen.core.camera import framing
from shapegen.formats.film import write_mp4
from shapegen.formats.gif import write_gif
from shapegen.formats.picture import Style, thumbnail
from shapegen.formats.png import write_png
from shapegen.scene import Scene, positions

FRAMES, FPS = 36, 20.0
"""Pictures in one turn, and of them a second."""


def write_turntable(
    scene: Scene, path: str | Path, *, size: int = 256, frames: int = FRAMES, fps: float = FPS
) -> None:
    """Draw a scene from all sides.

    Args:
        scene: With something to see.
        path: A ``.gif``, an ``.mp4``, or a folder (no extension, or an existing one), which gets
            ``0000.png``, ``0001.png``, ...
        size: Height and width in pixels.
        frames: Number of pictures in one turn.
        fps: Frames a second.

    Raises:
        ValueError: Another extension, no frames, or an empty scene.
        RuntimeError: A film without imageio-ffmpeg.
    """
    path = Path(path)
    kind = "" if path.is_dir() else path.suffix.lower()
    if kind not in ("", ".gif", ".mp4"):
        raise ValueError(
            f"a turntable is a .gif, an .mp4 or a folder of pictures; got {path.name!r}"
        )
    pictures = turntable(scene, size, frames=frames)
    if kind == ".gif":
        write_gif(pictures, path, fps=fps, hold=0.0)
    elif kind == ".mp4":
        write_mp4(pictures, path, fps=fps)
    else:
        for number, picture in enumerate(pictures):
            write_png(picture, path / f"{number:04d}.png")


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
