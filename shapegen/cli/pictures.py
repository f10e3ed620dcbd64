"""Pictures of what the verbs made."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from shapegen.scene import Scene

SHOWN, SIZE = 96, 192
"""Most shapes of a sheet, and the side of a thumbnail in pixels."""


def write_sheet(scenes: Sequence[Scene], path: Path, *, size: int = SIZE) -> None:
    """Write thumbnails of the first scenes as one PNG."""
    from shapegen import view

    view.write_png(view.contact_sheet(view.thumbnails(scenes[:SHOWN], size)), path)


def write_pairs(before: Sequence[Any], after: Sequence[Any], path: Path) -> None:
    """Write shapes, and beside each what became of it, at one scale, as PNG."""
    from shapegen import view

    left, right = [], []
    for couple in zip(before[:SHOWN], after[:SHOWN], strict=True):
        pictures = view.thumbnails([shape.to_scene() for shape in couple], SIZE, same_scale=True)
        left.append(pictures[0])
        right.append(pictures[1])
    view.write_png(view.pair_sheet(left, right), path)
