"""Shapes of other proportions: an augmentation of batches of part trees."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch.nn.functional import normalize

from shapegen.structures.tree_batch import TreeBatch


def stretched(batch: TreeBatch, amount: float, *, rng: torch.Generator | None = None) -> TreeBatch:
    """Scale every shape along each axis by a factor drawn from ``1 - amount .. 1 + amount``.

    A tilted box is not a box any more when it is stretched: it keeps the directions of its first
    axis and of the plane of its first two, and the lengths of all three.
    """
    factor = 1 + amount * (2 * torch.rand(batch.num_shapes, 3, generator=rng) - 1)
    scale = factor.to(batch.box)[batch.shape]
    box = batch.box
    first, second = (scale * normalize(box[:, i : i + 3], dim=1) for i in (6, 9))
    third = scale * torch.linalg.cross(first / scale, second / scale)
    lengths = torch.stack([axis.norm(dim=1) for axis in (first, second, third)], dim=1)
    x = normalize(first, dim=1)
    y = normalize(second - (second * x).sum(1, keepdim=True) * x, dim=1)
    points = None if batch.points is None else batch.points * scale[:, None]
    box = torch.cat([scale * box[:, :3], lengths * box[:, 3:6], x, y], dim=1)
    return replace(batch, box=box, points=points)
