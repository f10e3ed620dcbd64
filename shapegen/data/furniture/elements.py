"""Elements that several categories share: legs, stretchers, discs, stars, drawers, doors."""

from __future__ import annotations

import math
from typing import NamedTuple

from shapegen.data.furniture.builder import (
    Item,
    Repeated,
    bar,
    block,
    group,
    leg,
    pair,
    ring,
    row,
    spread,
)
from shapegen.data.furniture.draw import Draw
from shapegen.data.furniture.part import Part, X, Y, moved, turned


class Line(NamedTuple):
    """Centre line of a leg from its top to the floor; x is positive, the leg has a twin at -x."""

    top: tuple[float, float, float]
    foot: tuple[float, float]

    def at(self, y: float) -> tuple[float, float]:
        """Place ``(x, z)`` at height ``y``."""
        share = y / self.top[1]
        return (
            self.foot[0] + share * (self.top[0] - self.foot[0]),
            self.foot[1] + share * (self.top[2] - self.foot[1]),
        )


class Legs(NamedTuple):
    """Four legs: items for a group, and the centre lines of the front and the back one."""

    items: tuple[Item, ...]
    front: Line
    back: Line


LEG_STYLES = (("straight", 4.0), ("splayed", 3.0), ("tapered", 2.0), ("footed", 1.0))


def four_legs(
    draw: Draw, x: float, z: float, top: float, size: float, *, splay: float = 0.0
) -> Legs:
    """Make two mirrored pairs of legs.

    Args:
        draw: Chooses the style where ``splay`` is 0.
        x: Half distance of the legs' centres from left to right, at the top.
        z: The same from front to back.
        top: Height of the legs.
        size: Side of their section.
        splay: How far the feet stand out, as a share of the height; 0 leaves it to the style.
    """
    style = draw.choose(LEG_STYLES) if splay == 0.0 else "splayed"
    depth = size * draw.uniform(0.8, 1.2)
    if style == "splayed":
        splay = splay or draw.uniform(0.04, 0.2)
        sideways = top * splay * draw.choose(((1.0, 3.0), (0.3, 1.0), (0.0, 1.0)))
        forward, backward = top * splay * draw.uniform(0.5, 1.0), top * splay
        front = Line((x, top, z), (x + sideways, z + forward))
        back = Line((x, top, -z), (x + sideways, -z - backward))
        parts = [leg("leg", line.top, line.foot, size, depth) for line in (front, back)]
    else:
        front, back = (Line((x, top, side * z), (x, side * z)) for side in (1.0, -1.0))
        make = {"straight": _straight_leg, "tapered": _tapered_leg, "footed": _footed_leg}[style]
        share = draw.uniform(0.4, 0.6)
        parts = [make(line, size, depth, share) for line in (front, back)]
    return Legs((pair(parts[0]), pair(parts[1])), front, back)


def _straight_leg(line: Line, size: float, depth: float, share: float) -> Part:
    return leg("leg", line.top, line.foot, size, depth)


def _post(name: str, line: Line, y0: float, y1: float, size: float, depth: float) -> Part:
    x, z = line.foot
    return block(name, x - size / 2, x + size / 2, y0, y1, z - depth / 2, z + depth / 2)


def _tapered_leg(line: Line, size: float, depth: float, share: float) -> Part:
    # Two boxes stand for a taper.
    joint, top = share * line.top[1], line.top[1]
    return group(
        "tapered_leg",
        _post("leg_upper", line, joint, top, size, depth),
        _post("leg_lower", line, 0.0, joint, 0.7 * size, 0.7 * depth),
    )


def _footed_leg(line: Line, size: float, depth: float, share: float) -> Part:
    height = min(share * 0.12, 0.4 * line.top[1])
    return group(
        "footed_leg",
        _post("leg_shaft", line, height, line.top[1], 0.8 * size, 0.8 * depth),
        _post("leg_foot", line, 0.0, height, 1.3 * size, 1.3 * depth),
    )


STRETCHERS = (("side", 2.0), ("h", 3.0), ("box", 3.0), ("ends", 1.0), ("cross", 1.0))


