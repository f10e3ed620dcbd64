"""Pictures of any size as images of one: background, middle square, and scale."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shapegen.formats import npy

PICTURES = (".png", ".jpg", ".jpeg")
"""Kinds of files that hold one picture; beside them ``.npy`` of bytes does."""
_OTHERS = (".bmp", ".gif", ".heic", ".jp2", ".tif", ".tiff", ".webp")
"""Pictures that are not read, and must not be passed over in silence."""
_BESIDE = ("contact.png", "pairs.png", "animation.gif")
"""What the commands write beside samples, walks and translations, and is none of them."""
MAX_PIXELS = 2**24
"""Of one picture."""


@dataclass(frozen=True)
class Fit:
    """How a picture becomes one of a wanted size."""

    size: int | None = None
    """Height and width; the middle square is scaled to it. None: pictures stay as they are."""
    crop: int | None = None
    """Side of the square in the middle that is kept before; None: the largest."""

    def __post_init__(self) -> None:
        if self.size is not None and self.size < 1:
            raise ValueError(f"size must be at least 1 pixel; got {self.size}")
        if self.crop is not None and self.crop < 1:
            raise ValueError(f"crop must be at least 1 pixel; got {self.crop}")


def holds_picture(path: Path) -> bool:
    """Whether a file is one picture of a kind that is read."""
    kind = path.suffix.lower()
    return kind in PICTURES or (kind == ".npy" and npy.holds_picture(path))


def read_picture(path: Path, fit: Fit) -> NDArray[np.uint8]:
    """Read a picture ``(h, w, 1 or 3)``; what is transparent is on white.

    Args:
        path: Of :data:`PICTURES`, or ``.npy`` of bytes ``(h, w)``, ``(h, w, 1 or 3)``, or ``(1 or
            3, h, w)`` as CelebA-HQ has them, with or without a 1 before.
        fit: Its square, and size.

    Raises:
        ValueError: It is damaged, too large, or smaller than the square to be cut.
    """
    from PIL import Image

    if path.suffix.lower() == ".npy":
        loaded = Image.fromarray(_picture_of(npy.read_array(path), path))
    else:
        try:
            with Image.open(path) as picture:
                if picture.width * picture.height > MAX_PIXELS:
                    raise ValueError(f"{picture.width} x {picture.height} pixels are too many")
                loaded = _on_white(picture)
        except (OSError, SyntaxError, ValueError) as error:
            raise ValueError(f"{path}: the picture is damaged ({error})") from None
    try:
        pixels = np.asarray(fitted(loaded, fit))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    return pixels[..., None] if pixels.ndim == 2 else pixels


def fitted(picture: Any, fit: Fit) -> Any:
    """Cut the square in the middle out of a picture of Pillow's, and scale it (bilinear).

    Raises:
        ValueError: The picture is smaller than the square.
    """
    from PIL import Image

    if fit.crop is not None or fit.size is not None:
        side = min(picture.size) if fit.crop is None else fit.crop
        if side > min(picture.size):
            width, height = picture.size
            raise ValueError(f"a square of {side} pixels cannot be cut out of {width} x {height}")
        left, top = ((length - side) // 2 for length in picture.size)
        picture = picture.crop((left, top, left + side, top + side))
    if fit.size is not None and picture.size != (fit.size, fit.size):
        # When it is made smaller, Pillow averages over all that a pixel covers.
        picture = picture.resize((fit.size, fit.size), Image.Resampling.BILINEAR)
    return picture


def picture_files(folder: Path) -> list[Path]:
    """Pictures in a folder, or in its folders, in the order of names.

    Raises:
        ValueError: There are pictures of a kind that is not read.
    """
    files = sorted(each for each in folder.iterdir() if not each.name.startswith("."))
    files = [each for each in files if each.name not in _BESIDE]
    own = [each for each in files if each.suffix.lower() in PICTURES]
    # Beside pictures an array of bytes is something else: labels, masks.
    arrays = [] if own else [each for each in files if each.suffix.lower() == ".npy"]
    own = own or [each for each in arrays if npy.holds_picture(each)]
    if own and len(own) < len(arrays):
        other = next(each for each in arrays if each not in own)
        raise ValueError(f"{other}: a picture as .npy is of bytes; convert it or put it away")
    others = [each for each in files if each.suffix.lower() in _OTHERS]
    if others and own:
        raise ValueError(
            f"{others[0]}: pictures are read from {', '.join(PICTURES)}; convert it or put it away"
        )
    if own:
        return own
    inner = [each for each in files if each.is_dir()]
    return [file for each in inner for file in picture_files(each)]


def _picture_of(array: NDArray[Any], path: Path) -> NDArray[np.uint8]:
    """``(h, w)`` or ``(h, w, 3)`` of an array."""
    pixels = array[0] if array.ndim == 4 and len(array) == 1 else array
    if pixels.ndim == 3 and pixels.shape[2] not in (1, 3):
        pixels = np.moveaxis(pixels, 0, 2)
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[..., 0]
    right = pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[2] == 3)
    if array.dtype != np.uint8 or not right or not 0 < array.size <= 3 * MAX_PIXELS:
        raise ValueError(
            f"{path}: a picture as .npy is of bytes (h, w), (h, w, 3) or (3, h, w), of at most "
            f"{MAX_PIXELS} pixels; got {array.shape} {array.dtype}"
        )
    return np.ascontiguousarray(pixels)


def _on_white(picture: Any) -> Any:
    """A picture of Pillow's in grey or in colour without transparency."""
    from PIL import Image

    grey = picture.mode in ("1", "L", "LA", "I", "I;16")
    if picture.mode in ("LA", "PA", "RGBA") or "transparency" in picture.info:
        above = picture.convert("RGBA")
        white = Image.new("RGBA", above.size, (255, 255, 255, 255))
        picture = Image.alpha_composite(white, above)
    return picture.convert("L" if grey else "RGB")
