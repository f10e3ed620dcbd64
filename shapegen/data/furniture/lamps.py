"""Procedural lamps: table lamps, floor lamps, desk lamps with jointed arms, several heads."""

from __future__ import annotations

import itertools
import math
from typing import NamedTuple

from shapegen.data.furniture.builder import Item, bar, block, group, leg, pair, ring, row
from shapegen.data.furniture.draw import Draw
from shapegen.data.furniture.elements import disc, shell
from shapegen.data.furniture.part import Part, X, moved, turned
from shapegen.data.furniture.vocabulary import outline

LABELS = outline("""
lamp
  lamp_base
    base_disc
      disc_slab
    base_plate
    base_tier
    feet
      foot
    tripod
      leg
  lamp_body
    pole
    joint
    pole_upper
    body_block
    body_disc
      disc_slab
    frame_post
  lamp_arm
    arm
    joint
    arm_upper
  lamp_shade
    shade_wall
      shade_panel
      shade_slat
    shade_tier
      shade_panel
    shade_rod
    shade_lid
      lid_slab
    shade_stem
    shade_cap
    spider
      spider_rod
    bulb
    finial
  lamp_head
    arm
    shade_wall
      shade_panel
    shade_cap
    bulb
""")


class LampPlan(NamedTuple):
    """Kind and main measures of a lamp in metres; its pole is at x = z = 0."""

    kind: str
    height: float
    """Of the pole's end: where the shade hangs or the arm begins."""
    radius: float
    """Of the base."""
    pole: float
    """Half width of the pole."""
    shade: float
    """Radius of the shade."""


FOLDS = ((4, 2.0), (5, 1.0), (6, 3.0), (8, 2.0))
SPIDERS = {4: 4, 5: 5, 6: 3, 8: 4}
"""Rods that carry a wall of so many panels; each meets the middle of one."""

KINDS = (("table", 4.0), ("floor", 3.0), ("desk", 2.5), ("arc", 1.0), ("tree", 1.2))


def lamp(draw: Draw) -> Part:
    """Make one lamp in metres, its front towards +z."""
    plan = _plan(draw)
    base, y = _base(draw, plan)
    body = _body(draw, plan, y)
    items: list[Item] = [base] if body is None else [base, body]
    if plan.kind == "desk":
        return group("lamp", *items, *_jointed_arm(draw, plan))
    if plan.kind == "arc":
        return group("lamp", *items, *_arc(draw, plan))
    if plan.kind == "tree":
        return group("lamp", *items, _heads(draw, plan))
    return group("lamp", *items, _shade(draw, plan))


def _plan(draw: Draw) -> LampPlan:
    u, kind = draw.uniform, draw.choose(KINDS)
    if kind == "table":
        height = u(0.26, 0.5)
        return LampPlan(
            kind, height, height * u(0.22, 0.34), u(0.008, 0.02), height * u(0.3, 0.46)
        )
    if kind == "desk":
        height = u(0.2, 0.4)
        return LampPlan(kind, height, u(0.09, 0.13), u(0.007, 0.012), u(0.05, 0.09))
    height = u(1.1, 1.55)
    radius = height * (u(0.17, 0.2) if kind == "arc" else u(0.11, 0.17))
    return LampPlan(kind, height, radius, u(0.012, 0.024), height * u(0.13, 0.2))