def stretchers(draw: Draw, legs: Legs, y: float, size: float, style: str) -> tuple[Item, ...]:
    """Make bars between legs at height ``y``: at the sides, as an H, all round, or crossing."""
    (xf, zf), (xb, zb) = legs.front.at(y), legs.back.at(y)
    height = size * draw.uniform(1.0, 1.5)
    if style == "cross":
        return (pair(bar("stretcher", (xb, y, zb), (-xf, y, zf), size, height)),)
    side = pair(bar("stretcher", (xb, y, zb), (xf, y, zf), size, height))
    front = bar("stretcher", (-xf, y, zf), (xf, y, zf), size, height)
    back = bar("stretcher", (-xb, y, zb), (xb, y, zb), size, height)
    if style == "side":
        return (side,)
    if style == "ends":
        return (front, back)
    if style == "box":
        return (side, front, back)
    x, z = 0.5 * (xf + xb), 0.5 * (zf + zb)
    return (side, bar("stretcher", (-x, y, z), (x, y, z), size, height))


def ring_legs(draw: Draw, count: int, radius: float, top: float, size: float) -> Repeated:
    """Make legs around the middle, their feet further out, one of them at the front."""
    out = radius + top * draw.uniform(0.08, 0.25)
    return ring(leg("leg", (0.0, top, radius), (0.0, out), size, size), count)


def disc(name: str, radius: float, y0: float, y1: float, folds: int = 5) -> Repeated:
    """Make a round slab of ``folds`` (odd) boxes: a regular polygon of twice as many sides.

    A box that spans two opposite sides, turned by an odd fraction of a full turn, covers all pairs
    of sides; the union is exactly the polygon.
    """
    width = radius * math.tan(0.5 * math.pi / folds)
    return ring(block(name, -width, width, y0, y1, -radius, radius), folds)


def shell(
    name: str,
    radius: float,
    y0: float,
    y1: float,
    thickness: float,
    folds: int,
    narrowing: float = 0.0,
) -> Repeated:
    """Make a closed ring of upright panels, narrowing towards the top.

    Args:
        name: Label of a panel.
        radius: From the axis to the middle of a panel's lower edge.
        y0: Lower edge.
        y1: Upper edge.
        thickness: Of a panel.
        folds: Number of panels.
        narrowing: How much smaller the upper radius is.
    """
    # Rectangles cannot close a cone: they overlap above and leave slits below, half of each.
    half = (radius + 0.5 * thickness - 0.4 * narrowing) * math.tan(math.pi / folds)
    panel = block(name, -half, half, y0, y1, radius - 0.5 * thickness, radius + 0.5 * thickness)
    if narrowing:
        lean = math.atan2(narrowing, y1 - y0)
        panel = turned(panel, X, (0.0, y0, radius), -lean)
    return ring(panel, folds)


def star(draw: Draw, count: int, radius: float, hub: float, *, wheels: bool) -> tuple[Part, float]:
    """Make a star base of ``count`` spokes; also gives the height of its hub.

    Args:
        draw: Chooses section and slope.
        count: 3 to 6.
        radius: Reach of the spokes.
        hub: Half width of the column.
        wheels: Whether there is a wheel below the end of every spoke.
    """
    size = radius * draw.uniform(0.12, 0.18)
    thickness = size * draw.uniform(0.6, 0.9)
    wheel = radius * draw.uniform(0.16, 0.24) if wheels else 0.0
    rise = draw.choose(((0.0, 1.0), (radius * draw.uniform(0.1, 0.25), 1.0)))
    y = wheel + 0.5 * thickness
    slope = math.hypot(rise, radius)
    # A sloping spoke's lowest corner is at the floor.
    y_end = y + 0.5 * thickness * (radius / slope - 1.0)
    spoke = bar("spoke", (0.0, y_end + rise, 0.0), (0.0, y_end, radius), size, thickness)
    # The column stands on flat spokes, and reaches into sloping ones down to their middle lines.
    top = y_end + rise if rise else y_end + 0.5 * thickness
    if not wheels:
        return group("star", ring(spoke, count)), top
    half = 0.3 * size
    inside = radius - 0.5 * wheel
    castor = block(
        "castor",
        -half,
        half,
        0.0,
        wheel + 0.25 * thickness,
        inside - 0.5 * wheel,
        inside + 0.5 * wheel,
    )
    return group("star", ring(group("wheeled_spoke", spoke, castor), count)), top


