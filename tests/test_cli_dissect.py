"""The verb that takes a generator apart."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from typer.testing import CliRunner, Result

import shapegen
from shapegen.cli import app
from shapegen.core.seeding import seeded
from shapegen.data.scenes import CONCEPTS, scenes
from shapegen.images.gan import GAN, GANConfig


def invoke(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A generator fitted to the scenes of its own latents: what it paints has parts."""
    with seeded(0):
        gan = GAN(GANConfig(channels=3, size=(32, 32), noise_dim=8, hidden=(8, 16)))
    pixels = scenes(16).pixels
    z = gan.sample_latent(16, rng=torch.Generator().manual_seed(1))
    optimizer = torch.optim.Adam(gan.generator.parameters(), 1e-2)
    gan.train()
    for _ in range(40):
        optimizer.zero_grad()
        nn.functional.mse_loss(gan.generator(z), pixels).backward()
        optimizer.step()
    path = tmp_path_factory.mktemp("models") / "scenes.safetensors"
    shapegen.save(gan.eval(), path)
    return path


def test_figures_and_pictures(model: Path, tmp_path: Path) -> None:
    words = ("dissect", model, "--layer", "generator.stages.0", "-n", 16, "--units", 4)
    done = invoke(*words, "--out", tmp_path / "a")
    assert done.exit_code == 0, done.output
    assert [line.split()[0] for line in done.output.splitlines()[:6]] == list(CONCEPTS)
    text = (tmp_path / "a" / "figures.json").read_text()
    found = json.loads(text, parse_constant=pytest.fail)
    assert found["layer"] == "generator.stages.0"
    assert (found["units"], found["samples"]) == (8, 16)
    assert list(found["parts"]) == list(CONCEPTS)
    sky = found["parts"]["sky"]
    assert sky["present"] > 0.9
    assert 0.3 < sky["iou"] <= 1
    assert len(sky["units"]) == 4
    assert sky["iou"] == found["iou"][sky["units"][0]][0]
    for name in (*CONCEPTS, "iou"):
        picture = np.asarray(Image.open(tmp_path / "a" / f"{name}.png"))
        assert picture.std() > 10
    page = (tmp_path / "a" / "index.html").read_text()
    assert "removed without its units" in page
    again = invoke(*words, "--out", tmp_path / "b")
    assert again.exit_code == 0
    assert (tmp_path / "b" / "figures.json").read_text() == text


def test_parts_can_be_found_by_a_network(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from shapegen.cli import dissect as module

    monkeypatch.setattr(module, "TRAINING_SCENES", 20)
    monkeypatch.setattr(module, "TRAINING_STEPS", 30)
    words = ("dissect", model, "--layer", "generator.stages.0", "-n", 8, "--units", 4)
    found = {}
    for way in ([], ["--segmenter"]):
        done = invoke(*words, *way, "--out", tmp_path / "out")
        assert done.exit_code == 0, done.output
        figures = json.loads((tmp_path / "out" / "figures.json").read_text())
        found[len(way)] = figures["explained"]
    # A network has its own view of mixtures, which no colour rule takes for a part.
    assert found[1] > 0.5
    assert found[1] != found[0]


def test_mistakes_are_one_line(model: Path, tmp_path: Path) -> None:
    with seeded(0):
        grey = shapegen.build("gan", size=[8, 8], hidden=[4])
        flow = shapegen.build("pixelcnn", size=[8, 8])
    shapegen.save(grey, tmp_path / "grey.safetensors")
    shapegen.save(flow, tmp_path / "flow.safetensors")
    layer = ("--layer", "generator.stages.0")
    cases = [
        ((model, "--layer", "generator.stage"), "accepted: generator.norm (16 x 8 x 8), "),
        ((tmp_path / "grey.safetensors", *layer), "gan makes 1 x 8 x 8"),
        ((tmp_path / "flow.safetensors", *layer), "pixelcnn does not make numbers of latents"),
        ((model, *layer, "--units", 16), "must be from 1 to 7, of the layer's 8; got 16"),
        ((model, *layer, "-n", 3), "greater than or equal to 4"),
    ]
    for words, message in cases:
        done = invoke("dissect", *words, "--out", tmp_path / "x")
        assert done.exit_code == 2, done.output
        assert message in done.output
        assert len(done.output.strip().splitlines()) == 1
        assert not (tmp_path / "x").exists()
