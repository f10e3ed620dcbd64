"""Decoded shapes as proposals for what stands around fixed parts.

A decoded shape is stretched so that its parts lie where their fixed counterparts do. The nearest
ones get the fixed parts themselves, and exact copies of them in place of their images.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from shapegen.core import boxes as box_algebra
from shapegen.structures.correspondence import correspond
from shapegen.structures.holding import Draft
from shapegen.structures.motion import corner_distances
from shapegen.structures.part_tree import PartTree
from shapegen.structures.projection import refine_relations, with_best_relations
from shapegen.structures.stability import shape_diagonal
from shapegen.structures.subtrees import (
    ancestors,
    below,
    grafted,
    images,
    mask_below,
    pruned,
    subtree,
)

Array = NDArray[np.float64]
Ints = NDArray[np.int64]

_MISSING = 0.3
"""What a fixed part without a counterpart counts for, in diagonals of the shape."""
_STAY = 0.1
"""Weight of a proposal's own bounds, against a fixed part's, when it is stretched."""
_STRETCHED = 0.5
"""What the misfit before stretching counts beside the one after: little should be stretched."""
_MOST_STRETCH = 2.0
"""Or one over it."""


def proposals(
    decoded: Sequence[PartTree], shape: PartTree, roots: Sequence[int], most: int
) -> list[Draft]:
    """Put the fixed parts of a shape in the place of those of decoded ones.

    Args:
        decoded: Shapes of the same category, facing the same way.
        shape: The one whose parts are fixed.
        roots: The topmost fixed nodes; not the root.
        most: Number of proposals that are wanted: the best fitting, in the order given.
    """
    if not decoded:
        return []
    match = correspond(decoded, [shape] * len(decoded))
    found = match.predicted.reshape(len(decoded), len(shape))
    partner = np.where(found >= 0, found - match.predicted_start[:, None], -1)
    misfit = [
        _misfit(_aligned(tree, rows, shape, roots), rows, shape, roots)
        + _STRETCHED * _misfit(tree, rows, shape, roots)
        for tree, rows in zip(decoded, partner, strict=True)
    ]
    # In the order of their draws: the very nearest are the least surprising.
    nearest = sorted(np.argsort(misfit, kind="stable")[:most].tolist())
    # Their own relations first: what replaces an image must be an exact one.
    chosen = refine_relations([decoded[number] for number in nearest]).trees
    rows = partner[nearest]
    aligned = [_aligned(*each, shape, roots) for each in zip(chosen, rows, strict=True)]
    return [
        _draft(*each, shape, roots)
        for each in zip(with_best_relations(aligned), rows, strict=True)
    ]


def _aligned(tree: PartTree, partner: Ints, shape: PartTree, roots: Sequence[int]) -> PartTree:
    """A decoded shape stretched along the axes until its parts come near the fixed ones.

    Each axis has a scale and an offset, by least squares over the bounds of the parts; the
    shape's own bounds hold it back.
    """
    matched = [node for node in roots if partner[node] >= 0]
    pairs = [(_bounds(tree, int(partner[node])), _bounds(shape, node)) for node in matched]
    own = box_algebra.bounds(tree.boxes())
    before = np.concatenate([*(a for a, _ in pairs), own])
    after = np.concatenate([*(b for _, b in pairs), own])
    weight = np.repeat([*[1.0] * len(pairs), _STAY], 2)[:, None]
    middle = [(weight * side).sum(0) / weight.sum() for side in (before, after)]
    from_, to = before - middle[0], after - middle[1]
    scale = (weight * from_ * to).sum(0) / np.maximum((weight * from_**2).sum(0), 1e-12)
    scale = np.clip(scale, 1 / _MOST_STRETCH, _MOST_STRETCH)
    box = box_algebra.stretched(tree.box, np.diag(scale), middle[1] - scale * middle[0])
    return replace(tree, box=box)


def _bounds(tree: PartTree, node: int) -> Array:
    return box_algebra.bounds(subtree(tree, node).boxes())


def _misfit(aligned: PartTree, partner: Ints, shape: PartTree, roots: Sequence[int]) -> float:
    """Mean corner distance of the fixed parts from their counterparts, in diagonals."""
    there = [node for node in roots if partner[node] >= 0]
    apart = corner_distances(aligned.box[partner[there]], shape.box[there]).sum()
    missing = _MISSING * (len(roots) - len(there))
    return float(apart / shape_diagonal(shape.boxes()) + missing) / len(roots)


def _draft(aligned: PartTree, partner: Ints, shape: PartTree, roots: Sequence[int]) -> Draft:
    """The decoded shape with the fixed parts, and images of them, in place of its own."""
    there = {int(partner[node]): node for node in roots if partner[node] >= 0}
    pieces = {own: subtree(shape, node) for own, node in there.items()}
    blocked = {above for own in there for above in [own, *ancestors(aligned, own)]}
    # Where a fixed part without a counterpart goes must stay, too.
    blocked |= {int(partner[above]) for node in roots for above in ancestors(shape, node)}
    for own, node in there.items():
        for other, motion in images(aligned, own).items():
            if other in blocked or _overlaps(aligned, other, pieces):
                continue
            pieces[other] = subtree(shape, node).transformed(
                rotation=motion.matrix, translation=motion.offset
            )
    missing = _missing(shape, roots, partner)
    result = grafted(aligned, pieces, [(owner, piece) for owner, piece, _ in missing])
    number = {node: result.place[own] for own, node in there.items()}
    for start, (_, _, nodes) in zip(result.added, missing, strict=True):
        number |= {node: start + row for node, row in nodes.items()}
    return _numbered(result.tree, shape, number)


def _overlaps(tree: PartTree, node: int, others: Iterable[int]) -> bool:
    own = below(tree, node)
    return any(node in below(tree, other) or other in own for other in others)


def _missing(
    shape: PartTree, roots: Sequence[int], partner: Ints
) -> list[tuple[int, PartTree, dict[int, int]]]:
    """Fixed parts without a counterpart: where they go, with the parts above that miss too.

    Of every piece the number of the parent, the piece, and the places of fixed parts in it.
    """
    tops: dict[int, list[int]] = {}
    for node in roots:
        if partner[node] < 0:
            path = [node, *ancestors(shape, node)]
            top = next(a for a, b in itertools.pairwise(path) if partner[b] >= 0)
            tops.setdefault(top, []).append(node)
    found = []
    for top, nodes in tops.items():
        kept = mask_below(shape, nodes)
        kept[sorted({above for node in nodes for above in ancestors(shape, node)})] = True
        row = np.cumsum(kept) - 1
        piece = subtree(pruned(shape, kept), int(row[top]))
        places = {node: int(row[node] - row[top]) for node in nodes}
        found.append((int(partner[shape.parent[top]]), piece, places))
    return found


def _numbered(tree: PartTree, shape: PartTree, number: dict[int, int]) -> Draft:
    """The draft of a shape in which fixed parts have new numbers, with the shape's relations."""
    held = mask_below(tree, number.values())
    new_of = {
        old + step: new + step
        for old, new in number.items()
        for step in range(len(below(shape, old)))
    }
    instance = shape.instance.max() + np.arange(len(tree))
    instance[0] = shape.instance[0]
    instance[list(new_of.values())] = shape.instance[list(new_of)]
    edges = [edge for edge in tree.edges if not (held[edge.a] and held[edge.b])]
    edges += [
        replace(edge, a=new_of[edge.a], b=new_of[edge.b])
        for edge in shape.edges
        if edge.a in new_of
        and edge.b in new_of
        and tree.parent[new_of[edge.a]] == tree.parent[new_of[edge.b]]
    ]
    whole = replace(tree, edges=tuple(edges), instance=instance, name=shape.name)
    loose = ~whole.is_leaf & ~held
    return Draft(whole, held, loose, np.ones(len(edges), dtype=bool))
