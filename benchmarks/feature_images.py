"""Procedural images with classes, which the network of image features is trained on.

Renderings of furniture in colours of their own, maps of the roles of its parts, scenes, and signs:
strokes of made-up alphabets, in any colours and widths.
"""

from __future__ import annotations

import colorsys
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from shapegen.config.render import RenderConfig
from shapegen.data.furniture import CATEGORIES, furniture
from shapegen.data.pair_sets import LABEL_COLORS, ROLES
from shapegen.data.rendering import render_shapes
from shapegen.data.scenes import ALWAYS, CONCEPTS, scenes
from shapegen.images.files import from_bytes
from shapegen.images.images import Images
from shapegen.scene import Scene
from shapegen.structures.colors import label_hue

Array = NDArray[np.float64]

SIZE = 32
SIGNS = 48
"""Classes of signs."""
VIEWS = 4
"""Renderings, and maps, of a piece of furniture."""
KINDS = {
    "renderings": len(CATEGORIES),
    "maps": len(CATEGORIES),
    "scenes": 2 ** (len(CONCEPTS) - ALWAYS),
    "signs": SIGNS,
}
"""Number of the classes of every kind of image, in the order of their labels."""
CLASSES = sum(KINDS.values())
RENDER = RenderConfig(size=SIZE, views=VIEWS, polar=(40.0, 90.0), radius=(3.6, 4.6), maps=True)
_POINTS = 24
"""Places along a stroke from which distances are measured."""


def feature_images(shapes: int, *, seed: int = 0) -> Images:
    """Images of all kinds: ``VIEWS`` renderings and maps a shape, as many scenes, twice the signs.

    Args:
        shapes: Pieces of furniture.
        seed: The same seed gives the same images.
    """
    offsets = np.cumsum([0, *KINDS.values()])
    renderings, maps = furniture_views(shapes, seed=seed)
    many = VIEWS * shapes
    kinds = (renderings, maps, scenes(many, seed=seed), signs(2 * many, seed=seed))
    return Images.join(
        [
            Images(each.pixels, each.labels + int(offset))
            for each, offset in zip(kinds, offsets, strict=False)
            if each.labels is not None
        ]
    )


def furniture_views(shapes: int, *, seed: int) -> tuple[Images, Images]:
    """Renderings from all around, the parts of a role in one random colour, and maps of roles."""
    trees = furniture(shapes, seed=seed)
    found = [tree.to_scene() for tree in trees]
    roles = [
        np.array([ROLES.index(label_hue(str(node.extras["label"]))) for node in scene.nodes])
        for scene in found
    ]
    painted = [
        _painted(scene, numbers, np.random.default_rng([seed, number]))
        for number, (scene, numbers) in enumerate(zip(found, roles, strict=True))
    ]
    renders = render_shapes(painted, RENDER, seed=seed)
    assert renders.parts is not None
    colors = []
    for parts, owner in zip(renders.parts.numpy(), renders.shapes.tolist(), strict=True):
        colors.append(LABEL_COLORS[np.where(parts < 0, 0, roles[owner][parts] + 1)])
    labels = np.array([CATEGORIES.index(tree.label[0].split("/")[0]) for tree in trees])
    labels = labels[renders.shapes.numpy()]
    return Images(renders.pixels, labels), from_bytes(np.stack(colors), labels)


def signs(count: int, *, seed: int = 0) -> Images:
    """Strokes that belong to one of :data:`SIGNS` signs, the class, each written differently."""
    stream = np.random.default_rng([seed, 1])
    labels = stream.integers(SIGNS, size=count)
    return Images(
        torch.tensor(np.stack([_written(int(label), stream) for label in labels])).float(), labels
    )


def _painted(scene: Scene, roles: NDArray[np.int64], stream: np.random.Generator) -> Scene:
    hue, saturation, value = stream.random(), *stream.uniform([0.1, 0.3], [0.9, 1.0])
    colors = [
        colorsys.hsv_to_rgb((hue + turn) % 1, saturation, value)
        for turn in stream.normal(0, 0.12, len(ROLES))
    ]
    return Scene(
        tuple(
            replace(node, color=colors[role])
            for node, role in zip(scene.nodes, roles, strict=True)
        )
    )


def _skeleton(sign: int) -> list[Array]:
    """Control points ``(3, 2)`` in [0, 1] of the strokes of a sign."""
    stream = np.random.default_rng([10, sign])
    return list(stream.uniform(0.15, 0.85, (int(stream.integers(1, 4)), 3, 2)))


def _written(sign: int, stream: np.random.Generator) -> Array:
    """Pixels ``(3, h, w)`` in [-1, 1] of one sign by an unsteady hand."""
    turn = stream.normal(0, 0.15)
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    slant = np.array([[1, stream.normal(0, 0.15)], [0, 1]])
    motion = rotation @ slant * stream.uniform(0.75, 1.1)
    shift = 0.5 + stream.normal(0, 0.04, 2)
    along = np.linspace(0, 1, _POINTS)[:, None]
    places = []
    for points in _skeleton(sign):
        a, b, c = (points + stream.normal(0, 0.03, (3, 2)) - 0.5) @ motion.T + shift
        places.append((1 - along) ** 2 * a + 2 * along * (1 - along) * b + along**2 * c)
    rows, columns = (np.mgrid[:SIZE, :SIZE] + 0.5) / SIZE
    x, y = np.concatenate(places).T
    near = np.sqrt(((columns[..., None] - x) ** 2 + (rows[..., None] - y) ** 2).min(-1))
    ink = np.clip((stream.uniform(0.02, 0.07) - near) * SIZE + 0.5, 0, 1)
    if stream.random() < 0.5:
        ground, stroke = np.array([[-1.0] * 3, [1.0] * 3])[:: 1 if stream.random() < 0.7 else -1]
    else:
        ground, stroke = stream.uniform(-1, 1, (2, 3))
    pixels: Array = ground[:, None, None] + (stroke - ground)[:, None, None] * ink
    return pixels
