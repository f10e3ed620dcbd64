"""Part trees: an n-ary hierarchy of oriented boxes with labels and sibling relations."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from shapegen.core import boxes as box_algebra

if TYPE_CHECKING:
    from pathlib import Path

    import torch

    from shapegen.scene import Scene
    from shapegen.structures.merge_tree import MergeTree

FRONTS: dict[str, NDArray[np.float64]] = {
    "+z": np.eye(3),
    "+x": np.array([[0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [-1.0, 0.0, 0.0]]),
}
"""Rotations from the frame of the toolkit (y up, x left-right, front +z) to one whose front is
the key; GRASS's chairs face +x."""


class RelationKind(StrEnum):
    """The four relations of siblings (StructureNet, section 3.1)."""

    ADJ = "ADJ"
    REF_SYM = "REF_SYM"
    TRANS_SYM = "TRANS_SYM"
    ROT_SYM = "ROT_SYM"


PARAMETER_COUNTS = {
    RelationKind.ADJ: 0,
    RelationKind.REF_SYM: 6,
    RelationKind.TRANS_SYM: 3,
    RelationKind.ROT_SYM: 7,
}


@dataclass(frozen=True, slots=True)
class Relation:
    """A relation between two siblings; a symmetry maps ``a`` onto ``b``."""

    kind: RelationKind
    a: int
    """Node number of the first part in its tree."""
    b: int
    """Node number of the second part."""
    params: tuple[float, ...] = ()
    """REF_SYM: a point of the plane 3, unit normal 3. TRANS_SYM: vector 3. ROT_SYM: pivot 3, unit
    axis 3, angle in radians (right-hand rule). ADJ: none."""
    dist: float | None = None
    """How far from exact the relation was in the source file, in that file's measure."""


