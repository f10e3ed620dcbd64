"""Walks: scenes that turn into one another, as one hierarchy whose parts move, come and go."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from shapegen.core import boxes as box_algebra
from shapegen.scene import Boxes, Mesh, Node, Points, Primitive, Scene

Float = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Track:
    """One part on its way through the frames of a walk."""

    node: Node
    """The part where it first appears; its parent is a number of the walk."""
    present: NDArray[np.bool_]
    """``(frames,)``: where the part exists."""
    boxes: Float | None
    """``(frames, 12)`` of a part that is one box, or of a group that states its box.

    Numbers do not jump: lengths are positive and the axes are named after those of the frame
    before. Where the part does not exist it rests where it was last, or will be first.
    """
    primitives: tuple[Primitive | None, ...]
    """What is drawn in every frame."""

    @property
    def is_box(self) -> bool:
        """Whether one box is drawn."""
        return self.boxes is not None and self.node.primitive is not None

    def turns(self) -> Float:
        """Unit quaternions ``(frames, 4)`` wxyz of the boxes; each is near the one before."""
        assert self.boxes is not None
        found = box_algebra.quaternions(self.boxes)
        flips = np.where((found[1:] * found[:-1]).sum(1) < 0, -1.0, 1.0)
        return found * np.concatenate([[1.0], np.cumprod(flips)])[:, None]

    @property
    def is_still(self) -> bool:
        """Whether the same is drawn in every frame."""
        first = self.primitives[0]
        return all(_equal(first, other) for other in self.primitives[1:])


@dataclass(frozen=True, eq=False)
class Walk:
    """The parts of all frames, a parent before its children."""

    tracks: tuple[Track, ...]
    frames: int

    def scene(self) -> Scene:
        """Every part where it first appears."""
        return Scene(tuple(track.node for track in self.tracks))

    def drawn(self) -> Iterator[Primitive]:
        """Everything that is drawn in any frame."""
        for track in self.tracks:
            yield from (primitive for primitive in track.primitives if primitive is not None)

    def frame_by_frame(self) -> Walk:
        """Replace parts that are no boxes and change by a part a frame below them.

        Formats that move nodes but do not change what they draw show these one after the other.
        """
        out: list[Track] = []
        place: list[int] = []
        for track in self.tracks:
            node = track.node
            node = replace(node, parent=place[node.parent] if node.parent >= 0 else -1)
            place.append(len(out))
            drawn = node.primitive is not None
            if not drawn or track.is_box or track.is_still:
                out.append(replace(track, node=node))
                continue
            nothing = (None,) * self.frames
            out.append(replace(track, node=replace(node, primitive=None), primitives=nothing))
            parent = len(out) - 1
            for number, primitive in enumerate(track.primitives):
                if primitive is not None:
                    out.append(_still(node, parent, number, primitive, self.frames))
        return Walk(tuple(out), self.frames)


@dataclass
class _Part:
    """A part while it is being collected."""

    node: Node
    frames: dict[int, Node] = field(default_factory=dict)


def walk_of(scenes: Sequence[Scene]) -> Walk:
    """Find the parts that go through the scenes.

    Parts of two scenes are the same one where their ``instance`` in the extras is; scenes in which
    not every node has one of its own are joined by the nodes' names. A part that comes later and
    has the name of another one is numbered.

    Args:
        scenes: The frames, at least one.

    Raises:
        ValueError: There are no scenes.
    """
    if not scenes:
        raise ValueError("a walk needs at least one scene; got none")
    by_instance = all(_have_instances(scene) for scene in scenes)
    numbers: dict[Hashable, int] = {}
    parts: list[_Part] = []
    names: set[str] = set()
    for frame, scene in enumerate(scenes):
        place: list[int] = []
        seen: Counter[Hashable] = Counter()
        for node in scene.nodes:
            own = (node.extras["instance"] if by_instance else node.name, _kind(node))
            key = (*own, seen[own])
            seen[own] += 1
            if key not in numbers:
                numbers[key] = len(parts)
                parent = place[node.parent] if node.parent >= 0 else -1
                name = node.name if frame == 0 else _free(node.name, names)
                names.add(name)
                parts.append(_Part(replace(node, name=name, parent=parent)))
            place.append(numbers[key])
            parts[numbers[key]].frames[frame] = node
    return Walk(tuple(_track(part, len(scenes)) for part in parts), len(scenes))


def _have_instances(scene: Scene) -> bool:
    found = [node.extras.get("instance") for node in scene.nodes]
    return None not in found and len(set(found)) == len(found)


def _kind(node: Node) -> str:
    """Parts that are drawn in different ways are different parts."""
    if isinstance(node.primitive, Boxes) and len(node.primitive.boxes) == 1:
        return "box"
    return "group" if node.primitive is None else type(node.primitive).__name__


def _free(name: str, taken: set[str]) -> str:
    found, number = name, 1
    while found in taken:
        number += 1
        found = f"{name}_{number}"
    return found


def _track(part: _Part, frames: int) -> Track:
    present = np.array([frame in part.frames for frame in range(frames)])
    rows: list[Float | None] = []
    for frame in range(frames):
        node = part.frames.get(frame)
        rows.append(None if node is None else _box(node))
    boxes = None
    if all((row is not None) == here for row, here in zip(rows, present, strict=True)):
        boxes = _continuous([row for row in rows if row is not None], present)
    primitives = tuple(
        part.frames[frame].primitive if frame in part.frames else None for frame in range(frames)
    )
    return Track(part.node, present, boxes, primitives)


def _box(node: Node) -> Float | None:
    """The box ``(1, 12)`` of a node that is one, or of a group that states one."""
    if isinstance(node.primitive, Boxes) and len(node.primitive.boxes) == 1:
        return node.primitive.boxes
    if node.primitive is None and len(node.extras.get("box", ())) == 12:
        return box_algebra.as_boxes([node.extras["box"]])
    return None


def _continuous(rows: list[Float], present: NDArray[np.bool_]) -> Float:
    """Boxes of all frames from those of the frames in which the part exists."""
    found = [box_algebra.orthonormalised(rows[0])]
    for row in rows[1:]:
        found.append(box_algebra.canonicalised(row, found[-1]))
    # The number of the row that a frame shows: the last one before it, else the first.
    shown = np.maximum(np.cumsum(present) - 1, 0)
    return np.concatenate(found)[shown]


def _still(node: Node, parent: int, number: int, primitive: Primitive, frames: int) -> Track:
    name = f"{node.name}_frame_{number}"
    present = np.arange(frames) == number
    drawn = tuple(primitive if frame == number else None for frame in range(frames))
    return Track(Node(name, parent, primitive, node.color), present, None, drawn)


def _equal(a: Primitive | None, b: Primitive | None) -> bool:
    if a is b:
        return True
    if isinstance(a, Boxes) and isinstance(b, Boxes):
        return np.array_equal(a.boxes, b.boxes)
    if isinstance(a, Points) and isinstance(b, Points):
        return _same(a.positions, b.positions) and _same(a.colors, b.colors)
    if isinstance(a, Mesh) and isinstance(b, Mesh):
        names = ("vertices", "faces", "vertex_colors", "face_colors")
        return all(_same(getattr(a, name), getattr(b, name)) for name in names)
    return False


def _same(a: NDArray[np.generic] | None, b: NDArray[np.generic] | None) -> bool:
    if a is None or b is None:
        return a is b
    return np.array_equal(a, b)
