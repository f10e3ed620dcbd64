"""Images that need no download: handwritten digits, and renderings of procedural furniture."""

from __future__ import annotations

import numpy as np

from shapegen.data.furniture import CATEGORIES
from shapegen.formats.picture import Style, thumbnail
from shapegen.images.files import from_bytes
from shapegen.images.images import Images
from shapegen.structures.part_tree import PartTrees

SIZE = 32
"""Height and width of a rendering in pixels."""
STYLE = Style(shadow=0.0)
_DIGITS, _DARKEST = 1797, 16


def digits(count: int, *, seed: int = 0, start: int = 0) -> Images:
    """Handwritten digits of 8 x 8 pixels, white on black, 17 levels of grey.

    Args:
        count: Of them; there are 1797.
        seed: Of their order, the same for every ``count`` and ``start``.
        start: Number of the first; disjoint ranges make a training and a test set.

    Raises:
        ValueError: There are not so many.

    Reference: Alpaydin and Kaynak, *Optical Recognition of Handwritten Digits*, UCI, 1998,
    as scikit-learn holds them.
    """
    if count < 1 or start < 0 or start + count > _DIGITS:
        raise ValueError(
            f"there are {_DIGITS} digits, numbered from 0; got {start} to {start + count - 1}"
        )
    from sklearn.datasets import load_digits

    found = load_digits()
    stream = np.random.RandomState(seed)
    order = stream.permutation(_DIGITS)[start : start + count]
    levels = np.rint(found.images[order] * (255 / _DARKEST)).astype(np.uint8)
    return from_bytes(levels, found.target[order].astype(np.int64))


def furniture_images(trees: PartTrees) -> Images:
    """Furniture in colour on white, all from one direction; the category is the label.

    Args:
        trees: At least one, of the categories that are made here.
    """
    pixels = np.stack([thumbnail(tree.to_scene(), SIZE, style=STYLE) for tree in trees])
    labels = [CATEGORIES.index(tree.label[0].split("/")[0]) for tree in trees]
    return from_bytes(pixels, labels, [tree.name for tree in trees])
