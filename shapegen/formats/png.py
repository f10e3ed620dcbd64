"""PNG pictures."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from shapegen.formats.atomic import replacing
from shapegen.scene import Image


def png_bytes(pixels: NDArray[np.uint8]) -> bytes:
    """Encode pixels ``(H, W, 1, 3 or 4)``."""
    from PIL import Image as pil

    pixels = Image(pixels).pixels
    buffer = io.BytesIO()
    picture = pil.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)
    picture.save(buffer, "PNG")
    return buffer.getvalue()


def write_png(pixels: NDArray[np.uint8], path: str | Path) -> None:
    """Write pixels ``(H, W, 1, 3 or 4)`` to a file."""
    data = png_bytes(pixels)
    with replacing(path) as aside:
        aside.write_bytes(data)
