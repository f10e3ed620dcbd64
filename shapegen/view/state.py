"""The state of a viewer, without its widgets: what is shown, and what every control does to it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shapegen.core.grid import grid_offsets
from shapegen.scene import Scene, side_by_side
from shapegen.view.arrangement import Arrangement, Arranger, Coloring
from shapegen.view.explorer import Explorer
from shapegen.view.latents import Latents
from shapegen.view.rooms import FRONT, arranged, beside, facing, room_of
from shapegen.view.swaps import Swaps

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
    facing: Float | None = None
    """``(3, 3)``: the frame that images are turned to, columns right, up, backward."""


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
        self.arrangers = [arranged(walk) for walk in walks]
        self.names = list(names) or [f"shape {number + 1}" for number in range(len(walks))]
        self.explorer = None if latents is None else Explorer(latents)
        if self.explorer is not None:
            self.arrangers.insert(0, arranged(self.explorer.scenes()))
            self.names.insert(0, "model")
        self.swaps = Swaps(self.arrangers)
        self.shape = 0
        self.time = 0.0
        self.explode = 0.0
        self.level = self._depth = self.arrangers[0].depth
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

        What a model shows becomes finer meanwhile.

        Returns:
            Whether anything moves.
        """
        finer = self._refine()
        if self.playing and self.last < 1 and self.has_flow:
            self.set_flow(1.0)
        if not self.playing or self.last < 1:
            return finer
        time = self.time + self._way * FPS * seconds
        if not 0 <= time <= self.last:
            self._way = -self._way
        self.set_time(time)
        return True

    # The model ----------------------------------------------------------------------------

    def slide(self, steps: Sequence[float]) -> None:
        """Decode the latent at so many standard deviations along the directions."""
        self._model.step(np.asarray(steps))
        self._show_model()

    def resample(self) -> None:
        """Decode another draw of the model's prior."""
        self._model.resample()
        self._show_model()

    @property
    def has_flow(self) -> bool:
        """Whether the shape that is shown is a model's that flows from noise."""
        model = self.explorer is not None and self.explorer.latents.flow is not None
        return model and 0 in self.shown

    @property
    def flows(self) -> bool:
        """Whether the frames that are shown are those of a flow."""
        return self.has_flow and self._model.shows == "flow"

    @property
    def flow(self) -> float:
        """How far the model's shape is on its way from noise, from 0 to 1: there."""
        if self.explorer is None or self.explorer.shows != "flow":
            return 1.0
        last = self.arrangers[0].walk.frames - 1
        return min(self.time, last) / last

    def set_flow(self, share: float) -> None:
        """Show the model's points on their way from noise, 0, to the shape, 1.

        All frames of a latent are computed when the first of them is asked for.
        """
        if self._model.shows != "flow":
            if self._model.latents.flow is None:
                return
            self._model.shows = "flow"
            self._show_model()
        self.set_time(share * (self.arrangers[0].walk.frames - 1))

    def walk(self) -> None:
        """Play the way from the model's shape to another draw."""
        if self._model.latents.walk is not None:
            self._model.walk()
            self._show_model()
            self.set_time(0.0)
            self._way, self.playing = 1.0, True

    def sample(self) -> None:
        """Show a sheet of new samples, of a model of images."""
        if self._model.latents.sheet is not None:
            self._model.shows = "samples"
            self._show_model()

    def look(self, direction: Float) -> None:
        """Tell from where the model's field is looked at: it is drawn anew by :meth:`advance`."""
        if self.explorer is not None:
            self.explorer.look(direction)

    def extract(self) -> None:
        """Put the surface of the model's field beside its picture."""
        self._model.extract()
        self._show_model()

    # Parts --------------------------------------------------------------------------------

    def swap(self) -> None:
        """Exchange the two parts that are picked (:class:`shapegen.view.swaps.Swaps`)."""
        self.settle()
        self._replaced(self.swaps.swap())

    def undo(self) -> None:
        """Take the last swap back."""
        self._replaced(self.swaps.undo())

    def reset(self) -> None:
        """Take all swaps back."""
        self._replaced(self.swaps.reset())

    @property
    def front(self) -> Float:
        """``(3,)``: where the camera stands at first, seen from the middle of what is shown."""
        looks = None if self.explorer is None else self.explorer.latents.looks
        return FRONT if looks is None else looks.front

    # What is drawn ------------------------------------------------------------------------

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
            arrangement = self.swaps.painted(shape, arrangement)
            frame = self._facing(shape)
            if frame is not None:
                arrangement = beside(arrangement, frame[:, 0])
            found.append(Picture(shape, arranger, arrangement, offset, frame))
        return found

    def bounds(self) -> Float:
        """Low and high corner ``(2, 3)`` of what is shown in all frames."""
        rooms = [self.room(shape) for shape in self.shown]
        offsets = grid_offsets(np.stack(rooms)) if len(rooms) > 1 else np.zeros((1, 3))
        placed = np.stack(rooms) + offsets[:, None]
        return np.stack([placed[:, 0].min(0), placed[:, 1].max(0)])

    def export(self) -> Scene:
        """The shapes that are shown, whole, as they are at this time."""
        self.settle()
        return side_by_side(
            [
                arranger.scene(min(self.time, arranger.walk.frames - 1))
                for arranger in (self.arrangers[shape] for shape in self.shown)
            ]
        )

    @property
    def _model(self) -> Explorer:
        assert self.explorer is not None
        return self.explorer

    def _show_model(self) -> None:
        self.swaps.forget(0)
        self.arrangers[0] = arranged(self._model.scenes())
        self.shape = 0
        self._replaced([0])

    def _refine(self) -> bool:
        """Draw the model's shape once more, finer, where it is to be."""
        if self.explorer is None or not self.explorer.pending or 0 not in self.shown:
            return False
        self.arrangers[0] = arranged(self.explorer.scenes())
        return True

    def settle(self) -> None:
        """Draw the model's shape as finely as it will be."""
        while self._refine():
            pass

    def _replaced(self, shapes: Iterable[int]) -> None:
        """Fit what is chosen to shapes that are others now; a level that was chosen is kept."""
        for shape in shapes:
            self._hidden[shape].clear()
        level, whole = self.level, self.level >= self._depth
        self._fit()
        if not whole:
            self.set_level(level)

    def _fit(self) -> None:
        self._depth = self.level = self.depth
        self.set_time(self.time)

    def _facing(self, shape: int) -> Float | None:
        if shape or self.explorer is None or self.explorer.direction is None:
            return None
        return facing(self.explorer.direction)

    def room(self, shape: int) -> Float:
        """What a shape takes ``(2, 3)``, pulled apart as it is."""
        low, high = room_of(self.arrangers[shape])
        middle, half = 0.5 * (low + high), 0.5 * (1.0 + self.explode) * (high - low)
        return np.stack([middle - half, middle + half])
