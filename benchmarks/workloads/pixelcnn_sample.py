"""64 digits of 28x28 from a new gated PixelCNN, beside a full forward pass a pixel."""

from __future__ import annotations

import torch
from torch import Tensor

from benchmarks.harness import Workload
from shapegen.core.autoregressive import draw
from shapegen.core.seeding import seeded
from shapegen.images.pixelcnn import PixelCNN, PixelCNNConfig

DIGITS, PIXELS = 64, 28 * 28
PASSES = 4
"""Pixels for which the full pass is timed."""


def prepare(device: torch.device) -> Workload:
    with seeded(0):
        model = PixelCNN(PixelCNNConfig()).to(device).eval()

    def drawn(digits: int, pixels: int, *, cached: bool) -> Tensor:
        rng = torch.Generator().manual_seed(0)
        process = model.process(cached=cached)
        return draw(process, digits, pixels, lambda predicted: predicted.sample(rng=rng))

    def check() -> dict[str, bool]:
        ours, full = (drawn(1, PIXELS, cached=cached) for cached in (True, False))
        return {"same_digit": bool(torch.equal(ours, full))}

    return Workload(
        run=lambda: drawn(DIGITS, PIXELS, cached=True),
        facts={
            "digits": DIGITS,
            "features": model.config.features,
            "layers": model.config.layers,
            "recursion": "a full forward pass a pixel",
        },
        check=check,
        recursion=lambda: drawn(DIGITS, PASSES, cached=False),
        recursion_share=PASSES / PIXELS,
    )
