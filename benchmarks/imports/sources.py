"""The shapes that are exported: procedural, sampled, and real where there are any."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import cast

import numpy as np
import torch

import shapegen
from benchmarks.sources import data_file
from shapegen.data.furniture import CATEGORIES, furniture
from shapegen.structures.files import read_part_trees
from shapegen.structures.part_tree import PartTree, PartTrees

SETS = ("chair", "table", "storage")
"""Real shapes: ``partnet_boxes/<name>_val.jsonl.gz``."""


def shapes(count: int, seed: int) -> Iterator[tuple[str, PartTree]]:
    """``count`` shapes of every set, each with the name of its generator."""
    for category in CATEGORIES:
        for tree in furniture(count, category=category, seed=seed):
            yield f"furniture {category}", tree
    samples = shapegen.load("grass-furniture").sample(
        count, rng=torch.Generator().manual_seed(seed)
    )
    for tree in cast(PartTrees, samples):
        yield "grass-furniture", tree
    for name in SETS:
        try:
            path = data_file(f"partnet_boxes/{name}_val.jsonl.gz")
        except SystemExit:
            continue
        trees = read_part_trees(path)
        rng = np.random.default_rng(seed)
        # Neighbours in the file are near copies.
        for number in sorted(rng.choice(len(trees), count, replace=False).tolist()):
            yield f"partnet {name}", replace(trees[number].facing("+z"), merge=None)
