"""One training step of StructureNet on 32 chairs: batch, forward, all losses, backward, Adam."""

from __future__ import annotations

import torch

from benchmarks.harness import Workload
from benchmarks.structurenet import TREES, adam, official_model, prepared, recursive_step


def prepare(device: torch.device) -> Workload:
    model = official_model(device).train()
    data = prepared()
    (objective,) = model.objectives(rng=torch.Generator(device).manual_seed(0))
    optimizers = adam(model)
    rows = torch.arange(TREES)

    def step() -> None:
        loss, _ = objective.loss(data[rows].to(device), 0)
        for optimizer in optimizers:
            optimizer.zero_grad(set_to_none=True)
        loss.backward()
        for optimizer in optimizers:
            optimizer.step()

    facts = {"trees": TREES, "nodes": len(data[rows].box), "setting": "official"}
    plain = official_model(torch.device("cpu")).train()
    plain_optimizers = adam(plain)
    return Workload(
        run=step,
        original_s=3.2,
        recursion=lambda: recursive_step(plain, plain_optimizers),
        facts=facts,
    )
