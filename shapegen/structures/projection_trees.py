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


def own_motions(trees: Hierarchies, box: Array, rows: Ints, diagonal: Array) -> Motions:
    """The motion of each symmetry that carries the centre of a onto that of b.

    A rotation keeps the axis and the angle of its parameters, a reflection of concentric parts
    its normal.
    """
    a, b = (box[trees.ends[rows, side], :3] for side in (0, 1))
    kind, params = trees.kind[rows], trees.params[rows]
    linear = np.repeat(np.eye(3)[None], len(rows), axis=0)
    offset = b - a
    mirror = kind == REF
    normal = _normals(trees, a, b, rows, diagonal)
    linear[mirror] -= 2 * normal[mirror, :, None] * normal[mirror, None, :]
    turn = np.flatnonzero(kind == ROT)
    axis = _unit(params[turn, 3:6])
    linear[turn] = rotation_matrices(axis, params[turn, 6])
    moved = np.einsum("eij,ej->ei", linear, a)
    across = mirror
    # A plane's offset is along its normal, a pivot's across its axis: the rest is a violation.
    gap = b - moved
    offset[across] = ((gap * normal).sum(1, keepdims=True) * normal)[across]
    offset[turn] = gap[turn] - (gap[turn] * axis).sum(1, keepdims=True) * axis
    return Motions(linear, offset)


def violations(trees: Hierarchies, box: Array, rows: Ints, motions: Motions) -> Array:
    """Root mean square corner distances between the images of a and b."""
    a, b = trees.ends[rows].T
    half = box_algebra.half_axes(box)
    return image_distances(box[:, :3], half, a, b, motions)


def _normals(trees: Hierarchies, a: Array, b: Array, rows: Ints, diagonal: Array) -> Array:
    """Unit normals between centres; the relation's own where the centres are one."""
    between = a - b
    size = diagonal[trees.shape[trees.ends[rows, 0]]]
    far = np.linalg.norm(between, axis=1) > _CONCENTRIC * size
    normal = np.where(far[:, None], between, trees.params[rows, 3:6])
    return _unit(normal)


def directions(trees: Hierarchies, box: Array, rows: Ints, diagonal: Array) -> Array:
    """Unit normals of reflections between centres, and unit axes of rotations."""
    a, b = (box[trees.ends[rows, side], :3] for side in (0, 1))
    normal = _normals(trees, a, b, rows, diagonal)
    return np.where((trees.kind[rows] == REF)[:, None], normal, _unit(trees.params[rows, 3:6]))


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
