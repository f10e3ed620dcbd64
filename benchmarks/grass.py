"""What the GRASS workloads share: the 123 chairs and the model that sees them."""

from __future__ import annotations

import torch

from benchmarks.sources import data_file
from shapegen.structures.grass import GRASS, GRASSConfig
from shapegen.structures.grass_files import read_grass_arrays
from shapegen.structures.merge_batch import MergeData
from shapegen.structures.merge_tree import BOX, SYM, MergeTree

TREES = 123


def chairs() -> list[MergeTree]:
    """The first 123 trees of the GRASS chairs, as they stand in the file."""
    arrays = read_grass_arrays(data_file("grass/grass_chairs.npz"))
    trees = []
    for ops, boxes, syms in zip(
        arrays.ops[:TREES], arrays.boxes[:TREES], arrays.syms[:TREES], strict=True
    ):
        used = ops[ops >= 0]
        trees.append(MergeTree(used, boxes[: (used == BOX).sum()], syms[: (used == SYM).sum()]))
    return trees


def prepared() -> MergeData:
    """The same laid out for training."""
    return MergeData(chairs())


def official_model(device: torch.device) -> GRASS:
    """The authors' network (feature 80, hidden 200), untrained, seed 0."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return GRASS(GRASSConfig.official()).to(device)
