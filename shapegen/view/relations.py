"""Relations among parts as viewers draw them: a line each, in a colour by their kind."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from shapegen.formats.relations import Relation

Float = NDArray[np.float64]
RELATION_COLORS = {
    "ADJ": (0.353, 0.353, 0.376),
    "REF_SYM": (0.251, 0.451, 0.851),
    "TRANS_SYM": (0.200, 0.600, 0.353),
    "ROT_SYM": (0.851, 0.302, 0.251),
}
OTHER_COLOR = (0.600, 0.353, 0.702)
"""Of kinds that are not named."""


def relation_color(kind: str) -> tuple[float, float, float]:
    """The colour of a kind."""
    return RELATION_COLORS.get(kind, OTHER_COLOR)


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
