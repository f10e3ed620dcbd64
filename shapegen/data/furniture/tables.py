"""Procedural tables: dining, coffee and side tables, desks, consoles, round tables."""

from __future__ import annotations

from shapegen.data.furniture.builder import Item, block, group, pair
from shapegen.data.furniture.draw import Draw
from shapegen.data.furniture.elements import (
    HANDLES,
    STRETCHERS,
    Legs,
    disc,
    drawers,
    four_legs,
    ring_legs,
    slats,
    stretchers,
)
from shapegen.data.furniture.part import Part, X, Z
from shapegen.data.furniture.table_bases import table_base
from shapegen.data.furniture.table_plan import TablePlan, plan_table
from shapegen.data.furniture.vocabulary import outline

LABELS = outline("""
table
  tabletop
    top_panel
    top_plank
    top_rim
    top_end
    top_slab
    top_inlay
  table_base
    leg
    tapered_leg
      leg_upper
      leg_lower
    footed_leg
      leg_shaft
      leg_foot
    stretcher
    apron_frame
      apron
    trestle
      trestle_foot
      trestle_post
      trestle_head
    beam
    runner_frame
      runner
      runner_post
      runner_head
    cross_frame
      cross_leg
    side_panel
    cross_panel
    column
    foot_disc
      disc_slab
    foot_plate
    star
      spoke
    top_plate
    pedestal
      column
      foot_plate
  table_shelf
    shelf_panel
    shelf_rail
    shelf_slat
    shelf_slab
  table_drawers
    drawer_case
    drawer
      drawer_front
      handle
      knob
  pedestal_cabinet
    cabinet_case
    drawer
      drawer_front
      handle
      knob
""")


BASES = {
    "dining": (
        ("legs", 5.0), ("trestle", 2.0), ("panels", 0.7), ("pedestals", 1.0), ("sled", 1.0),
        ("cross", 1.0),
    ),
    "coffee": (("legs", 5.0), ("panels", 1.0), ("sled", 1.5), ("cross", 0.7), ("pedestal", 0.5)),
    "side": (("legs", 5.0), ("panels", 0.7), ("pedestal", 2.0), ("sled", 0.7)),
    "desk": (("legs", 5.0), ("trestle", 1.5), ("panels", 2.0), ("sled", 1.5)),
    "console": (("legs", 5.0), ("panels", 1.0), ("trestle", 1.0), ("sled", 1.0)),
    "round": (("pedestal", 4.0), ("ring", 4.0)),
}  # fmt: skip


def table(draw: Draw) -> Part:
    """Make one table in metres, its front towards +z."""
    plan = plan_table(draw)
    items: list[Item] = [_top(draw, plan)]
    style = draw.choose(BASES[plan.kind])
    if style in ("legs", "ring"):
        return group("table", *items, *_on_legs(draw, plan, style))
    items.append(table_base(draw, plan, style))
    if plan.kind == "desk" and style in ("panels", "sled", "trestle") and draw.chance(0.5):
        items.append(_drawer_case(draw, plan, 0.3 * plan.width, 0.9 * plan.depth))
    return group("table", *items)


def _top(draw: Draw, plan: TablePlan) -> Part:
    x, z, y0, y1 = plan.width / 2, plan.depth / 2, plan.below, plan.height
    if plan.kind == "round":
        return group("tabletop", disc("top_slab", x, y0, y1, draw.choose(((3, 1.0), (5, 4.0)))))
    style = draw.choose((("panel", 5.0), ("planks", 1.0), ("rim", 1.2), ("inlay", 0.8)))
    if style == "panel":
        return group("tabletop", block("top_panel", -x, x, y0, y1, -z, z))
    if style == "planks":
        count = draw.integer(3, 6)
        planks = slats("top_plank", count, Z, (-x, x, y0, y1, -z, z), draw.uniform(0.9, 0.98))
        end = block("top_end", x, x + 0.05 * plan.width, y0, y1, -z, z)
        return group("tabletop", planks, pair(end))
    if style == "inlay":
        panel = block("top_panel", -x, x, y0, y1, -z, z)
        return group(
            "tabletop",
            panel,
            block("top_inlay", -0.8 * x, 0.8 * x, y1, y1 + 0.012, -0.7 * z, 0.7 * z),
        )
    edge = 0.09 * plan.depth
    panel = block(
        "top_panel", -x + edge, x - edge, y0, y1 - 0.3 * plan.thickness, -z + edge, z - edge
    )
    side = block("top_end", x - edge, x, y0, y1, -z, z)
    front = block("top_rim", -x + edge, x - edge, y0, y1, z - edge, z)
    return group("tabletop", panel, pair(front, Z), pair(side))


