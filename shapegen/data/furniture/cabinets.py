"""Procedural cabinets: bookcases, wardrobes, dressers, sideboards, nightstands, open racks."""

from __future__ import annotations

from typing import NamedTuple

from shapegen.data.furniture.builder import Item, block, group, pair, row
from shapegen.data.furniture.draw import Draw
from shapegen.data.furniture.elements import HANDLES, door, drawers
from shapegen.data.furniture.part import Part, X, Z
from shapegen.data.furniture.vocabulary import outline

LABELS = outline("""
cabinet
  cabinet_base
    plinth
    leg
    foot
    runner
    base_rail
  cabinet_frame
    side_panel
    top_panel
    bottom_panel
    back_panel
    divider
  cabinet_top
    top_board
    crown
    back_splash
  shelves
    shelf
  drawers
    drawer
      drawer_front
      handle
      knob
  doors
    door
      door_panel
      handle
      knob
    framed_door
      door_stile
      door_rail
      door_panel
      handle
      knob
    hinged_pair
      door
        door_panel
        handle
        knob
      framed_door
        door_stile
        door_rail
        door_panel
        handle
        knob
  hanging_rod
    rod
  rack
    rack_post
    rack_rail
    cross_brace
""")


class CabinetPlan(NamedTuple):
    """Kind and main measures of a cabinet in metres; its middle is at x = z = 0."""

    kind: str
    width: float
    height: float
    depth: float
    board: float
    """Thickness of the boards."""
    base: float
    """Height of the frame's underside above the floor."""


class Bay(NamedTuple):
    """An opening between boards, seen from the front."""

    x0: float
    x1: float
    y0: float
    y1: float


KINDS = (
    ("bookcase", 2.5),
    ("wardrobe", 2.0),
    ("dresser", 2.0),
    ("sideboard", 3.0),
    ("nightstand", 1.5),
    ("rack", 1.0),
)


def cabinet(draw: Draw) -> Part:
    """Make one cabinet in metres, its front towards +z."""
    plan = _plan(draw)
    if plan.kind == "rack":
        return _rack(draw, plan)
    style = draw.choose((("columns", 2.0), ("rows", 2.0), ("single", 1.5)))
    if plan.kind in ("bookcase", "nightstand") and plan.width < 0.75:
        style = draw.choose((("rows", 2.0), ("single", 2.0)))
    bays, dividers = _bays(draw, plan, style)
    items: list[Item] = [_base(draw, plan)] if plan.base else []
    items.append(_frame(draw, plan, dividers))
    if draw.chance(0.4):
        items.append(_top(draw, plan))
    return group("cabinet", *items, *_fill(draw, plan, bays))


def _plan(draw: Draw) -> CabinetPlan:
    u, kind = draw.uniform, draw.choose(KINDS)
    raised = draw.chance(0.75)
    if kind == "bookcase":
        size = (u(0.6, 1.2), u(1.2, 2.1), u(0.25, 0.38), u(0.018, 0.03), u(0.04, 0.12))
    elif kind == "wardrobe":
        size = (u(0.8, 1.8), u(1.75, 2.2), u(0.5, 0.65), u(0.02, 0.03), u(0.04, 0.14))
    elif kind == "dresser":
        size = (u(0.7, 1.5), u(0.75, 1.25), u(0.4, 0.52), u(0.018, 0.03), u(0.05, 0.18))
    elif kind == "sideboard":
        size = (u(1.0, 1.9), u(0.55, 0.95), u(0.38, 0.5), u(0.018, 0.03), u(0.06, 0.25))
    elif kind == "nightstand":
        width = u(0.4, 0.58)
        size = (width, width * u(0.9, 1.35), width * u(0.75, 0.95), u(0.015, 0.025), u(0.05, 0.22))
    else:
        size = (u(0.7, 1.2), u(1.1, 2.0), u(0.3, 0.45), u(0.018, 0.03), u(0.05, 0.2))
    width, height, depth, board, base = size
    return CabinetPlan(
        kind, width, height, depth, board, base if raised or kind == "rack" else 0.0
    )


def _frame(draw: Draw, plan: CabinetPlan, dividers: list[Item]) -> Part:
    x, z, t, y0, y1 = plan.width / 2, plan.depth / 2, plan.board, plan.base, plan.height
    over = draw.chance(0.5)
    # The top lies on the sides, or between them.
    side = block("side_panel", x - t, x, y0, y1 - t if over else y1, -z, z)
    edge = x if over else x - t
    top = block("top_panel", -edge, edge, y1 - t, y1, -z, z)
    bottom = block("bottom_panel", -x + t, x - t, y0, y0 + t, -z, z)
    items: list[Item] = [pair(side), top, bottom]
    if plan.kind != "bookcase" or draw.chance(0.75):
        items.append(block("back_panel", -x + t, x - t, y0 + t, y1 - t, -z, -z + 0.5 * t))
    return group("cabinet_frame", *items, *dividers)


