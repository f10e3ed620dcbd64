"""Pictures of samples while a model trains."""

from __future__ import annotations

from pathlib import Path

import torch

from shapegen.base import GenerativeModel

SIZE, COLUMNS = 160, 6


def write_picture(model: GenerativeModel, count: int, path: Path, *, rng: torch.Generator) -> None:
    """Draw samples and write their contact sheet as PNG."""
    from shapegen import view
    from shapegen.formats.png import write_png

    shapes = model.sample(count, rng=rng)
    images = [
        view.thumbnail(shapes[number : number + 1].to_scene(), SIZE)
        for number in range(len(shapes))
    ]
    write_png(view.contact_sheet(images, COLUMNS), path)
