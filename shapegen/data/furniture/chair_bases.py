"""What a chair stands on: legs, sled, cantilever, pedestal, star, crossed bars, panels, plinth."""

from __future__ import annotations

from shapegen.data.furniture.builder import Item, bar, block, group, leg, pair, ring
from shapegen.data.furniture.chair_plan import ChairPlan
from shapegen.data.furniture.draw import Draw
from shapegen.data.furniture.elements import (
    STRETCHERS,
    disc,
    four_legs,
    ring_legs,
    star,
    stretchers,
)
from shapegen.data.furniture.part import Part, Z

NAME = "chair_base"

CHOICES = {
    "dining": (
        ("legs", 7.0),
        ("sled", 1.5),
        ("cantilever", 1.2),
        ("pedestal", 0.7),
        ("cross", 0.8),
    ),
    "office": (("star", 6.0), ("pedestal", 0.5), ("sled", 0.7), ("cantilever", 0.8)),
    "lounge": (("legs", 4.0), ("sled", 1.5), ("star", 1.0), ("panels", 1.0), ("plinth", 2.0)),
    "sofa": (("legs", 4.0), ("panels", 1.0), ("plinth", 3.0), ("sled", 1.0)),
    "bar": (("legs", 4.0), ("tripod", 1.2), ("pedestal", 2.0), ("sled", 1.0)),
}


def chair_base(draw: Draw, plan: ChairPlan) -> Part:
    """Make the base that carries the seat panel's underside."""
    make = {
        "legs": _legs,
        "sled": _sled,
        "cantilever": _cantilever,
        "pedestal": _pedestal,
        "star": _star,
        "cross": _cross,
        "panels": _panels,
        "plinth": _plinth,
        "tripod": _tripod,
    }
    return make[draw.choose(CHOICES[plan.kind])](draw, plan)


def _legs(draw: Draw, plan: ChairPlan) -> Part:
    inset = 0.5 * plan.timber * 1.3 + draw.uniform(0.0, 0.03)
    legs = four_legs(draw, plan.width / 2 - inset, plan.depth / 2 - inset, plan.below, plan.timber)
    share = {"dining": 0.45, "bar": 0.9}.get(plan.kind, 0.12)
    if not draw.chance(share):
        return group(NAME, *legs.items)
    style = draw.choose(STRETCHERS)
    y = plan.below * draw.uniform(0.2, 0.45)
    bars = stretchers(draw, legs, y, 0.55 * plan.timber, style)
    if style != "box" or not draw.chance(0.3):
        return group(NAME, *legs.items, *bars)
    # A second pair of bars at the sides, higher up.
    (xf, zf), (xb, zb) = legs.front.at(y + 0.12), legs.back.at(y + 0.12)
    size = 0.55 * plan.timber
    upper = bar("stretcher", (xb, y + 0.12, zb), (xf, y + 0.12, zf), size, size)
    return group(NAME, *legs.items, *bars, pair(upper))


def _sled(draw: Draw, plan: ChairPlan) -> Part:
    t = plan.timber * draw.uniform(0.6, 0.9)
    x = plan.width / 2 - t / 2 - draw.uniform(0.0, 0.03)
    z = plan.depth / 2 - t / 2
    runner = block("runner", x - t / 2, x + t / 2, 0.0, t, -z - t / 2, z + t / 2)
    lean = draw.choose(((0.0, 1.0), (draw.uniform(0.1, 0.3) * z, 1.0)))
    front = bar("runner_post", (x, t / 2, z - t / 2), (x, plan.below, z - t / 2 - lean), t, t)
    side = group("runner_frame", runner, pair(front, Z))
    items: list[Item] = [pair(side)]
    if draw.chance(0.5):
        items.append(_cross_bar(x, t / 2, -z, t))
    if draw.chance(0.4):
        items.append(_cross_bar(x, plan.below - t / 2, 0.0, t))
        items.append(
            pair(
                block(
                    "seat_rail",
                    x - t / 2,
                    x + t / 2,
                    plan.below - t,
                    plan.below,
                    -z + lean,
                    z - lean,
                )
            )
        )
    return group(NAME, *items)


def _cross_bar(x: float, y: float, z: float, t: float) -> Part:
    return block("cross_bar", -x, x, y - t / 2, y + t / 2, z - t / 2, z + t / 2)


def _cantilever(draw: Draw, plan: ChairPlan) -> Part:
    t = plan.timber * draw.uniform(0.6, 0.9)
    x, z = plan.width / 2 - t / 2, plan.depth / 2
    # The runner reaches back below the chair's centre of mass.
    runner = block("runner", x - t / 2, x + t / 2, 0.0, t, -z - 0.04, z)
    post = block("runner_post", x - t / 2, x + t / 2, t, plan.below - t, z - t, z)
    rail = block(
        "seat_rail",
        x - t / 2,
        x + t / 2,
        plan.below - t,
        plan.below,
        -z * draw.uniform(0.3, 1.0),
        z,
    )
    items: list[Item] = [pair(group("cantilever_frame", runner, post, rail))]
    back_bar = draw.chance(0.7)
    if back_bar:
        items.append(_cross_bar(x, t / 2, -z - 0.04 + t / 2, t))
    if not back_bar or draw.chance(0.3):
        items.append(_cross_bar(x, plan.below - t / 2, z - t / 2, t))
    return group(NAME, *items)


