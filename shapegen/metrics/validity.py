"""Shares of valid shapes in a set."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from shapegen.structures.part_tree import PartTree
from shapegen.structures.validity import validity


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
