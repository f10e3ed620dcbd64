"""Levels as densities: noise, its bound, and the way back."""

from __future__ import annotations

import math

import torch

from shapegen.core.bounds import importance_weighted
from shapegen.core.dequantisation import Logit, bin_centres, dequantised, levels_within
from shapegen.core.flows import FlowDistribution


def test_noise_fills_the_bins_and_levels_come_back(rng: torch.Generator) -> None:
    numbers = torch.arange(256, dtype=torch.uint8).expand(400, -1)
    like = torch.zeros(())
    y = dequantised(numbers, like=like, rng=rng)
    assert y.dtype == torch.float32
    assert torch.equal(levels_within(y), numbers.long())
    assert torch.equal(levels_within(bin_centres(numbers, like=like)), numbers.long())
    shares = y * 256 - numbers.float()
    torch.testing.assert_close(shares.mean(0), torch.full((256,), 0.5), atol=0.08, rtol=0)
    torch.testing.assert_close(shares.std(), torch.tensor(1 / math.sqrt(12)), atol=0.003, rtol=0)
    again = dequantised(numbers, like=like, rng=torch.Generator().manual_seed(0))
    assert torch.equal(again, y)
    assert levels_within(torch.tensor([-0.1, 1.0, 1.2]), 4).tolist() == [0, 3, 3]


def test_many_draws_find_a_levels_probability(rng: torch.Generator) -> None:
    # One pixel of four levels. A level's probability is a difference of the density's integral.
    flow, levels = Logit(0.1), 4
    normal = torch.distributions.Normal(0.0, 1.0)
    edges = torch.logit(0.1 + 0.8 * torch.linspace(0, 1, levels + 1))
    right = normal.cdf(edges).diff()
    y = dequantised(torch.arange(levels).expand(20000, -1), levels, like=edges, rng=rng)
    log_density = FlowDistribution(flow, (1, 1, 1)).log_prob(y.reshape(-1, 1, 1, 1))
    draws = log_density.view(-1, levels) - math.log(levels)
    torch.testing.assert_close(importance_weighted(draws).exp(), right, atol=1e-3, rtol=0)
    # One draw is below on average, and what is beyond the ends is missing.
    assert (draws.mean(0) < right.log()).all()
    outside = 2 * normal.cdf(edges[0])
    torch.testing.assert_close(right.sum() + outside, torch.tensor(1.0))
