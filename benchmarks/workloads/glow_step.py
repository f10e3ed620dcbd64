"""One training step of Glow: 64 digits of 28x28, two scales of four steps."""

from __future__ import annotations

import torch

from benchmarks import digits
from benchmarks.harness import Workload


def prepare(device: torch.device) -> Workload:
    return digits.training_step("glow", "flow", device, digits.FLOWN)
