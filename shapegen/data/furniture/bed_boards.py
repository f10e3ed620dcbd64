"""Headboards and footboards: panels, frames, slats, pads, wings."""

from __future__ import annotations

import math

from shapegen.data.furniture.bed_plan import BedPlan
from shapegen.data.furniture.builder import Item, block, group, pair
from shapegen.data.furniture.draw import Draw
from shapegen.data.furniture.elements import slats
from shapegen.data.furniture.part import Part, X, Y


def headboard(draw: Draw, plan: BedPlan) -> Part:
    """Make a headboard as wide as the frame, or wider."""
    height = draw.uniform(0.3, 0.75)
    wide = plan.width / 2 + draw.choose(((0.0, 3.0), (draw.uniform(0.03, 0.3), 1.0)))
    return bed_board(draw, plan, "headboard", wide, height, -plan.length / 2)


def bed_board(draw: Draw, plan: BedPlan, name: str, x: float, height: float, end: float) -> Part:
    """Make a board at the end ``end`` of the frame, ``height`` above the mattress."""
    t = max(0.03, plan.timber)
    away = math.copysign(t, end)
    z0, z1 = min(end, end + away), max(end, end + away)
    top = plan.deck + plan.mattress + height
    styles = [("panel", 3.0), ("slats", 2.0), ("framed", 1.5), ("ladder", 1.0)]
    if name == "headboard" and plan.kind != "canopy":
        styles += [("pads", 1.5), ("wings", 0.7)]
    style = draw.choose(styles)
    y0 = 0.0 if plan.kind != "canopy" and draw.chance(0.5) else plan.below

    def slab(part: str, x0: float, x1: float, low: float, high: float, share: float = 1.0) -> Part:
        middle, half = 0.5 * (z0 + z1), 0.5 * share * t
        return block(part, x0, x1, low, high, middle - half, middle + half)

    if style in ("panel", "pads", "wings"):
        items: list[Item] = [slab("board_panel", -x, x, y0, top)]
        if style == "pads":
            limits = (
                -0.96 * x,
                0.96 * x,
                plan.deck + plan.mattress + 0.02,
                top - 0.02,
                z1,
                z1 + 0.05,
            )
            items.append(slats("board_pad", draw.integer(2, 5), X, limits, 0.96))
        elif style == "wings":
            items.append(
                pair(block("board_wing", x - 0.04, x, y0, top, z1, z1 + draw.uniform(0.12, 0.25)))
            )
        elif draw.chance(0.4):
            items.append(slab("board_cap", -x - 0.02, x + 0.02, top, top + 0.04, 1.5))
        return group(name, *items)
    post = 1.5 * t
    items = [
        pair(slab("board_post", x - post, x, y0, top + draw.choose(((0.0, 1.0), (0.06, 1.0)))))
    ]
    rail, low = draw.uniform(0.06, 0.12), plan.below
    items.append(slab("board_rail", -x + post, x - post, top - rail, top))
    items.append(slab("board_rail", -x + post, x - post, low, low + rail))
    edge = (-x + post, x - post, low + rail, top - rail)
    if style == "framed":
        items.append(slab("board_panel", *edge, 0.4))
        return group(name, *items)
    z, half = 0.5 * (z0 + z1), 0.25 * t
    if style == "ladder":
        space = (edge[3] - edge[2]) * 0.1
        limits = (edge[0], edge[1], edge[2] + space, edge[3] - space, z - half, z + half)
        return group(
            name,
            *items,
            group("board_slats", slats("horizontal_slat", draw.integer(2, 4), Y, limits, 0.6)),
        )
    gap = 0.06 * x
    limits = (edge[0] + gap, edge[1] - gap, edge[2], edge[3], z - half, z + half)
    row_of_slats = slats("vertical_slat", draw.integer(3, 8), X, limits, draw.uniform(0.25, 0.6))
    return group(name, *items, group("board_slats", row_of_slats))
