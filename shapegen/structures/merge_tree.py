"""GRASS's binary merge trees: boxes joined by adjacency and folded by symmetry."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from shapegen.core import boxes as box_algebra

if TYPE_CHECKING:
    from typing import Self

BOX, ADJ, SYM = 0, 1, 2
"""Node types: a leaf box, the union of two parts, a part repeated by a symmetry."""

ROTATIONAL, TRANSLATIONAL, REFLECTIVE = -1.0, 0.0, 1.0
"""First entry of a symmetry vector."""


@dataclass(frozen=True, eq=False)
class MergeTree:
    """One shape as a binary tree in post-order: children before parents, the root last.

    Reference: Li et al., *GRASS: Generative Recursive Autoencoders for Shape Structures*, 2017,
    section 3; the arrays are those of the authors' data files.
    """

    ops: NDArray[np.int64]
    """``(n,)``: BOX, ADJ or SYM in post-order. ADJ pops its left child, then its right one."""
    boxes: NDArray[np.float64]
    """``(b, 12)``: one row a BOX in the order of ``ops``."""
    syms: NDArray[np.float64]
    """``(s, 8)``: one row a SYM. Type -1 rotational: axis 3, centre 3, 1 / folds. Type 0
    translational: step 3, end position 3, 0. Type 1 reflective: normal 3, point 3, 0."""
    labels: tuple[str, ...] = ()
    """Full semantic label of every BOX in the order of ``ops``; empty where there are none."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "ops", np.asarray(self.ops, dtype=np.int64))
        object.__setattr__(self, "boxes", box_algebra.as_boxes(self.boxes))
        syms = np.asarray(self.syms, dtype=np.float64).reshape(-1, 8)
        object.__setattr__(self, "syms", syms)
        _check(self)

    def __len__(self) -> int:
        return len(self.ops)

    def children(self) -> list[tuple[int, ...]]:
        """Child positions of every node: () of a BOX, (left, right) of an ADJ, (one,) of a SYM."""
        stack: list[int] = []
        children: list[tuple[int, ...]] = []
        for node, op in enumerate(self.ops.tolist()):
            if op == BOX:
                children.append(())
            elif op == ADJ:
                left = stack.pop()
                children.append((left, stack.pop()))
            else:
                children.append((stack.pop(),))
            stack.append(node)
        return children

    def preorder(self) -> list[int]:
        """Positions from the root down, right child first: the free decoder's order."""
        children = self.children()
        order: list[int] = []
        stack = [len(self) - 1]
        while stack:
            node = stack.pop()
            order.append(node)
            stack.extend(children[node])
        return order

    def transformed(
        self,
        *,
        rotation: ArrayLike | None = None,
        scale: float = 1.0,
        translation: ArrayLike = (0.0, 0.0, 0.0),
    ) -> Self:
        """Map points by ``x -> scale * rotation @ x + translation``, symmetries included."""
        matrix = np.eye(3) if rotation is None else np.asarray(rotation, dtype=np.float64)
        offset = np.asarray(translation, dtype=np.float64)
        syms = self.syms.copy()
        step = self.syms[:, 0] == TRANSLATIONAL
        syms[:, 1:4] = self.syms[:, 1:4] @ matrix.T * np.where(step, scale, 1.0)[:, None]
        syms[:, 4:7] = scale * self.syms[:, 4:7] @ matrix.T + offset
        boxes = box_algebra.transformed(
            self.boxes, rotation=matrix, scale=scale, translation=offset
        )
        return replace(self, boxes=boxes, syms=syms)


def pad(
    trees: Sequence[MergeTree],
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """Stack trees into the layout of GRASS's files: ops padded with -1, boxes and syms with 0."""
    ops = np.full((len(trees), max(map(len, trees))), -1)
    boxes = np.zeros((len(trees), max(len(tree.boxes) for tree in trees), 12))
    syms = np.zeros((len(trees), max(len(tree.syms) for tree in trees), 8))
    for row, tree in enumerate(trees):
        ops[row, : len(tree)] = tree.ops
        boxes[row, : len(tree.boxes)] = tree.boxes
        syms[row, : len(tree.syms)] = tree.syms
    return ops, boxes, syms


def _check(tree: MergeTree) -> None:
    counts = np.bincount(tree.ops.clip(0), minlength=3)
    if not len(tree.ops) or tree.ops.min() < 0 or len(counts) != 3:
        raise ValueError(f"ops must be 0 (box), 1 (adjacency) or 2 (symmetry); got {tree.ops}")
    if counts[BOX] != len(tree.boxes) or counts[SYM] != len(tree.syms):
        raise ValueError(
            f"ops name {counts[BOX]} boxes and {counts[SYM]} symmetries; "
            f"got {len(tree.boxes)} and {len(tree.syms)}"
        )
    if tree.labels and len(tree.labels) != len(tree.boxes):
        raise ValueError(f"one label a box ({len(tree.boxes)}) or none; got {len(tree.labels)}")
    height = np.cumsum(np.select([tree.ops == BOX, tree.ops == ADJ], [1, -1], 0))
    if (height < 1).any() or height[-1] != 1:
        raise ValueError(f"ops must be one tree in post-order; got {tree.ops.tolist()}")
    if not (np.isfinite(tree.boxes).all() and np.isfinite(tree.syms).all()):
        raise ValueError("boxes and symmetries must be finite; got NaN or infinity")
