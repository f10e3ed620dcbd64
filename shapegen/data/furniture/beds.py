"""Procedural beds: platform, framed, storage, canopy and bunk beds, cots."""

from __future__ import annotations

import math

from shapegen.data.furniture.bed_boards import bed_board, headboard
from shapegen.data.furniture.bed_plan import BedPlan, plan_bed
from shapegen.data.furniture.builder import Item, block, group, pair
from shapegen.data.furniture.bunk_beds import bunk_bed
from shapegen.data.furniture.draw import Draw
from shapegen.data.furniture.elements import HANDLES, drawers, slats
from shapegen.data.furniture.part import Part, X, Y, Z, turned
from shapegen.data.furniture.vocabulary import outline

LABELS = outline("""
bed
  bed_base
    leg
    plinth
    runner
    drawer_case
    drawer_side
      drawer
        drawer_front
        handle
        knob
  bed_frame
    side_rail
    end_rail
    platform
    deck_panel
    deck_slats
      deck_slat
  bedding
    mattress
    blanket
    blanket_fold
    pillow
    bolster
  headboard
    board_panel
    board_cap
    board_post
    board_rail
    board_pad
    board_wing
    board_slats
      vertical_slat
      horizontal_slat
  footboard
    board_panel
    board_cap
    board_post
    board_rail
    board_slats
      vertical_slat
      horizontal_slat
  bench
    bench_seat
    bench_leg
  canopy
    canopy_post
    canopy_rail
    canopy_slats
      canopy_slat
  bunk
    side_rail
    end_rail
    deck_panel
    mattress
    pillow
    blanket
  bunk_frame
    bunk_post
    guard_rail
    end_board
    end_bar
  ladder
    ladder_rail
    rung
  cot_side
    cot_rail
    cot_slats
      cot_slat
  cot_end
    cot_panel
    cot_cap
""")


DECK = 0.02
"""Thickness of the boards or slats below the mattress, in metres."""


def bed(draw: Draw) -> Part:
    """Make one bed in metres, its head at -z."""
    plan = plan_bed(draw)
    if plan.kind == "bunk":
        return bunk_bed(draw, plan)
    if plan.kind == "cot":
        return _cot(draw, plan)
    items: list[Item] = []
    if plan.kind == "canopy":
        items.append(_canopy(draw, plan))
    else:
        items.append(_base(draw, plan))
    items += [_frame(draw, plan), _bedding(draw, plan)]
    if plan.kind == "canopy":
        if draw.chance(0.7):
            inside = plan.width / 2 - plan.timber
            items.append(bed_board(draw, plan, "headboard", inside, 0.25, -plan.length / 2))
        return group("bed", *items)
    if draw.chance(0.92):
        items.append(headboard(draw, plan))
    if draw.chance(0.35):
        height = draw.uniform(0.02, 0.25)
        items.append(bed_board(draw, plan, "footboard", plan.width / 2, height, plan.length / 2))
    elif draw.chance(0.2):
        items.append(_bench(draw, plan))
    return group("bed", *items)


def _frame(draw: Draw, plan: BedPlan) -> Part:
    x, z, t, y0, y1 = plan.width / 2, plan.length / 2, plan.timber, plan.below, plan.deck
    if plan.kind in ("framed", "canopy") and draw.chance(0.4):
        return group("bed_frame", block("platform", -x, x, y0, y1, -z, z))
    side = block("side_rail", x - t, x, y0, y1, -z, z)
    end = block("end_rail", -x + t, x - t, y0, y1, z - t, z)
    deck: Part
    if draw.chance(0.7):
        deck = block("deck_panel", -x + t, x - t, y1 - DECK, y1, -z + t, z - t)
    else:
        limits = (-x + t, x - t, y1 - DECK, y1, -z + 2 * t, z - 2 * t)
        deck = group(
            "deck_slats",
            slats("deck_slat", draw.integer(4, 6), Z, limits, draw.uniform(0.45, 0.75)),
        )
    return group("bed_frame", pair(side), pair(end, Z), deck)


def _base(draw: Draw, plan: BedPlan) -> Part:
    x, z, h = plan.width / 2, plan.length / 2, plan.below
    if plan.kind == "storage":
        return _storage(draw, plan)
    style = draw.choose((("legs", 5.0), ("plinth", 1.0), ("runners", 0.7)))
    if style == "plinth":
        # It stands inside the rails and carries the deck.
        inset, top = plan.timber + draw.uniform(0.02, 0.25) * x, plan.deck - DECK
        return group(
            "bed_base", block("plinth", -x + inset, x - inset, 0.0, top, -z + inset, z - inset)
        )
    size = draw.uniform(0.05, 0.1)
    if style == "runners":
        zr = draw.uniform(0.5, 0.85) * z
        runner = block("runner", -x, x, 0.0, h, zr - size / 2, zr + size / 2)
        return group("bed_base", pair(runner, Z))
    xl, zl = (
        x - size / 2 - draw.uniform(0.0, 0.8 * plan.timber),
        z - size / 2 - draw.uniform(0.0, 0.05),
    )
    front = block("leg", xl - size / 2, xl + size / 2, 0.0, h, zl - size / 2, zl + size / 2)
    back = block("leg", xl - size / 2, xl + size / 2, 0.0, h, -zl - size / 2, -zl + size / 2)
    middle: list[Item] = []
    if plan.width > 1.3 and draw.chance(0.3):
        middle.append(
            pair(block("leg", xl - size / 2, xl + size / 2, 0.0, h, -size / 2, size / 2))
        )
    return group("bed_base", pair(front), pair(back), *middle)


