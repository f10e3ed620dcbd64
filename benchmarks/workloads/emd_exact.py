"""The exact earth mover's distance of one pair of clouds of 2048 points."""

from __future__ import annotations

import torch

from benchmarks.clouds import chairs
from benchmarks.harness import Workload
from shapegen.metrics.cloud_distances import emd_pairs

POINTS = 2048
ORIGINAL_S = 0.29


def prepare(device: torch.device) -> Workload:
    pair = chairs(2, POINTS)
    return Workload(
        run=lambda: emd_pairs(pair[:1], pair[1:]),
        original_s=ORIGINAL_S,
        facts={"points": POINTS, "pairs": 1},
        count_flops=False,
    )