def _base(draw: Draw, plan: LampPlan) -> tuple[Part, float]:
    """Make the base; also gives the height where the body stands on it."""
    r, t = plan.radius, max(0.02, 0.12 * plan.radius)
    styles = [("disc", 3.0), ("plate", 1.5), ("tiers", 1.0)]
    if plan.kind in ("desk", "arc"):
        # What reaches out to one side needs a heavy base.
        t *= 2.0
    else:
        styles.append(("feet", 2.5))
    if plan.kind in ("floor", "tree"):
        styles.append(("tripod", 2.0))
    style = draw.choose(styles)
    if style == "disc":
        return group(
            "lamp_base",
            group("base_disc", disc("disc_slab", r, 0.0, t, draw.choose(((3, 1.0), (5, 3.0))))),
        ), t
    if style == "plate":
        return group("lamp_base", block("base_plate", -r, r, 0.0, t, -r, r)), t
    if style == "tiers":
        lower = block("base_plate", -r, r, 0.0, t, -r, r)
        upper = block("base_tier", -0.6 * r, 0.6 * r, t, 2 * t, -0.6 * r, 0.6 * r)
        return group("lamp_base", lower, upper), 2 * t
    count = draw.choose(((3, 3.0), (4, 2.0), (5, 1.0)))
    if style == "tripod":
        # The legs meet around the pole, whose lower end hangs between them.
        y, reach = plan.height * draw.uniform(0.45, 0.7), plan.height * draw.uniform(0.2, 0.3)
        thin = max(0.016, plan.pole)
        count = min(count, 4)
        legs = ring(leg("leg", (0.0, y, 0.6 * thin), (0.0, reach), thin, thin), count)
        return group("lamp_base", group("tripod", legs)), y - 0.06
    rise = r * draw.uniform(0.2, 0.6)
    thin = max(0.016, 0.14 * r)
    foot = leg("foot", (0.0, rise, 0.3 * thin), (0.0, 1.25 * r), thin, thin)
    return group("lamp_base", group("feet", ring(foot, count))), rise - 0.5 * thin


def _body(draw: Draw, plan: LampPlan, y: float) -> Part | None:
    h, p = plan.height, plan.pole
    if plan.kind != "table":
        return _pole(draw, plan, y)
    half = 0.5 * plan.radius * draw.uniform(0.6, 1.1)
    style = draw.choose(
        (("pole", 2.0), ("block", 2.0), ("stack", 2.0), ("column", 1.5), ("posts", 1.0))
    )
    if style == "pole":
        return _pole(draw, plan, y)
    top = y + (h - y) * draw.uniform(0.65, 0.85)
    neck = block("pole", -p, p, top, h, -p, p)
    if style == "block":
        return group("lamp_body", block("body_block", -half, half, y, top, -half, half), neck)
    if style == "column":
        return group("lamp_body", group("body_disc", disc("disc_slab", half, y, top)), neck)
    if style == "posts":
        edge = 0.85 * half
        lid = block("body_block", -half, half, top, top + 0.02, -half, half)
        floor = block("body_block", -half, half, y, y + 0.02, -half, half)
        post = block(
            "frame_post", edge - p / 2, edge + p / 2, y + 0.02, top, edge - p / 2, edge + p / 2
        )
        neck = block("pole", -p, p, top + 0.02, h, -p, p)
        return group("lamp_body", floor, ring(post, 4), lid, neck)
    count = draw.integer(2, 4)
    pitch = (top - y) / count
    tier = block("body_block", -half, half, y, y + pitch, -half, half)
    if draw.chance(0.5):
        return group("lamp_body", row(tier, count, (0.0, pitch, 0.0)), neck)
    tiers: list[Item] = []
    for n in range(count):
        wide = half * (1.0 - 0.5 * n / count) if count > 2 else half * (0.7 + 0.3 * n)
        tiers.append(
            block("body_block", -wide, wide, y + n * pitch, y + (n + 1) * pitch, -wide, wide)
        )
    return group("lamp_body", *tiers, neck)


def _pole(draw: Draw, plan: LampPlan, y: float) -> Part:
    h, p = plan.height, plan.pole
    style = draw.choose((("one", 2.0), ("two", 1.5), ("joint", 1.0)))
    if style == "one":
        return group("lamp_body", block("pole", -p, p, y, h, -p, p))
    middle = y + (h - y) * draw.uniform(0.4, 0.65)
    lower = block("pole", -p, p, y, middle, -p, p)
    q = 0.65 * p
    if style == "two":
        return group("lamp_body", lower, block("pole_upper", -q, q, middle, h, -q, q))
    upper = block("pole_upper", -q, q, middle + 3 * p, h, -q, q)
    joint = block("joint", -1.6 * p, 1.6 * p, middle, middle + 3 * p, -1.6 * p, 1.6 * p)
    return group("lamp_body", lower, joint, upper)


