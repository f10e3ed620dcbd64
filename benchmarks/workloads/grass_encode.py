"""Mean codes of the 123 chairs of ``grass_step``."""

from __future__ import annotations

import torch

from benchmarks.grass import TREES, official_model, prepared
from benchmarks.harness import Workload


def prepare(device: torch.device) -> Workload:
    model = official_model(device).eval()
    data = prepared()
    rows = torch.arange(TREES)

    @torch.no_grad()
    def encode() -> torch.Tensor:
        return model.encoder(data[rows].to(device)).mean

    return Workload(run=encode, facts={"trees": TREES, "setting": "official"})
