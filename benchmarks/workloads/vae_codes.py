"""1000 digits of 28x28 through the VAE: codes, and their mean images."""

from __future__ import annotations

import torch

from benchmarks import digits
from benchmarks.harness import Workload


def prepare(device: torch.device) -> Workload:
    return digits.codes("vae", "mlp", device, digits.CODED)
