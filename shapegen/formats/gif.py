"""Animated GIF pictures."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

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
    from PIL import Image as pil

    shapes = {frame.shape for frame in frames}
    if len(shapes) != 1 or any(len(shape) != 3 or shape[2] != 3 for shape in shapes):
        raise ValueError(f"a GIF needs frames of one size (H, W, 3); got {sorted(shapes)}")
    if not fps > 0:
        raise ValueError(f"frames a second must be positive; got {fps}")
    palette = pil.fromarray(_sample(frames)).quantize(256, dither=pil.Dither.NONE)
    pictures = [
        pil.fromarray(np.ascontiguousarray(frame)).quantize(
            palette=palette, dither=pil.Dither.NONE
        )
        for frame in frames
    ]
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


def _sample(frames: Sequence[Pixels]) -> Pixels:
    """Rows of at most a dozen frames below one another: enough to choose 256 colours by."""
    chosen = np.unique(np.linspace(0, len(frames) - 1, min(len(frames), 12)).astype(int))
    return np.ascontiguousarray(np.concatenate([frames[i][::2] for i in chosen]))
