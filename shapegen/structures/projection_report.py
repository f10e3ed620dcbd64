"""How well the relations of shapes hold, and whether the shapes hang together and stand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shapegen.structures.part_tree import PartTree, RelationKind
from shapegen.structures.relations import residuals
from shapegen.structures.stability import connected, shape_diagonal, standing

Array = NDArray[np.float64]
Bools = NDArray[np.bool_]

CLOSED = 0.01
"""Of the shape's diagonal: gaps below this count as contact."""


@dataclass(frozen=True, eq=False)
class RelationReport:
    """Figures of every shape; lengths are shares of its diagonal, NaN where it has no relation."""

    violation: Array
    """Median violation of the symmetries (root mean square over corners)."""
    gap: Array
    """Median gap of the parts that are to touch."""
    closed: Array
    """Share of those whose gap is below :data:`CLOSED`."""
    connected: Bools
    """Whether the leaves hang together by gaps up to 2 % of the diagonal."""
    standing: Bools
    """Whether the centre of mass lies over the hull of what is on the ground."""
    violations: Array
    """Of all symmetries of all shapes."""
    gaps: Array
    """Of all contacts of all shapes."""

    def means(self) -> dict[str, float]:
        """Medians and shares over all relations and shapes.

        Returns:
            ``violation`` and ``gap`` (medians over relations), ``closed`` (share of contacts),
            ``connected`` and ``standing`` (shares of shapes). NaN where there is nothing.
        """
        return {
            "violation": _median(self.violations),
            "gap": _median(self.gaps),
            "closed": float((self.gaps < CLOSED).mean()) if len(self.gaps) else float("nan"),
            "connected": float(self.connected.mean()),
            "standing": float(self.standing.mean()),
        }


def relation_report(trees: Sequence[PartTree]) -> RelationReport:
    """Measure how far the listed relations of shapes are from exact.

    Raises:
        ValueError: No shapes.
    """
    if not len(trees):
        raise ValueError("a relation report needs at least one shape; got none")
    violations, gaps = [], []
    for tree in trees:
        values = residuals(tree) / max(shape_diagonal(tree.boxes()), 1e-12)
        contact = np.array([edge.kind is RelationKind.ADJ for edge in tree.edges], dtype=bool)
        violations.append(values[~contact])
        gaps.append(values[contact])
    return RelationReport(
        violation=np.array([_median(own) for own in violations]),
        gap=np.array([_median(own) for own in gaps]),
        closed=np.array([(own < CLOSED).mean() if len(own) else np.nan for own in gaps]),
        connected=np.array([connected(tree.boxes()) for tree in trees]),
        standing=np.array([standing(tree.boxes()) for tree in trees]),
        violations=np.concatenate(violations),
        gaps=np.concatenate(gaps),
    )


def _median(values: Array) -> float:
    return float(np.median(values)) if len(values) else float("nan")
