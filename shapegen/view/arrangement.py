"""A walk as a viewer shows it: at a time, pulled apart, at a level, in chosen colours.

Whatever draws (a browser, a window) asks for one :class:`Arrangement` per picture; all that a part
is in every frame is laid out in arrays once, so that a thousand parts stay quick to move.
"""

from __future__ import annotations

import colorsys
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from shapegen.formats.relations import Relation, related_groups, relations_of
from shapegen.formats.walks import Walk
from shapegen.scene import Boxes, Node, Primitive, Scene, positions

Float = NDArray[np.float64]
Int = NDArray[np.int64]
Coloring = Literal["semantics", "instance", "level", "relation"]
COLORINGS: tuple[Coloring, ...] = get_args(Coloring)

LEVEL_COLORS = np.array(
    [
        [0.357, 0.290, 0.541],
        [0.231, 0.478, 0.690],
        [0.184, 0.639, 0.604],
        [0.490, 0.733, 0.341],
        [0.878, 0.722, 0.251],
        [0.851, 0.455, 0.247],
    ]
)

UNRELATED = (0.72, 0.74, 0.77)
"""Of parts without a symmetry, where symmetries have the colours."""


@dataclass(frozen=True, eq=False)
class Arrangement:
    """What is drawn, and which node of the walk each thing belongs to."""

    shown: NDArray[np.bool_]
    """``(nodes,)``: whose box is drawn."""
    there: NDArray[np.bool_]
    """``(nodes,)``: what can be told apart: not hidden, not gone, not inside a group that is
    shown as one."""
    centers: Float
    """``(nodes, 3)`` of the nodes' boxes, or of what lies below them."""
    sizes: Float
    """``(nodes, 3)``: full lengths; zero where no box is drawn."""
    turns: Float
    """``(nodes, 4)`` wxyz."""
    colors: Float
    """``(nodes, 3)`` in 0..1."""
    owners: Int
    """``(nodes,)``: the node whose colour and name a node has: itself, or a group above it."""
    others: tuple[tuple[int, Primitive, Float], ...]
    """Node, what it draws and how far that is moved, for all that are no boxes."""

    def rows(self) -> Float:
        """The boxes that are drawn ``(shown, 12)``."""
        return _rows(self.centers[self.shown], self.sizes[self.shown], self.turns[self.shown])


