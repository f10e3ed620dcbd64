"""The model and the chairs that StructureNet's workloads share."""

from __future__ import annotations

from functools import lru_cache

import torch

from benchmarks.sources import data_file
from shapegen.core.seeding import seeded
from shapegen.structures.files import read_part_trees
from shapegen.structures.part_tree import PartTrees
from shapegen.structures.structurenet import StructureNet, StructureNetConfig
from shapegen.structures.tree_batch import TreeData

TREES = 32


@lru_cache(maxsize=1)
def chairs() -> PartTrees:
    """The first chairs of the training set."""
    return read_part_trees(data_file("partnet_boxes/chair_train.jsonl.gz"))[:TREES]


def official_model(device: torch.device) -> StructureNet:
    """The authors' setting with chairs' labels, weights from seed 0."""
    path = str(data_file("partnet_boxes/part_semantics/Chair.txt"))
    with seeded(0):
        return StructureNet(StructureNetConfig.official(label_files=(path,))).to(device)


def prepared() -> TreeData:
    """The chairs in the model's form."""
    return official_model(torch.device("cpu")).prepare(chairs())
