"""Heads of image decoders: what is drawn is what is scored."""

from __future__ import annotations

import math

import pytest
import torch

from shapegen.core.likelihoods import LEVELS, PixelDistribution, pixels_of
from shapegen.core.pixel_heads import Kind, PixelHead

KINDS: tuple[Kind, ...] = ("bernoulli", "gaussian", "logistic")


@pytest.mark.parametrize("kind", KINDS)
def test_a_head_scores_and_draws_by_its_distribution(kind: Kind, rng: torch.Generator) -> None:
    head = PixelHead(kind)
    # Small means and scales: nothing is brought back from beyond black and white.
    outputs = 0.2 * torch.randn(1, 3 * head.parameters, 2, 2, generator=rng)
    outputs[:, 3:] -= 2.5
    found = head.distribution(outputs)
    assert isinstance(found, PixelDistribution)
    drawn = head.sample(outputs.expand(20000, -1, -1, -1), rng=rng)
    assert drawn.shape == (20000, 3, 2, 2)
    torch.testing.assert_close(drawn.mean(0), head.mean(outputs)[0], atol=0.03, rtol=0)
    pixels = drawn[:1]
    torch.testing.assert_close(head.log_prob(outputs, pixels), found.log_prob(pixels).sum()[None])


@pytest.mark.parametrize(("kind", "levels"), [("bernoulli", 2), ("logistic", LEVELS)])
def test_probabilities_of_all_levels_sum_to_one(kind: Kind, levels: int) -> None:
    head = PixelHead(kind)
    outputs = torch.tensor([0.3, -0.4])[: head.parameters].view(1, -1, 1, 1)
    every = pixels_of(torch.arange(levels), levels).view(levels, 1, 1, 1)
    log_prob = head.log_prob(outputs.expand(levels, -1, -1, -1), every)
    assert log_prob.exp().sum().item() == pytest.approx(1, abs=1e-5)


def test_a_gaussian_density_integrates_to_one() -> None:
    outputs = torch.tensor([0.3, -1.0]).view(1, 2, 1, 1)
    x = torch.linspace(-5, 5, 10001).view(-1, 1, 1, 1)
    density = PixelHead("gaussian").log_prob(outputs.expand(len(x), -1, -1, -1), x).exp()
    assert float(density.sum()) / 1000 == pytest.approx(1, abs=1e-4)


def test_a_network_that_puts_out_nothing_begins_dark() -> None:
    head, nothing = PixelHead("bernoulli"), torch.zeros(1, 1, 1, 1)
    white = (head.mean(nothing).item() + 1) / 2
    assert white == pytest.approx(1 / (1 + math.exp(2)))
    assert head.log_prob(nothing, torch.ones(1, 1, 1, 1)).exp().item() == pytest.approx(white)
