"""Shapes that turn into one another, frame by frame."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from shapegen.formats.gif import write_gif
from shapegen.formats.picture import Style, scene_camera, thumbnail
from shapegen.scene import Scene, positions

Pixels = NDArray[np.uint8]


def animation_frames(
    scenes: Sequence[Scene], size: int = 256, *, style: Style | None = None
) -> list[Pixels]:
    """Draw scenes with one camera, so that only the shape moves; each stands on its own ground.

    Args:
        scenes: At least one, for example the steps of an interpolation.
        size: Height and width in pixels.
        style: Default: on white.

    Raises:
        ValueError: There are no scenes.
    """
    if not scenes:
        raise ValueError("an animation needs at least one scene; got none")
    # Images lie flat: they need no camera, and have no points that one could frame.
    solid = any(len(positions(node)) for scene in scenes for node in scene.nodes)
    camera = scene_camera(*scenes) if solid else None
    return [thumbnail(scene, size, camera=camera, style=style) for scene in scenes]


def write_animation(
    scenes: Sequence[Scene],
    path: str | Path,
    size: int = 256,
    *,
    fps: float = 12.0,
    there_and_back: bool = True,
) -> None:
    """Write an interpolation as an animated GIF.

    Args:
        scenes: The steps, ends included.
        path: A ``.gif`` file.
        size: Height and width in pixels.
        fps: Frames a second.
        there_and_back: Return through the same steps, so that the loop has no jump.
    """
    frames = animation_frames(scenes, size)
    if there_and_back:
        # The ends are held instead of being drawn twice; the loop closes at the first frame.
        write_gif(frames + frames[-1:] * round(0.6 * fps) + frames[-2:0:-1], path, fps=fps)
    else:
        write_gif(frames, path, fps=fps)