def _shade(draw: Draw, plan: LampPlan) -> Part:
    """Make a shade around the pole's end."""
    height = plan.shade * draw.uniform(0.9, 1.5)
    y0 = plan.height - height * draw.uniform(0.25, 0.5)
    style = draw.choose((("wall", 5.0), ("tiers", 0.8), ("slats", 0.8), ("lid", 1.2)))
    if style == "wall":
        return _spider_shade(draw, plan, y0, height)
    if style == "tiers":
        return _tiered_shade(draw, plan, y0, height)
    # A lid on the wall or the slats, carried by a stem.
    r, t, p, top = plan.shade, 0.04 * plan.shade, 0.7 * plan.pole, y0 + height
    wall: Part
    if style == "slats":
        slat = block("shade_slat", -0.16 * r, 0.16 * r, y0, top, r - t, r)
        wall = group("shade_wall", ring(slat, draw.choose(((8, 2.0), (10, 1.0)))))
    else:
        wall = group("shade_wall", shell("shade_panel", r, y0, top, t, draw.choose(FOLDS)))
    lid = group("shade_lid", disc("lid_slab", r, top, top + t))
    stem = block("shade_stem", -p, p, plan.height, top, -p, p)
    items = [wall, lid, stem]
    if draw.chance(0.4):
        items.append(block("finial", -p, p, top + t, top + t + 0.12 * height, -p, p))
    return group("lamp_shade", *items)


def _spider_shade(draw: Draw, plan: LampPlan, y0: float, height: float) -> Part:
    """Make a straight or conical wall that hangs on rods from the pole's end."""
    r, p, y = plan.shade, plan.pole, plan.height
    folds = draw.choose(FOLDS)
    narrowing = r * draw.choose(((0.0, 1.0), (draw.uniform(0.2, 0.42), 2.0)))
    wall = shell("shade_panel", r, y0, y0 + height, 0.04 * r, folds, narrowing)
    reach = r - narrowing * (y - 0.4 * p - y0) / height
    rods = ring(block("spider_rod", -0.4 * p, 0.4 * p, y - 0.8 * p, y, 0.0, reach), SPIDERS[folds])
    items: list[Item] = [group("shade_wall", wall), group("spider", rods)]
    if draw.chance(0.5):
        half = min(0.2 * r, 3.0 * p)
        items.append(block("bulb", -half, half, y, y + 0.3 * height, -half, half))
    return group("lamp_shade", *items)


def _tiered_shade(draw: Draw, plan: LampPlan, y0: float, height: float) -> Part:
    """Make a stack of square tiers between four corner rods."""
    r, p, t, y = plan.shade, plan.pole, 0.05 * plan.shade, plan.height
    count = draw.integer(2, 4)
    pitch = height / (count - 0.25)
    tier = group("shade_tier", shell("shade_panel", r, y0, y0 + 0.75 * pitch, t, 4))
    corner = r - t
    rod = block("shade_rod", corner - t, corner + t, y0, y0 + height, corner - t, corner + t)
    arm = bar(
        "spider_rod", (0.0, y - 0.4 * p, 0.0), (corner, y - 0.4 * p, corner), 0.8 * p, 0.8 * p
    )
    items: list[Item] = [row(tier, count, (0.0, pitch, 0.0)), ring(rod, 4)]
    return group("lamp_shade", *items, group("spider", ring(arm, 4)))


def _head(draw: Draw, radius: float) -> list[Part]:
    """Make a small shade that opens downwards: wall, cap and bulb, its cap's top at the origin."""
    height = radius * draw.uniform(1.3, 2.2)
    narrowing = radius * draw.uniform(0.25, 0.45)
    wall = shell("shade_panel", radius, 0.0, height, 0.05 * radius, draw.choose(FOLDS), narrowing)
    whole = group("shade_wall", wall)
    top = whole.high[1]
    # The cap is as wide as the wall a little below its upper edge, so that they touch.
    drop = 0.05 * height
    half = radius - narrowing * (top - drop) / height
    cap = block("shade_cap", -half, half, top - drop, top + drop, -half, half)
    parts = [whole, cap]
    if draw.chance(0.5):
        parts.append(
            block("bulb", -0.5 * half, 0.5 * half, 0.3 * top, top - drop, -0.5 * half, 0.5 * half)
        )
    return [moved(part, (0.0, -top - 0.5 * drop, 0.0)) for part in parts]


