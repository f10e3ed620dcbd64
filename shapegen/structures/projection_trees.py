"""Many part trees in one numbering, and the motions that their symmetries stand for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from shapegen.core import boxes as box_algebra
from shapegen.structures.motion import shape_squares
from shapegen.structures.part_tree import PartTree, RelationKind
from shapegen.structures.symmetry import rotation_matrices

Array = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

KINDS = tuple(RelationKind)
ADJ, REF, TRANS, ROT = range(4)

_CONCENTRIC = 1e-6
"""Of the shape's diagonal: centres this near have no plane half way between them."""


@dataclass(frozen=True, eq=False)
class Hierarchies:
    """Nodes and relations of many shapes in one numbering, parents before children."""

    shape: Ints
    """``(n,)``: number of the shape."""
    parent: Ints
    """``(n,)``: node number, -1 for roots."""
    label: tuple[str, ...]
    start: Ints
    """``(shapes + 1,)``: every shape's first node, its root; the last entry is n."""
    kind: Ints
    """``(e,)``: position of every relation's kind in :data:`KINDS`."""
    ends: Ints
    """``(e, 2)``: the nodes a and b."""
    params: Array
    """``(e, 7)``: parameters, 0 beyond what the kind takes."""
    depth: Ints
    leaf: Bools
    children: tuple[tuple[int, ...], ...]
    leaves: tuple[tuple[int, ...], ...]
    """Leaves at and below every node."""

    @classmethod
    def of(cls, trees: Sequence[PartTree]) -> Hierarchies:
        """Number the nodes and relations of all shapes one after the other."""
        sizes = [len(tree) for tree in trees]
        start = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        first = start[:-1].tolist()
        pairs = list(zip(trees, first, strict=True))
        parent = np.concatenate([np.where(t.parent < 0, -1, t.parent + n) for t, n in pairs])
        edges = [(edge, n) for tree, n in pairs for edge in tree.edges]
        children: list[list[int]] = [[] for _ in parent]
        depth = [0] * len(parent)
        for node, above in enumerate(parent.tolist()):
            if above >= 0:
                children[above].append(node)
                depth[node] = depth[above] + 1
        leaves: list[tuple[int, ...]] = [()] * len(parent)
        for node in range(len(parent) - 1, -1, -1):
            own = tuple(leaf for child in children[node] for leaf in leaves[child])
            leaves[node] = own if children[node] else (node,)
        return cls(
            shape=np.repeat(np.arange(len(trees)), sizes),
            parent=parent,
            label=tuple(label for tree in trees for label in tree.label),
            start=start,
            kind=np.array([KINDS.index(edge.kind) for edge, _ in edges], dtype=np.int64),
            ends=np.array([(e.a + n, e.b + n) for e, n in edges], np.int64).reshape(-1, 2),
            params=np.array([(*e.params, *[0.0] * (7 - len(e.params))) for e, _ in edges]).reshape(
                -1, 7
            ),
            depth=np.array(depth, dtype=np.int64),
            leaf=np.array([not below for below in children], dtype=bool),
            children=tuple(map(tuple, children)),
            leaves=tuple(leaves),
        )

    def diagonals(self, box: Array) -> Array:
        """Diagonals ``(shapes,)`` of the leaves' bounds in the axes of each root.

        Unlike those along the coordinate axes they do not change when a shape is turned.
        """
        rows = np.flatnonzero(self.leaf)
        frame = box_algebra.axes(box[self.start[:-1]])[self.shape[rows]]
        points = np.einsum("ncj,naj->nca", box_algebra.corners(box[rows]), frame)
        low = np.full((len(self.start) - 1, 3), np.inf)
        high = -low
        np.minimum.at(low, self.shape[rows], points.min(1))
        np.maximum.at(high, self.shape[rows], points.max(1))
        return np.maximum(np.linalg.norm(high - low, axis=1), 1e-12)


class Motions(NamedTuple):
    """Rigid motions ``x -> linear @ x + offset``, one a relation."""

    linear: Array
    offset: Array
    direction: Array
    """Unit normals of planes and axes of rotations, of translations any."""

    def pick(self, rows: Ints | Bools | list[int]) -> Motions:
        """Rows of all three."""
        return Motions(self.linear[rows], self.offset[rows], self.direction[rows])


