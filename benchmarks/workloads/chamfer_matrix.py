"""Squared chamfer distances of 64 x 64 clouds of 2048 points."""

from __future__ import annotations

import torch

from benchmarks.clouds import chairs, looped_chamfer
from benchmarks.harness import Workload
from shapegen.metrics.cloud_distances import chamfer_matrix

CLOUDS, POINTS = 64, 2048
LOOPED = 8
"""Clouds a side that the loop over ``torch.cdist`` is timed on; its seconds are scaled up."""


def prepare(device: torch.device) -> Workload:
    both = chairs(2 * CLOUDS, POINTS)
    ours, theirs = both[:CLOUDS], both[CLOUDS:]
    a, b = (clouds[:LOOPED].to(device) for clouds in (ours, theirs))
    return Workload(
        run=lambda: chamfer_matrix(ours, theirs, device=device),
        facts={"clouds": CLOUDS, "points": POINTS, "pairs": CLOUDS**2, "reference": "cdist loop"},
        recursion=lambda: looped_chamfer(a, b),
        recursion_share=(LOOPED / CLOUDS) ** 2,
        count_flops=False,
    )
