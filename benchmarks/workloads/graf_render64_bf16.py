"""One image of 64 x 64 from a GRAF of the paper's size, with products in bfloat16."""

from __future__ import annotations

import torch

from benchmarks.graf import render_workload
from benchmarks.harness import Workload


def prepare(device: torch.device) -> Workload:
    return render_workload(64, 6.6, device, torch.bfloat16)
