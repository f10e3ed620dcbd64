"""Relations among parts as viewers draw them: a line each, and a colour by their kind."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]
Relation = tuple[str, int, int]
"""Kind and the two nodes."""

RELATION_COLORS = {
    "ADJ": (0.353, 0.353, 0.376),
    "REF_SYM": (0.251, 0.451, 0.851),
    "TRANS_SYM": (0.200, 0.600, 0.353),
    "ROT_SYM": (0.851, 0.302, 0.251),
}
"""Of a part with relations of several kinds the last one counts: symmetries before contact."""
OTHER_COLOR = (0.600, 0.353, 0.702)
"""Of kinds that are not named."""
ALONE_COLOR = (0.800, 0.800, 0.800)
"""Of parts without relations."""


def relation_color(kind: str) -> tuple[float, float, float]:
    """The colour of a kind, of parts as of lines."""
    return RELATION_COLORS.get(kind, OTHER_COLOR)


def colors_by_relation(count: int, relations: Iterable[Relation]) -> Float:
    """Colours ``(count, 3)`` of nodes by the relation that says most about them."""
    order = list(RELATION_COLORS)
    colors = np.tile(ALONE_COLOR, (count, 1))
    ranks = np.full(count, -2)
    for kind, a, b in relations:
        rank = order.index(kind) if kind in order else -1
        for node in (a, b):
            if rank > ranks[node]:
                ranks[node], colors[node] = rank, relation_color(kind)
    return colors


def relation_lines(
    relations: Iterable[Relation], centers: Float, there: NDArray[np.bool_]
) -> tuple[Float, Float]:
    """Lines between the centres of parts that are both there.

    Returns:
        Ends ``(n, 2, 3)`` and colours ``(n, 3)``.
    """
    found = [(kind, a, b) for kind, a, b in relations if there[a] and there[b]]
    ends = [[centers[a], centers[b]] for _, a, b in found]
    colors = [relation_color(kind) for kind, _, _ in found]
    return np.array(ends).reshape(-1, 2, 3), np.array(colors, dtype=float).reshape(-1, 3)
