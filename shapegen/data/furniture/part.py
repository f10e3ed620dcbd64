"""A part under construction and its rigid motions, in plain Python floats."""

from __future__ import annotations

import math
from collections.abc import Callable

from shapegen.structures.part_tree import RelationKind

Vector = tuple[float, float, float]
Link = tuple[RelationKind, int, int, tuple[float, ...]]
"""A symmetry between two children by their positions: kind, original, copy, parameters."""

X, Y, Z = 0, 1, 2
ORIGIN: Vector = (0.0, 0.0, 0.0)


class Part:
    """A leaf box, or a group of parts with the symmetries among them."""

    __slots__ = ("box", "children", "high", "links", "low", "name", "straight")

    def __init__(
        self,
        name: str,
        box: tuple[float, ...],
        low: Vector,
        high: Vector,
        children: tuple[Part, ...] = (),
        links: tuple[Link, ...] = (),
    ) -> None:
        self.name = name
        self.box = box
        """Twelve numbers: centre, full lengths, x direction, y direction."""
        self.low = low
        self.high = high
        """Axis-aligned bounds of the leaves below."""
        self.children = children
        self.links = links
        self.straight = box[6] == 1.0 and box[10] == 1.0
        """Whether the box is axis-aligned."""

    @classmethod
    def leaf(cls, name: str, box: tuple[float, ...]) -> Part:
        """Make a leaf from an oriented box."""
        low, high = box_bounds(box)
        return cls(name, box, low, high)


def box_bounds(box: tuple[float, ...]) -> tuple[Vector, Vector]:
    """Axis-aligned bounds of an oriented box with orthonormal directions."""
    cx, cy, cz, lx, ly, lz, x0, x1, x2, y0, y1, y2 = box
    ex = 0.5 * (lx * abs(x0) + ly * abs(y0) + lz * abs(x1 * y2 - x2 * y1))
    ey = 0.5 * (lx * abs(x1) + ly * abs(y1) + lz * abs(x2 * y0 - x0 * y2))
    ez = 0.5 * (lx * abs(x2) + ly * abs(y2) + lz * abs(x0 * y1 - x1 * y0))
    return (cx - ex, cy - ey, cz - ez), (cx + ex, cy + ey, cz + ez)


def moved(part: Part, by: Vector) -> Part:
    """Copy a part translated by a vector."""
    dx, dy, dz = by
    box, low, high = part.box, part.low, part.high
    return Part(
        part.name,
        (box[0] + dx, box[1] + dy, box[2] + dz, *box[3:]),
        (low[0] + dx, low[1] + dy, low[2] + dz),
        (high[0] + dx, high[1] + dy, high[2] + dz),
        tuple([moved(child, by) for child in part.children]),
        _moved_links(part.links, lambda p: (p[0] + dx, p[1] + dy, p[2] + dz), _same, 1.0),
    )


def mirrored(part: Part, axis: int, at: float) -> Part:
    """Copy a part reflected in the plane where coordinate ``axis`` is ``at``."""
    numbers = list(part.box)
    numbers[axis] = 2.0 * at - numbers[axis]
    if not part.straight:
        numbers[6 + axis] = -numbers[6 + axis]
        numbers[9 + axis] = -numbers[9 + axis]
        numbers = _canonical(numbers)
    low, high = list(part.low), list(part.high)
    low[axis], high[axis] = 2.0 * at - part.high[axis], 2.0 * at - part.low[axis]

    def direction(v: Vector) -> Vector:
        return tuple([-c if k == axis else c for k, c in enumerate(v)])  # type: ignore[return-value]

    def point(v: Vector) -> Vector:
        return tuple([2.0 * at - c if k == axis else c for k, c in enumerate(v)])  # type: ignore[return-value]

    return Part(
        part.name,
        tuple(numbers),
        (low[0], low[1], low[2]),
        (high[0], high[1], high[2]),
        tuple([mirrored(child, axis, at) for child in part.children]),
        # A reflection turns a rotation by +angle into one by -angle about the reflected axis.
        _moved_links(part.links, point, direction, -1.0),
    )


def turned(part: Part, axis: int, pivot: Vector, angle: float) -> Part:
    """Copy a part rotated about a line through ``pivot`` along a coordinate axis.

    The box of a group is turned with it: in its own frame it stays tight.
    """
    cos, sin = math.cos(angle), math.sin(angle)
    # Quarter turns are exact, so that axis-aligned boxes stay so.
    cos, sin = (0.0 if abs(cos) < 1e-15 else cos), (0.0 if abs(sin) < 1e-15 else sin)
    a, b = (axis + 1) % 3, (axis + 2) % 3

    def direction(v: Vector) -> Vector:
        out = list(v)
        out[a], out[b] = cos * v[a] - sin * v[b], sin * v[a] + cos * v[b]
        return (out[0], out[1], out[2])

    def point(v: Vector) -> Vector:
        d = direction((v[0] - pivot[0], v[1] - pivot[1], v[2] - pivot[2]))
        return (d[0] + pivot[0], d[1] + pivot[1], d[2] + pivot[2])

    return _turned(part, point, direction)


def _turned(
    part: Part, point: Callable[[Vector], Vector], direction: Callable[[Vector], Vector]
) -> Part:
    box = part.box
    x, y = direction(box[6:9]), direction(box[9:12])  # type: ignore[arg-type]
    numbers = _canonical([*point(box[:3]), *box[3:6], *x, *y])  # type: ignore[arg-type]
    placed = tuple(numbers)
    if not part.children:
        return Part.leaf(part.name, placed)
    children = tuple([_turned(child, point, direction) for child in part.children])
    low = tuple([min(values) for values in zip(*[c.low for c in children], strict=True)])
    high = tuple([max(values) for values in zip(*[c.high for c in children], strict=True)])
    links = _moved_links(part.links, point, direction, 1.0)
    return Part(part.name, placed, low, high, children, links)


def _canonical(box: list[float]) -> list[float]:
    """Name the axes of the same box so that they are close to the frame's, x and y positive."""
    x, y = box[6:9], box[9:12]
    z = [x[1] * y[2] - x[2] * y[1], x[2] * y[0] - x[0] * y[2], x[0] * y[1] - x[1] * y[0]]
    if abs(z[0]) > abs(x[0]) + 1e-9:
        x = z
        box[3], box[5] = box[5], box[3]
    if x[0] < 0.0:
        x = [-x[0], -x[1], -x[2]]
    if y[1] < 0.0:
        y = [-y[0], -y[1], -y[2]]
    box[6:9], box[9:12] = x, y
    return box


def _moved_links(
    links: tuple[Link, ...],
    point: Callable[[Vector], Vector],
    direction: Callable[[Vector], Vector],
    turn: float,
) -> tuple[Link, ...]:
    if not links:
        return ()
    out: list[Link] = []
    for kind, a, b, p in links:
        if kind is RelationKind.TRANS_SYM:
            params: tuple[float, ...] = direction(p)  # type: ignore[arg-type]
        elif kind is RelationKind.REF_SYM:
            params = (*point(p[:3]), *direction(p[3:6]))  # type: ignore[arg-type]
        else:
            params = (*point(p[:3]), *direction(p[3:6]), turn * p[6])  # type: ignore[arg-type]
        out.append((kind, a, b, params))
    return tuple(out)


def _same(v: Vector) -> Vector:
    return v
