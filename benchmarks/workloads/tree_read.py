"""The 3280 chairs of ``chair_train.jsonl.gz`` from the file into ``TreeBatch``es of 32."""

from __future__ import annotations

import torch

from benchmarks.harness import Workload
from benchmarks.sources import data_file
from shapegen.structures.files import read_part_trees
from shapegen.structures.tree_batch import TreeBatch
from shapegen.structures.vocabulary import read_vocabulary

BATCH = 32


def prepare(device: torch.device) -> Workload:
    path = data_file("partnet_boxes/chair_train.jsonl.gz")
    vocabulary = read_vocabulary(data_file("partnet_boxes/part_semantics/Chair.txt"))

    def read() -> list[TreeBatch]:
        trees = read_part_trees(path)
        starts = range(0, len(trees), BATCH)
        return [TreeBatch.from_trees(trees[i : i + BATCH], vocabulary=vocabulary) for i in starts]

    batches = read()
    facts = {
        "shapes": sum(batch.num_shapes for batch in batches),
        "nodes": sum(len(batch.box) for batch in batches),
    }
    return Workload(run=read, facts=facts, count_flops=False)
