"""One training step of the autoencoder: 100 digits of 28x28, 784-512-256-30 and back."""

from __future__ import annotations

import torch

from benchmarks import digits
from benchmarks.harness import Workload


def prepare(device: torch.device) -> Workload:
    return digits.training_step("autoencoder", "mlp", device, digits.STEP)