def _on_legs(draw: Draw, plan: TablePlan, style: str) -> list[Item]:
    """Make the base of a table on legs, and what hangs between them: shelf, drawers, cabinets."""
    if style == "ring":
        return _ring_base(draw, plan)
    inset = 0.65 * plan.timber + draw.choose(((0.0, 1.0), (draw.uniform(0.01, 0.06), 2.0)))
    legs = four_legs(draw, plan.width / 2 - inset, plan.depth / 2 - inset, plan.below, plan.timber)
    items: list[Item] = list(legs.items)
    others: list[Item] = []
    straight = legs.front.foot == (legs.front.top[0], legs.front.top[2])
    drawn = plan.kind in ("desk", "console", "side", "coffee") and straight and draw.chance(0.4)
    if drawn:
        x, z = legs.front.foot
        others.append(_drawer_case(draw, plan, 2.0 * x, 2.0 * z))
    elif draw.chance(0.5):
        items.append(_aprons(draw, plan, legs))
    pedestal = plan.kind == "desk" and not drawn and draw.chance(0.4)
    if pedestal:
        others.append(_pedestal_cabinet(draw, plan, legs))
    y = plan.below * draw.uniform(0.12, 0.4)
    if plan.kind in ("coffee", "side", "console") and draw.chance(0.45):
        others.append(_shelf(draw, legs, y))
    elif not pedestal and draw.chance(0.35):
        style = draw.choose(STRETCHERS if plan.kind != "desk" else (("side", 1.0), ("h", 1.0)))
        items += stretchers(draw, legs, y, 0.5 * plan.timber, style)
    return [group("table_base", *items), *others]


def _aprons(draw: Draw, plan: TablePlan, legs: Legs) -> Part:
    height = draw.uniform(0.06, 0.12)
    (x, z), t = legs.front.at(plan.below), 0.4 * plan.timber
    y0, y1 = plan.below - height, plan.below
    side = block("apron", x - t / 2, x + t / 2, y0, y1, -z, z)
    front = block("apron", -x, x, y0, y1, z - t / 2, z + t / 2)
    return group("apron_frame", pair(side), pair(front, Z))


def _shelf(draw: Draw, legs: Legs, y: float) -> Part:
    (x, zf), (_, zb), t = legs.front.at(y), legs.back.at(y), 0.02
    if draw.chance(0.6):
        return group("table_shelf", block("shelf_panel", -x, x, y - t / 2, y + t / 2, zb, zf))
    rail = block("shelf_rail", x - t, x, y - 1.5 * t, y - t / 2, zb, zf)
    limits = (-x, x, y - t / 2, y + t / 2, zb - 0.01, zf + 0.01)
    boards = slats("shelf_slat", draw.integer(3, 7), Z, limits, draw.uniform(0.6, 0.85))
    return group("table_shelf", pair(rail), boards)


def _ring_base(draw: Draw, plan: TablePlan) -> list[Item]:
    count = draw.choose(((3, 3.0), (4, 3.0), (5, 0.7)))
    radius = 0.5 * plan.width * draw.uniform(0.45, 0.75)
    legs = ring_legs(draw, count, radius, plan.below, plan.timber)
    base = group("table_base", legs)
    if not draw.chance(0.35):
        return [base]
    y = plan.below * draw.uniform(0.2, 0.45)
    first = legs.parts[0]
    # The shelf reaches to the legs' centre lines.
    share = (y - first.low[1]) / (first.high[1] - first.low[1])
    z = first.high[2] + share * (radius - first.high[2])
    return [
        base,
        group("table_shelf", disc("shelf_slab", z, y - 0.01, y + 0.01, 5 if count == 5 else 3)),
    ]


def _drawer_case(draw: Draw, plan: TablePlan, width: float, depth: float) -> Part:
    height = draw.uniform(0.1, 0.17)
    x, z, y0 = width / 2, depth / 2, plan.below - height
    t = 0.018
    case = block("drawer_case", -x, x, y0, plan.below, -z, z - t)
    most = 1 if width < 0.6 else 3
    row = drawers(
        draw.choose(HANDLES), draw.integer(1, most), -x, x, y0, plan.below, z - t, t, axis=X
    )
    return group("table_drawers", case, row)


def _pedestal_cabinet(draw: Draw, plan: TablePlan, legs: Legs) -> Item:
    width, t = plan.width * draw.uniform(0.22, 0.28), 0.018
    x1 = min(legs.front.top[0], legs.front.foot[0]) - 0.66 * plan.timber
    z = 0.45 * plan.depth
    y0 = plan.below * draw.choose(((0.0, 1.0), (draw.uniform(0.1, 0.5), 1.0)))
    case = block("cabinet_case", x1 - width, x1, y0, plan.below, -z, z)
    count = max(1, round((plan.below - y0) / draw.uniform(0.14, 0.24)))
    row = drawers(draw.choose(HANDLES), count, x1 - width, x1, y0, plan.below, z, t)
    cabinet = group("pedestal_cabinet", case, row)
    return pair(cabinet) if draw.chance(0.4) else cabinet
