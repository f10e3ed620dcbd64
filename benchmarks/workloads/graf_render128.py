"""One image of 128 x 128 from a GRAF of the paper's size, 64 samples a ray."""

from __future__ import annotations

import torch

from benchmarks.graf import render_workload
from benchmarks.harness import Workload


def prepare(device: torch.device) -> Workload:
    return render_workload(128, 28.1, device)
