"""Scenes as picture files."""

from __future__ import annotations

from pathlib import Path

from shapegen.formats.picture import thumbnail
from shapegen.formats.png import write_png
from shapegen.scene import Scene

SIZE = 512
"""Side of a picture in pixels."""


def write_picture(scene: Scene, path: str | Path) -> None:
    """Draw a scene as PNG; a scene that is one image keeps its own pixels."""
    if len(scene.images) == len(scene) == 1:
        write_png(scene.images[0].pixels, path)
    else:
        write_png(thumbnail(scene, SIZE), path)
