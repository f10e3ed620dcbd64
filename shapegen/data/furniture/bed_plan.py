"""The measures of a bed that its parts agree on, in metres."""

from __future__ import annotations

from typing import NamedTuple

from shapegen.data.furniture.draw import Draw


class BedPlan(NamedTuple):
    """Kind and main measures of a bed in metres; the mattress's middle is at x = z = 0."""

    kind: str
    width: float
    """Of the frame, outside."""
    length: float
    """Of the frame, outside."""
    deck: float
    """Height of the frame's top, where the mattress lies."""
    rail: float
    """Height of a rail's section."""
    timber: float
    """Thickness of rails and posts."""
    mattress: float
    """Thickness of the mattress."""

    @property
    def below(self) -> float:
        """Height of the frame's underside."""
        return self.deck - self.rail


KINDS = (("framed", 5.0), ("storage", 1.5), ("canopy", 1.5), ("bunk", 1.5), ("cot", 1.0))


def plan_bed(draw: Draw) -> BedPlan:
    """Choose a kind of bed and measures that go with it."""
    u, kind = draw.uniform, draw.choose(KINDS)
    if kind == "bunk":
        return BedPlan(
            kind,
            u(0.88, 1.05),
            u(1.95, 2.1),
            u(0.3, 0.45),
            u(0.1, 0.16),
            u(0.05, 0.08),
            u(0.1, 0.16),
        )
    if kind == "cot":
        return BedPlan(
            kind,
            u(0.62, 0.78),
            u(1.2, 1.4),
            u(0.32, 0.5),
            u(0.05, 0.09),
            u(0.025, 0.04),
            u(0.08, 0.13),
        )
    width = draw.choose(((u(0.9, 1.1), 1.0), (u(1.3, 1.9), 2.5)))
    deck = u(0.34, 0.46) if kind == "storage" else u(0.22, 0.42)
    return BedPlan(kind, width, u(1.98, 2.15), deck, u(0.08, 0.18), u(0.025, 0.06), u(0.14, 0.28))
