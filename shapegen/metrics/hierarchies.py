"""How well hierarchies were reconstructed: parts, labels and relations against the true ones.

Reference: Mo et al., *StructureNet*, 2019, section 5.2, and the authors' ``eval_recon_box.py``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shapegen.metrics.chamfer import PAIR_POINTS, surface_points
from shapegen.structures.correspondence import Correspondence, correspond
from shapegen.structures.part_tree import PartTree

Array = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class HierarchyFigures:
    """Figures of every pair of trees."""

    structure_distance: Array
    """Nodes without a partner, on both sides, over the number of true nodes."""
    edge_precision: Array
    edge_recall: Array
    matched: Ints
    """Matched nodes below the root."""
    predicted: Ints
    """Predicted nodes below the root."""
    true: Ints

    @property
    def exact(self) -> NDArray[np.bool_]:
        """Whether the trees of labels are equal, whatever the order of siblings."""
        return (self.matched == self.true) & (self.predicted == self.true)

    def means(self) -> dict[str, float]:
        """Means over the shapes; the shares of nodes are pooled.

        Returns:
            ``structure_distance``, ``edge_precision``, ``edge_recall``, ``node_precision``,
            ``node_recall``, ``node_f1`` (existence and label) and ``labelled_tree_exact_share``.
        """
        matched = float(self.matched.sum())
        ours, theirs = float(self.predicted.sum()), float(self.true.sum())
        return {
            "structure_distance": float(self.structure_distance.mean()),
            "edge_precision": float(self.edge_precision.mean()),
            "edge_recall": float(self.edge_recall.mean()),
            "node_precision": matched / ours if ours else 1.0,
            "node_recall": matched / theirs if theirs else 1.0,
            "node_f1": 2 * matched / (ours + theirs) if ours + theirs else 1.0,
            "labelled_tree_exact_share": float(self.exact.mean()),
        }


def hierarchy_figures(
    predicted: Sequence[PartTree],
    true: Sequence[PartTree],
    *,
    directed: bool = False,
    match: Correspondence | None = None,
) -> HierarchyFigures:
    """Compare hierarchies pair by pair.

    Children of matched nodes are matched within equal labels, by the least total of StructureNet's
    box loss. A true relation counts twice, once in either direction.

    Args:
        predicted: One tree for every true one.
        true: The same number.
        directed: Whether the predicted relations are listed in every direction that was predicted,
            as the authors' decoder does; otherwise each is listed once and stands for both.
        match: What :func:`~shapegen.structures.correspondence.correspond` says of them, if it was
            asked already.

    Raises:
        ValueError: No pairs, or other numbers of trees.
    """
    match = correspond(predicted, true) if match is None else match
    sizes = [np.array([len(tree) for tree in trees]) for trees in (predicted, true)]
    shape = np.repeat(np.arange(len(true)), sizes[1])
    matched = np.bincount(shape[match.predicted >= 0], minlength=len(true))
    precision, recall = np.ones(len(true)), np.ones(len(true))
    for number, (ours, theirs) in enumerate(zip(predicted, true, strict=True)):
        first, start = int(match.true_start[number]), int(match.predicted_start[number])
        partner = match.predicted[first : first + len(theirs)] - start
        listed = {(edge.a, edge.b, edge.kind) for edge in ours.edges}
        if not directed:
            listed |= {(b, a, kind) for a, b, kind in listed}
        hits = sum(
            pair in listed
            for edge in theirs.edges
            for pair in (
                (partner[edge.a], partner[edge.b], edge.kind),
                (partner[edge.b], partner[edge.a], edge.kind),
            )
        )
        if listed:
            precision[number] = hits / len(listed)
        if theirs.edges:
            recall[number] = hits / (2 * len(theirs.edges))
    return HierarchyFigures(
        structure_distance=(sizes[0] + sizes[1] - 2 * matched) / sizes[1],
        edge_precision=precision,
        edge_recall=recall,
        matched=matched - 1,
        predicted=sizes[0] - 1,
        true=sizes[1] - 1,
    )


def leaf_chamfers(
    predicted: Sequence[PartTree], true: Sequence[PartTree], *, points: int = PAIR_POINTS
) -> Array:
    """Chamfer distances ``(n,)`` of the leaves of pairs of trees, not squared."""
    from scipy.spatial import cKDTree

    values = []
    for pair in zip(predicted, true, strict=True):
        a, b = (surface_points(tree.boxes(), points) for tree in pair)
        values.append(0.5 * (cKDTree(b).query(a)[0].mean() + cKDTree(a).query(b)[0].mean()))
    return np.array(values)
