"""Procedural chairs: dining, office, lounge, sofa and bar chairs."""

from __future__ import annotations

import math

from shapegen.data.furniture.builder import Item, bar, block, group, pair
from shapegen.data.furniture.chair_backs import chair_back
from shapegen.data.furniture.chair_bases import chair_base
from shapegen.data.furniture.chair_plan import ChairPlan, plan_chair
from shapegen.data.furniture.draw import Draw
from shapegen.data.furniture.elements import slats
from shapegen.data.furniture.part import Part, X, Z
from shapegen.data.furniture.vocabulary import outline

LABELS = outline("""
chair
  chair_base
    leg
    tapered_leg
      leg_upper
      leg_lower
    footed_leg
      leg_shaft
      leg_foot
    stretcher
    runner_frame
      runner
      runner_post
    cantilever_frame
      runner
      runner_post
      seat_rail
    cross_bar
    seat_rail
    cross_frame
      cross_leg
    foot_disc
      disc_slab
    foot_plate
    star
      spoke
      wheeled_spoke
        spoke
        castor
    column
    column_sleeve
    seat_mount
    foot_rest
    foot_rest_arm
    foot_spoke
    side_panel
    cross_panel
    plinth
    foot
  chair_seat
    seat_panel
    seat_cushion
    seat_slat
    seat_frame
      frame_rail
      frame_end
    apron
  chair_back
    back_panel
    back_post
    back_spine
    back_cushion
    back_wing
    lumbar_pad
    top_rail
    bottom_rail
    splat
    back_slats
      horizontal_slat
      vertical_slat
      spindle
    back_cross
      cross_slat
    headrest
      headrest_pad
      headrest_post
  chair_arm
    armrest
    arm_post
    arm_slat
    arm_panel
    arm_pad
""")

ARM_CHANCE = {"dining": 0.3, "office": 0.65, "lounge": 0.7, "sofa": 0.9, "bar": 0.1}


def chair(draw: Draw) -> Part:
    """Make one chair in metres, its front towards +z."""
    plan = plan_chair(draw)
    arms = draw.chance(ARM_CHANCE[plan.kind])
    thick = (
        draw.uniform(0.07, 0.16) if plan.kind in ("lounge", "sofa") else draw.uniform(0.03, 0.06)
    )
    items: list[Item] = [chair_base(draw, plan), _seat(draw, plan, thick if arms else 0.0)]
    back_width = plan.width * draw.choose(((1.0, 3.0), (0.9, 1.0)))
    items.append(chair_back(draw, plan, back_width))
    if arms:
        items.append(pair(_arm(draw, plan, thick)))
    return group("chair", *items)


def _seat(draw: Draw, plan: ChairPlan, arm: float) -> Part:
    x, z = plan.width / 2, plan.depth / 2
    items: list[Item] = [_seat_frame(plan), _seat_slats(draw, plan)] if plan.slatted else []
    if not plan.slatted:
        items.append(block("seat_panel", -x, x, plan.below, plan.seat, -z, z))
    soft = plan.kind in ("lounge", "sofa")
    if draw.chance(0.75 if soft else 0.25):
        # The cushion leaves room for the arms and, at the rear, for the back.
        half = x - max(arm, 0.02 * plan.width)
        count = draw.integer(2, 3) if plan.kind == "sofa" else 1
        height = draw.uniform(0.08, 0.15) if soft else draw.uniform(0.025, 0.06)
        limits = (
            -half,
            half,
            plan.seat,
            plan.seat + height,
            -0.6 * z,
            z * draw.uniform(0.94, 1.0),
        )
        items.append(slats("seat_cushion", count, X, limits, 0.98))
    if plan.kind in ("dining", "bar") and not plan.slatted and draw.chance(0.3):
        items += _aprons(draw, plan)
    return group("chair_seat", *items)


def _seat_frame(plan: ChairPlan) -> Part:
    x, z, t = plan.width / 2, plan.depth / 2, 1.3 * plan.timber
    rail = block("frame_rail", x - t, x, plan.below, plan.seat, -z, z)
    end = block("frame_end", -x + t, x - t, plan.below, plan.seat, z - t, z)
    return group("seat_frame", pair(rail), pair(end, Z))


