"""What the workloads of the image models share: digits at random, new models, runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from benchmarks.harness import Workload
from shapegen import registry
from shapegen.core.seeding import seeded

SIZE = (28, 28)
CODED, STEP, FLOWN = 1000, 100, 64
"""Images that are encoded and decoded, of a training step, and that a flow takes at once."""
NETWORKS: dict[str, dict[str, Any]] = {
    "mlp": {},
    "conv": {"network": "conv", "hidden": (32, 64)},
    # As configs/glow_digits.yaml has it.
    "flow": {"steps": 4, "blocks": 2, "hidden": 32, "scale": "tanh"},
}
"""What differs from the models' defaults."""


def new_model(name: str, network: str, device: torch.device) -> Any:
    """Weights from seed 0: what images cost does not depend on them."""
    with seeded(0):
        return registry.build(name, size=SIZE, **NETWORKS[network]).to(device)


def random_digits(n: int) -> Tensor:
    """Black and white pixels ``(n, 1, height, width)``: their values do not matter either."""
    rng = torch.Generator().manual_seed(0)
    return (torch.rand(n, 1, *SIZE, generator=rng) < 0.2) * 2.0 - 1


def training_step(name: str, network: str, device: torch.device, images: int) -> Workload:
    """The objective of a batch, its gradients and a step of Adam."""
    model = new_model(name, network, device).train()
    batch = model.prepare(random_digits(images)).to(device)
    (objective,) = model.objectives(rng=torch.Generator(device).manual_seed(0))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, fused=True)

    def step() -> None:
        loss, _ = objective.loss(batch, 0)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()

    return workload(step, model, network, images)


def codes(name: str, network: str, device: torch.device, images: int) -> Workload:
    """Images encoded, and their codes decoded."""
    model = new_model(name, network, device).eval()
    pixels = random_digits(images)
    return workload(lambda: model.decode(model.encode(pixels)), model, network, images)


def workload(run: Callable[[], object], model: Any, network: str, images: int) -> Workload:
    """A run over so many images."""
    weights = sum(each.numel() for each in model.parameters())
    facts = {"network": network, "size": list(SIZE), "weights": weights}
    return Workload(run=run, facts=facts, made=("images", images))