def _column(plan: ChairPlan, y0: float, half: float) -> list[Part]:
    """Make a column; a slatted seat's frame has nothing above it and gets a mount across."""
    if not plan.slatted:
        return [block("column", -half, half, y0, plan.below, -half, half)]
    top, x, z = plan.below - 0.025, plan.width / 2 - 0.01, 2.0 * half
    mount = block("seat_mount", -x, x, top, plan.below, -z, z)
    return [block("column", -half, half, y0, top, -half, half), mount]


def _pedestal(draw: Draw, plan: ChairPlan) -> Part:
    half = plan.timber * draw.uniform(0.6, 1.2)
    radius = 0.5 * plan.width * draw.uniform(0.85, 1.05)
    t = draw.uniform(0.015, 0.035)
    items: list[Item] = []
    if draw.chance(0.5):
        items.append(
            group(
                "foot_disc", disc("disc_slab", radius, 0.0, t, draw.choose(((3, 1.0), (5, 3.0))))
            )
        )
    else:
        items.append(block("foot_plate", -radius, radius, 0.0, t, -radius, radius))
    items += _column(plan, t, half)
    if plan.kind == "bar" and draw.chance(0.6):
        y, z = plan.below * draw.uniform(0.3, 0.45), 0.45 * plan.depth
        rest = block("foot_rest", -0.3 * plan.width, 0.3 * plan.width, y, y + 0.025, z - 0.025, z)
        items += [rest, block("foot_rest_arm", -0.015, 0.015, y, y + 0.025, half, z - 0.025)]
    return group(NAME, *items)


def _star(draw: Draw, plan: ChairPlan) -> Part:
    half = plan.timber * draw.uniform(0.5, 0.9)
    count = draw.choose(((3, 0.5), (4, 2.0), (5, 5.0), (6, 1.0)))
    radius = (0.62 if count == 3 else 0.54) * plan.width * draw.uniform(0.95, 1.1)
    wheels = plan.kind == "office" and draw.chance(0.75)
    base, top = star(draw, count, radius, half, wheels=wheels)
    if not draw.chance(0.4):
        return group(NAME, base, *_column(plan, top, half))
    joint = top + (plan.below - top) * draw.uniform(0.4, 0.7)
    sleeve = block("column_sleeve", -1.5 * half, 1.5 * half, top, joint, -1.5 * half, 1.5 * half)
    return group(NAME, base, sleeve, *_column(plan, joint, half))


def _cross(draw: Draw, plan: ChairPlan) -> Part:
    t = 0.8 * plan.timber
    x, z = plan.width / 2 - t, plan.depth / 2 - t
    # The two bars of an X pass through each other half way up.
    diagonal = leg("cross_leg", (x, plan.below - 0.15 * t, z), (x, -z), t, t)
    side = group("cross_frame", pair(diagonal, Z))
    items: list[Item] = [pair(side)]
    if draw.chance(0.6):
        items.append(_cross_bar(x, 0.5 * plan.below, 0.0, 0.8 * t))
    if draw.chance(0.4):
        y = 0.5 * t + 0.03
        items += [_cross_bar(x, y, side_z, 0.7 * t) for side_z in (-0.92 * z, 0.92 * z)]
    return group(NAME, *items)


def _panels(draw: Draw, plan: ChairPlan) -> Part:
    t = draw.uniform(0.025, 0.06)
    x, z = plan.width / 2, plan.depth / 2
    inset = draw.choose(((0.0, 2.0), (draw.uniform(0.02, 0.1) * plan.width, 1.0)))
    side = block("side_panel", x - inset - t, x - inset, 0.0, plan.below, -z, z)
    if not draw.chance(0.5):
        return group(NAME, pair(side))
    cross = block(
        "cross_panel", -x + inset + t, x - inset - t, 0.3 * plan.below, plan.below, -t / 2, t / 2
    )
    return group(NAME, pair(side), cross)


def _plinth(draw: Draw, plan: ChairPlan) -> Part:
    x, z = plan.width / 2, plan.depth / 2
    inset = draw.choose(((0.0, 1.0), (0.04, 1.0)))
    if draw.chance(0.4):
        return group(
            NAME, block("plinth", -x + inset, x - inset, 0.0, plan.below, -z + inset, z - inset)
        )
    y = plan.below * draw.uniform(0.25, 0.45)
    body = block("plinth", -x + inset, x - inset, y, plan.below, -z + inset, z - inset)
    t = plan.timber
    edge = x - inset - t, z - inset - t
    foot = block(
        "foot", edge[0] - t / 2, edge[0] + t / 2, 0.0, y, edge[1] - t / 2, edge[1] + t / 2
    )
    back = block(
        "foot", edge[0] - t / 2, edge[0] + t / 2, 0.0, y, -edge[1] - t / 2, -edge[1] + t / 2
    )
    return group(NAME, body, pair(foot), pair(back))


def _tripod(draw: Draw, plan: ChairPlan) -> Part:
    count = draw.choose(((3, 2.0), (4, 3.0)))
    radius = 0.32 * plan.width
    legs = ring_legs(draw, count, radius, plan.below, plan.timber)
    if draw.chance(0.4):
        return group(NAME, legs)
    y = plan.below * draw.uniform(0.25, 0.4)
    first = legs.parts[0]
    share = (y - first.low[1]) / (first.high[1] - first.low[1])
    z = (
        first.high[2]
        - 0.5 * plan.timber
        - share * (first.high[2] - plan.timber - radius + 0.5 * plan.timber)
    )
    spoke = block("foot_spoke", -0.01, 0.01, y - 0.012, y + 0.012, 0.0, z)
    return group(NAME, legs, ring(spoke, count))