def _storage(draw: Draw, plan: BedPlan) -> Part:
    """Make a closed base with drawers at both sides, or at one."""
    x, z, t = plan.width / 2 - 0.02, plan.length / 2 - 0.01, 0.02
    case = block("drawer_case", -x, x, 0.0, plan.below, -z, z)
    # Drawers are made to face +z; a quarter turn makes them face +x.
    fronts = drawers(
        draw.choose(HANDLES), draw.integer(2, 3), -z, z, 0.02, plan.below, x, t, axis=X
    )
    side = turned(group("drawer_side", fronts), Y, (0.0, 0.0, 0.0), 0.5 * math.pi)
    return group("bed_base", case, pair(side) if draw.chance(0.7) else side)


def _bedding(draw: Draw, plan: BedPlan) -> Part:
    x, z, y = plan.width / 2 - 0.3 * plan.timber, plan.length / 2 - 0.3 * plan.timber, plan.deck
    top = y + plan.mattress
    items: list[Item] = [block("mattress", -x, x, y, top, -z, z)]
    thick = draw.uniform(0.08, 0.15)
    deep = draw.uniform(0.3, 0.42)
    pillow_z = -z + 0.03
    style = draw.choose((("pillows", 5.0), ("bolster", 0.7), ("none", 1.0)))
    if style == "bolster":
        items.append(
            block("bolster", -0.9 * x, 0.9 * x, top, top + 0.16, pillow_z, pillow_z + 0.2)
        )
    elif style == "pillows" and plan.width < 1.25:
        items.append(
            block("pillow", -0.7 * x, 0.7 * x, top, top + thick, pillow_z, pillow_z + deep)
        )
    elif style == "pillows":
        pillow = block("pillow", 0.08 * x, 0.9 * x, top, top + thick, pillow_z, pillow_z + deep)
        items.append(pair(pillow))
        if draw.chance(0.3):
            front = pillow_z + deep
            items.append(
                block("pillow", -0.3 * x, 0.3 * x, top, top + 0.8 * thick, front, front + 0.3)
            )
    if draw.chance(0.55):
        start = -z + draw.uniform(0.6, 1.1)
        items.append(block("blanket", -x - 0.015, x + 0.015, top, top + 0.03, start, z + 0.01))
        if draw.chance(0.4):
            items.append(
                block(
                    "blanket_fold",
                    -x - 0.015,
                    x + 0.015,
                    top + 0.03,
                    top + 0.06,
                    start,
                    start + 0.25,
                )
            )
    return group("bedding", *items)


def _bench(draw: Draw, plan: BedPlan) -> Part:
    x, z0, y = 0.4 * plan.width, plan.length / 2, plan.deck * draw.uniform(0.9, 1.1)
    y = min(max(y, plan.below + 0.04), plan.deck)
    deep = draw.uniform(0.3, 0.4)
    seat = block("bench_seat", -x, x, y - 0.06, y, z0, z0 + deep)
    panel = block("bench_leg", x - 0.05, x, 0.0, y - 0.06, z0, z0 + deep)
    return group("bench", seat, pair(panel))


def _canopy(draw: Draw, plan: BedPlan) -> Part:
    """Make four posts around the frame with rails on top; the posts carry the frame."""
    t, x, z = plan.timber + 0.02, plan.width / 2, plan.length / 2
    h = draw.uniform(1.7, 2.1)
    front = block("canopy_post", x, x + t, 0.0, h, z - t, z)
    back = block("canopy_post", x, x + t, 0.0, h, -z, -z + t)
    side = block("canopy_rail", x, x + t, h - t, h, -z + t, z - t)
    end = block("canopy_rail", -x, x, h - t, h, z - t, z)
    items: list[Item] = [pair(front), pair(back), pair(side), pair(end, Z)]
    if draw.chance(0.35):
        limits = (-x, x, h - 0.7 * t, h - 0.3 * t, -z + 3 * t, z - 3 * t)
        items.append(
            group("canopy_slats", slats("canopy_slat", draw.integer(3, 7), Z, limits, 0.25))
        )
    return group("canopy", *items)


def _cot(draw: Draw, plan: BedPlan) -> Part:
    """Make a child's cot: slatted sides and closed ends around a frame with a mattress."""
    x, z, t = plan.width / 2, plan.length / 2, plan.timber
    top = plan.deck + draw.uniform(0.4, 0.6)
    low, rail = plan.below, 1.6 * t

    def lying(y: float) -> Part:
        return block("cot_rail", x, x + t, y, y + rail, -z, z)

    limits = (x + 0.25 * t, x + 0.75 * t, low + rail, top - rail, -z + 0.05, z - 0.05)
    upright = slats("cot_slat", draw.integer(4, 8), Z, limits, draw.uniform(0.2, 0.4))
    side = group("cot_side", lying(low), lying(top - rail), group("cot_slats", upright))
    y1 = top + draw.choose(((0.0, 1.0), (draw.uniform(0.05, 0.2), 1.0)))
    panel = block("cot_panel", -x - t, x + t, 0.0, y1, z, z + t)
    end: list[Item] = [panel]
    if draw.chance(0.4):
        end.append(block("cot_cap", -x - t, x + t, y1, y1 + 0.03, z - 0.01, z + t + 0.01))
    return group(
        "bed",
        pair(group("cot_end", *end), Z),
        pair(side),
        _frame(draw, plan),
        _bedding(draw, plan),
    )
