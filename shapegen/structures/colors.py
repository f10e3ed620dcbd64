"""Colours of parts: few, fixed by the label's text, told apart by colour-blind eyes too."""

from __future__ import annotations

import colorsys
import zlib

from shapegen.scene import Colour

PALETTE: dict[str, Colour] = {
    name: (int(code[:2], 16) / 255, int(code[2:4], 16) / 255, int(code[4:], 16) / 255)
    for name, code in {
        "blue": "5f97d4",
        "amber": "f2c46e",
        "brick": "c9654a",
        "teal": "63bba8",
        "plum": "8561a0",
        "rose": "eba7ae",
        "slate": "75869a",
        "olive": "98a04a",
        "sky": "a9d5ea",
        "cocoa": "7d5b48",
    }.items()
}
"""The order is that in which unlabelled parts take colours: neighbours differ in lightness."""

OWNERS = {
    "blue": (
        "back",
        "headboard",
        "side_panel",
        "frame",
        "body",
        "bunk_frame",
        "cot_side",
        "pedestal_cabinet",
        "pole",
    ),
    "amber": (
        "seat",
        "tabletop",
        "top",
        "cushion",
        "mattress",
        "drawers",
        "doors",
        "door",
        "drawer",
        "front_panel",
        "shade",
        "bedding",
        "bunk",
    ),
    "brick": ("base", "leg", "foot", "support", "block", "ladder"),
    "teal": (
        "arm",
        "armrest",
        "shelves",
        "shelf",
        "table_shelf",
        "compartment",
        "bar",
        "footboard",
        "cot_end",
        "rack",
    ),
    "plum": ("head", "headrest", "back_panel", "canopy"),
    "slate": ("other", "bottom_panel"),
    "sky": ("top_panel", "divider_panel"),
    "olive": ("table_drawers",),
}
"""Which colour the owner of a part has: the second part of its label (chair/chair_BACK/bar).

Other owners have one by their text.
"""

DETAILS = {
    "slate": ("handle", "knob", "castor", "joint", "finial"),
    "sky": ("pillow", "bolster"),
    "rose": ("blanket", "blanket_fold", "bulb"),
}
"""Small parts that stand out from their owner, by the last part of the label."""

_OF_OWNER = {word: color for color, words in OWNERS.items() for word in words}
_OF_DETAIL = {word: color for color, words in DETAILS.items() for word in words}
_SHADES = (0.0, 0.035, -0.035, 0.07, -0.06)


def label_color(label: str) -> Colour:
    """The colour of a full label: the hue of what it belongs to, a shade for the part itself.

    ``chair/chair_back/bar`` and ``chair/chair_back/panel`` are shades of one colour. The same
    text has the same colour in every shape and on every machine.
    """
    rest = "/".join(label.split("/")[2:])
    # Python's own hash differs from run to run.
    shade = _SHADES[zlib.crc32(rest.encode()) % len(_SHADES)] if rest else 0.0
    return _shaded(PALETTE[label_hue(label)], shade)


def label_hue(label: str) -> str:
    """The entry of :data:`PALETTE` that a full label's colour is a shade of: its role."""
    parts = label.split("/")
    owner = parts[min(1, len(parts) - 1)]
    word = owner.removeprefix(f"{parts[0]}_")
    names = list(PALETTE)
    by_text = names[zlib.crc32(word.encode()) % len(names)]
    return _OF_DETAIL.get(parts[-1]) or _OF_OWNER.get(word, by_text)


def ranked_color(rank: int) -> Colour:
    """The colour of the part of this rank, for parts without labels."""
    colors = [PALETTE[name] for name in ("brick", "amber", "blue", "teal", "plum", "rose")]
    colors += [color for color in PALETTE.values() if color not in colors]
    lap, place = divmod(rank, len(colors))
    return _shaded(colors[place], _SHADES[min(lap, len(_SHADES) - 1)])


def _shaded(color: Colour, shade: float) -> Colour:
    if not shade:
        return color
    hue, lightness, saturation = colorsys.rgb_to_hls(*color)
    red, green, blue = colorsys.hls_to_rgb(hue, min(max(lightness + shade, 0.0), 1.0), saturation)
    return round(red, 6), round(green, 6), round(blue, 6)
