"""256 codes N(0, I), seed 0, decoded to boxes with all copies by the shipped furniture weights."""

from __future__ import annotations

import copy

import numpy as np
import torch

import shapegen
from benchmarks import recursion
from benchmarks.harness import Workload
from shapegen.structures.grass import GRASS

CODES = 256
WEIGHTS = "grass-furniture"


def prepare(device: torch.device) -> Workload:
    model = shapegen.load(WEIGHTS, device)
    assert isinstance(model, GRASS)
    rng = torch.Generator().manual_seed(0)
    codes = torch.randn(CODES, model.latent_dim, generator=rng).to(device)
    limits = model.config.limits

    def decode() -> list[np.ndarray]:
        return model.decode_trees(codes).expanded(limits=limits)

    trees = model.decode_trees(codes)
    facts = {
        "shapes": CODES,
        "weights": WEIGHTS,
        "nodes_mean": len(trees.kind) / CODES,
        "boxes_mean": sum(map(len, decode())) / CODES,
        "complete_share": float(trees.complete.mean()),
    }
    plain = copy.deepcopy(model).cpu().double()
    return Workload(
        run=decode,
        original_s=0.002 * CODES,
        # The recursion has no limits: it decodes the codes that end by themselves.
        recursion=lambda: recursion.decode(plain, codes[trees.complete].cpu().double()),
        recursion_share=float(trees.complete.mean()),
        facts=facts,
    )
