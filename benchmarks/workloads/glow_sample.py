"""64 digits of 28x28 drawn from Glow, in double precision, as its inverse always runs."""

from __future__ import annotations

import torch

from benchmarks import digits
from benchmarks.harness import Workload


def prepare(device: torch.device) -> Workload:
    model, images = digits.new_model("glow", "flow", device).eval(), digits.FLOWN
    rng = torch.Generator(device).manual_seed(0)
    return digits.workload(lambda: model.sample(images, rng=rng), model, "flow", images)
