"""GRAF's workloads, on networks of a few numbers."""

from __future__ import annotations

import json
from typing import Any

import pytest
import torch

import shapegen
from benchmarks import graf, graf_skipping, harness
from benchmarks.__main__ import names


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = {"width": 8, "depth": 3, "judge_width": 4, "frequencies": 2}
    for name, value in {"SIZES": sizes, "SAMPLES": 4, "SIDE": 8}.items():
        monkeypatch.setattr(graf, name, value)
    right = harness.measure

    def short(work: Any, device: torch.device, **_: Any) -> tuple[list[float], list[float]]:
        return right(work, device, seconds=0.0, warm_up=1, least=2)

    monkeypatch.setattr(harness, "measure", short)
    monkeypatch.setattr(harness, "gemm_gflops", lambda device: 100.0)


@pytest.mark.usefixtures("tiny")
@pytest.mark.parametrize("name", ["graf_render64", "graf_render64_bf16", "graf_step"])
def test_a_workload_is_measured_against_the_plain_network(name: str) -> None:
    assert {"graf_render64", "graf_render128", "graf_step"} <= set(names())
    result = harness.run(name)
    json.dumps(result)
    assert result["recursion_s"] > 0
    if name != "graf_step":
        assert result["gflops"] > 0
        bound = 0.1 if name.endswith("bf16") else 1e-5
        assert 0 < result["largest_difference"] < bound


@pytest.mark.usefixtures("tiny")
def test_skipping_is_measured_on_a_field_that_was_learnt(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"STEPS": 3, "POINTS": 256, "CELLS": 24}.items():
        monkeypatch.setattr(graf_skipping, name, value)
    monkeypatch.setattr(graf_skipping, "measure", harness.measure)
    result = harness.run("graf_render64_skipping")
    json.dumps(result)
    assert 0 <= result["largest_error"] <= graf_skipping.TOLERANCE
    assert result["psnr_db"] > 40
    assert result["grid_s"] > 0


def test_a_network_learns_the_field_of_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graf, "SIZES", {"width": 24, "depth": 3, "frequencies": 4})
    for name, value in {"STEPS": 100, "POINTS": 256, "RATE": 5e-3, "CELLS": 24}.items():
        monkeypatch.setattr(graf_skipping, name, value)
    teacher = shapegen.load("graf-furniture").sample(1, rng=torch.Generator().manual_seed(0))
    model = graf.carla_model(32, torch.device("cpu"))
    codes = model.sample_latent(1, rng=torch.Generator().manual_seed(1))
    losses = graf_skipping.learn(model, codes, teacher)
    assert len(losses) == 100
    assert sum(losses[-10:]) < 0.75 * sum(losses[:10])


@pytest.mark.usefixtures("tiny")
def test_a_step_moves_both_players_and_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    model = graf.carla_model(64, torch.device("cpu"))
    monkeypatch.setattr(graf, "carla_model", lambda *_: model)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    moved: list[str] = []
    stepped = torch.optim.RMSprop.step

    def step(self: Any, *given: Any) -> None:
        stepped(self, *given)
        now = model.state_dict()
        moved.extend(name for name, value in before.items() if not torch.equal(value, now[name]))

    monkeypatch.setattr(torch.optim.RMSprop, "step", step)
    graf.step_workload(torch.device("cpu"), 1.0).run()
    assert {name.split(".")[0] for name in moved} == {"discriminator", "generator"}
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name])