def motions_through(kind: Ints, direction: Array, angle: Array, a: Array, b: Array) -> Motions:
    """Motions of given direction that bring points ``a`` nearest to points ``b``.

    A plane's offset is along its normal, a pivot's across its axis: what is left between ``b``
    and the image of ``a`` is a violation.
    """
    linear = np.repeat(np.eye(3)[None], len(kind), axis=0)
    mirror, turn = kind == REF, kind == ROT
    linear[mirror] -= 2 * direction[mirror, :, None] * direction[mirror, None, :]
    linear[turn] = rotation_matrices(direction[turn], angle[turn])
    gap = b - np.einsum("eij,ej->ei", linear, a)
    along = (gap * direction).sum(1, keepdims=True) * direction
    offset = np.select([mirror[:, None], turn[:, None]], [along, gap - along], gap)
    return Motions(linear, offset, direction)


def own_motions(trees: Hierarchies, box: Array, rows: Ints, diagonal: Array) -> Motions:
    """The motion of each symmetry that fits its two boxes best.

    A translation leads from centre to centre, and a rotation keeps the axis and the angle of its
    parameters. The normal of a reflection is the best one of those between the centres, between
    the ends of the longest axes, and of the parameters: centres that are one have none between
    them.
    """
    ends = trees.ends[rows]
    a, b = box[ends[:, 0]], box[ends[:, 1]]
    kind, params = trees.kind[rows], trees.params[rows]
    given = _unit(params[:, 3:6])
    found = motions_through(kind, given, params[:, 6], a[:, :3], b[:, :3])
    mirror = np.flatnonzero(kind == REF)
    if not len(mirror):
        return found
    first, second = a[mirror], b[mirror]
    size = diagonal[trees.shape[ends[mirror, 0]]]
    long = [_longest(part) for part in (first, second)]
    candidates = [first[:, :3] - second[:, :3], long[0] - long[1], long[0] + long[1]]
    best = np.full(len(mirror), np.inf)
    normals = given[mirror]
    half = box_algebra.half_axes(np.concatenate([first, second]))
    centre = np.concatenate([first[:, :3], second[:, :3]])
    number = np.arange(len(mirror))
    for candidate in [*candidates, given[mirror]]:
        length = np.linalg.norm(candidate, axis=1)
        unit = _unit(candidate)
        tried = motions_through(kind[mirror], unit, best, first[:, :3], second[:, :3])
        apart = image_distances(centre, half, number, number + len(mirror), tried)
        # Of equals the first one counts.
        better = (length > _CONCENTRIC * size) & (apart < best - _CONCENTRIC * size)
        normals = np.where(better[:, None], unit, normals)
        best = np.where(better, apart, best)
    direction = given.copy()
    direction[mirror] = normals
    return motions_through(kind, direction, params[:, 6], a[:, :3], b[:, :3])


def _longest(boxes: Array) -> Array:
    """Half of the longest axis of every box."""
    axes = box_algebra.half_axes(boxes)
    rows = np.arange(len(boxes))
    longest: Array = axes[rows, np.abs(boxes[:, 3:6]).argmax(1)]
    return longest


def violations(trees: Hierarchies, box: Array, rows: Ints, motions: Motions) -> Array:
    """Root mean square corner distances between the images of a and b."""
    a, b = trees.ends[rows].T
    half = box_algebra.half_axes(box)
    return image_distances(box[:, :3], half, a, b, motions)


def image_distances(centre: Array, half: Array, a: Ints, b: Ints, motions: Motions) -> Array:
    """Root mean square corner distances of images of boxes ``a`` from boxes ``b``."""
    image = half[a] @ np.swapaxes(motions.linear, 1, 2)
    moved = np.einsum("...ij,...j->...i", motions.linear, centre[a]) + motions.offset
    distance: Array = np.sqrt(shape_squares(image, half[b]) + ((moved - centre[b]) ** 2).sum(1))
    return distance


def _unit(vectors: Array) -> Array:
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    unit: Array = np.where(length > 1e-12, vectors / np.maximum(length, 1e-12), [1.0, 0.0, 0.0])
    return unit