@dataclass(frozen=True, eq=False)
class PartTree:
    """One shape: nodes in depth-first order (a parent before its children, the root first).

    Frame: y up, x left-right, and the front towards ``front``; units are those of the data.
    """

    box: NDArray[np.float64]
    """``(n, 12)``: centre, full lengths, x direction, y direction."""
    parent: NDArray[np.int64]
    """``(n,)``: number of the parent node, -1 for the root."""
    label: tuple[str, ...]
    """Full label of every node, from the root's: ``"chair/chair_base/leg"``."""
    edges: tuple[Relation, ...] = ()
    """Relations of siblings, each listed once."""
    instance: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    """``(n,)``: the source's id of every node, unique in the tree; default 0..n-1."""
    name: str = ""
    """The source's id of the shape."""
    front: str = "+z"
    merge: MergeTree | None = None
    """The binary merge hierarchy that the tree was read from or decoded by, in the same frame."""
    part_points: NDArray[np.floating[Any]] | None = None
    """``(n, p, 3)``: equally many points of every node, inner nodes included, where there are
    any, as float32. They move with the shape; whoever changes the boxes drops them."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "box", box_algebra.as_boxes(self.box))
        if self.part_points is not None:
            points = np.ascontiguousarray(self.part_points, dtype=np.float32)
            object.__setattr__(self, "part_points", points)
        object.__setattr__(self, "parent", np.asarray(self.parent, dtype=np.int64))
        object.__setattr__(self, "label", tuple(self.label))
        object.__setattr__(self, "edges", tuple(self.edges))
        if not len(self.instance):
            object.__setattr__(self, "instance", np.arange(len(self.box)))
        _check(self)

    def __len__(self) -> int:
        return len(self.box)

    @property
    def children(self) -> tuple[tuple[int, ...], ...]:
        """Child numbers of every node, in order."""
        lists: list[list[int]] = [[] for _ in self.parent]
        for node, parent in enumerate(self.parent.tolist()):
            if parent >= 0:
                lists[parent].append(node)
        return tuple(tuple(children) for children in lists)

    @property
    def is_leaf(self) -> NDArray[np.bool_]:
        """``(n,)``: whether a node has no children."""
        mask = np.ones(len(self.parent), dtype=bool)
        mask[self.parent[1:]] = False
        return mask

    @property
    def depth(self) -> NDArray[np.int64]:
        """``(n,)``: edges from the root to every node."""
        depth = np.zeros(len(self.parent), dtype=np.int64)
        for node, parent in enumerate(self.parent.tolist()):
            if parent >= 0:
                depth[node] = depth[parent] + 1
        return depth

    def boxes(self, leaves_only: bool = True) -> NDArray[np.float64]:
        """Boxes ``(k, 12)`` of the leaves, or of all nodes, in node order."""
        return self.box[self.is_leaf] if leaves_only else self.box

    def labels(self, leaves_only: bool = True) -> list[str]:
        """Full labels of the leaves, or of all nodes, in node order."""
        if not leaves_only:
            return list(self.label)
        return [label for label, leaf in zip(self.label, self.is_leaf, strict=True) if leaf]

    def relations(self) -> list[Relation]:
        """Relations of siblings; ``a`` and ``b`` are node numbers in the whole tree."""
        return list(self.edges)

    def points(self, n: int, rng: torch.Generator | None = None) -> NDArray[np.float64]:
        """Draw ``n`` points ``(n, 3)`` uniformly from the outer surface of the leaves' union."""
        from shapegen.structures.surface import sample_union

        return sample_union(self.boxes(), n, rng=rng)

    def transformed(
        self,
        *,
        rotation: ArrayLike | None = None,
        scale: float = 1.0,
        translation: ArrayLike = (0.0, 0.0, 0.0),
    ) -> PartTree:
        """Map the shape by ``x -> scale * rotation @ x + translation``, relations included.

        ``front`` stays: turn a shape to another front with :meth:`facing`.
        """
        matrix = np.eye(3) if rotation is None else np.asarray(rotation, dtype=np.float64)
        if matrix.shape != (3, 3) or not np.allclose(matrix @ matrix.T, np.eye(3), atol=1e-6):
            raise ValueError(
                f"rotation must be an orthogonal (3, 3) matrix; got {matrix.tolist()}"
            )
        if not scale > 0:
            raise ValueError(f"scale must be positive; got {scale}")
        offset = np.asarray(translation, dtype=np.float64)
        edges = tuple(
            replace(edge, params=_moved_params(edge, matrix, scale, offset)) for edge in self.edges
        )
        motion: dict[str, Any] = {"rotation": matrix, "scale": scale, "translation": offset}
        points = self.part_points
        return replace(
            self,
            box=box_algebra.transformed(self.box, **motion),
            edges=edges,
            merge=None if self.merge is None else self.merge.transformed(**motion),
            part_points=None if points is None else scale * points @ matrix.T + offset,
        )

    def facing(self, front: str) -> PartTree:
        """Turn the shape about the up axis to the given front, ``"+z"`` or ``"+x"``."""
        if front not in FRONTS:
            raise ValueError(f"front must be one of {sorted(FRONTS)}; got {front!r}")
        if front == self.front:
            return self
        turned = self.transformed(rotation=FRONTS[front] @ FRONTS[self.front].T)
        return replace(turned, front=front)

    def normalised(self) -> PartTree:
        """Move the leaves' bounding box to the origin and scale its diagonal to 1."""
        low, high = box_algebra.bounds(self.boxes())
        scale = 1.0 / max(float(np.linalg.norm(high - low)), 1e-12)
        return self.transformed(scale=scale, translation=-scale * 0.5 * (low + high))

    def tree(self, *, numbers: bool = False) -> str:
        """The hierarchy as text, a node a line, with the relations below their parent."""
        from shapegen.structures.pretty import tree_text

        return tree_text(self, numbers=numbers)

    def to_scene(self) -> Scene:
        """Lower to the primitives that every viewer and exporter reads (front +z)."""
        from shapegen.structures.lowering import part_tree_scene

        return part_tree_scene(self)

    def _repr_html_(self) -> str:
        """What a notebook displays: the shape to turn and take apart."""
        from shapegen.formats.html import notebook_html

        return notebook_html(PartTrees([self]))

    def write(self, path: str | Path) -> None:
        """Write one file; its extension says the format: json, npz, glb, obj, ply, usda, ..."""
        from shapegen.structures.files import write_part_trees

        write_part_trees(PartTrees([self]), path)


