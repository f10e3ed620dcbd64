"""The measures of a table that its parts agree on, in metres."""

from __future__ import annotations

from typing import NamedTuple

from shapegen.data.furniture.draw import Draw


class TablePlan(NamedTuple):
    """Kind and main measures of a table in metres; its middle is at x = z = 0."""

    kind: str
    width: float
    depth: float
    height: float
    thickness: float
    """Of the top."""
    timber: float
    """Side of a leg's section."""

    @property
    def below(self) -> float:
        """Height of the top's underside."""
        return self.height - self.thickness


KINDS = (
    ("dining", 3.0),
    ("coffee", 2.0),
    ("side", 1.5),
    ("desk", 2.5),
    ("console", 1.0),
    ("round", 2.0),
)


def plan_table(draw: Draw) -> TablePlan:
    """Choose a kind of table and measures that go with it."""
    u, kind = draw.uniform, draw.choose(KINDS)
    if kind == "dining":
        width = u(1.2, 2.2)
        size = (
            width,
            min(width * u(0.45, 0.75), 1.05),
            u(0.71, 0.78),
            u(0.02, 0.06),
            u(0.05, 0.09),
        )
    elif kind == "coffee":
        width = u(0.8, 1.3)
        size = (width, width * u(0.45, 0.9), u(0.34, 0.5), u(0.02, 0.06), u(0.035, 0.07))
    elif kind == "side":
        width = u(0.38, 0.6)
        size = (width, width * u(0.85, 1.0), u(0.45, 0.68), u(0.015, 0.04), u(0.025, 0.045))
    elif kind == "desk":
        width = u(1.0, 1.7)
        size = (width, width * u(0.42, 0.55), u(0.71, 0.78), u(0.02, 0.045), u(0.035, 0.06))
    elif kind == "console":
        width = u(0.9, 1.5)
        size = (width, u(0.28, 0.42), u(0.72, 0.92), u(0.02, 0.045), u(0.03, 0.05))
    else:
        low = draw.chance(0.4)
        width = u(0.5, 1.0) if low else u(0.75, 1.4)
        size = (width, width, u(0.4, 0.6) if low else u(0.7, 0.78), u(0.02, 0.05), u(0.035, 0.06))
    return TablePlan(kind, *size)
