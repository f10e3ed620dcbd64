"""One training step of a convolutional VAE: 100 digits of 28x28."""

from __future__ import annotations

import torch

from benchmarks import digits
from benchmarks.harness import Workload


def prepare(device: torch.device) -> Workload:
    return digits.training_step("vae", "conv", device, digits.STEP)
