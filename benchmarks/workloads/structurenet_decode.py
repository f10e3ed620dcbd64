"""Free decoding of 32 codes, means of furniture of 20-28 nodes, by the shipped weights."""

from __future__ import annotations

import torch

import shapegen
from benchmarks.harness import Workload
from benchmarks.recursion import oracle
from shapegen.data.furniture import furniture
from shapegen.structures.structurenet import StructureNet
from shapegen.structures.structurenet_decoding import DecodedStructures

SHAPES, SMALLEST, LARGEST = 32, 20, 28
WEIGHTS = "structurenet-furniture"
NODES = 24
"""Of the shapes that the original was timed on."""


def prepare(device: torch.device) -> Workload:
    model = shapegen.load(WEIGHTS, device)
    assert isinstance(model, StructureNet)
    # Shapes of a seed that no training set has.
    made = furniture(10 * SHAPES, seed=10_000)
    codes = model.encode([tree for tree in made if SMALLEST <= len(tree) <= LARGEST][:SHAPES])

    def decode() -> DecodedStructures:
        return model.decode_structures(codes)

    found = decode()
    nodes = len(found.parent) / len(codes)
    plain = oracle("structurenet_recursion").Recursion(model)

    @torch.no_grad()
    def recursion() -> list[object]:
        return [plain.decode(code, model.config.limits.depth) for code in codes]

    return Workload(
        run=decode,
        original_s=0.037 * len(codes) * nodes / NODES,
        recursion=recursion,
        facts={
            "shapes": len(codes),
            "weights": WEIGHTS,
            "nodes_mean": nodes,
            "inner_nodes_mean": len(set(found.parent[found.parent >= 0].tolist())) / len(codes),
            "complete_share": float(found.complete.mean()),
        },
    )
