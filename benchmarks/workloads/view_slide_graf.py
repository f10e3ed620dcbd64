"""A latent slider of graf-furniture in the viewers: at most 50 ms."""

from __future__ import annotations

import torch

from benchmarks.harness import Workload
from benchmarks.viewer import slide_workload


def prepare(device: torch.device) -> Workload:
    return slide_workload("graf-furniture")
