"""The model and the chairs that StructureNet's workloads share."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

from benchmarks.recursion import oracle
from benchmarks.sources import data_file
from shapegen.core.seeding import seeded
from shapegen.structures.box_points import quaternion_boxes
from shapegen.structures.files import read_part_trees
from shapegen.structures.part_tree import PartTree, PartTrees
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


def trees_and_boxes(model: StructureNet) -> list[tuple[PartTree, Tensor]]:
    """The chairs one by one, as the plain recursion takes them, in the model's precision."""
    trees = [tree.facing("+z") for tree in chairs()]
    like = model.decoder.child_decoder.mlp_sem.weight
    return [(tree, quaternion_boxes(torch.from_numpy(tree.box).to(like))) for tree in trees]


@torch.no_grad()
def recursive_encode(model: StructureNet) -> list[Tensor]:
    """Mean codes of the chairs, node by node."""
    plain = oracle("structurenet_recursion").Recursion(model)
    return [
        model.encoder.posterior(plain.encode(tree, boxes)[None]).mean[0]
        for tree, boxes in trees_and_boxes(model)
    ]


def recursive_step(model: StructureNet, optimizers: list[torch.optim.Optimizer]) -> Tensor:
    """One training step on the chairs, node by node; the loss before it."""
    plain = oracle("structurenet_recursion").Recursion(model)
    rng = torch.Generator().manual_seed(0)
    weights = model.config.weights
    total = torch.zeros(())
    for tree, boxes in trees_and_boxes(model):
        posterior = model.encoder.posterior(plain.encode(tree, boxes)[None])
        losses = plain.losses(tree, boxes, posterior.rsample(rng=rng)[0])
        losses["kl"] = posterior.kl_standard()[0]
        total = total + sum(getattr(weights, name) * value for name, value in losses.items())
    loss = total / TREES
    for optimizer in optimizers:
        optimizer.zero_grad(set_to_none=True)
    loss.backward()
    for optimizer in optimizers:
        optimizer.step()
    return loss.detach()


def adam(model: StructureNet) -> list[torch.optim.Optimizer]:
    """One optimiser a network, as the authors have."""
    return [
        torch.optim.Adam(part.parameters(), lr=1e-3, fused=True)
        for part in (model.encoder, model.decoder)
    ]
