"""The stability laboratory: experiments from files, and what a cure does."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from shapegen.cli import app
from shapegen.core.game import GameOptions
from shapegen.core.seeding import seeded
from shapegen.images.plane_gan import PlaneGAN, PlaneGANConfig
from shapegen.train.lab_pictures import judged
from shapegen.train.laboratory import LabConfig, load_lab, run_lab, without_cure
from shapegen.view.fields import cloud_picture

CONFIGS = Path(__file__).resolve().parents[1] / "configs" / "lab"
SHORT = ["steps=12", "critic_steps=3", "train.batch_size=32", "model.hidden=[8]", "shots=3"]


@pytest.mark.parametrize("name", ["ring", "grid"])
def test_experiments_of_the_project_run(name: str) -> None:
    config = load_lab(CONFIGS / f"{name}.yaml", SHORT)
    result = run_lab(config, seed=3)
    assert result.seed == 3
    assert set(result.figures) == {"raw", "ema"}
    assert [step for step, _ in result.shots] == [4, 8, 12]
    again = run_lab(config, seed=3)
    assert again.figures == result.figures
    assert torch.equal(again.shots[-1][1], result.shots[-1][1])
    other = run_lab(config, seed=4)
    assert not torch.equal(other.shots[-1][1], result.shots[-1][1])


@pytest.mark.parametrize(
    "game",
    [
        {},
        {"loss": "wasserstein", "gradient_penalty": 10.0, "critic_steps": 2},
        {"loss": "hinge", "r1": 0.1, "r2": 0.1, "lazy": 2},
        {"loss": "least_squares", "instance_noise": 0.3, "noise_steps": 6},
        {"loss": "saturating", "roth": 0.1},
        {"unrolled": 2},
        {"consensus": 0.1},
        {"pack": 2, "smoothing": 0.1},
    ],
)
def test_every_option_trains(game: dict[str, Any]) -> None:
    config = load_lab(CONFIGS / "ring.yaml", SHORT)
    model = replace(config.model, game=GameOptions(**game))
    result = run_lab(replace(config, model=model), seed=0)
    assert result.shots[-1][1].isfinite().all()


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["modes=star"], "`modes` must be one of ring, grid; got 'star'"),
        (["model.game.r1=-1"], "r1 must be at least 0; got -1.0"),
        (["model.game.r3=1"], "unknown key `model.game.r3`; accepted: loss, smoothing"),
        (["steps=0"], "steps must be at least 1; got 0"),
    ],
)
def test_mistakes_are_told(overrides: list[str], message: str) -> None:
    with pytest.raises(ValueError) as caught:
        load_lab(CONFIGS / "ring.yaml", overrides)
    assert message in str(caught.value)
    assert "ring.yaml" in str(caught.value)


def test_slopes_vanish_where_nothing_overlaps_and_noise_brings_them_back() -> None:
    """Against autograd through log-densities, at the generator's samples."""
    at = torch.tensor([0.9, 1.0, 1.1], dtype=torch.float64)
    for noise, least, most in ((0.0, 0.0, 1e-30), (1.0, 0.1, 1.0)):
        x = at.clone().requires_grad_()
        spread = (0.01 + noise**2) ** 0.5
        real, fake = (torch.distributions.Normal(mean, spread) for mean in (-1.0, 1.0))
        logit = real.log_prob(x) - fake.log_prob(x)
        (slope,) = torch.autograd.grad(torch.nn.functional.softplus(logit).sum(), x)
        share, found = judged(at, noise)
        torch.testing.assert_close(share, logit.detach().sigmoid())
        torch.testing.assert_close(found, -slope)
        assert least <= found.min() <= found.max() <= most


