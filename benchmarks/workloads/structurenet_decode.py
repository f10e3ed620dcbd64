"""32 codes of procedural furniture of 20 to 28 nodes, decoded by the shipped weights."""

from __future__ import annotations

import torch

import shapegen
from benchmarks.harness import Workload
from shapegen.data.furniture import furniture
from shapegen.structures.part_tree import PartTrees
from shapegen.structures.structurenet import StructureNet

CODES = 32
WEIGHTS = "structurenet-furniture"
NODES = range(20, 29)
ORIGINAL_S = 0.037
"""A shape of 24 nodes, with its Python recursion."""


def prepare(device: torch.device) -> Workload:
    model = shapegen.load(WEIGHTS, device)
    assert isinstance(model, StructureNet)
    made = furniture(10 * CODES, seed=1)
    chosen = [tree for tree in made if len(tree) in NODES][:CODES]
    codes = model.encode(PartTrees(chosen))
    decoded = model.decode_structures(codes)
    inner = len(set(decoded.parent.tolist()) - {-1})
    per_shape = len(decoded.shape) / CODES
    return Workload(
        run=lambda: model.decode(codes),
        # A shape's time grows with its nodes: the original is taken at ours.
        original_s=ORIGINAL_S * CODES * per_shape / 24,
        facts={
            "shapes": CODES,
            "weights": WEIGHTS,
            "nodes_mean": per_shape,
            "inner_nodes_mean": inner / CODES,
            "complete_share": float(decoded.complete.mean()),
        },
    )
