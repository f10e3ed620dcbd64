"""One cloud of 2048 points from the airplane setting, weights at initialisation."""

from __future__ import annotations

import copy

import torch
from torch import Tensor

from benchmarks.harness import Workload
from benchmarks.pointflow import airplane_model
from shapegen.core.cnf import integrating
from shapegen.core.ode import TIGHT

POINTS = 2048


def prepare(device: torch.device) -> Workload:
    model = airplane_model(device).eval()

    def draw() -> Tensor:
        rng = torch.Generator().manual_seed(0)
        return model.sample(1, num_points=POINTS, rng=rng).points

    def check() -> dict[str, float]:
        ours, rng = draw(), torch.Generator().manual_seed(0)
        noise = [torch.randn(*shape, generator=rng) for shape in ((1, 128), (1, POINTS, 3))]
        # Double precision: single cannot tell errors of 1e-7 from rounding.
        z, y = (each.to(device).double() for each in noise)
        flow = copy.deepcopy(model).double()
        assert flow.latent_flow is not None
        with torch.no_grad(), integrating(flow, solver=TIGHT):
            right = flow.point_flow.generate(y, flow.latent_flow.generate(z)).cpu()
        return {"largest_difference_to_1e-7": float((ours - right).abs().max())}

    facts = {"points": POINTS, "solver": "dopri5 1e-5"}
    return Workload(run=draw, original_s=1.5, facts=facts, check=check)
