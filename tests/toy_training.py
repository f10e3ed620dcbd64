"""Short trainings of the toy model, for the tests of the loop."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from shapegen import checkpoint
from shapegen.config import TrainConfig
from shapegen.core.objective import Objective
from shapegen.core.seeding import seeded
from shapegen.train import TrainResult, fit
from tests.toy_model import Toy, ToyConfig, vectors

SMALL = TrainConfig(epochs=6, batch_size=16, save_every=2, log_every=3, tensorboard=False)
"""Six epochs of three steps, the last with 8 shapes."""


def build(cls: type[Toy] = Toy, **fields: Any) -> Toy:
    with seeded(0):
        return cls(ToyConfig(**fields))


def train(
    out: Path, config: TrainConfig = SMALL, model: Toy | None = None, **options: Any
) -> tuple[Toy, TrainResult]:
    model = model or build()
    result = fit(model, vectors(40), config, out=out, progress=False, **options)
    return model, result


def log_lines(out: Path) -> list[dict[str, float]]:
    lines = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    for line in lines:
        line.pop("shapes_per_second", None)
    return lines


def assert_same_files(a: Path, b: Path) -> None:
    assert log_lines(a) == log_lines(b)
    names = {path.name for path in a.glob("*.safetensors")}
    assert names == {path.name for path in b.glob("*.safetensors")}
    for name in names - {"state.safetensors"}:
        assert checkpoint.sha256(a / name) == checkpoint.sha256(b / name), name


class Stopping(Toy):
    """Calls something when a step begins."""

    at: int
    action: Callable[[], None]

    def objectives(self, *, rng: torch.Generator | None = None) -> tuple[Objective, ...]:
        (inner,) = super().objectives(rng=rng)

        def loss(batch: Tensor, step: int) -> tuple[Tensor, dict[str, Tensor]]:
            if step == self.at and self.training:
                self.action()
            return inner.loss(batch, step)

        return (replace(inner, loss=loss),)


def stopping(at: int, action: Callable[[], None], **fields: Any) -> Stopping:
    model = build(Stopping, **fields)
    assert isinstance(model, Stopping)
    model.at, model.action = at, action
    return model
