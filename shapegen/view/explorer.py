"""A place among a model's latents, and what the viewer shows of it."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from shapegen.scene import Mesh, Node, Scene
from shapegen.view.latents import Latents

Float = NDArray[np.float64]
Shows = Literal["shape", "flow", "walk", "samples"]

STILL = 1e-4
"""Change of a camera's direction, in radians, that needs no new picture."""


class Explorer:
    """A draw of the prior, steps from it along the directions, and a way to look at that.

    Args:
        latents: Of a model.
    """

    def __init__(self, latents: Latents) -> None:
        self.latents = latents
        self.steps = np.zeros(len(latents.spread))
        """``(k,)`` in standard deviations."""
        self.shows: Shows = "shape"
        self.direction = None if latents.looks is None else latents.looks.front
        """``(3,)``: where a field is looked at from; None for all else."""
        self.mesh: Mesh | None = None
        """Beside the picture of a field."""
        self._start = latents.draw()
        self._end = self._start
        self._pictures = 0

    @property
    def latent(self) -> Float:
        """The place."""
        return self._start + (self.steps * self.latents.spread) @ self.latents.directions

    @property
    def pending(self) -> bool:
        """Whether the picture of a field is to become finer."""
        looks = self.latents.looks
        return looks is not None and self._pictures < len(looks.sizes)

    def step(self, steps: Float) -> None:
        """Go so many standard deviations along the first directions."""
        self.steps[: len(steps)] = steps
        self._moved()

    def resample(self) -> None:
        """Start from another draw, without steps."""
        self._start = self.latents.draw()
        self.steps[:] = 0.0
        self._moved()

    def walk(self) -> None:
        """Show the way to another draw."""
        self._end = self.latents.draw()
        self.shows = "walk"

    def look(self, direction: Float) -> None:
        """Look at the field from another side."""
        way = np.asarray(direction, dtype=np.float64)
        way = way / np.linalg.norm(way)
        if self.direction is not None and np.linalg.norm(way - self.direction) > STILL:
            self.direction = way
            self._pictures = 0

    def extract(self) -> None:
        """Put the surface of the field beside its picture.

        Raises:
            ValueError: It has none.
        """
        if self.latents.looks is not None:
            self.mesh = self.latents.looks.mesh(self.latent)

    def scenes(self) -> list[Scene]:
        """What is shown, frame by frame; pictures of a field become finer from call to call."""
        latents = self.latents
        if self.shows == "flow" and latents.flow is not None:
            return latents.flow(self.latent)
        if self.shows == "walk" and latents.walk is not None:
            return latents.walk(self.latent, self._end)
        if self.shows == "samples" and latents.sheet is not None:
            return [latents.sheet()]
        if latents.looks is None or self.direction is None:
            return [latents.decode(self.latent)]
        # Counted before it is drawn: a look from elsewhere meanwhile starts over.
        number = min(self._pictures, len(latents.looks.sizes) - 1)
        self._pictures = number + 1
        picture = latents.looks.picture(self.latent, self.direction, latents.looks.sizes[number])
        nodes = [Node("field", primitive=picture)]
        if self.mesh is not None:
            nodes.append(Node("mesh", primitive=self.mesh))
        return [Scene(tuple(nodes))]

    def _moved(self) -> None:
        self.shows = "shape"
        self.mesh = None
        self._pictures = 0
