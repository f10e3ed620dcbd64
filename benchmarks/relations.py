"""``python -m benchmarks.relations MODEL [--samples N] [--seed S]``.

Draws shapes of a StructureNet as they are decoded and projects them onto their predicted
relations: how far relations are violated before and after, which share of contacts is closed, how
many shapes stand, how far leaves move, and the time it takes. One line of JSON.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence

import numpy as np
import torch

import shapegen
from shapegen.metrics.hierarchies import leaf_chamfers
from shapegen.metrics.validity import validity_shares
from shapegen.structures.part_tree import PartTree, RelationKind
from shapegen.structures.projection import refine_relations
from shapegen.structures.relations import residuals
from shapegen.structures.stability import shape_diagonal

CLOSED, TIMED = 0.01, 3


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.relations", description=__doc__)
    parser.add_argument("model")
    parser.add_argument("--samples", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    torch.set_num_threads(1)
    model = shapegen.load(options.model, project=False)
    trees = list(model.sample(options.samples, rng=torch.Generator().manual_seed(options.seed)))
    contacts = sum(edge.kind is RelationKind.ADJ for tree in trees for edge in tree.edges)
    refine_relations(trees[:8])
    times = []
    for _ in range(TIMED):
        start = time.process_time()
        refined = refine_relations(trees)
        times.append(time.process_time() - start)
    print(
        json.dumps(
            {
                "samples": len(trees),
                "predicted_contacts": contacts,
                "before": _figures(trees, contacts),
                "after": _figures(refined.trees, contacts),
                "leaf_chamfer_to_decoded": float(leaf_chamfers(refined.trees, trees).mean()),
                "cpu_ms_a_shape": 1e3 * min(times) / len(trees),
            }
        )
    )


def _figures(trees: Sequence[PartTree], contacts: int) -> dict[str, float]:
    """Violations in shares of a shape's diagonal; dropped contacts count as open."""
    symmetries: list[float] = []
    closed = 0
    for tree in trees:
        errors = residuals(tree) / shape_diagonal(tree.boxes())
        touching = np.array([edge.kind is RelationKind.ADJ for edge in tree.edges], bool)
        symmetries += errors[~touching].tolist()
        closed += int((errors[touching] < CLOSED).sum())
    return {
        "median_symmetry_violation": float(np.median(symmetries)),
        "closed_contacts_share": closed / contacts,
        **validity_shares(list(trees)),
    }


if __name__ == "__main__":
    main()
