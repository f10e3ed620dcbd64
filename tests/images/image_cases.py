"""Small images for the tests of their models."""

from __future__ import annotations

from typing import Any

import torch

from shapegen.base import GenerativeModel
from shapegen.images.images import Images


def blobs(n: int, channels: int = 1, size: tuple[int, int] = (8, 8), seed: int = 0) -> Images:
    """Bright discs at random places, 8-bit levels, labelled by the half that they are in."""
    rng = torch.Generator().manual_seed(seed)
    height, width = size
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    centre = torch.rand(n, 2, 1, 1, generator=rng) * torch.tensor(size).view(1, 2, 1, 1)
    squared = (y - centre[:, 0]).square() + (x - centre[:, 1]).square()
    levels = (255 * torch.exp(-squared / 4)).round()[:, None].expand(-1, channels, -1, -1)
    return Images(levels / 127.5 - 1, (centre[:, 1, 0, 0] > width / 2).long())


def play(
    model: GenerativeModel, batch: Any, steps: int, *, rng: torch.Generator, rate: float = 3e-3
) -> dict[str, float]:
    """Train on parts of 32 in turn, all objectives at every step; the last terms."""
    objectives = model.objectives(rng=rng)
    optimizers = [
        torch.optim.Adam(each.module.parameters(), rate, (0.0, 0.99)) for each in objectives
    ]
    parts, found = max(1, len(batch) // 32), {}
    model.train()
    for step in range(steps):
        part = batch[torch.arange(min(32, len(batch))) + 32 * (step % parts)]
        for objective, optimizer in zip(objectives, optimizers, strict=True):
            optimizer.zero_grad()
            loss, terms = objective.loss(part, step)
            loss.backward()
            optimizer.step()
            found |= {f"{objective.name}.{name}": float(term) for name, term in terms.items()}
    model.eval()
    return found


def unlikeness(made: torch.Tensor, data: torch.Tensor) -> float:
    """How far the mean brightness of images is from that of data, and the spread of pixels."""
    spread = (made.std(0) - data.std(0)).abs().mean()
    return float((made.mean() - data.mean()).abs() + spread)