def _placed_head(draw: Draw, radius: float, y: float, z: float, tilt: float) -> list[Part]:
    """Make a head, tilted, its cap at ``(0, y, z)``."""
    head = [turned(part, X, (0.0, 0.0, 0.0), tilt) for part in _head(draw, radius)]
    return [moved(part, (0.0, y, z)) for part in head]


def _jointed_arm(draw: Draw, plan: LampPlan) -> list[Item]:
    """Make one or two arm pieces with joints, from the pole's end to a tilted head."""
    p, y, z = plan.pole, plan.height, 0.0
    joint = block("joint", -1.8 * p, 1.8 * p, y - 1.8 * p, y + 1.8 * p, -1.8 * p, 1.8 * p)
    items: list[Item] = [joint]
    if draw.chance(0.6):
        y1, z1 = y + draw.uniform(0.15, 0.25), -draw.uniform(0.05, 0.16)
        items.append(_rod(draw, "arm", p, (y, 0.0), (y1, z1)))
        items.append(moved(joint, (0.0, y1 - y, z1)))
        y, z = y1, z1
    y1, z1 = y + draw.uniform(0.0, 0.16), z + draw.uniform(0.18, 0.3)
    items.append(_rod(draw, "arm_upper", p, (y, z), (y1, z1)))
    head = _placed_head(draw, plan.shade, y1, z1, -draw.uniform(0.0, 0.8))
    return [group("lamp_arm", *items), group("lamp_shade", *head)]


def _rod(
    draw: Draw, name: str, p: float, start: tuple[float, float], end: tuple[float, float]
) -> Item:
    """Make one thick rod between two points ``(y, z)`` of the middle plane, or two thin ones."""
    if draw.chance(0.5):
        return bar(name, (0.0, *start), (0.0, *end), 1.4 * p, 1.4 * p)
    return pair(bar(name, (1.2 * p, *start), (1.2 * p, *end), 0.8 * p, 0.8 * p))


def _arc(draw: Draw, plan: LampPlan) -> list[Item]:
    """Make an arm that bends over to the front, and a head that hangs from its end."""
    p, h = 0.8 * plan.pole, plan.height
    reach, rise = h * draw.uniform(0.24, 0.34), h * draw.uniform(0.1, 0.2)
    count = draw.integer(2, 4)
    points = []
    for n in range(count + 1):
        angle = (0.75 * math.pi) * n / count
        points.append((0.0, h - p + rise * math.sin(angle), 0.6 * reach * (1.0 - math.cos(angle))))
    # A piece reaches a little into the next one.
    pieces = [
        bar(
            "arm", a, (0.0, b[1] + 0.02 * (b[1] - a[1]), b[2] + 0.02 * (b[2] - a[2])), 2 * p, 2 * p
        )
        for a, b in itertools.pairwise(points)
    ]
    head = _placed_head(draw, 0.65 * plan.shade, points[-1][1], points[-1][2], 0.0)
    return [group("lamp_arm", *pieces), group("lamp_shade", *head)]


def _heads(draw: Draw, plan: LampPlan) -> Item:
    """Make several equal heads on arms around the pole."""
    p, count = plan.pole, draw.choose(((2, 1.0), (3, 3.0), (4, 1.5), (5, 0.7)))
    radius = 0.5 * plan.shade
    reach, rise = radius * draw.uniform(1.4, 2.2), radius * draw.uniform(0.3, 1.5)
    y = plan.height - p
    end = (0.0, y + rise, reach)
    arm = bar("arm", (0.0, y - 0.01, 0.0), end, 1.2 * p, 1.2 * p)
    head = _placed_head(draw, radius, end[1], end[2], -draw.uniform(0.0, 0.6))
    return ring(group("lamp_head", arm, *head), count)
