"""Many pictures on one sheet."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from shapegen.formats.picture import Style, scene_camera, thumbnail

if TYPE_CHECKING:
    from shapegen.core.camera import Camera
    from shapegen.scene import Scene

Pixels = NDArray[np.uint8]

TEXT = (70, 74, 82)
FAINT = (228, 230, 234)


def thumbnails(
    scenes: Iterable[Scene],
    size: int = 256,
    *,
    same_scale: bool = False,
    style: Style | None = None,
) -> list[Pixels]:
    """One picture a scene.

    Args:
        scenes: Any number.
        size: Height and width in pixels.
        same_scale: One camera for all, so that sizes can be compared; else each fills its picture.
        style: Default: on white.
    """
    scenes = list(scenes)
    # Images have no place in space, and a camera nothing to look at.
    placed = [scene for scene in scenes if len(scene.images) < len(scene)]
    camera: Camera | None = scene_camera(*placed) if same_scale and placed else None
    return [thumbnail(scene, size, camera=camera, style=style) for scene in scenes]


def contact_sheet(
    images: Sequence[Pixels],
    columns: int | None = None,
    captions: Sequence[str] | None = None,
    *,
    gap: int = 6,
    title: str = "",
) -> Pixels:
    """Lay pictures out in rows on white.

    Args:
        images: ``(H, W, 3)`` each, all of one size.
        columns: Pictures a row; default about 1.5 times as many as rows.
        captions: A line below every picture; shortened where it is too wide.
        gap: Pixels between pictures.
        title: A line above all.

    Raises:
        ValueError: No pictures, pictures of different sizes, or not one caption a picture.
    """
    shapes = {image.shape for image in images}
    if len(shapes) != 1 or any(len(shape) != 3 or shape[2] != 3 for shape in shapes):
        raise ValueError(f"a sheet needs pictures of one size (H, W, 3); got {sorted(shapes)}")
    if captions is not None and len(captions) != len(images):
        raise ValueError(f"one caption a picture ({len(images)}) or none; got {len(captions)}")
    if columns is not None and columns < 1:
        raise ValueError(f"a sheet needs at least one column; got {columns}")
    height, width, _ = images[0].shape
    columns = min(columns or max(round((1.5 * len(images)) ** 0.5), 1), len(images))
    rows = -(-len(images) // columns)
    font = min(max(round(width / 16), 11), 17)
    below = round(1.7 * font) if captions else 0
    above = 3 * font if title else 0
    sheet = np.full(
        (
            above + rows * (height + below) + (rows + 1) * gap,
            columns * width + (columns + 1) * gap,
            3,
        ),
        255,
        dtype=np.uint8,
    )
    lines = []
    for number, image in enumerate(images):
        row, column = divmod(number, columns)
        top = above + gap + row * (height + below + gap)
        left = gap + column * (width + gap)
        sheet[top : top + height, left : left + width] = image
        if captions:
            lines.append((captions[number], left + width // 2, top + height + below // 2, width))
    sheet = _with_text(sheet, lines, font)
    heading = [(title, sheet.shape[1] // 2, above // 2 + gap, sheet.shape[1])] if title else []
    return _with_text(sheet, heading, round(1.4 * font))


def pair_sheet(
    left: Sequence[Pixels],
    right: Sequence[Pixels],
    columns: int | None = None,
    captions: Sequence[str] | None = None,
    *,
    title: str = "",
) -> Pixels:
    """Lay pairs out, the two pictures of each beside one another: input and reconstruction, ...

    Args:
        left: ``(H, W, 3)`` each, all of one size.
        right: As many, of the same size.
        columns: Pairs a row; default about 0.8 times as many as rows.
        captions: A line below every pair.
        title: A line above all.

    Raises:
        ValueError: The two sides differ in number or size.
    """
    if len(left) != len(right):
        raise ValueError(f"pairs need as many left as right; got {len(left)} and {len(right)}")
    shapes = {image.shape for image in (*left, *right)}
    if len(shapes) != 1:
        raise ValueError(f"pairs need pictures of one size (H, W, 3); got {sorted(shapes)}")
    pairs = [np.concatenate(pair, axis=1) for pair in zip(left, right, strict=True)]
    for pair in pairs:
        pair[:, [0, -1]] = FAINT
        pair[[0, -1]] = FAINT
    columns = columns or max(round((0.8 * len(pairs)) ** 0.5), 1)
    return contact_sheet(pairs, columns, captions, gap=12, title=title)


def _with_text(sheet: Pixels, lines: Sequence[tuple[str, int, int, int]], size: int) -> Pixels:
    """Write lines (text, middle x, middle y, most width) on a sheet."""
    if not lines:
        return sheet
    from PIL import Image, ImageDraw, ImageFont

    picture = Image.fromarray(sheet)
    pen = ImageDraw.Draw(picture)
    font: Any = ImageFont.load_default(size)
    for text, x, y, width in lines:
        pen.text((x, y), _shortened(text, width, font), fill=TEXT, font=font, anchor="mm")
    return np.array(picture)


def _shortened(text: str, width: int, font: Any) -> str:
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(text + "…") > width:
        text = text[:-1]
    return text + "…"
