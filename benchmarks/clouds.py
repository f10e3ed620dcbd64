"""The clouds that the benchmarks of distances measure."""

from __future__ import annotations

import torch

from benchmarks.sources import data_file
from shapegen.points.files import read_point_clouds


def chairs(count: int, points: int) -> torch.Tensor:
    """The first points of the first chairs of ``chair_pc_val.npz``, ``(count, points, 3)``."""
    return read_point_clouds(data_file("points/chair_pc_val.npz")).points[:count, :points]


def looped_chamfer(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Chamfer distances of all pairs by ``torch.cdist``, pair by pair."""
    found = torch.empty(len(a), len(b))
    for row, x in enumerate(a):
        for column, y in enumerate(b):
            distances = torch.cdist(x, y)
            nearest = distances.min(0).values, distances.min(1).values
            found[row, column] = nearest[0].square().mean() + nearest[1].square().mean()
    return found
