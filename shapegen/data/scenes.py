"""Small coloured scenes whose parts are known: sky, meadow, and mostly sun, cloud, tree or house.

Every part has a colour of its own, so that its pixels are found again by a rule in any image, made
by this file or by a network.
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Bool, Float
from numpy.typing import NDArray
from torch import Tensor

from shapegen.images.files import from_bytes
from shapegen.images.images import Images

Grid = NDArray[np.float64]
Mask = NDArray[np.bool_]
SIZE = 32
"""Height and width of a scene in pixels."""
CONCEPTS = ("sky", "meadow", "sun", "cloud", "tree", "house")
"""Parts of scenes, in the order of their masks; those from the third on may be absent."""
ALWAYS = 2
"""Parts that no scene lacks."""
COLOURS = (
    (0.35, 0.60, 0.95),
    (0.55, 0.80, 0.30),
    (1.00, 0.88, 0.10),
    (0.95, 0.95, 0.97),
    (0.05, 0.35, 0.15),
    (0.85, 0.25, 0.20),
)
"""Of the parts in full light, red, green and blue in [0, 1]."""
DARKEST = 0.9
"""What light leaves of a colour at least."""
TOLERANCE = 0.2
"""How far from a part's colours a pixel may be; no two parts are within twice that."""


def scenes(count: int, *, seed: int = 0, start: int = 0) -> Images:
    """Scenes of 32 x 32 pixels; the label's bits say which parts are there, the sun's the lowest.

    A tree can stand before the cloud and the house before the tree, so that a part may be hidden.

    Args:
        count: Of them, at least 1.
        seed: The same seed gives the same scenes, however many are asked for.
        start: Number of the first; disjoint ranges make a training and a test set.

    Raises:
        ValueError: None are asked for, or the first has a number below 0.
    """
    if count < 1 or start < 0:
        raise ValueError(f"scenes must be at least 1, numbered from 0; got {count} from {start}")
    made = [_scene(np.random.default_rng([seed, start + k])) for k in range(count)]
    return from_bytes(np.stack([pixels for pixels, _ in made]), [bits for _, bits in made])


def scene_masks(pixels: Float[Tensor, "n 3 h w"]) -> Bool[Tensor, "n concepts h w"]:
    """Where the parts of scenes are: the part whose colours are nearest, if they are near.

    Args:
        pixels: Of images in [-1, 1]. Pixels of no part, such as mixtures, are in no mask.
    """
    colours = torch.tensor(COLOURS, dtype=pixels.dtype, device=pixels.device)
    seen = (pixels + 1) / 2
    # A part's colours are a line, from the darkest to full light.
    light = torch.einsum("nchw,kc->nkhw", seen, colours)
    light = (light / colours.square().sum(1)[:, None, None]).clamp(DARKEST, 1.0)
    apart = seen[:, None] - light[:, :, None] * colours[:, :, None, None]
    distance = apart.square().sum(2)  # (n, concepts, h, w)
    least, nearest = distance.min(1, keepdim=True)
    numbers = torch.arange(len(CONCEPTS), device=pixels.device)[:, None, None]
    return (nearest == numbers) & (least <= TOLERANCE**2)


def _scene(stream: np.random.Generator) -> tuple[NDArray[np.uint8], int]:
    """Pixels ``(h, w, 3)``, and the bits of the parts that may be absent."""
    rows, columns = np.mgrid[:SIZE, :SIZE] + 0.5
    horizon = int(stream.integers(18, 23))
    shapes = {
        "meadow": rows > horizon,
        "sun": _sun(stream, rows, columns),
        "cloud": _cloud(stream, rows, columns),
        "tree": _tree(stream, rows, columns, horizon),
        "house": _house(stream, rows, columns, horizon),
    }
    there = stream.random(len(CONCEPTS) - ALWAYS) < 0.5
    part = np.zeros((SIZE, SIZE), np.int64)
    for number, name in enumerate(CONCEPTS[1:], start=1):
        if number < ALWAYS or there[number - ALWAYS]:
            part[shapes[name]] = number
    light = stream.uniform(DARKEST, 1.0, (len(CONCEPTS), 1))
    colours = np.rint(255 * light * np.array(COLOURS)).astype(np.uint8)
    return colours[part], int(there @ (1 << np.arange(len(there))))


def _sun(stream: np.random.Generator, rows: Grid, columns: Grid) -> Mask:
    x, y, radius = stream.uniform([6, 5, 3.5], [26, 7, 4.5])
    return (columns - x) ** 2 + (rows - y) ** 2 <= radius**2


def _cloud(stream: np.random.Generator, rows: Grid, columns: Grid) -> Mask:
    x, y, width, height = stream.uniform([6, 8, 5, 2.2], [26, 12, 7, 3.2])
    return ((columns - x) / width) ** 2 + ((rows - y) / height) ** 2 <= 1


def _tree(stream: np.random.Generator, rows: Grid, columns: Grid, horizon: int) -> Mask:
    """A crown on a trunk."""
    x, radius, trunk = stream.uniform([6, 4, 4], [26, 5, 6])
    foot = horizon + int(stream.integers(1, 5))
    crown = (columns - x) ** 2 + (rows - (foot - trunk - radius / 2)) ** 2 <= radius**2
    return crown | ((np.abs(columns - x) <= 1) & (rows > foot - trunk) & (rows < foot))


def _house(stream: np.random.Generator, rows: Grid, columns: Grid, horizon: int) -> Mask:
    """A wall and a gable."""
    x, half, height = stream.uniform([8, 5, 6], [24, 7, 8])
    foot = horizon + int(stream.integers(3, 7))
    aside, above = np.abs(columns - x), foot - rows
    wall = (aside <= half) & (above >= 0) & (above <= height)
    gable = (above > height) & (aside + (above - height) <= half)
    return wall | gable