def test_the_command_writes_figures_and_pictures(tmp_path: Path) -> None:
    words = ["lab", str(CONFIGS / "ring.yaml"), *SHORT, "--out", str(tmp_path), "--compare"]
    done = CliRunner().invoke(app, [*words, "--seeds", "2"])
    assert done.exit_code == 0, done.output
    assert "plain, seed 1, ema: modes" in done.output
    lines = json.loads((tmp_path / "figures.json").read_text())
    assert [(line["game"], line["seed"]) for line in lines] == [
        ("cured", 0), ("plain", 0), ("cured", 1), ("plain", 1)
    ]  # fmt: skip
    assert "Infinity" not in (tmp_path / "figures.json").read_text()
    assert lines[0]["ema"]["reverse_kl"] is None  # no mode after so few steps
    for name, size in (("samples", (4, 3)), ("dirac", (2, 3))):
        picture = np.asarray(Image.open(tmp_path / f"{name}.png"))
        rows, columns = size
        assert picture.shape == (rows * 350, columns * 328 + 8, 3)
        assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 3
    assert (tmp_path / "vanishing.png").is_file()
    exact = json.loads((tmp_path / "critics.json").read_text())
    assert exact["shifted"]["exact"] == pytest.approx(1, abs=1e-4)
    assert "critic of shifted: " in done.output
    assert Image.open(tmp_path / "critics.png").size == (2 * 648 + 8, 3 * 350)


def test_a_picture_of_points_shows_them_where_they_are() -> None:
    picture = cloud_picture([[0.5, 0.5]], [[-0.5, -0.5]], 1.0)
    blue = np.abs(picture.astype(int) - np.array([31, 119, 180])).sum(-1) < 60
    assert np.argwhere(blue).mean(0) == pytest.approx([80, 240], abs=2)


def test_the_players_losses_written_out() -> None:
    """A discriminator with R1, and a generator that is to be taken for real."""
    with seeded(0):
        model = PlaneGAN(PlaneGANConfig(hidden=(8,), game=GameOptions(r1=3.0)))
    batch = model.prepare(torch.randn(16, 2, generator=torch.Generator().manual_seed(1)))
    judge, make = model.objectives(rng=torch.Generator().manual_seed(2))
    found = judge.loss(batch, 0)[0], make.loss(batch, 0)[0]
    rng = torch.Generator().manual_seed(2)
    fakes = [model.generator(model.sample_latent(16, rng=rng)) for _ in range(2)]
    at = batch.clone().requires_grad_()
    on_real, on_fake = model.discriminator(at), model.discriminator(fakes[0])
    (slope,) = torch.autograd.grad(on_real.sum(), at)
    expected = -on_real.sigmoid().log().mean() - (1 - on_fake.sigmoid()).log().mean()
    expected = expected + 1.5 * slope.square().sum(1).mean()
    torch.testing.assert_close(found[0], expected)
    torch.testing.assert_close(found[1], -model.discriminator(fakes[1]).sigmoid().log().mean())


def test_points_that_are_none() -> None:
    model = PlaneGAN(PlaneGANConfig(hidden=(4,)))
    for points, message in (
        (torch.zeros(3), r"points of the plane must be \(n, 2\); got \(3,\)"),
        (torch.full((1, 2), torch.nan), "must be finite; got NaN or infinity"),
    ):
        with pytest.raises(ValueError, match=message):
            model.prepare(points)
    assert torch.equal(model.prepare(torch.ones(2, 2)), torch.full((2, 2), 0.5))


def test_an_experiment_without_a_file_has_the_plain_game() -> None:
    assert LabConfig().model.game == GameOptions()


@pytest.mark.slow
def test_modes_are_kept_with_the_penalty_and_lost_without() -> None:
    """Eight of eight in two thousand steps; without R1 the same game drops some."""
    config = load_lab(CONFIGS / "ring.yaml", ["steps=2000", "train.ema=0.99"])
    cured = run_lab(config, seed=0).figures["ema"]
    assert cured["modes"] == 8
    assert cured["reverse_kl"] < 0.05
    lost = run_lab(without_cure(config), seed=0).figures["ema"]
    assert lost["reverse_kl"] > 5 * cured["reverse_kl"] or lost["modes"] < 8
