"""One training step of the VAE: 100 digits of 28x28, networks 784-200-200-50 and back."""

from __future__ import annotations

import torch

from benchmarks import digits
from benchmarks.harness import Workload


def prepare(device: torch.device) -> Workload:
    return digits.training_step("vae", "mlp", device, digits.STEP)