def _base(draw: Draw, plan: CabinetPlan) -> Part:
    x, z, h, t = plan.width / 2, plan.depth / 2, plan.base, plan.board
    size = min(0.06, 0.05 + 0.1 * (h - 0.05)) * draw.uniform(0.6, 1.0)
    style = draw.choose((("plinth", 2.0 if h < 0.12 else 0.3), ("legs", 3.0), ("runners", 0.8)))
    if style == "plinth":
        inset = draw.uniform(0.0, 0.04)
        return group(
            "cabinet_base", block("plinth", -x + inset, x - inset, 0.0, h, -z + inset, z - inset)
        )
    edge_x, edge_z = x - size / 2 - draw.uniform(0.0, 0.05), z - size / 2 - draw.uniform(0.0, 0.03)
    if style == "runners":
        side = block("runner", edge_x - size / 2, edge_x + size / 2, 0.0, h, -edge_z, edge_z)
        return group("cabinet_base", pair(side))
    name = "leg" if h > 0.1 else "foot"
    rails = name == "leg" and draw.chance(0.35)
    front = block(
        name, edge_x - size / 2, edge_x + size / 2, 0.0, h, edge_z - size / 2, edge_z + size / 2
    )
    back = block(
        name, edge_x - size / 2, edge_x + size / 2, 0.0, h, -edge_z - size / 2, -edge_z + size / 2
    )
    items: list[Item] = [pair(front), pair(back)]
    if rails:
        long = block("base_rail", -edge_x, edge_x, h - t, h, edge_z - t / 2, edge_z + t / 2)
        items.append(pair(long, Z))
    return group("cabinet_base", *items)


def _top(draw: Draw, plan: CabinetPlan) -> Part:
    x, z, t, y = plan.width / 2, plan.depth / 2, plan.board, plan.height
    reach = draw.uniform(0.01, 0.04)
    board = block("top_board", -x - reach, x + reach, y, y + t, -z, z + reach)
    if plan.height > 1.1 and draw.chance(0.6):
        crown = block(
            "crown", -x - 2 * reach, x + 2 * reach, y + t, y + 2.5 * t, -z, z + 2 * reach
        )
        return group("cabinet_top", board, crown)
    if plan.height < 1.1 and draw.chance(0.25):
        splash = block("back_splash", -x, x, y + t, y + t + draw.uniform(0.06, 0.15), -z, -z + t)
        return group("cabinet_top", board, splash)
    return group("cabinet_top", board)


def _bays(draw: Draw, plan: CabinetPlan, style: str) -> tuple[list[Bay], list[Item]]:
    """Divide the inside into columns or rows; also gives the boards between them."""
    x, z, t = plan.width / 2 - plan.board, plan.depth / 2, plan.board
    y0, y1 = plan.base + t, plan.height - t
    if style == "columns":
        most = max(2, min(4, int(plan.width / 0.4)))
        count = draw.integer(2, most)
        pitch = (2 * x + t) / count
        first = block("divider", -x + pitch - t, -x + pitch, y0, y1, -z + 0.5 * t, z)
        starts = [-x + n * pitch for n in range(count)]
        return [Bay(s, s + pitch - t, y0, y1) for s in starts], [
            row(first, count - 1, (pitch, 0.0, 0.0))
        ]
    if style == "rows":
        split = y0 + (y1 - y0) * draw.uniform(0.3, 0.7)
        board = block("divider", -x, x, split - t / 2, split + t / 2, -z + 0.5 * t, z)
        return [Bay(-x, x, split + t / 2, y1), Bay(-x, x, y0, split - t / 2)], [board]
    return [Bay(-x, x, y0, y1)], []


FILLS = {
    "bookcase": (("shelves", 6.0), ("doors", 1.0), ("drawers", 0.5)),
    "wardrobe": (("doors", 5.0), ("drawers", 1.5), ("rod", 0.5), ("shelves", 0.7)),
    "dresser": (("drawers", 6.0), ("doors", 1.0), ("shelves", 0.5)),
    "sideboard": (("doors", 4.0), ("drawers", 2.5), ("shelves", 2.0), ("open", 0.5)),
    "nightstand": (("drawers", 4.0), ("doors", 1.0), ("open", 2.0), ("shelves", 0.5)),
}


def _fill(draw: Draw, plan: CabinetPlan, bays: list[Bay]) -> list[Item]:
    """Fill the bays; columns are alike, or the outer ones are alike and those between are not."""
    handle = draw.choose(HANDLES)
    framed = draw.chance(0.3)
    fills = FILLS[plan.kind]
    first = draw.choose(fills)
    columns = len(bays) > 1 and bays[0].y0 == bays[1].y0
    if columns and (len(bays) != 3 or draw.chance(0.4)):
        # Equal columns repeat the first one by translation.
        pitch = bays[1].x0 - bays[0].x0
        part = _filled(draw, plan, bays[0], first, handle, framed)
        return [] if part is None else [row(part, len(bays), (pitch, 0.0, 0.0))]
    if columns:
        side = _filled(draw, plan, bays[2], first, handle, framed)
        middle = _filled(draw, plan, bays[1], draw.choose(fills), handle, framed)
        return ([] if side is None else [pair(side)]) + ([] if middle is None else [middle])
    parts: list[Part | None] = [_filled(draw, plan, bays[0], first, handle, framed)]
    parts += [_filled(draw, plan, bay, draw.choose(fills), handle, framed) for bay in bays[1:]]
    return [part for part in parts if part is not None]


