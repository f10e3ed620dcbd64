"""The points of every part of a shape, and parts brought to one place and size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from shapegen.structures.part_tree import PartTree
from shapegen.structures.surface import sample_union


class UnitClouds(NamedTuple):
    """Point clouds about the origin within the unit ball, and where they were."""

    points: Float[Tensor, "n points 3"]
    centre: Float[Tensor, "n 3"]
    """Mean of the points."""
    scale: Float[Tensor, "n 1"]
    """Largest distance from the mean."""

    @classmethod
    def of(cls, points: Float[Tensor, "n points 3"]) -> UnitClouds:
        """Centre clouds on their mean and divide by their radius."""
        centre = points.mean(1)
        points = points - centre[:, None]
        scale = points.norm(dim=2).amax(1, keepdim=True)
        return cls(points / scale.clamp_min(1e-12)[:, :, None], centre, scale)


def with_points(
    trees: Sequence[PartTree], count: int, *, rng: torch.Generator | None = None
) -> list[PartTree]:
    """The shapes with ``count`` points of every node.

    Points that a shape carries are its own, some of them where it carries more; of other shapes
    they are drawn from the outer surface of the leaves at and below the node.

    Raises:
        ValueError: A shape carries fewer points, or a node has no surface.
    """
    return [replace(tree, part_points=_points(tree, count, rng)) for tree in trees]


def _points(tree: PartTree, count: int, rng: torch.Generator | None) -> NDArray[np.floating[Any]]:
    if tree.part_points is not None:
        given = tree.part_points.shape[1]
        if given < count:
            raise ValueError(
                f"shape {tree.name!r} has {given} points a part; the model needs {count}"
            )
        if given == count:
            return tree.part_points
        return tree.part_points[:, torch.randperm(given, generator=rng)[:count].numpy()]
    leaves: list[list[int]] = [[] for _ in tree.parent]
    for node in range(len(tree) - 1, -1, -1):
        leaves[node] = leaves[node] or [node]
        if node:
            above = int(tree.parent[node])
            leaves[above] = leaves[node] + leaves[above]
    try:
        return np.stack([sample_union(tree.box[below], count, rng=rng) for below in leaves])
    except ValueError as error:
        raise ValueError(f"shape {tree.name!r}: {error}") from None
