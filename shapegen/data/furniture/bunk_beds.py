"""Bunk beds: two equal bunks, one above the other, between posts, with a ladder."""

from __future__ import annotations

from shapegen.data.furniture.bed_plan import BedPlan
from shapegen.data.furniture.builder import Item, block, group, leg, pair, row
from shapegen.data.furniture.draw import Draw
from shapegen.data.furniture.part import Part, Z


def bunk_bed(draw: Draw, plan: BedPlan) -> Part:
    """Make a bunk bed, its ladder at +x."""
    x, z, t = plan.width / 2, plan.length / 2, plan.timber
    rise = draw.uniform(0.85, 1.05)
    top = plan.deck + rise + plan.mattress + draw.uniform(0.15, 0.3)
    bunk = _bunk(draw, plan)
    front = block("bunk_post", x, x + t, 0.0, top, z - t, z)
    back = block("bunk_post", x, x + t, 0.0, top, -z, -z + t)
    items: list[Item] = [pair(front), pair(back)]
    guard = top - 0.05
    items.append(pair(block("guard_rail", x, x + t, guard - 0.08, guard, -z + t, z - t)))
    style = draw.choose((("board", 1.0), ("bars", 1.0)))
    if style == "board":
        low = plan.deck + rise
        items.append(pair(block("end_board", -x, x, low, guard, z - 0.03, z), Z))
    else:
        first = block("end_bar", -x, x, guard - 0.06, guard, z - 0.03, z)
        items.append(pair(first, Z))
    frame = group("bunk_frame", *items)
    return group("bed", frame, row(bunk, 2, (0.0, rise, 0.0)), _ladder(draw, plan, guard))


def _bunk(draw: Draw, plan: BedPlan) -> Part:
    x, z, t, y0, y1 = plan.width / 2, plan.length / 2, 0.03, plan.below, plan.deck
    items: list[Item] = [
        pair(block("side_rail", x - t, x, y0, y1, -z, z)),
        pair(block("end_rail", -x + t, x - t, y0, y1, z - t, z), Z),
        block("deck_panel", -x + t, x - t, y1 - 0.03, y1 - 0.01, -z + t, z - t),
    ]
    y, inside = y1 - 0.01, x - t
    top = y + plan.mattress
    items.append(block("mattress", -inside, inside, y, top, -z + t, z - t))
    if draw.chance(0.7):
        items.append(block("pillow", -0.7 * x, 0.7 * x, top, top + 0.09, -z + 0.05, -z + 0.38))
    if draw.chance(0.4):
        items.append(block("blanket", -inside, inside, top, top + 0.03, -z + 0.8, z - t))
    return group("bunk", *items)


def _ladder(draw: Draw, plan: BedPlan, top: float) -> Part:
    """Make a ladder at the side +x, upright or leaning, against the posts' outside."""
    # A leaning rail's end face is turned away from the post: it is let in by a few millimetres.
    x, t, wide = plan.width / 2 + plan.timber - 0.004, 0.035, draw.uniform(0.3, 0.42)
    z = plan.length / 2 - plan.timber - wide / 2 - draw.uniform(0.0, 0.3)
    lean = draw.choose(((0.0, 1.0), (draw.uniform(0.15, 0.35), 1.0)))
    rail = leg(
        "ladder_rail", (x + t / 2, top, z + wide / 2), (x + t / 2 + lean, z + wide / 2), t, t
    )
    count = draw.integer(3, 6)
    pitch, along = top / (count + 1), -lean / top
    first_x = x + t / 2 + lean + along * pitch
    rung = block(
        "rung",
        first_x - t / 2,
        first_x + t / 2,
        pitch - 0.015,
        pitch + 0.015,
        z - wide / 2,
        z + wide / 2,
    )
    return group("ladder", pair(rail, Z, z), row(rung, count, (along * pitch, pitch, 0.0)))
