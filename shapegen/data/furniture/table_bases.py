"""What a table without four plain legs stands on: trestles, panels, pedestals, sleds, crosses."""

from __future__ import annotations

from shapegen.data.furniture.builder import Item, bar, block, group, leg, pair
from shapegen.data.furniture.draw import Draw
from shapegen.data.furniture.elements import disc, star
from shapegen.data.furniture.part import Part, Z
from shapegen.data.furniture.table_plan import TablePlan


def table_base(draw: Draw, plan: TablePlan, style: str) -> Part:
    """Make a base of the given style under the top."""
    make = {
        "trestle": _trestle,
        "panels": _panels,
        "pedestal": _pedestal,
        "pedestals": _pedestals,
        "sled": _sled,
        "cross": _cross,
    }
    return make[style](draw, plan)


def _trestle(draw: Draw, plan: TablePlan) -> Part:
    t, z = plan.timber, plan.depth / 2
    x = plan.width / 2 * draw.uniform(0.65, 0.88)
    height, reach = draw.uniform(0.05, 0.08), z * draw.uniform(0.7, 0.95)
    foot = block("trestle_foot", x - t / 2, x + t / 2, 0.0, height, -reach, reach)
    head = block(
        "trestle_head",
        x - t / 2,
        x + t / 2,
        plan.below - height,
        plan.below,
        -0.9 * reach,
        0.9 * reach,
    )
    y0, y1 = height, plan.below - height
    style = draw.choose((("one", 2.0), ("two", 2.0), ("lean", 1.5), ("cross", 1.0)))
    wide = reach * draw.uniform(0.2, 0.4)
    posts: Item
    if style == "one":
        posts = block("trestle_post", x - t / 2, x + t / 2, y0, y1, -wide, wide)
    elif style == "two":
        posts = pair(block("trestle_post", x - t / 2, x + t / 2, y0, y1, wide, wide + t), Z)
    elif style == "lean":
        posts = pair(
            bar(
                "trestle_post",
                (x, y0 - 0.01, 0.75 * reach),
                (x, y1 + 0.01, 0.35 * reach),
                0.9 * t,
                t,
            ),
            Z,
        )
    else:
        posts = pair(
            bar(
                "trestle_post",
                (x, y0 - 0.01, -0.7 * reach),
                (x, y1 + 0.01, 0.7 * reach),
                0.9 * t,
                0.9 * t,
            ),
            Z,
        )
    items: list[Item] = [pair(group("trestle", foot, posts, head))]
    if style in ("one", "cross"):
        y = plan.below * draw.uniform(0.3, 0.6) if style == "one" else 0.5 * (y0 + y1)
        items.append(block("beam", -x, x, y - t / 2, y + t / 2, -0.3 * t, 0.3 * t))
    elif draw.chance(0.6):
        z0 = 0.9 * t + wide if style == "two" else 0.0
        y = y1 if z0 == 0.0 else plan.below * draw.uniform(0.3, 0.6)
        y = y1 + height / 2 if z0 == 0.0 else y
        beam = block("beam", -x, x, y - 0.4 * t, y + 0.4 * t, z0 - 0.5 * t, z0)
        items.append(pair(beam, Z) if z0 else beam)
    return group("table_base", *items)


def _panels(draw: Draw, plan: TablePlan) -> Part:
    t = draw.uniform(0.02, 0.05)
    x = plan.width / 2 - draw.choose(((0.0, 2.0), (0.08 * plan.width, 1.0)))
    z = plan.depth / 2 - draw.choose(((0.0, 2.0), (0.06 * plan.depth, 1.0)))
    items: list[Item] = [pair(block("side_panel", x - t, x, 0.0, plan.below, -z, z))]
    style = draw.choose((("none", 1.0), ("back", 2.0), ("middle", 1.0), ("shelf", 1.0)))
    y0 = plan.below * draw.uniform(0.2, 0.6)
    if style == "back":
        items.append(block("cross_panel", -x + t, x - t, y0, plan.below, -z, -z + t))
    elif style == "middle":
        items.append(block("cross_panel", -x + t, x - t, y0, plan.below, -t / 2, t / 2))
    elif style == "shelf":
        y = 0.5 * y0
        items.append(block("cross_panel", -x + t, x - t, y, y + t, -z, z))
    return group("table_base", *items)


