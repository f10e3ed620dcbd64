"""Pictures of numbers and of rows of images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from shapegen.formats.png import write_png
from shapegen.images.lowering import bytes_of

if TYPE_CHECKING:
    from shapegen.images.images import Images

Pixels = NDArray[np.uint8]
COLOURS = (
    (31, 119, 180),
    (255, 127, 14),
    (44, 160, 44),
    (214, 39, 40),
    (148, 103, 189),
    (140, 86, 75),
    (227, 119, 194),
    (127, 127, 127),
    (188, 189, 34),
    (23, 190, 207),
)
"""Of classes, in order; they begin anew after the tenth."""
_SIDE, _RADIUS, _SAMPLES = 640, 3, 2


def image_rows(rows: Sequence[Images], *, scale: int | None = None, gap: int = 2) -> Pixels:
    """Rows of images on one picture ``(H, W, 3)``, every pixel a square.

    Args:
        rows: Images of one size; rows may be of different lengths.
        scale: Side of a pixel; default: an image is about 64 high.
        gap: White between images.

    Raises:
        ValueError: No rows, an empty one, or images of different sizes.
    """
    sizes = {tuple(row.pixels.shape[2:]) for row in rows}
    if len(sizes) != 1 or not all(len(row) for row in rows):
        raise ValueError(f"rows need images of one size; got {len(rows)} rows of {sorted(sizes)}")
    height, width = sizes.pop()
    scale = scale or max(1, round(64 / height))
    height, width = height * scale, width * scale
    columns = max(len(row) for row in rows)
    picture = np.full(
        (len(rows) * (height + gap) + gap, columns * (width + gap) + gap, 3), 255, np.uint8
    )
    for number, row in enumerate(rows):
        top = gap + number * (height + gap)
        for column, image in enumerate(bytes_of(row)):
            left = gap + column * (width + gap)
            picture[top : top + height, left : left + width] = image.repeat(scale, 0).repeat(
                scale, 1
            )
    return picture


def scatter(points: ArrayLike, labels: Any = None) -> Pixels:
    """Points of a plane as a square picture ``(H, W, 3)``, coloured by class; axes are equal.

    Args:
        points: ``(n, 2)``; the plane's y points up.
        labels: Class numbers ``(n,)``, or None for one colour.

    Raises:
        ValueError: Another shape, no points, or numbers that are not finite.
    """
    from PIL import Image, ImageDraw

    places = np.asarray(points, dtype=np.float64)
    if places.ndim != 2 or places.shape[1] != 2 or not len(places):
        raise ValueError(f"points of a plane must be (n, 2); got {places.shape}")
    if not np.isfinite(places).all():
        raise ValueError("points of a plane must be finite; got NaN or infinity")
    classes = np.zeros(len(places), np.int64) if labels is None else np.asarray(labels)
    low, high = places.min(0), places.max(0)
    side, radius = _SIDE * _SAMPLES, _RADIUS * _SAMPLES
    span = max(float((high - low).max()), 1e-12)
    middle = (low + high) / 2
    place = (places - middle) / span * (side - 6 * radius) * [1, -1] + side / 2
    canvas = Image.new("RGB", (side, side), (255, 255, 255))
    pen = ImageDraw.Draw(canvas)
    for (x, y), label in zip(place.tolist(), classes.tolist(), strict=True):
        box = (x - radius, y - radius, x + radius, y + radius)
        pen.ellipse(box, fill=COLOURS[int(label) % len(COLOURS)])
    return np.asarray(canvas.resize((_SIDE, _SIDE), Image.Resampling.LANCZOS))


def curves(x: ArrayLike, lines: Mapping[str, ArrayLike]) -> Pixels:
    """Functions of one number as a picture ``(H, W, 3)``, from zero up, named in their colours.

    Args:
        x: Places ``(n,)``, at least two, rising.
        lines: Values ``(n,)`` by name.

    Raises:
        ValueError: Other lengths, no line, or numbers that are not finite.
    """
    from PIL import Image, ImageDraw, ImageFont

    places = np.asarray(x, dtype=np.float64)
    values = [np.asarray(line, dtype=np.float64) for line in lines.values()]
    if places.ndim != 1 or len(places) < 2 or not values:
        raise ValueError(f"curves need two places and a line; got {places.shape}, {len(values)}")
    for line in values:
        if line.shape != places.shape or not np.isfinite(line).all():
            raise ValueError(f"a line must be {places.shape} finite numbers; got {line.shape}")
    width, height, margin = (each * _SAMPLES for each in (_SIDE, _SIDE // 2, 4 * _RADIUS))
    low, high = min(0.0, *(line.min() for line in values)), max(line.max() for line in values)
    across = (places - places[0]) / (places[-1] - places[0]) * (width - 2 * margin) + margin
    canvas = Image.new("RGB", (width, height), (255, 255, 255))
    pen, font = ImageDraw.Draw(canvas), ImageFont.load_default(13 * _SAMPLES)
    for number, (name, line) in enumerate(zip(lines, values, strict=True)):
        share = (line - low) / max(high - low, 1e-12)
        up = height - margin - share * (height - 2 * margin)
        colour = COLOURS[number % len(COLOURS)]
        pen.line(list(zip(across.tolist(), up.tolist(), strict=True)), colour, 2 * _SAMPLES)
        pen.text((2 * margin, margin + 18 * _SAMPLES * number), name, colour, font)
    return np.asarray(canvas.resize((_SIDE, _SIDE // 2), Image.Resampling.LANCZOS))


def write_rows(rows: Sequence[Images], path: str | Path) -> None:
    """Write :func:`image_rows` as PNG."""
    write_png(image_rows(rows), path)


def write_scatter(points: ArrayLike, labels: Any, path: str | Path) -> None:
    """Write :func:`scatter` as PNG."""
    write_png(scatter(points, labels), path)


def write_curves(x: ArrayLike, lines: Mapping[str, ArrayLike], path: str | Path) -> None:
    """Write :func:`curves` as PNG."""
    write_png(curves(x, lines), path)
