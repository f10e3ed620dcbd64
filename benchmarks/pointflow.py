"""The model and the clouds that PointFlow's workloads share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from benchmarks.harness import Workload
from shapegen.core.cnf import integrating
from shapegen.core.divergence import Hutchinson, Recorded
from shapegen.core.gaussian import DiagGaussian
from shapegen.core.ode import Solver
from shapegen.core.seeding import seeded
from shapegen.points.pointflow import PointFlow, PointFlowConfig
from shapegen.points.pointflow_losses import terms, weighted

SHAPES = 2
TIGHT = Solver(atol=1e-6, rtol=1e-6, pilot=None, gradient="adjoint")


def airplane_model(device: torch.device, **changes: Any) -> PointFlow:
    """The authors' airplane setting, weights from seed 0."""
    with seeded(0):
        return PointFlow(PointFlowConfig.official(**changes)).to(device)


def clouds(points: int, device: torch.device) -> Tensor:
    """Normalised clouds: the cost of a step depends on their number alone, as weights are new."""
    rng = torch.Generator().manual_seed(0)
    return torch.randn(SHAPES, points, 3, generator=rng).to(device)


def step_workload(
    model: PointFlow,
    batch: Tensor,
    original_s: float,
    *,
    facts: dict[str, Any],
    check: Callable[[], dict[str, float]] | None = None,
) -> Workload:
    """A training step of the model's objective: draw points, forward, backward, Adam."""
    model.train()
    (objective,) = model.objectives(rng=torch.Generator().manual_seed(0))
    trained = [each for each in model.parameters() if each.requires_grad]
    optimizer = torch.optim.Adam(trained, lr=2e-3, fused=True)
    start = {name: value.clone() for name, value in model.state_dict().items()}

    def step() -> None:
        loss, _ = objective.loss(batch, 0)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        # Every run is the first step: what a flow costs depends on its weights.
        model.load_state_dict(start)

    return Workload(
        run=step,
        original_s=original_s,
        facts={"shapes": len(batch), "points": batch.shape[1]} | facts,
        check=check,
    )


def likelihood_step(points: int, original_s: float, device: torch.device) -> Workload:
    """The step of the likelihood objective, and how its gradients and likelihood compare."""
    model = airplane_model(device, num_points=points)
    batch = clouds(points, device)
    facts = {"solver": "dopri5 1e-5"}
    return step_workload(
        model, batch, original_s, facts=facts, check=lambda: compared(model, batch)
    )


def compared(model: PointFlow, batch: Tensor) -> dict[str, float]:
    """The step's loss and gradients beside those of the adjoint at 1e-6, with the same noise."""
    found = [loss_and_gradients(model, batch, solver) for solver in (model.config.solver, TIGHT)]
    (loss, ours), (right, adjoint) = found
    errors = [
        float((a - b).norm() / b.norm())
        for a, b in zip(ours, adjoint, strict=True)
        # Biases before a batch norm have rounding errors for gradients.
        if b.norm() > 1e-3
    ]
    return {
        "largest_gradient_error": round(max(errors), 7),
        "nats_a_point_off": round(abs(loss - right) / batch[..., 0].numel() * SHAPES, 7),
    }


def loss_and_gradients(
    model: PointFlow, batch: Tensor, solver: Solver
) -> tuple[float, list[Tensor]]:
    """Of one step, in evaluation mode, with recorded noise."""
    model.eval()
    rng = torch.Generator().manual_seed(1)
    posterior: DiagGaussian = model.encoder(batch)
    latent = posterior.rsample(rng=rng)
    noise = [Recorded(Hutchinson(rng=rng).probes(each)) for each in (batch, latent)]
    with (
        integrating(model.point_flow, divergence=noise[0], solver=solver),
        integrating(model.latent_part, divergence=noise[1], solver=solver),
    ):
        loss = weighted(model, terms(model, batch, posterior, latent))
    gradients = torch.autograd.grad(loss, list(model.parameters()))
    return loss.item(), list(gradients)
