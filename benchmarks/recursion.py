"""The plain recursion of the tests, one node at a time: what batching is measured against."""

from __future__ import annotations

import importlib.util
from functools import cache
from pathlib import Path
from types import ModuleType

import torch
from torch import Tensor

from shapegen.structures.grass import GRASS
from shapegen.structures.merge_tree import MergeTree

TESTS = Path(__file__).resolve().parents[1] / "tests" / "structures"


@cache
def oracle(name: str) -> ModuleType:
    """A module of the tests."""
    spec = importlib.util.spec_from_file_location(f"oracle_{name}", TESTS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def step(model: GRASS, trees: list[MergeTree], optimizers: list[torch.optim.Optimizer]) -> None:
    """One training step; in double precision, as the tests run it."""
    rng = torch.Generator().manual_seed(0)
    total = torch.zeros((), dtype=torch.float64)
    for tree in trees:
        eps = torch.randn(model.latent_dim, generator=rng, dtype=torch.float64)
        losses = oracle("test_grass").recursive_losses(model, tree, eps)
        weighted = sum(term for name, term in losses.items() if name != "kl")
        total = total + weighted + model.config.kl_weight * losses["kl"]
    for optimizer in optimizers:
        optimizer.zero_grad(set_to_none=True)
    (total / len(trees)).backward()
    for optimizer in optimizers:
        optimizer.step()


def decode(model: GRASS, codes: Tensor) -> list[MergeTree]:
    """Free decoding, shape by shape."""
    return [oracle("test_grass").recursive_decode(model, code) for code in codes]
