"""Films (.mp4, H.264) through the ffmpeg that imageio-ffmpeg brings along."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from shapegen.formats.atomic import replacing

Pixels = NDArray[np.uint8]


def write_mp4(frames: Sequence[Pixels], path: str | Path, *, fps: float = 20.0) -> None:
    """Write frames as a film that every browser and slide program plays.

    Args:
        frames: ``(H, W, 3)`` each, all of one size; an odd side is cut by a pixel, since colours
            are stored at half the size.
        path: An ``.mp4`` file.
        fps: Frames a second.

    Raises:
        ValueError: No frames, frames of different sizes, or a rate that is not positive.
        RuntimeError: imageio-ffmpeg is missing.
    """
    shapes = {frame.shape for frame in frames}
    if len(shapes) != 1 or any(len(shape) != 3 or shape[2] != 3 for shape in shapes):
        raise ValueError(f"a film needs frames of one size (H, W, 3); got {sorted(shapes)}")
    if not fps > 0:
        raise ValueError(f"frames a second must be positive; got {fps}")
    try:
        import imageio_ffmpeg
    except ImportError:
        raise RuntimeError(
            "a film needs imageio-ffmpeg; install it with: pip install 'shapegen[film]'"
        ) from None
    height, width = (side - side % 2 for side in frames[0].shape[:2])
    with replacing(path) as aside:
        writer = imageio_ffmpeg.write_frames(
            str(aside),
            (width, height),
            fps=fps,
            codec="libx264",
            quality=8,
            macro_block_size=2,
            # One thread, and no date or version inside: the same frames give the same bytes.
            output_params=["-threads", "1", "-fflags", "+bitexact", "-flags:v", "+bitexact"],
        )
        writer.send(None)
        for frame in frames:
            writer.send(np.ascontiguousarray(frame[:height, :width]))
        writer.close()
