"""How well related parts keep their relations: the binary differences of StructureNet.

Reference: Mo et al., *StructureNet*, 2019, section 5.2, and the authors' ``eval_recon_box.py``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from shapegen.metrics.chamfer import BOX_POINTS, points_of_each
from shapegen.structures.box_points import frames, quaternion_boxes
from shapegen.structures.box_symmetry import symmetries
from shapegen.structures.correspondence import Correspondence, correspond
from shapegen.structures.part_tree import PartTree, RelationKind
from shapegen.structures.tree_batch import KIND_NUMBER

Array = NDArray[np.float64]
Ints = NDArray[np.int64]

_ADJACENT = KIND_NUMBER[RelationKind.ADJ]


class RelationErrors(NamedTuple):
    """Mean error of the relations of every shape; NaN where there is none."""

    predicted: Array
    """Of the predicted relations, as listed."""
    true: Array
    """Of the true relations between parts that were both predicted, measured on the predicted
    parts that they were matched to; relations of missing parts are left to the recall."""

    def means(self) -> dict[str, float]:
        """``pred_binary_diff`` and ``gt_binary_diff``: means over the shapes that have any."""
        return {
            name: float(values[~np.isnan(values)].mean()) if not np.isnan(values).all() else np.nan
            for name, values in (
                ("pred_binary_diff", self.predicted),
                ("gt_binary_diff", self.true),
            )
        }


def relation_errors(
    predicted: Sequence[PartTree],
    true: Sequence[PartTree],
    *,
    match: Correspondence | None = None,
) -> RelationErrors:
    """Geometric errors of relations on the predicted boxes (:func:`relation_distances`).

    Args:
        predicted: One tree for every true one.
        true: The same number.
        match: What :func:`~shapegen.structures.correspondence.correspond` says of them, if it was
            asked already.

    Raises:
        ValueError: No pairs, or other numbers of trees.
    """
    match = correspond(predicted, true) if match is None else match
    boxes = np.concatenate([tree.box for tree in predicted])
    own = _listed(predicted, match.predicted_start)
    wanted = _listed(true, match.true_start)
    wanted[:, 1:3] = match.predicted[wanted[:, 1:3]]
    wanted = wanted[(wanted[:, 1:3] >= 0).all(1)]
    # Most true relations are predicted ones too: every one is measured once.
    unique, number = np.unique(np.concatenate([own, wanted])[:, 1:], axis=0, return_inverse=True)
    error = relation_distances(boxes, unique)[number.ravel()]
    return RelationErrors(
        _mean_of_each(error[: len(own)], own[:, 0], len(true)),
        _mean_of_each(error[len(own) :], wanted[:, 0], len(true)),
    )


def relation_distances(boxes: Array, relations: Ints) -> Array:
    """Error ``(e,)`` of every relation, in the unit of the boxes.

    Of adjacent parts it is the smallest distance between surface points of either, ``BOX_POINTS``
    a box; of symmetric ones half the sum of the mean nearest distances between those of the second
    part and those of the first, moved by the symmetry that the two boxes themselves suggest. The
    points are those of :func:`~shapegen.metrics.chamfer.surface_points`, always the same. That
    does not make the error of a perfect relation 0: parts that touch need have no sample in
    common, and the mirror image of a sample is not always one. The data's own figure says how
    much that is. Rotations are estimated about the boxes' axes, in both senses (the authors'
    code takes rows of the matrices for the axes, and no sense).

    Args:
        boxes: ``(n, 12)``.
        relations: ``(e, 3)``: rows of both parts, and the kind as in
            :data:`~shapegen.structures.tree_batch.KIND_NUMBER`.
    """
    from scipy.spatial import cKDTree

    if not len(relations):
        return np.empty(0)
    first, second, kind = relations.T
    used = np.unique(relations[:, :2])
    points = dict(zip(used.tolist(), points_of_each(boxes[used], BOX_POINTS), strict=True))
    found = {node: cKDTree(cloud) for node, cloud in points.items()}
    moves = _motions(boxes, relations)
    errors = np.empty(len(relations))
    for row, (a, b) in enumerate(zip(first.tolist(), second.tolist(), strict=True)):
        if kind[row] == _ADJACENT:
            errors[row] = found[b].query(points[a])[0].min()
            continue
        linear, offset = moves[row, :, :3], moves[row, :, 3]
        there = found[b].query(points[a] @ linear.T + offset)[0].mean()
        # The motion keeps distances: back is there, seen from the first part.
        back = found[a].query((points[b] - offset) @ linear)[0].mean()
        errors[row] = 0.5 * (there + back)
    return errors


def _motions(boxes: Array, relations: Ints) -> Array:
    """The estimated symmetry ``(e, 3, 4)`` of every relation; arbitrary for adjacent parts."""
    parts = frames(quaternion_boxes(torch.from_numpy(boxes)))
    first, second, kind = torch.from_numpy(relations).unbind(1)
    found = symmetries(kind, parts.pick(first), parts.pick(second), official=False)
    return found.numpy()


def _listed(trees: Iterable[PartTree], start: Ints) -> Ints:
    """All relations ``(e, 4)``: shape, rows of both parts in one numbering, kind."""
    rows = [
        (shape, edge.a + first, edge.b + first, KIND_NUMBER[edge.kind])
        for shape, (tree, first) in enumerate(zip(trees, start.tolist(), strict=True))
        for edge in tree.edges
    ]
    return np.array(rows, dtype=np.int64).reshape(-1, 4)


def _mean_of_each(values: Array, shape: Ints, shapes: int) -> Array:
    count = np.bincount(shape, minlength=shapes)
    total = np.bincount(shape, values, minlength=shapes)
    means: Array = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    return means
