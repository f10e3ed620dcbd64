"""A small PointFlow and clouds for its tests."""

from __future__ import annotations

from typing import Any

import torch

from shapegen.core.moving_norm import MovingBatchNorm
from shapegen.points.point_clouds import PointClouds
from shapegen.points.pointflow import Matching, PointFlow, PointFlowConfig

SMALL: dict[str, Any] = {
    "latent_dim": 4,
    "hidden": (16, 16),
    "latent_hidden": (8,),
    "encoder": (8, 16),
    "heads": (8,),
    "num_points": 24,
    "matching": Matching(targets=32, times=2, group=8, latent_draws=2),
}


def build(**changes: Any) -> PointFlow:
    torch.manual_seed(0)
    return PointFlow(PointFlowConfig(**(SMALL | changes)))


def stirred(**changes: Any) -> PointFlow:
    """A model whose every weight and statistic is something."""
    model = build(**changes)
    for each in model.modules():
        if isinstance(each, MovingBatchNorm):
            each.running_mean.normal_(std=0.2)
            each.running_var.uniform_(0.5, 2)
            torch.nn.init.normal_(each.log_scale, std=0.2)
    model.prepare(clouds(6))
    return model.eval()


def clouds(n: int, points: int = 48, seed: int = 0) -> PointClouds:
    """Ellipsoids far from the origin, none of unit size."""
    rng = torch.Generator().manual_seed(seed)
    noise = torch.nn.functional.normalize(torch.randn(n, points, 3, generator=rng), dim=2)
    sizes = 1 + 3 * torch.rand(n, 1, 3, generator=rng)
    return PointClouds(torch.tensor([20.0, 0.0, -5.0]) + sizes * noise)
