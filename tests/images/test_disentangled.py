"""Disentangled VAE: the class in one code, everything else in the other."""

from __future__ import annotations

import itertools
import math
from pathlib import Path
from typing import Any

import pytest
import torch

import shapegen
from shapegen.images.disentangled import DisentangledConfig, DisentangledVAE, partners
from shapegen.images.images import Images
from shapegen.images.probes import left_out_accuracy

SMALL: dict[str, Any] = {
    "size": (8, 8),
    "classes": 2,
    "specified_dim": 2,
    "unspecified_dim": 3,
    "hidden": (32,),
}


def build(**changes: Any) -> DisentangledVAE:
    torch.manual_seed(0)
    return DisentangledVAE(DisentangledConfig(**(SMALL | changes))).eval()


def bars(n: int, seed: int = 0) -> Images:
    """A bright line at a random place, between pixels too: the class says which way it runs."""
    rng = torch.Generator().manual_seed(seed)
    labels = torch.arange(n) % 2
    place = 1 + 5 * torch.rand(n, 1, generator=rng)
    profile = 2 * torch.exp(-(torch.arange(8) - place).square()) - 1
    across = profile[:, None, :, None].expand(-1, -1, -1, 8)
    return Images(torch.where(labels.view(-1, 1, 1, 1) == 0, across, across.mT), labels)


@pytest.mark.parametrize("same", [True, False])
def test_partners_are_others_of_the_same_or_of_another_class(same: bool) -> None:
    labels = torch.tensor([0, 1, 0, 2, 1, 0])
    seen = torch.zeros(6, 6, dtype=torch.bool)
    rng = torch.Generator().manual_seed(0)
    for _ in range(80):
        seen[torch.arange(6), partners(labels, same=same, rng=rng)] = True
    expected = (labels[:, None] == labels) == same
    # Alone of its class, an image is its own partner.
    expected &= ~torch.eye(6, dtype=torch.bool) | (labels == 2).diag()
    assert torch.equal(seen, expected)
    alone = partners(torch.zeros(3, dtype=torch.long), same=False, rng=rng)
    assert torch.equal(alone, torch.arange(3))


def test_the_loss_is_the_sum_of_its_terms() -> None:
    weights = {"beta": 2.0, "adversarial": 3.0, "independence": 5.0, "penalty": 0.0}
    model = build(**weights)
    ours, judge = model.objectives(rng=torch.Generator().manual_seed(0))
    batch = model.prepare(bars(12))
    loss, terms = ours.loss(batch, 0)
    expected = 2 * terms["kl"] - terms["log_prob"] + 3 * terms["fooled"] + 5 * terms["discrepancy"]
    torch.testing.assert_close(loss.detach(), expected)
    assert all(terms[name] != 0 for name in terms)
    # Who cannot decide loses log 2 for each of real and fake; each kind of fake wins as much.
    torch.nn.init.zeros_(model.discriminator.head.linear.weight)
    torch.nn.init.zeros_(model.discriminator.head.linear.bias)
    torch.nn.init.zeros_(model.discriminator.head.classes.weight)
    assert ours.loss(batch, 0)[1]["fooled"].item() == pytest.approx(2 * math.log(2))
    assert judge.loss(batch, 0)[0].item() == pytest.approx(2 * math.log(2))


def gradients(model: DisentangledVAE, objective: int) -> dict[str, torch.Tensor | None]:
    model.zero_grad()
    batch = model.prepare(bars(12))
    model.objectives(rng=torch.Generator().manual_seed(0))[objective].loss(batch, 0)[0].backward()
    return {name: weight.grad for name, weight in model.named_parameters()}


def test_gradients_go_where_they_should() -> None:
    with_game, without = gradients(build(), 0), gradients(build(adversarial=0.0), 0)
    names = [name for name in with_game if name.startswith("autoencoder.encoder")]
    rows = {}
    for name in names[-2:]:
        game, rest = with_game[name], without[name]
        assert game is not None
        assert rest is not None
        rows[name] = (
            (game - rest).abs().flatten(1).sum(1) if game.ndim > 1 else (game - rest).abs()
        )
    for change in rows.values():
        # Specified first: the game is none of its business; unspecified means and variances.
        assert change[:2].max() < 1e-6
        assert change[2:5].min() > 1e-5
    judged = gradients(build(), 1)
    for name, gradient in judged.items():
        assert (gradient is not None) == name.startswith("discriminator"), name


