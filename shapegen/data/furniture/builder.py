"""Build part trees from plain numbers: leaves, groups, exact symmetric copies, contacts.

Shapes have a dozen small boxes each, for which Python floats are many times faster than numpy on
tiny arrays; one array is made at the end. Every symmetric copy is made by the motion that its
relation states, so relations hold to rounding.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from shapegen.data.furniture.contact import touching
from shapegen.data.furniture.part import Link, Part, Vector, X, Y, Z, mirrored, moved, turned
from shapegen.structures.part_tree import PartTree, Relation, RelationKind

DIAGONAL = 2.0
"""Length of the root box's diagonal: PartNet's scale."""

STRAIGHT = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)


class Repeated(NamedTuple):
    """A part and its symmetric copies, siblings to be."""

    parts: tuple[Part, ...]
    kind: RelationKind
    params: tuple[tuple[float, ...], ...]
    """Parameters that map the first part onto each of the others."""


Item = Part | Repeated


def block(name: str, x0: float, x1: float, y0: float, y1: float, z0: float, z1: float) -> Part:
    """Make an axis-aligned leaf from its bounds."""
    centre = (0.5 * (x0 + x1), 0.5 * (y0 + y1), 0.5 * (z0 + z1))
    box = (*centre, x1 - x0, y1 - y0, z1 - z0, *STRAIGHT)
    return Part(name, box, (x0, y0, z0), (x1, y1, z1))


def bar(name: str, start: Vector, end: Vector, width: float, height: float) -> Part:
    """Make a leaf along the line from ``start`` to ``end``.

    Its axes are those closest to the frame's.

    Args:
        name: Last component of the label.
        start: Middle of one end.
        end: Middle of the other end.
        width: Side that is horizontal and across.
        height: The other side: upright of a lying bar, front to back of a standing one.
    """
    dx, dy, dz = end[0] - start[0], end[1] - start[1], end[2] - start[2]
    length = math.sqrt(dx * dx + dy * dy + dz * dz)
    u = (dx / length, dy / length, dz / length)
    main = max((X, Y, Z), key=lambda axis: abs(u[axis]))
    if u[main] < 0.0:
        u = (-u[0], -u[1], -u[2])
    centre = (start[0] + 0.5 * dx, start[1] + 0.5 * dy, start[2] + 0.5 * dz)
    if main == Y:
        x, y, lengths = _across(X, u), u, (width, length, height)
    elif main == X:
        x, y, lengths = u, _across(Y, u), (length, height, width)
    else:
        y = _across(Y, u)
        x, lengths = _cross(y, u), (width, height, length)
    return Part.leaf(name, (*centre, *lengths, *x, *y))


def leg(name: str, top: Vector, foot: tuple[float, float], width: float, depth: float) -> Part:
    """Make a leaf from ``top`` towards the point ``foot`` (x, z) of the floor.

    It is cut where its lowest corner stands on the floor.
    """
    if top[0] == foot[0] and top[2] == foot[1]:
        x, z = foot
        return block(name, x - width / 2, x + width / 2, 0.0, top[1], z - depth / 2, z + depth / 2)
    dx, dy, dz = top[0] - foot[0], top[1], top[2] - foot[1]
    length = math.sqrt(dx * dx + dy * dy + dz * dz)
    u = (dx / length, dy / length, dz / length)
    x_axis = _across(X, u)
    z_axis = _cross(x_axis, u)
    lift = 0.5 * (abs(x_axis[1]) * width + abs(z_axis[1]) * depth)
    share = lift / top[1]
    end = (foot[0] + share * dx, lift, foot[1] + share * dz)
    return bar(name, end, top, width, depth)


def group(name: str, *items: Item) -> Part:
    """Make an inner part with a tight axis-aligned box."""
    parts: list[Part] = []
    links: list[Link] = []
    for item in items:
        first = len(parts)
        if isinstance(item, Part):
            parts.append(item)
        else:
            parts.extend(item.parts)
            for number, params in enumerate(item.params):
                links.append((item.kind, first, first + 1 + number, params))
    low, high = bounds(parts)
    size = (high[0] - low[0], high[1] - low[1], high[2] - low[2])
    centre = (low[0] + 0.5 * size[0], low[1] + 0.5 * size[1], low[2] + 0.5 * size[2])
    return Part(name, (*centre, *size, *STRAIGHT), low, high, tuple(parts), tuple(links))


def bounds(parts: Sequence[Part]) -> tuple[Vector, Vector]:
    """Axis-aligned bounds of several parts together."""
    lows, highs = [part.low for part in parts], [part.high for part in parts]
    x0, y0, z0 = (min(values) for values in zip(*lows, strict=True))
    x1, y1, z1 = (max(values) for values in zip(*highs, strict=True))
    return (x0, y0, z0), (x1, y1, z1)


def pair(part: Part, axis: int = X, at: float = 0.0) -> Repeated:
    """Repeat a part by reflection in the plane where coordinate ``axis`` is ``at``."""
    twin = mirrored(part, axis, at)
    point = [0.5 * (a + b) for a, b in zip(part.box[:3], twin.box[:3], strict=True)]
    normal = [0.0, 0.0, 0.0]
    normal[axis] = 1.0
    return Repeated((part, twin), RelationKind.REF_SYM, ((*point, *normal),))


def row(part: Part, count: int, step: Vector) -> Item:
    """Repeat a part by translation; a row of one is the part itself."""
    if count == 1:
        return part
    vectors = [(n * step[0], n * step[1], n * step[2]) for n in range(1, count)]
    parts = (part, *(moved(part, vector) for vector in vectors))
    return Repeated(parts, RelationKind.TRANS_SYM, tuple(vectors))


def ring(part: Part, count: int, x: float = 0.0, z: float = 0.0) -> Repeated:
    """Repeat a part by rotation about the upright axis through ``(x, z)``, evenly over a turn."""
    pivot = (x, part.box[1], z)
    angles = [2.0 * math.pi * n / count for n in range(1, count)]
    parts = (part, *(turned(part, Y, pivot, angle) for angle in angles))
    params = tuple((*pivot, 0.0, 1.0, 0.0, angle) for angle in angles)
    return Repeated(parts, RelationKind.ROT_SYM, params)


def spread(part: Part, count: int, axis: int, span: float) -> Item:
    """Repeat a part evenly along ``axis``, first and last ``span`` apart."""
    step = [0.0, 0.0, 0.0]
    step[axis] = span / max(count - 1, 1)
    return row(part, count, (step[0], step[1], step[2]))


class _Flat:
    """The lists of a tree while it is being flattened, depth first."""

    def __init__(self, root: Part) -> None:
        low, high = root.low, root.high
        self.scale = DIAGONAL / math.dist(low, high)
        self.centre = (
            0.5 * (low[0] + high[0]),
            0.5 * (low[1] + high[1]),
            0.5 * (low[2] + high[2]),
        )
        self.boxes: list[tuple[float, ...]] = []
        self.parents: list[int] = []
        self.labels: list[str] = []
        self.edges: list[Relation] = []

    def add(self, part: Part, parent: int, prefix: str) -> int:
        number = len(self.boxes)
        label = prefix + part.name
        self.boxes.append(part.box)
        self.parents.append(parent)
        self.labels.append(label)
        children = part.children
        if children:
            below = label + "/"
            numbers = [self.add(child, number, below) for child in children]
            for kind, a, b, params in part.links:
                self.edges.append(
                    Relation(kind, numbers[a], numbers[b], self._placed(kind, params))
                )
            for b, second in enumerate(children):
                for a in range(b):
                    if touching(children[a], second):
                        self.edges.append(Relation(RelationKind.ADJ, numbers[a], numbers[b]))
        return number

    def _placed(self, kind: RelationKind, params: tuple[float, ...]) -> tuple[float, ...]:
        s = self.scale
        if kind is RelationKind.TRANS_SYM:
            return (s * params[0], s * params[1], s * params[2])
        c = self.centre
        point = (s * (params[0] - c[0]), s * (params[1] - c[1]), s * (params[2] - c[2]))
        return (*point, *params[3:])


def part_tree(root: Part, name: str) -> PartTree:
    """Flatten a shape, centred at the origin and scaled to :data:`DIAGONAL`."""
    flat = _Flat(root)
    flat.add(root, -1, "")
    box = np.array(flat.boxes)
    box[:, :3] -= flat.centre
    box[:, :6] *= flat.scale
    return PartTree(box, np.array(flat.parents), tuple(flat.labels), tuple(flat.edges), name=name)


def _across(axis: int, u: Vector) -> Vector:
    """The unit vector of ``axis`` made orthogonal to the unit vector ``u``."""
    v = [-u[axis] * u[0], -u[axis] * u[1], -u[axis] * u[2]]
    v[axis] += 1.0
    length = math.sqrt(v[0] * v[0] + v[1] * v[1] + v[2] * v[2])
    return (v[0] / length, v[1] / length, v[2] / length)


def _cross(a: Vector, b: Vector) -> Vector:
    return (
        a[1] * b[2] - a[2] * b[1],
        a[2] * b[0] - a[0] * b[2],
        a[0] * b[1] - a[1] * b[0],
    )