def _filled(
    draw: Draw, plan: CabinetPlan, bay: Bay, fill: str, handle: str, framed: bool
) -> Part | None:
    height, width, z, t = bay.y1 - bay.y0, bay.x1 - bay.x0, plan.depth / 2, plan.board
    if fill == "rod":
        if height < 0.8:
            fill = "shelves"
        else:
            y = bay.y1 - 0.1
            return group(
                "hanging_rod", block("rod", bay.x0, bay.x1, y - 0.015, y + 0.015, -0.015, 0.015)
            )
    if fill == "shelves":
        count = min(8, max(1, round(height / draw.uniform(0.26, 0.4)) - 1))
        pitch = (height + t) / (count + 1)
        first = block(
            "shelf", bay.x0, bay.x1, bay.y0 + pitch - t, bay.y0 + pitch, -z + 0.5 * t, z - 0.01
        )
        return group("shelves", row(first, count, (0.0, pitch, 0.0)))
    if fill == "drawers":
        tall = min(height, 1.1) if plan.kind == "wardrobe" else height
        count = min(6, max(1, round(tall / draw.uniform(0.18, 0.32))))
        return group("drawers", *_drawer_grid(bay, handle, count, width, z, t))
    if fill == "doors":
        return _doors(draw, bay, handle, framed, z, t)
    return None


def _drawer_grid(
    bay: Bay, handle: str, count: int, width: float, z: float, t: float
) -> list[Item]:
    # Fronts overlap the boards around the opening.
    x0, x1, y0, y1 = bay.x0 - 0.4 * t, bay.x1 + 0.4 * t, bay.y0 - 0.4 * t, bay.y1 + 0.4 * t
    gap = 0.2 * t
    if width < 0.95 or count > 3:
        return [drawers(handle, count, x0, x1, y0, y1, z, t, gap=gap)]
    middle = 0.5 * (x0 + x1)
    right = drawers(handle, count, middle, x1, y0, y1, z, t, gap=gap)
    left = drawers(handle, count, x0, middle, y0, y1, z, t, gap=gap)
    return [left, right]


def _doors(draw: Draw, bay: Bay, handle: str, framed: bool, z: float, t: float) -> Part:
    gap = 0.2 * t
    x0, x1 = bay.x0 - 0.4 * t + gap, bay.x1 + 0.4 * t - gap
    y0, y1 = bay.y0 - 0.4 * t + gap, bay.y1 + 0.4 * t - gap
    if x1 - x0 < 0.42:
        return group("doors", door(handle, x0, x1, y0, y1, z, t, framed=framed))
    middle = 0.5 * (x0 + x1)
    if x1 - x0 < 1.1:
        right = door(handle, middle + gap, x1, y0, y1, z, t, hinge=1.0, framed=framed)
        return group("doors", pair(right, X, middle))
    quarter = 0.5 * (x1 - middle)
    right = door(
        handle, middle - quarter + gap, middle - gap, y0, y1, z, t, hinge=1.0, framed=framed
    )
    leaf_pair = group("hinged_pair", pair(right, X, middle - quarter))
    return group("doors", row(leaf_pair, 2, (2.0 * quarter, 0.0, 0.0)))


def _rack(draw: Draw, plan: CabinetPlan) -> Part:
    """Make an open rack: four posts, shelves between them, rails or a brace at the back."""
    x, z, t, p = plan.width / 2, plan.depth / 2, plan.board, draw.uniform(0.02, 0.045)
    post = block("rack_post", x - p, x, 0.0, plan.height, z - p, z)
    back_post = block("rack_post", x - p, x, 0.0, plan.height, -z, -z + p)
    items: list[Item] = [pair(post), pair(back_post)]
    if draw.chance(0.5):
        rail = block("rack_rail", x - p, x, plan.height - p, plan.height, -z + p, z - p)
        items.append(pair(rail))
    if draw.chance(0.4):
        y = plan.height * draw.uniform(0.5, 0.9)
        items.append(block("cross_brace", -x + p, x - p, y, y + p, -z, -z + 0.5 * p))
    count = draw.integer(3, 6)
    high = plan.height if draw.chance(0.5) else 0.93 * plan.height
    limits = (-x + p, x - p, plan.base, high - p, -z, z)
    first = block("shelf", -x + p, x - p, plan.base, plan.base + t, -z + 0.3 * p, z - 0.3 * p)
    pitch = (limits[3] - plan.base - t) / (count - 1)
    shelves = group("shelves", row(first, count, (0.0, pitch, 0.0)))
    return group("cabinet", group("rack", *items), shelves)
