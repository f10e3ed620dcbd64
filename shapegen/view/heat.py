"""Tables of numbers as pictures."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from shapegen.view.plots import Pixels

_CELL, _MARGIN, _LETTER = (56, 18), 8, 7
_LIGHT, _DARK = np.array([255.0, 255, 255]), np.array([8.0, 69, 148])


def heat_map(values: ArrayLike, rows: Sequence[str], columns: Sequence[str]) -> Pixels:
    """Numbers of 0 to 1 as cells, white to blue, each with its number.

    Args:
        values: ``(rows, columns)``.
        rows: Their names.
        columns: Their names.

    Raises:
        ValueError: Another shape, no cells, or a number outside of 0 to 1.
    """
    from PIL import Image, ImageDraw, ImageFont

    table = np.asarray(values, dtype=np.float64)
    if table.shape != (len(rows), len(columns)) or not table.size:
        raise ValueError(
            f"a table of {len(rows)} rows and {len(columns)} columns is needed; got {table.shape}"
        )
    if not ((table >= 0) & (table <= 1)).all():
        raise ValueError(f"numbers must be from 0 to 1; got {table.min():g} to {table.max():g}")
    width, height = _CELL
    left = _LETTER * max(map(len, rows)) + 2 * _MARGIN
    size = (left + width * len(columns) + _MARGIN, height * (len(rows) + 1) + 2 * _MARGIN)
    canvas = Image.new("RGB", size, (255, 255, 255))
    pen, font = ImageDraw.Draw(canvas), ImageFont.load_default(11)
    for column, name in enumerate(columns):
        pen.text((left + width * column + 4, _MARGIN), name, (0, 0, 0), font)
    for row, name in enumerate(rows):
        top = _MARGIN + height * (row + 1)
        pen.text((_MARGIN, top + 2), name, (0, 0, 0), font)
        for column, value in enumerate(table[row].tolist()):
            colour = tuple(np.rint(_LIGHT + value * (_DARK - _LIGHT)).astype(int).tolist())
            start = left + width * column
            pen.rectangle([start, top, start + width - 2, top + height - 2], colour)
            ink = (255, 255, 255) if value > 0.5 else (0, 0, 0)
            pen.text((start + 14, top + 2), f"{value:.2f}", ink, font)
    return np.asarray(canvas)
