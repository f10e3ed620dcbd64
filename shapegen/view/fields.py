"""Pictures of the plane: vector fields, ways through them, clouds beside their modes; panels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from shapegen.view.plots import COLOURS, Pixels

_SIDE, _SAMPLES, _ARROWS = 320, 2, 17
_CAPTION = 22


def field_picture(
    field: Callable[[NDArray[np.float64]], NDArray[np.float64]],
    reach: float,
    ways: Sequence[ArrayLike] = (),
) -> Pixels:
    """Arrows of a field on a square around 0, and ways through it, as a picture ``(H, W, 3)``.

    Args:
        field: From places ``(n, 2)`` to directions ``(n, 2)``; arrows show their direction alone.
        reach: Half the square's side.
        ways: Places ``(steps, 2)`` one after the other; a dot is where one begins.
    """
    from PIL import Image, ImageDraw

    canvas, pen = _canvas(Image, ImageDraw)
    middles = ((np.arange(_ARROWS) + 0.5) / _ARROWS * 2 - 1) * reach
    places = np.stack(np.meshgrid(middles, middles), -1).reshape(-1, 2)
    directions = field(places)
    length = np.linalg.norm(directions, axis=1, keepdims=True)
    tips = directions / np.maximum(length, 1e-12) * (0.7 * reach / _ARROWS)
    for place, tip in zip(places, tips, strict=True):
        ends = _pixels(np.stack([place - tip, place + tip]), reach)
        pen.line([tuple(end) for end in ends.tolist()], (170, 170, 170), _SAMPLES)
        _dot(pen, ends[1], 1.6, (120, 120, 120))
    for number, way in enumerate(ways):
        points = _pixels(np.asarray(way, dtype=np.float64), reach)
        colour = COLOURS[number % len(COLOURS)]
        pen.line([tuple(point) for point in points.tolist()], colour, 2 * _SAMPLES, joint="curve")
        _dot(pen, points[0], 5, colour)
    return _done(canvas, Image)


def cloud_picture(points: ArrayLike, centres: ArrayLike, reach: float) -> Pixels:
    """Points of the plane on a square around 0, beside the modes that they should be at.

    Args:
        points: ``(n, 2)``; those outside are not shown.
        centres: Of the modes ``(m, 2)``, as rings.
        reach: Half the square's side.
    """
    from PIL import Image, ImageDraw

    canvas, pen = _canvas(Image, ImageDraw)
    for place in _pixels(np.asarray(centres, dtype=np.float64), reach):
        box = [*(place - 9 * _SAMPLES), *(place + 9 * _SAMPLES)]
        pen.ellipse(box, outline=COLOURS[1], width=_SAMPLES)
    for place in _pixels(np.asarray(points, dtype=np.float64), reach):
        _dot(pen, place, 1.2, COLOURS[0])
    return _done(canvas, Image)


def panels(rows: Sequence[Sequence[tuple[str, Pixels]]]) -> Pixels:
    """Pictures of one size in rows, a caption above each.

    Raises:
        ValueError: No pictures.
    """
    from PIL import Image, ImageDraw, ImageFont

    if not rows or not all(rows):
        raise ValueError("panels need at least one picture a row")
    height, width = rows[0][0][1].shape[:2]
    columns = max(map(len, rows))
    size = (columns * (width + 8) + 8, len(rows) * (height + _CAPTION + 8))
    sheet = Image.new("RGB", size, (255, 255, 255))
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(13)
    for number, row in enumerate(rows):
        for column, (caption, picture) in enumerate(row):
            left, top = 8 + column * (width + 8), number * (height + _CAPTION + 8)
            pen.text((left, top + 4), caption, (0, 0, 0), font)
            sheet.paste(Image.fromarray(picture), (left, top + _CAPTION))
    return np.asarray(sheet)


def _canvas(image: Any, draw: Any) -> tuple[Any, Any]:
    side = _SIDE * _SAMPLES
    canvas = image.new("RGB", (side, side), (255, 255, 255))
    pen = draw.Draw(canvas)
    pen.rectangle([0, 0, side - 1, side - 1], outline=(200, 200, 200), width=_SAMPLES)
    return canvas, pen


def _done(canvas: Any, image: Any) -> Pixels:
    return np.asarray(canvas.resize((_SIDE, _SIDE), image.Resampling.LANCZOS))


def _pixels(places: NDArray[np.float64], reach: float) -> NDArray[np.float64]:
    # Beyond the border, but not so far that a line's pixels overflow.
    inside = places.clip(-3 * reach, 3 * reach)
    return (inside / reach * [1, -1] + 1) / 2 * (_SIDE * _SAMPLES)


def _dot(pen: Any, place: NDArray[np.float64], radius: float, colour: Any) -> None:
    pen.ellipse([*(place - radius * _SAMPLES), *(place + radius * _SAMPLES)], fill=colour)
