"""Whether two parts touch: exact for boxes (separating axes), in plain Python floats."""

from __future__ import annotations

from shapegen.data.furniture.part import Part

TOLERANCE = 1e-7
"""Metres of air between two parts that still count as touching: rounding only."""


def touching(a: Part, b: Part) -> bool:
    """Tell whether any leaf of one part touches any leaf of the other."""
    la, ha, lb, hb = a.low, a.high, b.low, b.high
    if (
        la[1] > hb[1] + TOLERANCE
        or lb[1] > ha[1] + TOLERANCE
        or la[0] > hb[0] + TOLERANCE
        or lb[0] > ha[0] + TOLERANCE
        or la[2] > hb[2] + TOLERANCE
        or lb[2] > ha[2] + TOLERANCE
    ):
        return False
    if a.children:
        return any(touching(child, b) for child in a.children)
    if b.children:
        return any(touching(a, child) for child in b.children)
    return (a.straight and b.straight) or not _separated(a.box, b.box)


def _frame(box: tuple[float, ...]) -> tuple[tuple[float, float, float], ...]:
    x0, x1, x2, y0, y1, y2 = box[6:]
    return (
        (x0, x1, x2),
        (y0, y1, y2),
        (x1 * y2 - x2 * y1, x2 * y0 - x0 * y2, x0 * y1 - x1 * y0),
    )


def _separated(a: tuple[float, ...], b: tuple[float, ...]) -> bool:
    """Look for a separating direction among the 15 that suffice for two boxes.

    Reference: Gottschalk, Lin and Manocha, *OBBTree*, 1996, section 5.
    """
    axes_a, axes_b = _frame(a), _frame(b)
    half_a = (0.5 * a[3], 0.5 * a[4], 0.5 * a[5])
    half_b = (0.5 * b[3], 0.5 * b[4], 0.5 * b[5])
    d = (b[0] - a[0], b[1] - a[1], b[2] - a[2])
    cos = [[u[0] * v[0] + u[1] * v[1] + u[2] * v[2] for v in axes_b] for u in axes_a]
    size = [[abs(c) for c in line] for line in cos]
    t = [d[0] * u[0] + d[1] * u[1] + d[2] * u[2] for u in axes_a]
    for i in range(3):
        s = size[i]
        reach = half_a[i] + half_b[0] * s[0] + half_b[1] * s[1] + half_b[2] * s[2]
        if abs(t[i]) > reach + TOLERANCE:
            return True
    for j in range(3):
        v = axes_b[j]
        reach = (
            half_b[j] + half_a[0] * size[0][j] + half_a[1] * size[1][j] + half_a[2] * size[2][j]
        )
        if abs(d[0] * v[0] + d[1] * v[1] + d[2] * v[2]) > reach + TOLERANCE:
            return True
    for i in range(3):
        i1, i2 = (i + 1) % 3, (i + 2) % 3
        for j in range(3):
            j1, j2 = (j + 1) % 3, (j + 2) % 3
            reach = (
                half_a[i1] * size[i2][j]
                + half_a[i2] * size[i1][j]
                + half_b[j1] * size[i][j2]
                + half_b[j2] * size[i][j1]
            )
            if abs(t[i2] * cos[i1][j] - t[i1] * cos[i2][j]) > reach + TOLERANCE:
                return True
    return False
