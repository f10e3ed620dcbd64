"""The workloads of the image models, on images and networks of a few numbers."""

from __future__ import annotations

import json
from importlib import import_module
from typing import Any

import pytest
import torch

from benchmarks import digits, harness
from benchmarks.__main__ import names, remark

IMAGE_WORKLOADS = {
    "autoencoder_codes": 6,
    "autoencoder_step": 4,
    "glow_log_prob": 3,
    "glow_sample": 3,
    "glow_step": 3,
    "vae_codes": 6,
    "vae_codes_conv": 6,
    "vae_step": 4,
    "vae_step_conv": 4,
}
"""Images of a run, in the tiny sizes of the fixture."""


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "SIZE": (8, 8),
        "CODED": 6,
        "STEP": 4,
        "FLOWN": 3,
        "NETWORKS": {
            "mlp": {"hidden": (5,), "latent_dim": 2},
            "conv": {"network": "conv", "hidden": (4, 4), "latent_dim": 2},
            "flow": {"steps": 1, "hidden": 4},
        },
    }.items():
        monkeypatch.setattr(digits, name, value)
    right = harness.measure

    def short(work: Any, device: torch.device, **_: Any) -> tuple[list[float], list[float]]:
        return right(work, device, seconds=0.0, warm_up=1, least=2)

    monkeypatch.setattr(harness, "measure", short)
    monkeypatch.setattr(harness, "gemm_gflops", lambda device: 100.0)


@pytest.mark.usefixtures("tiny")
@pytest.mark.parametrize("name", IMAGE_WORKLOADS)
def test_a_workload_says_how_many_images_a_second(name: str) -> None:
    assert name in names()
    result = harness.run(name)
    json.dumps(result)
    assert (result["workload"], result["runs"], result["device"]) == (name, 2, "cpu")
    assert result["images"] == IMAGE_WORKLOADS[name]
    rate = result["images"] / result["cpu_s"]
    assert result["images_a_second"] == pytest.approx(rate, abs=0.06)
    assert result["gflops"] >= 0
    assert result["gemm_share"] == pytest.approx(result["gflops"] / 100, abs=1e-4)
    assert result["weights"] > 0
    assert "images/s" in remark(result)


@pytest.mark.usefixtures("tiny")
@pytest.mark.parametrize(
    ("name", "network"),
    [("vae", "mlp"), ("vae", "conv"), ("autoencoder", "mlp"), ("glow", "flow")],
)
def test_a_step_trains(name: str, network: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model = digits.new_model(name, network, torch.device("cpu"))
    before = {key: value.clone() for key, value in model.named_parameters()}
    monkeypatch.setattr(digits, "new_model", lambda *_: model)
    digits.training_step(name, network, torch.device("cpu"), 4).run()
    moved = [not torch.equal(value, before[key]) for key, value in model.named_parameters()]
    # Not every one: a residual block begins as the identity.
    assert sum(moved) >= 4


@pytest.mark.usefixtures("tiny")
@pytest.mark.parametrize(
    ("name", "size", "slider"),
    [("view_parts", "PARTS", "explode"), ("view_points", "POINTS", "frame")],
)
def test_moves_of_the_viewers_sliders_are_counted(
    name: str, size: str, slider: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("viser", reason="viser is not installed")
    monkeypatch.setattr(import_module(f"benchmarks.workloads.{name}"), size, 20)
    result = harness.run(name)
    assert result["slider"] == slider
    assert result["updates_a_second"] == pytest.approx(1 / result["cpu_s"], rel=0.01, abs=0.06)


SHIPPED = ("graf", "grass", "pointflow", "structurenet")


@pytest.mark.usefixtures("tiny")
def test_a_slide_is_timed_with_what_follows_it() -> None:
    assert {f"view_slide_{name}" for name in SHIPPED} < set(names())
    result = harness.run("view_slide_structurenet")
    # The sketch while the slider moves is a part of the work.
    assert result["settled_s"] > result["min_s"] * 0.5
    assert result["weights"] == "structurenet-furniture"


@pytest.mark.usefixtures("tiny")
def test_the_page_says_its_size(monkeypatch: pytest.MonkeyPatch) -> None:
    module = import_module("benchmarks.workloads.view_page")
    sizes = []
    for shapes, frames in ((1, 2), (2, 16)):
        monkeypatch.setattr(module, "SHAPES", shapes)
        monkeypatch.setattr(module, "FRAMES", frames)
        sizes.append(harness.run("view_page")["megabytes"])
    assert 0.01 < sizes[0] < sizes[1] < 1.0
