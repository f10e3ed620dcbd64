"""Mean codes of the 32 chairs of ``structurenet_step``."""

from __future__ import annotations

import torch

from benchmarks.harness import Workload
from benchmarks.structurenet import TREES, official_model, prepared, recursive_encode


def prepare(device: torch.device) -> Workload:
    model = official_model(device).eval()
    data = prepared()
    plain = official_model(torch.device("cpu")).eval()
    return Workload(
        run=lambda: model.posteriors(data).mean,
        original_s=0.17,
        recursion=lambda: recursive_encode(plain),
        facts={"trees": TREES, "nodes": int(data.sizes.sum()), "setting": "official"},
    )
