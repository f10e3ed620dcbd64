"""1000 digits of 28x28 through the autoencoder: codes, and what they decode to."""

from __future__ import annotations

import torch

from benchmarks import digits
from benchmarks.harness import Workload


def prepare(device: torch.device) -> Workload:
    return digits.codes("autoencoder", "mlp", device, digits.CODED)
