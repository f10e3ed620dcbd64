"""The page of 8 shapes that are played in 32 frames: at most 5 MB; a run writes it."""

from __future__ import annotations

import torch

import shapegen
from benchmarks.harness import Workload
from shapegen.formats.html import html_page
from shapegen.structures.structurenet import StructureNet

SHAPES, FRAMES = 8, 32


def prepare(device: torch.device) -> Workload:
    model = shapegen.load("structurenet-furniture")
    assert isinstance(model, StructureNet)
    ends = torch.randn(SHAPES + 1, model.latent_dim, generator=torch.Generator().manual_seed(0))
    walks = [
        [tree.to_scene() for tree in model.interpolate(*ends[number : number + 2], FRAMES)]
        for number in range(SHAPES)
    ]
    size = len(html_page(walks).encode())
    return Workload(
        run=lambda: html_page(walks),
        facts={"shapes": SHAPES, "frames": FRAMES, "megabytes": round(size / 1e6, 2)},
        count_flops=False,
    )
