"""Pairs of images that need no download: maps of part labels and renderings, changed digits.

The mapping from labels to renderings is ambiguous on purpose. A shape is painted in the colours of
the roles of its parts (backs, seats, supports, ...) or in their complements, with equal odds: the
mean of what may be is grey, and a model that hedges shows no role at all.
"""

from __future__ import annotations

import zlib
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from shapegen.data.furniture import CATEGORIES
from shapegen.data.image_sets import SIZE, STYLE, digits
from shapegen.formats.picture import seen_nodes, thumbnail
from shapegen.images.files import from_bytes
from shapegen.images.images import Images
from shapegen.images.pairs import ImagePairs
from shapegen.scene import Scene
from shapegen.structures.colors import PALETTE, label_hue
from shapegen.structures.part_tree import PartTrees

DIGIT_SIZE = 16
"""Height and width of a digit: twice the original's, so that strokes have two edges."""
ROLES = tuple(PALETTE)
"""Labels of maps from 1 on; 0 is the background."""
_COLORS = np.array([(1.0, 1.0, 1.0), *PALETTE.values()])
LABEL_COLORS: NDArray[np.uint8] = np.rint(255 * _COLORS).astype(np.uint8)
"""Colours ``(labels, 3)`` of maps of labels."""
MATERIALS: NDArray[np.float64] = np.stack([_COLORS[1:], 1 - _COLORS[1:]])
"""Colours ``(2, roles, 3)``, of which a shape has the first or the second."""


def furniture_pairs(trees: PartTrees) -> ImagePairs:
    """Maps of the roles of parts, in the roles' colours, and renderings from the same direction.

    A map is flat, without lines or mixed pixels: :meth:`ImagePairs.masks` gives its labels. A
    shape's materials depend on its name alone; the category is the label of both images.

    Args:
        trees: At least one, of the categories that are made here.
    """
    maps, renderings = [], []
    for tree in trees:
        scene = tree.to_scene()
        hues = [label_hue(str(node.extras["label"])) for node in scene.nodes]
        roles = np.array([ROLES.index(hue) for hue in hues])
        nodes = seen_nodes(scene, SIZE)
        maps.append(LABEL_COLORS[np.where(nodes < 0, 0, roles[nodes] + 1)])
        renderings.append(thumbnail(_painted(scene, roles, tree.name), SIZE, style=STYLE))
    labels = [CATEGORIES.index(tree.label[0].split("/")[0]) for tree in trees]
    names = [tree.name for tree in trees]
    return ImagePairs(
        from_bytes(np.stack(maps), labels, names),
        from_bytes(np.stack(renderings), labels, names),
        LABEL_COLORS / 127.5 - 1,
    )


def digit_pairs(kind: str, count: int, *, seed: int = 0, start: int = 0) -> ImagePairs:
    """Handwritten digits, enlarged to twice their size, and a change of each.

    Args:
        kind: ``inverted``: from white on black to black on white; ``edges``: from outlines to
            digits.
        count: As for :func:`shapegen.data.image_sets.digits`.
        seed: The same.
        start: The same.
    """
    made = digits(count, seed=seed, start=start)
    size = (DIGIT_SIZE, DIGIT_SIZE)
    large = functional.interpolate(made.pixels, size=size, mode="bilinear").clamp(-1, 1)
    names = [f"digit-{seed}-{number}" for number in range(start, start + count)]
    whole = Images(large, made.labels, names)
    if kind == "inverted":
        return ImagePairs(whole, Images(-large, made.labels, names))
    return ImagePairs(Images(edges(large), made.labels, names), whole)


def edges(pixels: torch.Tensor) -> torch.Tensor:
    """How far the brightness of the 3 x 3 pixels around each differs: white along edges.

    Args:
        pixels: ``(n, c, h, w)`` in [-1, 1].
    """
    highest = functional.max_pool2d(pixels, 3, stride=1, padding=1)
    lowest = -functional.max_pool2d(-pixels, 3, stride=1, padding=1)
    return highest - lowest - 1


def _painted(scene: Scene, roles: NDArray[np.int64], name: str) -> Scene:
    """The scene with the materials of a shape."""
    stream = np.random.RandomState(zlib.crc32(name.encode()))
    colors = MATERIALS[stream.randint(2)]
    return Scene(
        tuple(
            replace(node, color=tuple(colors[role]))
            for node, role in zip(scene.nodes, roles, strict=True)
        )
    )
