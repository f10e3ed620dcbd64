"""``python -m benchmarks.edits MODEL DATA [--shapes N] [--choices N] [--seed S]``.

Keeps random parts of random shapes and draws the rest anew, and walks between pairs of shapes:
how many results are valid, how far fixed parts moved, how much the rest varies, and whether parts
and structure persist on the way. One line of JSON.
"""

from __future__ import annotations

import argparse
import itertools
import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

import shapegen
from shapegen.core.latent import interpolate
from shapegen.metrics.boxes import box_set_distance
from shapegen.structures.correspondence import same_structure
from shapegen.structures.part_tree import PartTree
from shapegen.structures.resampling import fixed_roots, resample
from shapegen.structures.stability import shape_diagonal
from shapegen.structures.structurenet import StructureNet
from shapegen.structures.subtrees import mask_below
from shapegen.structures.validity import validity

VARIATIONS, STEPS, MOST_FIXED = 4, 9, 3


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.edits", description=__doc__)
    parser.add_argument("model")
    parser.add_argument("data", help="shapes that the model was not trained on")
    parser.add_argument("--shapes", type=int, default=50)
    parser.add_argument("--choices", type=int, default=4, help="of fixed parts, a shape")
    parser.add_argument("--strength", type=float, default=1.0)
    parser.add_argument("--pairs", type=int, default=50, help="walks")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    model = shapegen.load(options.model)
    if not isinstance(model, StructureNet):
        parser.error(f"{options.model} is no StructureNet")
    shapes = shapegen.read(options.data)
    pick = np.random.default_rng(options.seed)
    rng = torch.Generator().manual_seed(options.seed)
    chosen = [shapes[int(n)] for n in pick.permutation(len(shapes))[: options.shapes]]
    trials = [
        trial(model, tree, some_parts(tree, pick), options.strength, rng)
        for tree in chosen
        for _ in range(options.choices)
    ]
    result: dict[str, Any] = {"trials": len(trials)}
    for name in trials[0]:
        values = [each[name] for each in trials]
        result[name] = max(values) if name == "largest_move" else float(np.mean(values))
    result["inputs_valid"] = float(np.mean([validity(tree).valid for tree in chosen]))
    print(json.dumps(result | walks(model, shapes, pick, options.pairs)))


def some_parts(tree: PartTree, pick: np.random.Generator) -> list[int]:
    """Up to three random nodes of any depth that leave something free."""
    while True:
        count = int(pick.integers(1, MOST_FIXED + 1))
        nodes = pick.choice(np.arange(1, len(tree)), min(count, len(tree) - 1), replace=False)
        try:
            return fixed_roots(tree, nodes.tolist())
        except ValueError:  # that is everything
            if len(tree.boxes()) == 1:
                raise


def trial(
    model: StructureNet,
    tree: PartTree,
    fixed: Sequence[int],
    strength: float,
    rng: torch.Generator,
) -> dict[str, float]:
    """Figures of some variations around the same fixed parts; lengths in the shape's diagonals."""
    found = resample(model, tree, fixed, VARIATIONS, strength=strength, rng=rng).trees
    held = np.flatnonzero(mask_below(tree, fixed))
    moves = []
    for result in found:
        number = {int(own): node for node, own in enumerate(result.instance)}
        same = [number[int(own)] for own in tree.instance[held]]
        moves.append(float(np.abs(result.box[same] - tree.box[held]).max()))
    size = shape_diagonal(tree.boxes())
    boxes = [each.boxes() for each in found]
    distinct: list[PartTree] = []
    for each in found:
        if not any(same_structure(each, other) for other in distinct):
            distinct.append(each)
    return {
        "valid": float(np.mean([validity(each).valid for each in found])),
        "largest_move": max(moves),
        "distance_between": float(
            np.mean([box_set_distance(a, b) for a, b in itertools.combinations(boxes, 2)]) / size
        ),
        "distance_to_input": float(
            np.mean([box_set_distance(each, tree.boxes()) for each in boxes]) / size
        ),
        "distinct_structures": len(distinct) / len(found),
        "other_structure_than_input": float(
            np.mean([not same_structure(each, tree) for each in found])
        ),
    }


@torch.no_grad()
def walks(
    model: StructureNet, shapes: Sequence[PartTree], pick: np.random.Generator, count: int
) -> dict[str, float]:
    """What persists on walks between codes of shapes, and on those between equal structures."""
    codes = model.encode(shapes)
    decoded = model.decode(codes)
    pairs = [pick.choice(len(shapes), 2, replace=False).tolist() for _ in range(count)]
    kept = []
    for a, b in pairs:
        walk = model.interpolate(codes[a], codes[b], STEPS)
        for before, after in itertools.pairwise(walk):
            kept.append(np.isin(after.instance, before.instance).mean())
    equal = [
        (a, b)
        for a, b in itertools.combinations(range(len(shapes)), 2)
        if same_structure(decoded[a], decoded[b]) and len(decoded[a]) > 1
    ]
    chosen = [equal[int(n)] for n in pick.permutation(len(equal))[:count]]
    free, held = [], []
    for a, b in chosen:
        walk = model.interpolate(codes[a], codes[b], STEPS)
        held += [same_structure(step, walk[0]) for step in walk[1:-1]]
        path = interpolate(codes[a], codes[b], STEPS)
        free += [same_structure(step, walk[0]) for step in list(model.decode(path))[1:-1]]
    return {
        "parts_kept_a_step": float(np.mean(kept)),
        "equal_ended_walks": len(chosen),
        "structure_kept": float(np.mean(held)) if held else float("nan"),
        "structure_kept_by_free_decoding": float(np.mean(free)) if free else float("nan"),
    }


if __name__ == "__main__":
    main()
