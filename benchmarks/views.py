"""``python -m benchmarks.views MODEL DATA [--shapes N] [--points N] [--seed S]``.

Reconstructs part trees from what an `abstraction` model sees of them, points or a depth map, and
by the box encoder whose codes it was trained to find: leaf chamfer of either. One line of JSON.
"""

from __future__ import annotations

import argparse
import json

import numpy as np

import shapegen
from shapegen.metrics.hierarchies import leaf_chamfers
from shapegen.structures.abstraction import Abstraction


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.views", description=__doc__)
    parser.add_argument("model")
    parser.add_argument("data")
    parser.add_argument("--shapes", type=int, default=250, help="chosen at random by the seed")
    parser.add_argument("--points", type=int, default=2048, help="of a cloud")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    model, shapes = shapegen.load(options.model), shapegen.read(options.data)
    if not isinstance(model, Abstraction):
        parser.error(f"{options.model} holds {model.name}; abstraction is due")
    chosen = np.random.RandomState(options.seed).permutation(len(shapes))[: options.shapes]
    trees = shapes[chosen.tolist()]
    seen = model.prepare(trees).seen
    if model.config.source == "points":
        seen = seen[:, : options.points]
    from_view = float(leaf_chamfers(model.reconstruct(seen), trees).mean())
    from_boxes = float(leaf_chamfers(model.structure.reconstruct(trees), trees).mean())
    found = {
        "seen": model.config.source,
        "shapes": len(trees),
        "leaf_chamfer": from_view,
        "leaf_chamfer_box_encoder": from_boxes,
        "ratio": from_view / from_boxes,
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
