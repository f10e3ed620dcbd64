"""The step of ``pointflow_step`` on two clouds of 2048 points."""

from __future__ import annotations

import torch

from benchmarks.harness import Workload
from benchmarks.pointflow import likelihood_step


def prepare(device: torch.device) -> Workload:
    return likelihood_step(2048, 18.6, device)