def _pedestal(draw: Draw, plan: TablePlan) -> Part:
    half = plan.timber * draw.uniform(0.6, 1.4)
    radius = 0.5 * min(plan.width, plan.depth) * draw.uniform(0.6, 0.85)
    t = draw.uniform(0.02, 0.04)
    style = draw.choose((("disc", 2.0), ("plate", 1.0), ("star", 3.0)))
    foot: Part
    if style == "star":
        foot, t = star(
            draw, draw.choose(((3, 1.0), (4, 3.0), (5, 1.0))), radius, half, wheels=False
        )
    elif style == "disc":
        foot = group(
            "foot_disc", disc("disc_slab", radius, 0.0, t, draw.choose(((3, 1.0), (5, 3.0))))
        )
    else:
        foot = block("foot_plate", -radius, radius, 0.0, t, -radius, radius)
    items: list[Item] = [foot]
    top = plan.below
    if draw.chance(0.4):
        top -= 0.02
        items.append(
            block(
                "top_plate",
                -0.6 * radius,
                0.6 * radius,
                top,
                plan.below,
                -0.6 * radius,
                0.6 * radius,
            )
        )
    # A sloping star's spokes rise into the column.
    return group("table_base", *items, block("column", -half, half, t, top, -half, half))


def _pedestals(draw: Draw, plan: TablePlan) -> Part:
    x, t, half = 0.28 * plan.width, 0.035, plan.timber * draw.uniform(0.7, 1.3)
    reach = 0.36 * plan.depth
    plate = block("foot_plate", x - 0.5 * reach, x + 0.5 * reach, 0.0, t, -reach, reach)
    column = block("column", x - half, x + half, t, plan.below, -half, half)
    items: list[Item] = [pair(group("pedestal", plate, column))]
    if draw.chance(0.5):
        y = plan.below * draw.uniform(0.2, 0.5)
        items.append(block("beam", -x, x, y - 0.02, y + 0.02, -0.6 * half, 0.6 * half))
    return group("table_base", *items)


def _sled(draw: Draw, plan: TablePlan) -> Part:
    t = plan.timber * draw.uniform(0.6, 1.0)
    x = plan.width / 2 - t / 2 - draw.choose(((0.0, 1.0), (0.05 * plan.width, 1.0)))
    z = 0.5 * plan.depth * draw.uniform(0.85, 1.0)

    def lying(name: str, y: float) -> Part:
        return block(name, x - t / 2, x + t / 2, y, y + t, -z, z)

    post = block("runner_post", x - t / 2, x + t / 2, t, plan.below - t, z - t, z)
    frame = group(
        "runner_frame", lying("runner", 0.0), pair(post, Z), lying("runner_head", plan.below - t)
    )
    items: list[Item] = [pair(frame)]
    if draw.chance(0.5):
        y, back = (t / 2, -z + t / 2) if draw.chance(0.5) else (plan.below - t / 2, 0.0)
        items.append(block("beam", -x, x, y - t / 2, y + t / 2, back - t / 2, back + t / 2))
    return group("table_base", *items)


def _cross(draw: Draw, plan: TablePlan) -> Part:
    t = plan.timber
    x, z = plan.width / 2 * draw.uniform(0.7, 0.9), plan.depth / 2 - t
    frame = group(
        "cross_frame", pair(leg("cross_leg", (x, plan.below - 0.2 * t, z), (x, -z), t, t), Z)
    )
    items: list[Item] = [pair(frame)]
    if draw.chance(0.75):
        y = 0.5 * plan.below
        items.append(block("beam", -x, x, y - 0.3 * t, y + 0.3 * t, -0.3 * t, 0.3 * t))
    return group("table_base", *items)
