"""One training step of StructureNet on 32 chairs: batch, forward, all losses, backward, Adam."""

from __future__ import annotations

import torch

from benchmarks.harness import Workload
from benchmarks.structurenet import TREES, official_model, prepared


def prepare(device: torch.device) -> Workload:
    model = official_model(device).train()
    data = prepared()
    (objective,) = model.objectives(rng=torch.Generator(device).manual_seed(0))
    optimizers = [
        torch.optim.Adam(part.parameters(), lr=1e-3, fused=True)
        for part in (model.encoder, model.decoder)
    ]
    rows = torch.arange(TREES)

    def step() -> None:
        loss, _ = objective.loss(data[rows].to(device), 0)
        for optimizer in optimizers:
            optimizer.zero_grad(set_to_none=True)
        loss.backward()
        for optimizer in optimizers:
            optimizer.step()

    facts = {"trees": TREES, "nodes": len(data[rows].box), "setting": "official"}
    return Workload(run=step, original_s=3.2, facts=facts)
