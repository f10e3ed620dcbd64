"""One training step of GRASS on 123 chairs: batch, forward, backward and both Adam steps."""

from __future__ import annotations

import torch

from benchmarks import recursion
from benchmarks.grass import TREES, chairs, official_model, prepared
from benchmarks.harness import Workload
from shapegen.structures.grass import GRASS


def prepare(device: torch.device) -> Workload:
    model = official_model(device).train()
    data = prepared()
    rng = torch.Generator(device).manual_seed(0)
    (objective,) = model.objectives(rng=rng)
    optimizers = adam(model)
    rows = torch.arange(TREES)

    def step() -> None:
        loss, _ = objective.loss(data[rows].to(device), 0)
        for optimizer in optimizers:
            optimizer.zero_grad(set_to_none=True)
        loss.backward()
        for optimizer in optimizers:
            optimizer.step()

    batch = data[rows]
    facts = {
        "trees": TREES,
        "nodes": len(batch.kind),
        "setting": "official",
    }
    plain = official_model(torch.device("cpu")).double().train()
    plain_optimizers = adam(plain)
    return Workload(
        run=step,
        original_s=0.255,
        recursion=lambda: recursion.step(plain, chairs(), plain_optimizers),
        facts=facts,
    )


def adam(model: GRASS) -> list[torch.optim.Optimizer]:
    """One optimiser a network, as the authors have."""
    return [
        torch.optim.Adam(part.parameters(), lr=1e-3, fused=True)
        for part in (model.encoder, model.decoder)
    ]
