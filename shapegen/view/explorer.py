"""A place among a model's latents, and what the viewer shows of it."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from shapegen.scene import Mesh, Node, Scene
from shapegen.view.latents import Latents
from shapegen.view.radiance import Looks

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
        self._drawn = 0

    @property
    def latent(self) -> Float:
        """The place."""
        return self._start + (self.steps * self.latents.spread) @ self.latents.directions

    @property
    def pending(self) -> bool:
        """Whether what is shown is to become finer."""
        return self.shows == "shape" and self._drawn < self._stages

    @property
    def _stages(self) -> int:
        if self.latents.looks is not None:
            return len(self.latents.looks.sizes)
        return 1 if self.latents.sketch is None else 2

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
            self._drawn = 0

    def extract(self) -> None:
        """Put the surface of the field beside its picture.

        Raises:
            ValueError: It has none.
        """
        if self.latents.looks is not None:
            self.mesh = self.latents.looks.mesh(self.latent)

    def scenes(self) -> list[Scene]:
        """What is shown, frame by frame; a shape becomes finer from call to call."""
        latents = self.latents
        if self.shows == "flow" and latents.flow is not None:
            return latents.flow(self.latent)
        if self.shows == "walk" and latents.walk is not None:
            return latents.walk(self.latent, self._end)
        if self.shows == "samples" and latents.sheet is not None:
            return [latents.sheet()]
        # Counted before it is drawn: a look from elsewhere meanwhile starts over.
        stage = min(self._drawn, self._stages - 1)
        self._drawn = stage + 1
        if latents.looks is not None:
            return [self._field(latents.looks, stage)]
        if latents.sketch is not None and not stage:
            return [latents.sketch(self.latent)]
        return [latents.decode(self.latent)]

    def _field(self, looks: Looks, stage: int) -> Scene:
        assert self.direction is not None
        picture = looks.picture(self.latent, self.direction, looks.sizes[stage])
        nodes = [Node("field", primitive=picture)]
        if self.mesh is not None:
            nodes.append(Node("mesh", primitive=self.mesh))
        return Scene(tuple(nodes))

    def _moved(self) -> None:
        self.shows = "shape"
        self.mesh = None
        self._drawn = 0