class Arranger:
    """A walk laid out in arrays.

    Args:
        walk: Whose parts are shown.
    """

    def __init__(self, walk: Walk) -> None:
        tracks = walk.tracks
        self.walk = walk
        self.nodes = [track.node for track in tracks]
        self.parents = np.array([node.parent for node in self.nodes], dtype=np.int64)
        self.levels = np.zeros(len(tracks), dtype=np.int64)
        for number, parent in enumerate(self.parents):
            self.levels[number] = self.levels[parent] + 1 if parent >= 0 else 0
        self.has_box = np.array([track.boxes is not None for track in tracks], dtype=bool)
        self.is_leaf = ~np.isin(np.arange(len(tracks)), self.parents)
        self._is_box = np.array([track.is_box for track in tracks], dtype=bool)
        frames = walk.frames
        self._present = np.stack([track.present for track in tracks], axis=1).astype(float)
        self._centers = np.zeros((frames, len(tracks), 3))
        self._sizes = np.zeros((frames, len(tracks), 3))
        self._turns = np.tile([1.0, 0.0, 0.0, 0.0], (frames, len(tracks), 1))
        for number, track in enumerate(tracks):
            if track.boxes is not None:
                self._centers[:, number] = track.boxes[:, :3]
                self._sizes[:, number] = np.abs(track.boxes[:, 3:6])
                self._turns[:, number] = track.turns()
        self._place_the_rest()
        self._own = self._own_colors()
        self._groups = related_groups(walk)

    @property
    def depth(self) -> int:
        """The largest level of a node."""
        return int(self.levels.max())

    def at(
        self,
        time: float = 0.0,
        *,
        explode: float = 0.0,
        level: int | None = None,
        coloring: Coloring = "semantics",
        hidden: Collection[int] = (),
    ) -> Arrangement:
        """Arrange the parts.

        Args:
            time: In frames, between 0 and the last; between frames parts move from one to the
                other, and parts that come or go grow or shrink.
            explode: How far every part goes away from the middle of the group above it, by its
                distance to that; 0 leaves all together.
            level: Groups at this level are drawn as one box, or their parts in one colour; None:
                the parts themselves.
            coloring: By what parts have their colours; by ``"relation"`` those that symmetries
                relate have one (:func:`shapegen.formats.relations.related_groups`).
            hidden: Nodes that are not drawn, with all below them.

        Raises:
            ValueError: A time outside the walk, an unknown colouring.
        """
        last = self.walk.frames - 1
        if not 0 <= time <= last:
            raise ValueError(f"the time must be from 0 to {last} frames; got {time}")
        if coloring not in COLORINGS:
            raise ValueError(f"unknown colouring {coloring!r}; accepted: {', '.join(COLORINGS)}")
        first = min(int(time), max(last - 1, 0))
        second, share = min(first + 1, last), time - first
        amount = _mixed(self._present, first, second, share)
        centers = _mixed(self._centers, first, second, share)
        turns = _mixed(self._turns, first, second, share)
        turns /= np.linalg.norm(turns, axis=1, keepdims=True)
        offsets = self._offsets(centers, explode)
        owners, drawn, as_box = self._shown(self.depth if level is None else level, hidden)
        shown = drawn & (self._is_box | as_box) & (amount > 0)
        sizes = _mixed(self._sizes, first, second, share) * (amount * shown)[:, None]
        frame = first if share < 0.5 else second
        others = [
            (number, primitive, offsets[owners[number]])
            for number in np.flatnonzero(drawn & ~self._is_box & ~as_box).tolist()
            if (primitive := self.walk.tracks[number].primitives[frame]) is not None
        ]
        return Arrangement(
            shown=shown,
            there=drawn & (amount > 0) & (owners == np.arange(len(owners))),
            centers=centers + offsets[owners],
            sizes=sizes,
            turns=turns,
            colors=self._colors(coloring)[owners],
            owners=owners,
            others=tuple(others),
        )

    def scene(self, time: float = 0.0) -> Scene:
        """The parts as they are at a time, to be written to a file."""
        found = self.at(time)
        drawn = {number: primitive for number, primitive, _ in found.others}
        last = self.walk.frames - 1
        frames = {int(time), min(int(time) + 1, last)} if time > int(time) else {int(time)}
        kept = np.flatnonzero(self._present[sorted(frames)].max(0) > 0).tolist()
        place = {number: new for new, number in enumerate(kept)}
        nodes = []
        for number in kept:
            node = self.nodes[number]
            primitive = drawn.get(number)
            if found.shown[number]:
                one = slice(number, number + 1)
                primitive = Boxes(_rows(found.centers[one], found.sizes[one], found.turns[one]))
            nodes.append(replace(node, parent=place.get(node.parent, -1), primitive=primitive))
        return Scene(tuple(nodes))

    def relations(self) -> list[Relation]:
        """Kind and the two nodes of every relation among parts."""
        return relations_of(self.walk)

    def _place_the_rest(self) -> None:
        """Centres of nodes without a box: of their points, or the mean of what is below."""
        for number in reversed(range(len(self.nodes))):
            if self.has_box[number]:
                continue
            below = np.flatnonzero(self.parents == number)
            if len(below):
                weight = self._present[:, below, None] + 1e-9
                mean = (self._centers[:, below] * weight).sum(1) / weight.sum(1)
                self._centers[:, number] = mean
                continue
            track = self.walk.tracks[number]
            points = [
                positions(Node("", primitive=primitive))
                for primitive in track.primitives
                if primitive is not None
            ]
            if points and len(points[0]):
                self._centers[:, number] = points[0].mean(0)

    def _offsets(self, centers: Float, explode: float) -> Float:
        offsets = np.zeros_like(centers)
        for level in range(1, self.depth + 1):
            nodes = np.flatnonzero(self.levels == level)
            above = self.parents[nodes]
            away = centers[nodes] - centers[above]
            offsets[nodes] = offsets[above] + explode * away
        return offsets

    def _shown(
        self, level: int, hidden: Collection[int]
    ) -> tuple[Int, NDArray[np.bool_], NDArray[np.bool_]]:
        """Owner of every node, whether it is drawn, and whether as the box of a group."""
        owners = np.arange(len(self.nodes))
        drawn = np.ones(len(self.nodes), dtype=bool)
        as_box = np.zeros(len(self.nodes), dtype=bool)
        for number, parent in enumerate(self.parents):
            if number in hidden or (parent >= 0 and (as_box[parent] or not drawn[parent])):
                drawn[number] = False
            elif parent >= 0 and self.levels[number] > level:
                owners[number] = owners[parent]
            elif not self.is_leaf[number] and self.levels[number] >= level:
                as_box[number] = self.has_box[number]
        return owners, drawn, as_box

    def _own_colors(self) -> Float:
        """The parts' own colours; a group's is the mean of what it holds."""
        colors = np.array([node.color for node in self.nodes])
        for number in reversed(range(len(self.nodes))):
            if not self.is_leaf[number]:
                colors[number] = colors[self.parents == number].mean(0)
        return colors

    def _colors(self, coloring: Coloring) -> Float:
        if coloring == "level":
            return LEVEL_COLORS[self.levels % len(LEVEL_COLORS)]
        if coloring == "instance":
            return np.array([_hue(node.extras.get("instance", 0)) for node in self.nodes])
        if coloring == "relation":
            return np.array([_hue(group) if group else UNRELATED for group in self._groups])
        return self._own


def _rows(centers: Float, sizes: Float, turns: Float) -> Float:
    w, x, y, z = turns.T
    right = np.stack([1 - 2 * (y * y + z * z), 2 * (x * y + w * z), 2 * (x * z - w * y)], axis=1)
    up = np.stack([2 * (x * y - w * z), 1 - 2 * (x * x + z * z), 2 * (y * z + w * x)], axis=1)
    return np.concatenate([centers, sizes, right, up], axis=1)


def _mixed(values: Float, first: int, second: int, share: float) -> Float:
    return (1.0 - share) * values[first] + share * values[second]


def _hue(number: int) -> tuple[float, float, float]:
    # Steps of the golden ratio: numbers that follow one another have hues far apart.
    return colorsys.hls_to_rgb((0.11 + 0.61803398875 * number) % 1.0, 0.55, 0.6)
