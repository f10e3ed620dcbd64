"""Log-likelihoods of 64 digits of 28x28 by Glow, from one draw of the noise each."""

from __future__ import annotations

import torch

from benchmarks import digits
from benchmarks.harness import Workload


def prepare(device: torch.device) -> Workload:
    model, images = digits.new_model("glow", "flow", device).eval(), digits.FLOWN
    pixels = digits.random_digits(images)
    rng = torch.Generator(device).manual_seed(0)
    return digits.workload(lambda: model.log_prob(pixels, rng=rng), model, "flow", images)
