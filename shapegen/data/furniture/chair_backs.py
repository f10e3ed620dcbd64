"""Backs of chairs: panels, cushions, frames filled with slats, spindles, splats or crosses."""

from __future__ import annotations

from collections.abc import Callable

from shapegen.data.furniture.builder import Item, bar, block, group, pair
from shapegen.data.furniture.chair_plan import ChairPlan
from shapegen.data.furniture.draw import Draw
from shapegen.data.furniture.elements import slats
from shapegen.data.furniture.part import Part, X, turned

NAME = "chair_back"

CHOICES = {
    "dining": (("frame", 6.0), ("spindle", 1.5), ("panel", 2.0), ("raised", 1.0)),
    "office": (("panel", 2.0), ("spine", 3.0), ("frame", 1.0), ("raised", 1.5)),
    "lounge": (("panel", 2.0), ("cushion", 3.0), ("wing", 1.0), ("frame", 2.0)),
    "sofa": (("panel", 2.0), ("cushion", 4.0), ("frame", 1.0)),
    "bar": (("frame", 3.0), ("raised", 2.0), ("panel", 2.0), ("spindle", 0.7)),
}


def chair_back(draw: Draw, plan: ChairPlan, width: float) -> Part:
    """Make a back of the given width, standing at the rear edge of the seat, reclined.

    It is made upright and turned as a whole about a line that stays inside both seat and back.
    """
    style = draw.choose(CHOICES[plan.kind])
    make: dict[str, Callable[[Draw, Back], list[Item]]] = {
        "panel": _panel,
        "raised": _raised,
        "spine": _spine,
        "cushion": _cushion,
        "wing": _wing,
        "frame": _frame,
        "spindle": _spindle,
    }
    back = Back(draw, plan, width)
    items = make[style](draw, back)
    share = {"office": 0.35, "lounge": 0.15}.get(plan.kind, 0.03)
    if style != "spindle" and draw.chance(share):
        items.append(_headrest(draw, back))
    whole = group(NAME, *items)
    if plan.recline < 0.03:
        return whole
    return turned(whole, X, (0.0, back.pivot, 0.5 * (back.z0 + back.z1)), -plan.recline)


class Back:
    """Bounds of an upright back."""

    def __init__(self, draw: Draw, plan: ChairPlan, width: float) -> None:
        soft = plan.kind in ("lounge", "sofa")
        thickness = draw.uniform(0.07, 0.16) if soft else plan.timber * draw.uniform(0.7, 1.0)
        self.plan = plan
        self.x = 0.5 * width
        self.thickness = thickness
        behind = not soft and draw.chance(0.3)
        if behind:
            # It starts at the seat's underside and reaches into the seat.
            self.z1 = -plan.depth / 2 + 0.4 * thickness
            self.y0 = plan.below
            self.pivot = 0.5 * (plan.seat + plan.below)
        else:
            self.z1 = -plan.depth / 2 + thickness
            self.y0 = plan.seat - min(0.01, 0.5 * plan.thickness)
            self.pivot = 0.5 * (plan.seat + self.y0)
        self.z0 = self.z1 - thickness
        self.y1 = plan.seat + plan.back

    def slab(
        self, name: str, x0: float, x1: float, y0: float, y1: float, share: float = 1.0
    ) -> Part:
        """Make a block between the given bounds, in the middle of the back's thickness."""
        z, half = 0.5 * (self.z0 + self.z1), 0.5 * share * self.thickness
        return block(name, x0, x1, y0, y1, z - half, z + half)


def _headrest(draw: Draw, back: Back) -> Part:
    x = back.x * draw.uniform(0.4, 0.75)
    height = draw.uniform(0.1, 0.16)
    rest = back.slab("headrest_pad", -x, x, back.y1, back.y1 + height, 1.2)
    if not draw.chance(0.5):
        return group("headrest", rest)
    gap = draw.uniform(0.03, 0.06)
    rest = back.slab("headrest_pad", -x, x, back.y1 + gap, back.y1 + gap + height, 1.2)
    post = back.slab("headrest_post", 0.4 * x, 0.4 * x + 0.015, back.y1, back.y1 + gap, 0.4)
    return group("headrest", rest, pair(post))


def _panel(draw: Draw, back: Back) -> list[Item]:
    inset = back.x * draw.choose(((0.0, 2.0), (0.08, 1.0)))
    if not draw.chance(0.25):
        return [back.slab("back_panel", -back.x + inset, back.x - inset, back.y0, back.y1)]
    # Two panels, the upper one wider.
    joint = back.y0 + (back.y1 - back.y0) * draw.uniform(0.3, 0.55)
    lower = back.slab("back_panel", -0.75 * back.x, 0.75 * back.x, back.y0, joint, 0.7)
    return [lower, back.slab("back_panel", -back.x, back.x, joint, back.y1)]


def _raised(draw: Draw, back: Back) -> list[Item]:
    y = back.plan.seat + back.plan.back * draw.uniform(0.3, 0.6)
    t = back.plan.timber
    x = back.x * draw.uniform(0.5, 0.95) - t
    post = back.slab("back_post", x, x + 0.8 * t, back.y0, y)
    if draw.chance(0.35):
        middle = 0.5 * (y + back.y1)
        lower = back.slab("back_panel", -back.x, back.x, y, middle - 0.02)
        upper = back.slab("back_panel", -back.x, back.x, middle + 0.02, back.y1)
        post = back.slab("back_post", x, x + 0.8 * t, back.y0, back.y1, 0.6)
        return [pair(post), lower, upper]
    return [pair(post), back.slab("back_panel", -back.x, back.x, y, back.y1)]


