"""The state of a viewer, without its widgets: what is shown, and what every control does to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shapegen.core.grid import grid_offsets
from shapegen.formats.walks import walk_of
from shapegen.scene import Image, Scene, side_by_side
from shapegen.view.arrangement import Arrangement, Arranger, Coloring
from shapegen.view.latents import Explorer, Latents

Float = NDArray[np.float64]

FPS = 12.0
"""Frames of a walk a second."""


@dataclass(frozen=True, eq=False)
class Picture:
    """A shape as it is drawn now."""

    shape: int
    arranger: Arranger
    arrangement: Arrangement
    offset: Float
    """``(3,)``: its place in the grid of shapes."""


class ViewerState:
    """Shapes, and how they are looked at.

    The plain attributes may be set; what hangs together changes by methods.

    Args:
        walks: A walk a shape (its scenes), at least one; none with ``latents``.
        names: Of the shapes.
        latents: A model to decode live: the first shape.

    Raises:
        ValueError: There is nothing to show, or a shape draws nothing.
    """

    def __init__(
        self,
        walks: Sequence[Sequence[Scene]],
        *,
        names: Sequence[str] = (),
        latents: Latents | None = None,
    ) -> None:
        if not walks and latents is None:
            raise ValueError("the viewer needs at least one shape or a model; got none")
        self.arrangers = [_arranged(walk) for walk in walks]
        self.names = list(names) or [f"shape {number + 1}" for number in range(len(walks))]
        self.explorer = None if latents is None else Explorer(latents)
        if self.explorer is not None:
            self.arrangers.insert(0, _arranged([self.explorer.scene()]))
            self.names.insert(0, "model")
        self.shape = 0
        self.time = 0.0
        self.explode = 0.0
        self.level = self.arrangers[0].depth
        self.coloring: Coloring = "semantics"
        self.relations = False
        self.labels = False
        self.compare = False
        self.playing = False
        self._way = 1.0
        self._hidden: list[set[int]] = [set() for _ in self.arrangers]

    @property
    def arranger(self) -> Arranger:
        """Of the chosen shape."""
        return self.arrangers[self.shape]

    @property
    def shown(self) -> list[int]:
        """Numbers of the shapes in the picture."""
        return list(range(len(self.arrangers))) if self.compare else [self.shape]

    @property
    def last(self) -> int:
        """The last frame of the longest walk that is shown."""
        return max(self.arrangers[shape].walk.frames for shape in self.shown) - 1

    @property
    def depth(self) -> int:
        """The largest level of what is shown."""
        return max(self.arrangers[shape].depth for shape in self.shown)

    def choose(self, shape: int) -> None:
        """Show another shape, counted around: with all its parts, at its deepest level."""
        self.shape = shape % len(self.arrangers)
        self._hidden[self.shape].clear()
        self._fit()

    def set_compare(self, compare: bool) -> None:
        """Show all shapes side by side, or the chosen one."""
        self.compare = compare
        self._fit()

    def set_level(self, level: int) -> None:
        """Show groups at a level as one; what lies beyond the levels there are is the nearest."""
        self.level = min(max(level, 0), self.depth)

    def set_explode(self, explode: float) -> None:
        """Pull the parts apart, from 0 to 2."""
        self.explode = min(max(explode, 0.0), 2.0)

    def set_time(self, time: float) -> None:
        """Go to a frame, or between two."""
        self.time = min(max(time, 0.0), float(self.last))

    def hide(self, node: int, hidden: bool = True) -> None:
        """Take a node of the chosen shape, with all below it, out of the picture, or not."""
        (self._hidden[self.shape].add if hidden else self._hidden[self.shape].discard)(node)

    def is_hidden(self, node: int) -> bool:
        """Whether a node of the chosen shape was taken out itself."""
        return node in self._hidden[self.shape]

    def advance(self, seconds: float) -> bool:
        """Play on. There and back: the loop has no jump.

        Returns:
            Whether anything moves.
        """
        if not self.playing or self.last < 1:
            return False
        time = self.time + self._way * FPS * seconds
        if not 0 <= time <= self.last:
            self._way = -self._way
        self.set_time(time)
        return True

    def slide(self, steps: Sequence[float]) -> None:
        """Decode the latent at so many standard deviations along the directions."""
        assert self.explorer is not None
        self.explorer.steps[: len(steps)] = steps
        self._decode(self.explorer)

    def resample(self) -> None:
        """Decode another draw of the model's prior."""
        assert self.explorer is not None
        self.explorer.resample()
        self._decode(self.explorer)

    def pictures(self) -> list[Picture]:
        """What is drawn."""
        offsets = np.zeros((len(self.shown), 3))
        if len(self.shown) > 1:
            offsets = grid_offsets(np.stack([self.room(shape) for shape in self.shown]))
        found = []
        for shape, offset in zip(self.shown, offsets, strict=True):
            arranger = self.arrangers[shape]
            arrangement = arranger.at(
                min(self.time, arranger.walk.frames - 1),
                explode=self.explode,
                level=self.level,
                coloring=self.coloring,
                hidden=self._hidden[shape],
            )
            found.append(Picture(shape, arranger, arrangement, offset))
        return found

    def bounds(self) -> Float:
        """Low and high corner ``(2, 3)`` of what is shown in all frames."""
        rooms = [self.room(shape) for shape in self.shown]
        offsets = grid_offsets(np.stack(rooms)) if len(rooms) > 1 else np.zeros((1, 3))
        placed = np.stack(rooms) + offsets[:, None]
        return np.stack([placed[:, 0].min(0), placed[:, 1].max(0)])

    def export(self) -> Scene:
        """The shapes that are shown, whole, as they are at this time."""
        return side_by_side(
            [
                arranger.scene(min(self.time, arranger.walk.frames - 1))
                for arranger in (self.arrangers[shape] for shape in self.shown)
            ]
        )

    def _decode(self, explorer: Explorer) -> None:
        level, whole = self.level, self.level >= self.depth
        self.arrangers[0] = _arranged([explorer.scene()])
        self.choose(0)
        if not whole:
            self.set_level(level)

    def _fit(self) -> None:
        self.level = self.depth
        self.set_time(self.time)

    def room(self, shape: int) -> Float:
        """What a shape takes ``(2, 3)``, pulled apart as it is."""
        low, high = room_of(self.arrangers[shape])
        middle, half = 0.5 * (low + high), 0.5 * (1.0 + self.explode) * (high - low)
        return np.stack([middle - half, middle + half])


def _arranged(scenes: Sequence[Scene]) -> Arranger:
    walk = walk_of(scenes)
    if next(walk.drawn(), None) is None:
        raise ValueError("a shape without points, boxes, meshes or images cannot be shown")
    return Arranger(walk)


def room_of(arranger: Arranger) -> Float:
    """Low and high corner ``(2, 3)`` of every part where it first appears."""
    scene = arranger.walk.scene()
    if scene.images:
        # Drawn a unit long, around the origin.
        sides = np.array([image_size(image) for image in scene.images]).max(0)
        return np.array([[-0.5 * sides[0], -0.5 * sides[1], 0.0], [*(0.5 * sides), 0.0]])
    return scene.bounds()


def image_size(image: Image) -> tuple[float, float]:
    """Width and height of an image as it is drawn, the longer of which is 1."""
    height, width, _ = image.pixels.shape
    return width / max(height, width), height / max(height, width)
