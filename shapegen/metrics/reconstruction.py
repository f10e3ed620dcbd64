"""How well shapes were reconstructed: structure against structure, boxes against boxes.

``matched(pairs)`` takes box arrays only; ``structure(pairs)`` takes merge trees::

    figures = matched([(predicted.boxes(), true.boxes()) for ...])["matched_rmse"]

``predicted`` may be None: a code that did not decode. Such a shape has no box figures, and counts
as wrong in the structural ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shapegen.core.boxes import as_boxes
from shapegen.metrics.boxes import box_set_distance, corner_distance
from shapegen.structures import symmetry
from shapegen.structures.merge_tree import BOX, SYM, MergeTree

Array = NDArray[np.float64]
BoxPair = tuple[Array | None, Array]
MATCHED = (
    "matched_rmse",
    "matched_mean",
    "matched_rmse_pooled",
    "missing_boxes",
    "extra_boxes",
    "count_mae",
    "count_equal_share",
    "box_set_distance",
)
TreePair = tuple[MergeTree | None, MergeTree]


@dataclass(frozen=True)
class _Aligned:
    """Nodes of the true tree against those of the predicted one at the same places."""

    prefix: int
    """Right node types before the first wrong one, root first, right child first."""
    right: int
    """Nodes whose own type and all ancestors' types are right."""
    total: int
    syms: tuple[tuple[int, int], ...]
    """SYM nodes among the right ones, as (predicted, true) positions."""


def matched_distances(predicted: Array, true: Array) -> Array:
    """Corner distances of matched boxes: all of the smaller set, least total, no penalty."""
    from scipy.optimize import linear_sum_assignment

    distance = corner_distance(predicted, true)
    rows, columns = linear_sum_assignment(distance)
    values: Array = distance[rows, columns]
    return values


def matched(pairs: Sequence[BoxPair]) -> dict[str, float]:
    """Box figures of (predicted, true) shapes ``(n, 12)``, ``(m, 12)``.

    Returns:
        ``matched_rmse`` and ``matched_mean`` (a shape, then their mean), ``matched_rmse_pooled``
        (all matched boxes alike), ``missing_boxes`` and ``extra_boxes`` a shape, ``count_mae``,
        ``count_equal_share``, ``box_set_distance``; NaN if no shape was decoded.

    Raises:
        ValueError: No pairs, or a shape without boxes.
    """
    _refuse_none(pairs)
    decoded = [(as_boxes(ours), as_boxes(true)) for ours, true in pairs if ours is not None]
    if not decoded:
        return dict.fromkeys(MATCHED, float("nan"))
    if not all(len(ours) and len(true) for ours, true in decoded):
        raise ValueError("a shape has no boxes; at least one is needed")
    distances = [matched_distances(ours, true) for ours, true in decoded]
    surplus = np.array([len(ours) - len(true) for ours, true in decoded])
    values = (
        np.mean([np.sqrt((part**2).mean()) for part in distances]),
        np.mean([part.mean() for part in distances]),
        np.sqrt((np.concatenate(distances) ** 2).mean()),
        np.maximum(-surplus, 0).mean(),
        np.maximum(surplus, 0).mean(),
        np.abs(surplus).mean(),
        (surplus == 0).mean(),
        np.mean([box_set_distance(ours, true) for ours, true in decoded]),
    )
    return {name: float(value) for name, value in zip(MATCHED, values, strict=True)}


