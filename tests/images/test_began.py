"""BEGAN: losses by hand, the balance of a run, and learning."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

import shapegen
from shapegen.core.seeding import seeded
from shapegen.images.began import BEGAN, BEGANConfig
from tests.images.image_cases import blobs, play

SMALL: dict[str, Any] = {"size": (8, 8), "noise_dim": 5, "code_dim": 6, "hidden": (4, 8)}


def build(**changes: Any) -> BEGAN:
    with seeded(0):
        return BEGAN(BEGANConfig(**(SMALL | changes))).eval()


def pixels(n: int = 6) -> torch.Tensor:
    return torch.rand(n, 1, 8, 8, generator=torch.Generator().manual_seed(0)) * 2 - 1


def test_losses_by_hand() -> None:
    model = build(diversity=0.4)
    model.balance.k.fill_(0.3)
    judge, make = model.objectives(rng=torch.Generator().manual_seed(3))
    loss, terms = judge.loss(pixels(), 0)
    z = model.sample_latent(6, rng=torch.Generator().manual_seed(3))
    fake = model.generator(z)
    real_error, fake_error = (
        (model.discriminator(each) - each).abs().mean() for each in (pixels(), fake)
    )
    torch.testing.assert_close(loss, real_error - 0.3 * fake_error)
    torch.testing.assert_close(terms["real_error"], real_error.detach())
    torch.testing.assert_close(terms["fake_error"], fake_error.detach())
    assert terms["k"].item() == pytest.approx(0.3)
    expected = real_error + (0.4 * real_error - fake_error).abs()
    torch.testing.assert_close(terms["convergence"], expected.detach())
    make = model.objectives(rng=torch.Generator().manual_seed(3))[1]
    torch.testing.assert_close(make.loss(pixels(), 0)[0], fake_error)


def test_the_balance_takes_a_step_in_training_alone() -> None:
    model = build(balance_rate=0.1)
    judge, make = model.objectives(rng=torch.Generator().manual_seed(3))
    _, terms = judge.loss(pixels(), 0)
    assert model.balance.k == 0
    model.train()
    loss, terms = judge.loss(pixels(), 0)
    gap = 0.5 * terms["real_error"] - terms["fake_error"]
    assert gap > 0
    torch.testing.assert_close(model.balance.k, 0.1 * gap)
    loss.backward()  # the step of the balance does not disturb the gradients of the loss before
    before = model.balance.k.clone()
    make.loss(pixels(), 0)
    assert torch.equal(model.balance.k, before)


def test_gradients_are_those_of_the_balance_at_the_loss() -> None:
    """The generator's share of the discriminator's gradients is k of before the step."""
    model = build(balance_rate=0.5).train()
    model.balance.k.fill_(0.3)
    real, fake = pixels(), pixels().flip(0).sin()
    parameter = next(model.discriminator.parameters())
    (found,) = torch.autograd.grad(model.judged(real, fake)[0], parameter)
    assert model.balance.k != pytest.approx(0.3)
    loss = model.errors(real).mean() - 0.3 * model.errors(fake).mean()
    (expected,) = torch.autograd.grad(loss, parameter)
    torch.testing.assert_close(found, expected)


def test_the_balance_is_kept_in_files_and_runs(tmp_path: Path) -> None:
    settings = {"epochs": 4, "batch_size": 16, "tensorboard": False, "log_every": 1}
    runs = {}
    for name, stops in (("whole", (4,)), ("resumed", (2, 4))):
        for number, epochs in enumerate(stops):
            model = build(balance_rate=0.1)
            shapegen.fit(
                model,
                blobs(32),
                settings | {"epochs": epochs},
                out=tmp_path / name,
                resume=number > 0,
                progress=False,
            )
            runs[name] = model
    assert runs["whole"].balance.k > 0
    for name, each in runs["whole"].state_dict().items():
        assert torch.equal(each, runs["resumed"].state_dict()[name])
    loaded = shapegen.load(tmp_path / "whole")
    assert torch.equal(loaded.balance.k, runs["whole"].balance.k)
    log = (tmp_path / "whole" / "log.jsonl").read_text()
    assert '"discriminator.convergence"' in log
    assert '"discriminator.k"' in log


def test_the_game_comes_into_balance() -> None:
    """Errors of samples are the share of those of data that was asked for, samples like discs."""
    data = blobs(128)
    model = build(network="mlp", hidden=(64,), code_dim=8, balance_rate=0.05, diversity=0.7)
    before = model.sample(64, rng=torch.Generator().manual_seed(1)).pixels
    terms = play(model, model.prepare(data), 400, rng=torch.Generator().manual_seed(0))
    share = terms["discriminator.fake_error"] / terms["discriminator.real_error"]
    assert share == pytest.approx(0.7, abs=0.25)
    after = model.sample(64, rng=torch.Generator().manual_seed(1)).pixels
    errors = [(each.mean(0) - data.pixels.mean(0)).abs().mean() for each in (before, after)]
    assert errors[1] < errors[0] / 2


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"code_dim": 0}, "code_dim must be at least 1; got 0"),
        ({"diversity": 0.0}, "diversity must be above 0 and at most 1, rate above 0"),
        ({"balance_rate": 0.0}, "rate above 0; got 0.5 and 0.0"),
        ({"channels": 2}, "channels must be 1 or 3; got 2"),
    ],
)
def test_settings_that_make_no_model(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        BEGANConfig(**(SMALL | fields))
