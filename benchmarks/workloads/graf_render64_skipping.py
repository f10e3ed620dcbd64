"""One image of 64 x 64 from the paper's network with a chair in it, without empty space."""

from __future__ import annotations

import torch

from benchmarks.graf_skipping import skipping_workload
from benchmarks.harness import Workload


def prepare(device: torch.device) -> Workload:
    return skipping_workload(64, 6.6, device)
