"""The measures of a chair that its parts agree on, in metres."""

from __future__ import annotations

from typing import NamedTuple

from shapegen.data.furniture.draw import Draw


class ChairPlan(NamedTuple):
    """Kind and main measures of one chair; the seat's middle is at x = z = 0."""

    kind: str
    width: float
    depth: float
    seat: float
    """Height of the seat panel's top."""
    thickness: float
    """Of the seat panel."""
    back: float
    """Height of the back above the seat."""
    recline: float
    """Angle of the back in radians."""
    timber: float
    """Side of a post's or a leg's section."""
    slatted: bool
    """Whether the seat is a frame with slats instead of a panel."""

    @property
    def below(self) -> float:
        """Height of the seat panel's underside."""
        return self.seat - self.thickness


KINDS = (("dining", 5.0), ("office", 1.6), ("lounge", 2.0), ("sofa", 0.7), ("bar", 1.0))


def plan_chair(draw: Draw) -> ChairPlan:
    """Choose a kind of chair and measures that go with it."""
    kind = draw.choose(KINDS)
    slatted = kind in ("dining", "lounge") and draw.chance(0.15)
    u = draw.uniform
    if kind == "dining":
        width = u(0.4, 0.54)
        return ChairPlan(
            kind, width, width * u(0.88, 1.08), u(0.42, 0.48), u(0.02, 0.05), u(0.36, 0.6),
            u(0.0, 0.22), u(0.028, 0.046), slatted,
        )  # fmt: skip
    if kind == "office":
        width = u(0.46, 0.56)
        return ChairPlan(
            kind, width, width * u(0.9, 1.05), u(0.43, 0.52), u(0.04, 0.09), u(0.4, 0.7),
            u(0.03, 0.25), u(0.03, 0.045), slatted,
        )  # fmt: skip
    if kind == "lounge":
        width = u(0.58, 0.78)
        return ChairPlan(
            kind, width, width * u(0.85, 1.05), u(0.34, 0.42),
            u(0.04, 0.07) if slatted else u(0.07, 0.17), u(0.38, 0.6),
            u(0.05, 0.35), u(0.04, 0.06), slatted,
        )  # fmt: skip
    if kind == "sofa":
        return ChairPlan(
            kind, u(1.1, 1.9), u(0.65, 0.8), u(0.34, 0.42), u(0.1, 0.2), u(0.34, 0.48),
            u(0.0, 0.25), u(0.05, 0.07), slatted,
        )  # fmt: skip
    width = u(0.36, 0.44)
    return ChairPlan(
        kind, width, width * u(0.92, 1.05), u(0.6, 0.76), u(0.02, 0.06), u(0.18, 0.42),
        u(0.0, 0.15), u(0.026, 0.038), slatted,
    )  # fmt: skip
