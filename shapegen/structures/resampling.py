"""Keep some parts of a shape and draw the rest anew from a trained StructureNet.

Codes are drawn near the shape's or from the prior and decoded. What is decoded is stretched so
that its parts lie where their fixed counterparts do; the nearest proposals get the fixed parts
themselves, exact copies of them in place of their images, and are fitted around them. Only what
is a valid shape in the end is taken.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch

from shapegen.core import boxes as box_algebra
from shapegen.core.latent import slerp
from shapegen.structures.holding import Draft, joined
from shapegen.structures.part_tree import PartTree, PartTrees
from shapegen.structures.projection import corner_moves
from shapegen.structures.proposals import proposals
from shapegen.structures.stability import shape_diagonal
from shapegen.structures.subtrees import mask_below
from shapegen.structures.validity import validity

if TYPE_CHECKING:
    from shapegen.structures.structurenet import StructureNet

STRENGTH = 1.0
ROUNDS = (1.0, 1.0, 0.8, 0.6, 0.4, 0.2)
"""Shares of the strength at which codes are drawn, until there are enough valid shapes."""

_DRAWS = 8
"""Codes drawn for every shape that is wanted, and the least number of a round."""
_LEAST_DRAWS = 32
_NEAREST = 4
"""One of so many proposals is fitted: those whose parts are nearest to the fixed ones."""
_STRAIN = 0.15
"""Of the shape's diagonal: a proposal that has to give way by more is dropped."""


class Resampled(NamedTuple):
    """Variations of a shape."""

    trees: PartTrees
    valid: tuple[bool, ...]
    """Whether each is finite, connected, symmetric and standing
    (:mod:`shapegen.structures.validity`); where the limit of attempts was reached, the rest is
    filled up with the best that was found."""
    tried: int
    """Proposals that were fitted."""


@torch.no_grad()
def resample(
    model: StructureNet,
    tree: PartTree,
    fixed: Iterable[int],
    n: int = 1,
    *,
    strength: float = STRENGTH,
    rng: torch.Generator | None = None,
) -> Resampled:
    """Keep parts of a shape where and as they are, and draw the rest from a model.

    Args:
        model: A trained model that knows the shape's labels.
        tree: The shape.
        fixed: Node numbers; a node stands for all below it. If all parts of a node are fixed, the
            node is.
        n: How many variations.
        strength: From 0 to 1: how far codes are from the shape's towards the prior's draws.
        rng: Random stream.

    Returns:
        Variations whose fixed parts are the shape's, bit for bit and with their instance ids, at
        other node numbers.

    Raises:
        ValueError: Nothing or everything is fixed, a node does not exist, the model cannot
            represent the shape, or it did not decode to any shape.
    """
    if n < 1 or not 0 <= strength <= 1:
        raise ValueError(f"n must be at least 1 and strength in 0..1; got {n}, {strength}")
    shape = tree.facing("+z")
    roots = fixed_roots(shape, fixed)
    code = model.encode([shape])[0]
    good: list[PartTree] = []
    spare: list[tuple[float, PartTree]] = []
    tried = 0
    for share in ROUNDS:
        count = max(_LEAST_DRAWS, _DRAWS * (n - len(good)))
        codes = _codes(model, code, count, share * strength, rng)
        drafts = proposals(
            _decoded(model, codes, shape.label[0]), shape, roots, -(-count // _NEAREST)
        )
        tried += len(drafts)
        for draft, result in zip(drafts, joined(drafts), strict=True):
            strain = _strain(draft, result)
            if strain <= _STRAIN and validity(result).valid:
                good.append(result)
            else:
                spare.append((strain, result))
        if len(good) >= n:
            break
    spare.sort(key=lambda pair: pair[0])
    if len(good) + len(spare) < n:
        raise ValueError("the model did not decode enough shapes; is it trained?")
    chosen = [*good, *(result for _, result in spare)][:n]
    valid = tuple(number < len(good) for number in range(n))
    return Resampled(PartTrees([each.facing(tree.front) for each in chosen]), valid, tried)


def _strain(draft: Draft, result: PartTree) -> float:
    """The largest move that the fitting asked of a leaf, in diagonals."""
    leaf = draft.tree.is_leaf
    before = box_algebra.orthonormalised(draft.tree.box[leaf])
    after = box_algebra.orthonormalised(result.box[leaf])
    return float(corner_moves(before, after).max() / shape_diagonal(before))


def fixed_roots(tree: PartTree, fixed: Iterable[int]) -> list[int]:
    """The topmost nodes of what is fixed, in order.

    Raises:
        ValueError: Nothing or everything is fixed, or a node does not exist.
    """
    nodes = set(fixed)
    if not nodes:
        raise ValueError("no parts are fixed; name at least one")
    unknown = nodes - set(range(len(tree)))
    if unknown:
        raise ValueError(f"nodes must be from 1 to {len(tree) - 1}; got {min(unknown)}")
    if 0 in nodes:
        raise ValueError("the root is fixed, so there is nothing to draw; name some of its parts")
    held = mask_below(tree, nodes)
    for node, children in reversed(list(enumerate(tree.children))):
        held[node] |= bool(children) and bool(held[list(children)].all())
    if held[0]:
        raise ValueError("all parts are fixed, so there is nothing to draw; leave one out")
    return [node for node in np.flatnonzero(held).tolist() if not held[tree.parent[node]]]


def _codes(
    model: StructureNet,
    code: torch.Tensor,
    count: int,
    strength: float,
    rng: torch.Generator | None,
) -> torch.Tensor:
    """Codes on the way from the shape's to draws of the prior."""
    share = torch.tensor([strength]).to(code)
    draws = model.sample_latent(count, rng=rng).to(code)
    return torch.cat([slerp(code, draw, share) for draw in draws])


def _decoded(model: StructureNet, codes: torch.Tensor, category: str) -> list[PartTree]:
    """The shapes of a category that ended by themselves."""
    decoded = model.decode_structures(codes)
    return [
        tree
        for tree, complete in zip(decoded.part_trees(), decoded.complete, strict=True)
        if complete and tree.label[0] == category
    ]
