"""Likelihoods of pixels."""

from __future__ import annotations

import math

import pytest
import torch
from torch.distributions import Bernoulli

from shapegen.core.likelihoods import (
    LogisticMixture,
    bernoulli_log_prob,
    binarised,
    bits_per_dim,
    levels_of,
    pixels_of,
)


@pytest.mark.parametrize("levels", [2, 17, 256])
def test_levels_and_pixels_are_inverse(levels: int) -> None:
    numbers = torch.arange(levels)
    pixels = pixels_of(numbers, levels)
    assert float(pixels[0]) == -1
    assert float(pixels[-1]) == 1
    assert torch.equal(levels_of(pixels, levels), numbers)


def test_black_and_white_are_as_torch_says() -> None:
    logits = torch.randn(50)
    pixels = binarised(torch.zeros(50))
    expected = Bernoulli(logits=logits).log_prob((pixels + 1) / 2)
    torch.testing.assert_close(bernoulli_log_prob(logits, pixels), expected)


def test_brightness_is_the_probability_of_white(rng: torch.Generator) -> None:
    grey = torch.tensor([-1.0, -0.5, 0.0, 1.0])
    drawn = binarised(grey.expand(20000, 4), rng=rng)
    assert set(drawn.flatten().tolist()) == {-1.0, 1.0}
    torch.testing.assert_close(drawn.mean(0), grey, atol=0.02, rtol=0)
    logits = torch.randn(4)
    torch.testing.assert_close(
        bernoulli_log_prob(logits.expand(20000, 4), drawn).mean(0),
        bernoulli_log_prob(logits, grey),
        atol=0.03,
        rtol=0.01,
    )


@pytest.mark.parametrize("scale", [-7.0, -2.0, 1.0])
@pytest.mark.parametrize("levels", [17, 256])
def test_a_mixture_of_logistics_sums_to_one(scale: float, levels: int) -> None:
    mixture = LogisticMixture(
        torch.randn(3, 1, 2), torch.randn(3, 1, 2), torch.full((3, 1, 2), scale), levels
    )
    pixels = pixels_of(torch.arange(levels), levels).expand(3, levels)
    torch.testing.assert_close(mixture.log_prob(pixels).exp().sum(1), torch.ones(3))


def test_draws_have_their_probabilities(rng: torch.Generator) -> None:
    logits, mean = torch.tensor([0.5, -0.5]), torch.tensor([-0.4, 1.1])
    mixture = LogisticMixture(logits, mean, torch.tensor([-1.0, -2.0]), 9)
    whole = LogisticMixture(
        *(each.expand(20000, 2) for each in (logits, mean, mixture.log_scale)), 9
    )
    shares = torch.bincount(levels_of(whole.sample(rng=rng), 9), minlength=9) / 20000
    expected = mixture.log_prob(pixels_of(torch.arange(9), 9)).exp()
    torch.testing.assert_close(shares, expected, atol=0.015, rtol=0)


def test_bits() -> None:
    # Uniform over 256 levels are 8 bits.
    nats = torch.tensor([784 * math.log(256)])
    torch.testing.assert_close(bits_per_dim(nats, 784), torch.tensor([8.0]))
    with pytest.raises(ValueError, match="at least 1; got 0"):
        bits_per_dim(nats, 0)
