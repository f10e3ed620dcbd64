"""Animated GIF pictures."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shapegen.formats.atomic import replacing

Pixels = NDArray[np.uint8]


def gif_bytes(frames: Sequence[Pixels], *, fps: float = 20.0, hold: float = 0.6) -> bytes:
    """Encode frames, repeated for ever.

    All frames share one palette without dithering, so that what stands still does not flicker.
    Equal frames in a row are stored once, with their time added.

    Args:
        frames: ``(H, W, 3)`` each, all of one size.
        fps: Frames a second; GIF keeps time in steps of 10 ms.
        hold: Seconds that the first and the last frame stay longer.

    Raises:
        ValueError: No frames, frames of different sizes, or a rate that is not positive.
    """
    shapes = {frame.shape for frame in frames}
    if len(shapes) != 1 or any(len(shape) != 3 or shape[2] != 3 for shape in shapes):
        raise ValueError(f"a GIF needs frames of one size (H, W, 3); got {sorted(shapes)}")
    if not fps > 0:
        raise ValueError(f"frames a second must be positive; got {fps}")
    palette = _palette(frames)
    pictures = [_indexed(frame, palette) for frame in frames]
    durations = [1000.0 / fps] * len(frames)
    durations[0] += 1000.0 * hold
    if len(frames) > 1:
        durations[-1] += 1000.0 * hold
    buffer = io.BytesIO()
    pictures[0].save(
        buffer,
        "GIF",
        save_all=True,
        append_images=pictures[1:],
        duration=[10 * round(duration / 10) for duration in durations],
        loop=0,
        optimize=False,
    )
    return buffer.getvalue()


def write_gif(
    frames: Sequence[Pixels], path: str | Path, *, fps: float = 20.0, hold: float = 0.6
) -> None:
    """Write frames to a file; see :func:`gif_bytes`."""
    data = gif_bytes(frames, fps=fps, hold=hold)
    with replacing(path) as aside:
        aside.write_bytes(data)


def _palette(frames: Sequence[Pixels]) -> Pixels:
    """The 256 colours ``(256, 3)`` of all frames; the commonest, the background, is exact."""
    from PIL import Image as pil

    # Rows of at most a dozen frames are enough to choose by.
    chosen = np.unique(np.linspace(0, len(frames) - 1, min(len(frames), 12)).astype(int))
    sample = np.ascontiguousarray(np.concatenate([frames[i][::2] for i in chosen]))
    codes, counts = np.unique(_codes(sample), return_counts=True)
    commonest = int(codes[counts.argmax()])
    chosen_by_pillow = pil.fromarray(sample).quantize(255, dither=pil.Dither.NONE)
    colors: list[int] = chosen_by_pillow.getpalette() or []
    first = [commonest >> 16, commonest >> 8 & 255, commonest & 255]
    table = np.array([*first, *colors], dtype=np.uint8).reshape(-1, 3)
    # A short palette is filled up with its first colour.
    return np.concatenate([table, np.tile(table[:1], (256 - len(table), 1))])


def _indexed(frame: Pixels, palette: Pixels) -> Any:
    """A picture of palette numbers, the nearest for every pixel.

    Pillow's own look-up rounds colours to few bits, which tints a white background.
    """
    from PIL import Image as pil

    codes, where = np.unique(_codes(frame), return_inverse=True)
    colors = np.stack([codes >> 16, codes >> 8 & 255, codes & 255], axis=1).astype(np.float32)
    table = palette.astype(np.float32)
    # |c - p|^2 less |c|^2, which is the same for every entry of the palette.
    nearest = ((table**2).sum(1) - 2.0 * colors @ table.T).argmin(1).astype(np.uint8)
    picture = pil.fromarray(nearest[where].reshape(frame.shape[:2])).convert("P")
    picture.putpalette(palette.ravel().tolist())
    return picture


def _codes(pixels: Pixels) -> NDArray[np.int64]:
    """One number a colour."""
    wide = pixels.astype(np.int64)
    return np.asarray(wide[..., 0] << 16 | wide[..., 1] << 8 | wide[..., 2])
