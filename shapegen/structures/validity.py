"""Whether a part tree could be a thing: finite, in one piece, symmetric, and standing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from shapegen.structures.part_tree import PartTree, RelationKind
from shapegen.structures.relations import residuals
from shapegen.structures.stability import TOLERANCE, connected, shape_diagonal, standing


@dataclass(frozen=True)
class Validity:
    """What holds of one shape."""

    finite: bool
    """The decoder ended by itself, all numbers are finite, every size is above 0."""
    connected: bool
    """Leaf boxes hang together by gaps within the tolerance."""
    symmetric: bool
    """Every symmetry of siblings holds within the tolerance."""
    adjacent: bool
    """Every adjacency of siblings does. It is no part of :attr:`valid`: GRASS's data joins parts
    by ADJ that are far apart, and whether a shape is in one piece is told by ``connected``."""
    standing: bool
    """The centre of mass lies over the hull of what touches the ground."""

    @property
    def valid(self) -> bool:
        """Finite, connected, symmetric and standing."""
        return self.finite and self.connected and self.symmetric and self.standing


def validity(tree: PartTree | None, *, complete: bool = True) -> Validity:
    """Judge one shape.

    Args:
        tree: None stands for a code that did not decode to a shape.
        complete: Whether the decoder ended by itself; a decode cut by a limit is invalid.
    """
    if tree is None:
        return Validity(False, False, False, False, False)
    boxes = tree.boxes()
    finite = complete and bool((boxes[:, 3:6] > 0).all())
    holds = residuals(tree) <= TOLERANCE * shape_diagonal(boxes)
    is_contact = np.array([edge.kind is RelationKind.ADJ for edge in tree.edges], dtype=bool)
    return Validity(
        finite=finite,
        connected=connected(boxes),
        symmetric=bool(holds[~is_contact].all()),
        standing=standing(boxes),
        adjacent=bool(holds[is_contact].all()),
    )
