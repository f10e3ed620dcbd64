"""A picture of 256 x 256 of furniture of 30 parts: at most 50 ms."""

from __future__ import annotations

import torch

from benchmarks.harness import Workload
from shapegen.data.furniture import furniture
from shapegen.formats.picture import thumbnail

PARTS, SIZE = 30, 256
SHAPES = 400
"""Among which one of so many parts is looked for."""


def prepare(device: torch.device) -> Workload:
    tree = next(each for each in furniture(SHAPES, seed=0) if each.is_leaf.sum() == PARTS)
    scene = tree.to_scene()
    return Workload(
        run=lambda: thumbnail(scene, SIZE),
        facts={"parts": PARTS, "size": SIZE, "category": tree.label[0]},
        count_flops=False,
    )