def _seat_slats(draw: Draw, plan: ChairPlan) -> Item:
    x, z, t = (
        plan.width / 2 - 1.3 * plan.timber,
        plan.depth / 2 - 1.3 * plan.timber,
        plan.thickness,
    )
    y = plan.seat - 0.5 * t
    if draw.chance(0.5):
        gap = 0.05 * x
        limits = (-x + gap, x - gap, y - 0.3 * t, plan.seat, -z, z)
        return slats("seat_slat", draw.integer(3, 6), X, limits, draw.uniform(0.6, 0.85))
    limits = (-x, x, y - 0.3 * t, plan.seat, -0.95 * z, 0.95 * z)
    return slats("seat_slat", draw.integer(3, 6), Z, limits, draw.uniform(0.6, 0.85))


def _aprons(draw: Draw, plan: ChairPlan) -> list[Item]:
    y0, t = plan.below - draw.uniform(0.03, 0.08), 0.018
    x, z = plan.width / 2 - 0.012, plan.depth / 2 - 0.012
    side = block("apron", x - t, x, y0, plan.below, -z + t, z - t)
    front = block("apron", -x, x, y0, plan.below, z - t, z)
    return [pair(side), pair(front, Z)]


def _arm(draw: Draw, plan: ChairPlan, thick: float) -> Part:
    """Make the arm at +x; its rear end meets the reclined back where that is wide enough."""
    height = plan.seat + draw.uniform(0.18, 0.26) + (0.06 if plan.kind == "lounge" else 0.0)
    x1 = plan.width / 2
    z1 = 0.5 * plan.depth * draw.uniform(0.55, 1.0)
    rear = -0.5 * plan.depth + 0.2 * plan.timber
    z0 = rear - (height - plan.seat) * math.tan(plan.recline)
    if plan.kind in ("lounge", "sofa") and draw.chance(0.7):
        return _panel_arm(draw, plan, thick, height)
    thick = min(thick, 0.08)
    t = min(0.7 * thick, plan.timber)
    x0, middle = x1 - thick, x1 - 0.5 * thick
    rest = block("armrest", x0, x1, height - 0.7 * t, height, z0, z1)
    under = height - 0.7 * t

    def post(z: float) -> Part:
        return block(
            "arm_post", middle - t / 2, middle + t / 2, plan.seat, under, z - t / 2, z + t / 2
        )

    styles = (
        ("front", 3.0),
        ("loop", 2.0),
        ("middle", 1.5),
        ("slats", 1.0),
        ("sloping", 1.0),
        ("leaning", 1.0),
    )
    style = draw.choose(styles) if plan.kind != "office" else draw.choose(styles[:3])
    if style == "front":
        return group("chair_arm", rest, post(z1 - t / 2))
    if style == "loop":
        return group("chair_arm", rest, post(z1 - t / 2), post(rear + 0.15 * plan.depth))
    if style == "middle":
        return group("chair_arm", rest, post(0.3 * (z0 + z1)))
    if style == "slats":
        limits = (middle - t / 2, middle + t / 2, plan.seat, under, 0.6 * rear, z1)
        return group(
            "chair_arm",
            rest,
            slats("arm_slat", draw.integer(2, 5), Z, limits, draw.uniform(0.25, 0.45)),
        )
    if style == "sloping":
        drop = draw.uniform(0.03, 0.07)
        slope = bar("armrest", (middle, height, z0), (middle, height - drop, z1), thick, t)
        foot = block(
            "arm_post",
            middle - t / 2,
            middle + t / 2,
            plan.seat,
            height - drop,
            z1 - 1.2 * t,
            z1 - 0.2 * t,
        )
        return group("chair_arm", slope, foot)
    lean = bar(
        "arm_post", (middle, plan.seat - 0.005, 0.55 * z1), (middle, under + 0.003, z1 - t), t, t
    )
    return group("chair_arm", rest, lean)


def _panel_arm(draw: Draw, plan: ChairPlan, thick: float, height: float) -> Part:
    x, z = plan.width / 2, plan.depth / 2
    y0 = plan.below * draw.choose(((1.0, 2.0), (0.5, 1.0)))
    inside = draw.chance(0.3)
    x0 = x - thick if inside else x
    if inside:
        y0 = plan.seat
    panel = block("arm_panel", x0, x0 + thick, y0, height, -z, z)
    if not draw.chance(0.35):
        return group("chair_arm", panel)
    pad = block("arm_pad", x0 - 0.01, x0 + thick + 0.01, height, height + 0.04, -0.9 * z, z)
    return group("chair_arm", panel, pad)
