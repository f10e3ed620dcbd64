"""Images as scenes: a named node an image."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from shapegen.core.likelihoods import levels_of
from shapegen.scene import Image, Node, Scene

if TYPE_CHECKING:
    from shapegen.images.images import Images


def images_scene(images: Images) -> Scene:
    """Lower images to nodes; a picture of the scene shows them side by side.

    Raises:
        ValueError: There are no images.
    """
    if not len(images):
        raise ValueError("a scene needs at least one image; got none")
    return Scene(
        tuple(
            Node(
                name="image" if len(images) == 1 else f"image_{number}",
                primitive=Image(pixels),
                extras={"name": name} if name else {},
            )
            for number, (pixels, name) in enumerate(
                zip(bytes_of(images), images.names, strict=True), start=1
            )
        )
    )


def bytes_of(images: Images) -> NDArray[np.uint8]:
    """Pixels ``(batch, height, width, channels)`` from 0 to 255."""
    return levels_of(images.pixels).permute(0, 2, 3, 1).numpy().astype(np.uint8)