class PartTrees(Sequence[PartTree]):
    """A batch of part trees."""

    def __init__(self, trees: Sequence[PartTree]) -> None:
        self._trees = tuple(trees)

    @classmethod
    def join(cls, batches: Sequence[PartTrees]) -> PartTrees:
        """One batch from several."""
        return cls([tree for batch in batches for tree in batch])

    def __len__(self) -> int:
        return len(self._trees)

    @overload
    def __getitem__(self, index: int) -> PartTree: ...

    @overload
    def __getitem__(self, index: slice | Sequence[int]) -> PartTrees: ...

    def __getitem__(self, index: int | slice | Sequence[int]) -> PartTree | PartTrees:
        if isinstance(index, slice):
            return PartTrees(self._trees[index])
        if isinstance(index, Sequence):
            return PartTrees([self._trees[each] for each in index])
        return self._trees[index]

    def __iter__(self) -> Iterator[PartTree]:
        return iter(self._trees)

    def __repr__(self) -> str:
        nodes = sum(map(len, self._trees))
        return f"PartTrees({len(self)} shapes, {nodes} nodes)"

    def to_scene(self) -> Scene:
        """All shapes side by side in one scene."""
        from shapegen.structures.lowering import part_trees_scene

        return part_trees_scene(self)

    def _repr_html_(self) -> str:
        """What a notebook displays: the shapes to turn and take apart."""
        from shapegen.formats.html import notebook_html

        return notebook_html(self)

    def write(self, path: str | Path) -> None:
        """Write all shapes; the extension says the format, and a folder gets a file a shape."""
        from shapegen.structures.files import write_part_trees

        write_part_trees(self, path)


def trees_facing(front: str, shapes: Sequence[Any]) -> list[PartTree]:
    """Part trees, at least one, turned to a front; as :meth:`PartTree.facing`.

    Raises:
        TypeError: Shapes of another kind.
        ValueError: No shapes.
    """
    for shape in shapes:
        if not isinstance(shape, PartTree):
            raise TypeError(f"part trees are needed; one is {type(shape).__name__}")
    if not len(shapes):
        raise ValueError("no shapes were given; at least one is needed")
    return [shape.facing(front) for shape in shapes]


def _check(tree: PartTree) -> None:
    n = len(tree.box)
    if n == 0:
        raise ValueError("a part tree needs at least one node; got none")
    for name, count in (
        ("parent", len(tree.parent)),
        ("label", len(tree.label)),
        ("instance", len(tree.instance)),
    ):
        if count != n:
            raise ValueError(f"{name} must have one entry a node ({n}); got {count}")
    if not np.isfinite(tree.box).all():
        node = int(np.argwhere(~np.isfinite(tree.box))[0, 0])
        raise ValueError(f"boxes must be finite; got {tree.box[node].tolist()} at node {node}")
    _check_points(tree)
    order = np.arange(n)
    if tree.parent[0] != -1 or (tree.parent[1:] < 0).any() or (tree.parent >= order).any():
        raise ValueError("parents must come before their children, one root first (parent -1)")
    if tree.front not in FRONTS:
        raise ValueError(f"front must be one of {sorted(FRONTS)}; got {tree.front!r}")
    for edge in tree.edges:
        if not (0 <= edge.a < n and 0 <= edge.b < n):
            raise ValueError(f"a relation must link nodes 0..{n - 1}; got {edge.a}, {edge.b}")
        if tree.parent[edge.a] != tree.parent[edge.b] or edge.a == edge.b:
            raise ValueError(f"a relation must link two siblings; got {edge.a}, {edge.b}")
        if len(edge.params) != PARAMETER_COUNTS[edge.kind]:
            raise ValueError(
                f"{edge.kind} takes {PARAMETER_COUNTS[edge.kind]} parameters; "
                f"got {len(edge.params)}"
            )


def _check_points(tree: PartTree) -> None:
    points = tree.part_points
    if points is None:
        return
    if points.ndim != 3 or len(points) != len(tree) or not points.shape[1] or points.shape[2] != 3:
        raise ValueError(
            f"points must be (nodes, points, 3), {len(tree)} nodes here; got {points.shape}"
        )
    if not np.isfinite(points).all():
        node = int(np.argwhere(~np.isfinite(points))[0, 0])
        raise ValueError(f"points must be finite; got NaN or infinity at node {node}")


def _moved_params(
    edge: Relation, matrix: NDArray[np.float64], scale: float, offset: NDArray[np.float64]
) -> tuple[float, ...]:
    values = np.asarray(edge.params, dtype=np.float64)
    if edge.kind is RelationKind.ADJ:
        return ()
    if edge.kind is RelationKind.TRANS_SYM:
        return tuple((scale * matrix @ values).tolist())
    point = scale * matrix @ values[:3] + offset
    direction = matrix @ values[3:6]
    if edge.kind is RelationKind.REF_SYM:
        return (*point.tolist(), *direction.tolist())
    # A reflection turns a rotation by +angle about the moved axis into one by -angle.
    turn = float(values[6] * np.sign(np.linalg.det(matrix)))
    return (*point.tolist(), *direction.tolist(), turn)