HANDLES = (("bar", 4.0), ("knob", 2.0), ("none", 2.0))


def drawer(
    style: str, x0: float, x1: float, y0: float, y1: float, z: float, thickness: float
) -> Part:
    """Make a drawer of a front and a handle (a bar, one knob or two); ``z`` is its back."""
    width, height = x1 - x0, y1 - y0
    x, y, front = 0.5 * (x0 + x1), 0.5 * (y0 + y1), z + thickness
    panel = block("drawer_front", x0, x1, y0, y1, z, front)
    reach, half = 1.2 * thickness, min(0.1 * height, 0.012)
    if style == "none":
        return group("drawer", panel)
    if style == "bar":
        long = 0.2 * width
        return group(
            "drawer",
            panel,
            block("handle", x - long, x + long, y - half, y + half, front, front + reach),
        )
    knob = block("knob", x - half, x + half, y - half, y + half, front, front + reach)
    if style == "knob" and width < 0.6:
        return group("drawer", panel, knob)
    return group("drawer", panel, pair(moved(knob, (0.25 * width, 0.0, 0.0)), X, x))


def door(
    style: str,
    x0: float,
    x1: float,
    y0: float,
    y1: float,
    z: float,
    thickness: float,
    *,
    hinge: float = -1.0,
    framed: bool = False,
) -> Part:
    """Make a door of a panel, or a frame with a panel inside, and a handle away from the hinge."""
    width, height = x1 - x0, y1 - y0
    front = z + thickness
    edge = 0.14 * width
    if framed:
        edge = min(0.16 * width, 0.2 * height)
        stile = block("door_stile", x0, x0 + edge, y0, y1, z, front)
        rail = block("door_rail", x0 + edge, x1 - edge, y1 - edge, y1, z, front)
        inset = block(
            "door_panel", x0 + edge, x1 - edge, y0 + edge, y1 - edge, z, z + 0.5 * thickness
        )
        items: list[Item] = [
            pair(stile, X, 0.5 * (x0 + x1)),
            pair(rail, Y, 0.5 * (y0 + y1)),
            inset,
        ]
    else:
        items = [block("door_panel", x0, x1, y0, y1, z, front)]
    x = 0.5 * (x0 + x1) - hinge * 0.5 * (width - edge)
    y, half, reach = y0 + 0.55 * height, min(0.02 * width, 0.3 * edge), 1.2 * thickness
    if style == "knob":
        items.append(block("knob", x - half, x + half, y - half, y + half, front, front + reach))
    elif style != "none":
        long = 0.12 * height
        items.append(block("handle", x - half, x + half, y - long, y + long, front, front + reach))
    return group("framed_door" if framed else "door", *items)


def drawers(
    style: str,
    count: int,
    x0: float,
    x1: float,
    y0: float,
    y1: float,
    z: float,
    thickness: float,
    *,
    axis: int = Y,
    gap: float = 0.008,
) -> Item:
    """Make a row of equal drawers that fills a rectangle, from the top or the left."""
    if axis == Y:
        pitch = (y1 - y0) / count
        first = drawer(style, x0 + gap, x1 - gap, y1 - pitch + gap, y1 - gap, z, thickness)
        return row(first, count, (0.0, -pitch, 0.0))
    pitch = (x1 - x0) / count
    first = drawer(style, x0 + gap, x0 + pitch - gap, y0 + gap, y1 - gap, z, thickness)
    return row(first, count, (pitch, 0.0, 0.0))


def slats(
    name: str,
    count: int,
    axis: int,
    part_bounds: tuple[float, float, float, float, float, float],
    share: float,
) -> Item:
    """Fill a block with ``count`` equal slats along ``axis``, the first and the last at its ends.

    Args:
        name: Label of a slat.
        count: At least 1; one alone stands in the middle.
        axis: Along which the slats follow one another.
        part_bounds: ``x0, x1, y0, y1, z0, z1`` of the block.
        share: Of the block that is slat rather than gap.
    """
    limits = list(part_bounds)
    low, high = limits[2 * axis], limits[2 * axis + 1]
    width = share * (high - low) / count
    start = low if count > 1 else 0.5 * (low + high - width)
    limits[2 * axis], limits[2 * axis + 1] = start, start + width
    return spread(block(name, *limits), count, axis, high - low - width)
