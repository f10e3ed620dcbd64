"""Whether a part tree could be a thing: finite, in one piece, symmetric, and standing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from shapegen.core import boxes as box_algebra
from shapegen.structures.contact import gaps, pairs_of
from shapegen.structures.part_tree import PartTree, RelationKind
from shapegen.structures.relations import residuals

Array = NDArray[np.float64]

TOLERANCE = 0.02
"""Of the diagonal of the shape's bounding box: gaps, deviations from a relation, and ground."""

_EDGES = np.array(
    [[a, b] for a in range(8) for b in range(a + 1, 8) if bin(a ^ b).count("1") == 1]
)


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
    holds = residuals(tree) <= TOLERANCE * _diagonal(boxes)
    is_contact = np.array([edge.kind is RelationKind.ADJ for edge in tree.edges], dtype=bool)
    return Validity(
        finite=finite,
        connected=connected(boxes),
        symmetric=bool(holds[~is_contact].all()),
        standing=standing(boxes),
        adjacent=bool(holds[is_contact].all()),
    )


def validity_shares(
    trees: Sequence[PartTree | None], *, complete: Sequence[bool] | None = None
) -> dict[str, float]:
    """Share of shapes: finite, connected, symmetric, standing, all of these; and adjacent."""
    if not len(trees):
        raise ValueError("validity needs at least one shape; got none")
    ends = [True] * len(trees) if complete is None else complete
    results = [validity(tree, complete=end) for tree, end in zip(trees, ends, strict=True)]
    names = ("finite", "connected", "symmetric", "standing", "valid", "adjacent")
    return {name: float(np.mean([getattr(result, name) for result in results])) for name in names}


def connected(boxes: ArrayLike, *, tolerance: float = TOLERANCE) -> bool:
    """Whether boxes ``(n, 12)`` with gaps up to the tolerance in between are one piece."""
    boxes = box_algebra.as_boxes(boxes)
    reach = tolerance * _diagonal(boxes)
    pairs = pairs_of(len(boxes))
    root = np.arange(len(boxes))
    for a, b in pairs[gaps(boxes, pairs, beyond=reach) <= reach]:
        root[root == root[b]] = root[a]
    return bool((root == root[0]).all())


def standing(boxes: ArrayLike, *, tolerance: float = TOLERANCE) -> bool:
    """Whether the centre of mass (unit density) lies over the hull of what is near the ground.

    Near the ground are all points of the boxes up to the tolerance above the lowest: the corners
    there and the cuts of edges with that height.
    """
    boxes = box_algebra.as_boxes(boxes)
    corners = box_algebra.corners(boxes)
    height = corners[:, :, 1].min() + tolerance * _diagonal(boxes)
    feet = [corners[corners[:, :, 1] <= height][:, [0, 2]]]
    a, b = corners[:, _EDGES[:, 0]].reshape(-1, 3), corners[:, _EDGES[:, 1]].reshape(-1, 3)
    crossing = (a[:, 1] <= height) != (b[:, 1] <= height)
    a, b = a[crossing], b[crossing]
    share = (height - a[:, 1]) / (b[:, 1] - a[:, 1])
    feet.append((a + share[:, None] * (b - a))[:, [0, 2]])
    volume = np.abs(boxes[:, 3:6]).prod(1)
    # Without any volume every box weighs the same.
    weight = volume / volume.sum() if volume.sum() > 0 else np.full(len(boxes), 1 / len(boxes))
    return _inside_hull(weight @ boxes[:, [0, 2]], np.concatenate(feet))


def _inside_hull(point: Array, feet: Array) -> bool:
    """Whether a point lies in the convex hull: no half plane at it is free of points."""
    towards = feet - point
    length = np.linalg.norm(towards, axis=1)
    if (length < 1e-9).any():
        return True
    angle = np.sort(np.arctan2(towards[:, 1], towards[:, 0]))
    widest = np.diff(angle, append=angle[0] + 2 * np.pi).max()
    return bool(widest <= np.pi + 1e-9)


def _diagonal(boxes: Array) -> float:
    low, high = box_algebra.bounds(boxes)
    return float(np.linalg.norm(high - low))
