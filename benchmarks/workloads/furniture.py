"""1000 complete part trees of procedural furniture with labels and relations, seed 0."""

from __future__ import annotations

import torch

from benchmarks.harness import Workload
from shapegen.data.furniture import furniture

COUNT = 1000


def prepare(device: torch.device) -> Workload:
    trees = furniture(COUNT, seed=0)
    facts = {
        "count": COUNT,
        "nodes": sum(map(len, trees)) / COUNT,
        "relations": sum(len(tree.edges) for tree in trees) / COUNT,
    }
    return Workload(run=lambda: furniture(COUNT, seed=0), facts=facts, count_flops=False)