def _spine(draw: Draw, back: Back) -> list[Item]:
    x = back.plan.timber * draw.uniform(0.8, 2.0)
    y = back.plan.seat + back.plan.back * draw.uniform(0.12, 0.4)
    spine = back.slab("back_spine", -x, x, back.y0, y)
    panel = back.slab("back_panel", -back.x, back.x, y, back.y1)
    if not draw.chance(0.35):
        return [spine, panel]
    z = back.z1
    pad_y = y + 0.1 * (back.y1 - y)
    pad = block(
        "lumbar_pad", -0.7 * back.x, 0.7 * back.x, pad_y, pad_y + 0.4 * (back.y1 - y), z, z + 0.03
    )
    return [spine, panel, pad]


def _cushion(draw: Draw, back: Back) -> list[Item]:
    shell = back.slab("back_panel", -back.x, back.x, back.y0, back.y1, 0.6)
    count = draw.integer(2, 3) if back.plan.kind == "sofa" else 1
    z = shell.high[2]
    limits = (
        -0.96 * back.x,
        0.96 * back.x,
        back.plan.seat + 0.02,
        back.y1 - 0.03,
        z,
        z + draw.uniform(0.05, 0.1),
    )
    return [shell, slats("back_cushion", count, X, limits, 0.97)]


def _wing(draw: Draw, back: Back) -> list[Item]:
    panel = back.slab("back_panel", -back.x, back.x, back.y0, back.y1)
    reach = back.plan.depth * draw.uniform(0.2, 0.35)
    y = back.plan.seat + back.plan.back * draw.uniform(0.35, 0.55)
    t = 0.5 * back.thickness
    wing = block("back_wing", back.x - t, back.x, y, back.y1, back.z1, back.z1 + reach)
    return [panel, pair(wing)]


def _frame(draw: Draw, back: Back) -> list[Item]:
    t = back.plan.timber * draw.uniform(0.8, 1.1)
    x = back.x - t
    post = back.slab("back_post", x, back.x, back.y0, back.y1)
    rail_height = back.plan.back * draw.uniform(0.08, 0.22)
    crest = draw.chance(0.3)
    top = back.y1 if not crest else back.y1 + 0.5 * rail_height
    if crest:
        post = back.slab("back_post", x, back.x, back.y0, back.y1 - 0.5 * rail_height)
        rail = back.slab("top_rail", -back.x, back.x, back.y1 - 0.5 * rail_height, top)
    else:
        rail = back.slab("top_rail", -x, x, back.y1 - rail_height, back.y1)
    upper = rail.low[1]
    items: list[Item] = [pair(post), rail]
    lower = back.plan.seat + back.plan.back * draw.uniform(0.12, 0.3)
    infill = draw.choose(
        (
            ("upright", 3.0),
            ("ladder", 2.5),
            ("splat", 1.0),
            ("panel", 1.5),
            ("cross", 0.7),
            ("none", 0.8),
        )
    )
    if infill == "none":
        return items
    if infill != "ladder":
        height = back.plan.back * 0.07
        items.append(back.slab("bottom_rail", -x, x, lower - height, lower))
    items.append(_infill(draw, back, infill, x, lower, upper))
    return items


def _infill(draw: Draw, back: Back, infill: str, x: float, lower: float, upper: float) -> Part:
    z = 0.5 * (back.z0 + back.z1)
    half = 0.25 * back.thickness
    if infill == "panel":
        return back.slab("back_panel", -x, x, lower, upper, 0.5)
    if infill == "splat":
        wide = x * draw.uniform(0.2, 0.45)
        return back.slab("splat", -wide, wide, lower, upper, 0.5)
    if infill == "cross":
        size = 0.7 * back.plan.timber
        diagonal = bar("cross_slat", (-x, lower, z), (x, upper, z), 2 * half, size)
        return group("back_cross", pair(diagonal))
    if infill == "ladder":
        count = draw.integer(2, 4)
        limits = (-x, x, lower - 0.05, upper - 0.06, z - half, z + half)
        return group(
            "back_slats", slats("horizontal_slat", count, 1, limits, draw.uniform(0.35, 0.75))
        )
    count = draw.integer(2, 7)
    gap = 2 * x * 0.3 / count
    limits = (-x + gap, x - gap, lower, upper, z - half, z + half)
    return group("back_slats", slats("vertical_slat", count, 0, limits, draw.uniform(0.3, 0.7)))


def _spindle(draw: Draw, back: Back) -> list[Item]:
    count = draw.integer(4, 8)
    height = back.plan.back * draw.uniform(0.1, 0.25)
    crest = back.slab("top_rail", -back.x, back.x, back.y1 - height, back.y1)
    z, half = 0.5 * (back.z0 + back.z1), 0.3 * back.thickness
    limits = (-0.92 * back.x, 0.92 * back.x, back.y0, back.y1 - height, z - half, z + half)
    return [
        crest,
        group("back_slats", slats("spindle", count, 0, limits, draw.uniform(0.15, 0.3))),
    ]
