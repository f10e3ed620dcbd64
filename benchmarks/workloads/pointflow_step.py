"""One training step of PointFlow's likelihood: two clouds of 512 points, the airplane setting."""

from __future__ import annotations

import torch

from benchmarks.harness import Workload
from benchmarks.pointflow import likelihood_step


def prepare(device: torch.device) -> Workload:
    return likelihood_step(512, 4.45, device)