def structure(pairs: Sequence[TreePair]) -> dict[str, float]:
    """Structural figures of (predicted, true) merge trees.

    Returns:
        ``op_sequence_exact_share``: trees with all node types right. ``node_prefix_share``:
        nodes before the first wrong type, in pre-order, right child first, of all true nodes.
        ``node_ancestor_share``: nodes whose own type and all ancestors' are right.
        ``sym_type_unexpanded_share``: predicted symmetries whose type is .15 or more off every
        kind, which the authors' code drops in silence. ``symmetry_kind_share``: right kind, of
        the SYM nodes at right places. ``symmetry_error``: there, mean corner distance between the
        images of the true generator under the predicted and the true symmetry. Both are NaN where
        there is nothing to judge.
    """
    _refuse_none(pairs)
    aligned = [_align(ours, true) for ours, true in pairs]
    total = sum(part.total for part in aligned)
    syms = [ours.syms for ours, _ in pairs if ours is not None and len(ours.syms)]
    types = np.concatenate(syms)[:, 0] if syms else np.zeros(0)
    kinds, errors = _symmetry_errors(pairs, aligned)
    return {
        "op_sequence_exact_share": float(np.mean([part.prefix == part.total for part in aligned])),
        "node_prefix_share": sum(part.prefix for part in aligned) / total,
        "node_ancestor_share": sum(part.right for part in aligned) / total,
        "sym_type_unexpanded_share": float(unexpanded(types).mean()) if len(types) else 0.0,
        "symmetry_kind_share": _mean(kinds),
        "symmetry_error": _mean(errors),
    }


def unexpanded(types: Array) -> NDArray[np.bool_]:
    """Whether symmetry types ``(n,)`` are too far from every kind for the authors' code."""
    off: Array = np.abs(types[:, None] - np.array([-1.0, 0.0, 1.0])).min(1)
    return off >= symmetry.OFFICIAL_TOLERANCE


def _align(ours: MergeTree | None, true: MergeTree) -> _Aligned:
    if ours is None:
        return _Aligned(0, 0, len(true), ())
    ordered = [tree.ops[tree.preorder()] for tree in (ours, true)]
    size = min(map(len, ordered))
    wrong = np.flatnonzero(ordered[0][:size] != ordered[1][:size])
    our_children, true_children = ours.children(), true.children()
    right, syms = 0, []
    stack = [(len(ours) - 1, len(true) - 1)]
    while stack:
        a, b = stack.pop()
        if ours.ops[a] != true.ops[b]:
            continue
        right += 1
        if true.ops[b] == SYM:
            syms.append((a, b))
        stack.extend(zip(our_children[a], true_children[b], strict=True))
    return _Aligned(int(wrong[0]) if len(wrong) else size, right, len(true), tuple(syms))


def _symmetry_errors(
    pairs: Sequence[TreePair], aligned: Sequence[_Aligned]
) -> tuple[list[bool], list[float]]:
    kinds: list[bool] = []
    errors: list[float] = []
    for (ours, true), part in zip(pairs, aligned, strict=True):
        for a, b in part.syms:
            assert ours is not None
            vectors = [tree.syms[_row(tree, node)] for tree, node in ((ours, a), (true, b))]
            snapped = [float(symmetry.kinds(vector[None])[0]) for vector in vectors]
            kinds.append(snapped[0] == snapped[1])
            if kinds[-1]:
                images = [_image(_generator(true, b), vector) for vector in vectors]
                errors.append(float(np.diag(corner_distance(*images)).mean()))
    return kinds, errors


def _row(tree: MergeTree, node: int) -> int:
    return int((tree.ops[:node] == SYM).sum())


def _generator(tree: MergeTree, node: int) -> Array:
    """Boxes under a node: in post-order a subtree is a run that ends at its root."""
    children, first = tree.children(), node
    while children[first]:
        first = children[first][-1]
    rows = np.cumsum(tree.ops == BOX) - 1
    inside = np.arange(first, node + 1)
    boxes: Array = tree.boxes[rows[inside[tree.ops[inside] == BOX]]]
    return boxes


def _image(boxes: Array, vector: Array) -> Array:
    """First copies of boxes under a symmetry of the nearest kind."""
    vectors = np.repeat(vector[None], len(boxes), axis=0)
    vectors[:, 0] = symmetry.kinds(vectors)
    # The official reading takes the angle from the vector, whatever the number of copies.
    both, _ = symmetry.expand(boxes, vectors, official=True, counts=np.ones(len(boxes)))
    images: Array = both[1::2]
    return images


def _refuse_none(pairs: Sequence[object]) -> None:
    if not len(pairs):
        raise ValueError("reconstruction figures need at least one shape; got none")


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if len(values) else float("nan")