def test_the_discriminator_pays_for_slopes() -> None:
    found = []
    for penalty in (0.0, 4.0):
        model = build(penalty=penalty)
        judge = model.objectives(rng=torch.Generator().manual_seed(0))[1]
        loss, terms = judge.loss(model.prepare(bars(12)), 0)
        found.append((loss.item(), terms["slope"].item()))
    assert found[0][1] == 0
    assert found[1][1] > 0
    assert found[1][0] - found[0][0] == pytest.approx(found[1][1], rel=1e-4)
    # Half of gamma times the mean squared slope.
    batch = model.prepare(bars(12))
    pixels = batch.pixels.clone().requires_grad_()
    (slope,) = torch.autograd.grad(model.discriminator(pixels, batch.labels).sum(), pixels)
    assert found[1][1] == pytest.approx(2 * float(slope.square().flatten(1).sum(1).mean()))


def test_the_autoencoder_is_to_be_taken_for_real() -> None:
    """By a discriminator that takes all for real with probability s(3)."""
    model = build()
    torch.nn.init.zeros_(model.discriminator.head.linear.weight)
    torch.nn.init.zeros_(model.discriminator.head.classes.weight)
    torch.nn.init.constant_(model.discriminator.head.linear.bias, 3.0)
    ours = model.objectives(rng=torch.Generator().manual_seed(0))[0]
    fooled = ours.loss(model.prepare(bars(12)), 0)[1]["fooled"]
    assert fooled.item() == pytest.approx(-2 * math.log(1 / (1 + math.exp(-3))), rel=1e-5)


def test_swaps_are_rows_of_the_rest_and_columns_of_the_class() -> None:
    model, images = build(), bars(5)
    codes = model.encode(images)
    grid = model.swap(images[:2], images[2:]).pixels
    assert grid.shape == (6, 1, 8, 8)
    for row, column in itertools.product(range(3), range(2)):
        one = torch.cat([codes[column, :2], codes[2 + row, 2:]])[None]
        torch.testing.assert_close(grid[2 * row + column], model.decode(one).pixels[0])


@pytest.mark.parametrize("network", ["mlp", "conv"])
def test_each_objective_reaches_the_weights_of_its_module(network: Any) -> None:
    model = build(network=network, hidden=(8, 16)).train()
    batch = model.prepare(bars(6))
    for objective in model.objectives(rng=torch.Generator().manual_seed(0)):
        model.zero_grad()
        loss, terms = objective.loss(batch, 0)
        loss.backward()
        for name, weight in objective.module.named_parameters():
            assert weight.grad is not None, (objective.name, name)
        assert all(term.isfinite() for term in terms.values())


def test_the_class_is_in_one_code_and_the_place_in_the_other(tmp_path: Path) -> None:
    model, fresh = build(binarise=False), bars(128, seed=1)
    settings = {"epochs": 100, "batch_size": 64, "learning_rate": 3e-3, "tensorboard": False}
    shapegen.fit(model, bars(256), settings, out=tmp_path, progress=False)
    found = model.figures(fresh, rng=torch.Generator().manual_seed(0))
    assert found["class from s"] > 0.95
    # One half is chance; without the penalty of the codes it is 1, and a tenth of the swaps work.
    assert found["class from z"] < 0.75
    assert found["class of swaps"] > 0.9
    assert found["-elbo swapped"] < 0.7 * 64 * math.log(2)  # of pixels that are fair coins


def test_nearest_codes_of_others_tell_a_class() -> None:
    codes = torch.tensor([[0.0], [0.1], [0.2], [5.0], [5.1], [5.2]])
    assert left_out_accuracy(codes, torch.tensor([0, 0, 0, 1, 1, 1]), neighbours=2) == 1
    # The nearest is one of the other class, never the code itself.
    pairs = torch.tensor([0, 1, 0, 1, 0, 1])
    assert left_out_accuracy(codes, pairs, neighbours=1) == 0


def test_bad_input_is_refused() -> None:
    model = build()
    with pytest.raises(ValueError, match="images need labels; got none"):
        model.prepare(Images(bars(2).pixels))
    with pytest.raises(ValueError, match="labels must be from 0 to 1; got 0 to 5"):
        model.prepare(Images(bars(2).pixels, [0, 5]))
    with pytest.raises(ValueError, match="images need labels; got none"):
        model.figures(Images(bars(2).pixels))
    with pytest.raises(ValueError, match="more than 5 codes are needed; got 5"):
        model.figures(bars(5))
    with pytest.raises(ValueError, match="penalty must be at least 0; got -1"):
        DisentangledConfig(penalty=-1.0)
    with pytest.raises(ValueError, match="classes must be at least 2; got 1"):
        DisentangledConfig(classes=1)
