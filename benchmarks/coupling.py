"""``python -m benchmarks.coupling TRAIN HELD_OUT [--minutes M] [--threads N] [--seed S]``.

What a discrete flow of PointFlow's size makes of the same clouds in the same time: PointFlow's
encoder, and zuko's spline coupling flow of points in the place of the continuous one, trained by
the evidence lower bound with N(0, I) as prior of codes. One line of JSON with exact nats a point
as ``shapegen evaluate`` measures them.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from typing import Any

import torch
from torch import Tensor, nn

from shapegen.points.files import read_point_clouds
from shapegen.points.normalisation import measure, resample
from shapegen.points.pointflow_figures import held_out_halves
from shapegen.points.pointflow_networks import CloudEncoder

LATENT, BATCH, SEEN, TARGETS, RATE = 128, 16, 256, 512, 1e-3
ENCODER = (64, 128, 256)


class Coupling(nn.Module):
    """A posterior of codes, and a coupling flow of points given a code."""

    def __init__(self) -> None:
        super().__init__()
        from zuko.flows import NSF

        self.encoder = CloudEncoder(LATENT, ENCODER)
        # Two passes: every transform is a coupling layer.
        self.flow = NSF(3, context=LATENT, transforms=8, hidden_features=(128, 128), passes=2)

    def nats(self, points: Tensor, latent: Tensor) -> Tensor:
        """Minus the log-density of every point ``(batch, points)``."""
        found: Tensor = -self.flow(latent[:, None]).log_prob(points)
        return found


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.coupling", description=__doc__)
    parser.add_argument("train")
    parser.add_argument("held_out")
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    train = read_point_clouds(options.train).points
    scale = measure(train)
    torch.manual_seed(options.seed)
    model = Coupling()
    steps = fit(model, scale.apply(train), options.minutes)
    rng = torch.Generator().manual_seed(options.seed)
    seen, others = held_out_halves(read_point_clouds(options.held_out).points, rng=rng)
    with torch.no_grad():
        latent = model.encoder(scale.apply(seen)).mean
        pairs = zip(scale.apply(others).split(BATCH), latent.split(BATCH), strict=True)
        nats = torch.cat([model.nats(*pair).mean(1) for pair in pairs])
    result: dict[str, Any] = {
        "nll": float(nats.mean()),
        "nll standard error": float(nats.std() / math.sqrt(len(nats))),
        "parameters_of_the_flow": sum(each.numel() for each in model.flow.parameters()),
        "steps": steps,
        "cpu_minutes": time.process_time() / 60,
    }
    print(json.dumps(result))


def fit(model: Coupling, points: Tensor, minutes: float) -> int:
    """Train for so long, the rate falling to 0 along a cosine of time; the number of steps."""
    optimizer = torch.optim.Adam(model.parameters(), RATE)
    start, steps = time.monotonic(), 0
    while (done := (time.monotonic() - start) / (60 * minutes)) < 1:
        for group in optimizer.param_groups:
            group["lr"] = RATE * 0.5 * (1 + math.cos(math.pi * done))
        clouds = points[torch.randint(len(points), (BATCH,))]
        posterior = model.encoder(resample(clouds, SEEN))
        nats = model.nats(resample(clouds, TARGETS), posterior.rsample())
        loss = nats.mean() + posterior.kl_standard().mean() / TARGETS
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        steps += 1
    model.eval()
    return steps


if __name__ == "__main__":
    main()
