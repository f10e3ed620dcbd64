"""Modes found, against counts by hand and closed forms."""

from __future__ import annotations

import math

import pytest
import torch

from shapegen.data.toy_densities import MODES
from shapegen.metrics.modes import mode_figures, reverse_kl

CENTRES = torch.tensor([[0.0, 0.0], [4.0, 0.0], [0.0, 4.0], [4.0, 4.0]])


def test_figures_of_samples_that_are_counted_by_hand() -> None:
    samples = torch.cat(
        [
            CENTRES[0].repeat(60, 1),
            CENTRES[1].repeat(20, 1),
            CENTRES[2].repeat(19, 1) + torch.tensor([0.29, 0.0]),
            CENTRES[3].repeat(1, 1) + torch.tensor([0.31, 0.0]),
        ]
    )
    found = mode_figures(samples, CENTRES, 0.1)
    shares = torch.tensor([60.0, 20.0, 19.0]) / 99
    assert found["modes"] == 2
    assert found["high_quality"] == pytest.approx(0.99)
    expected = float((shares * (shares * 4).log()).sum())
    assert found["reverse_kl"] == pytest.approx(expected, abs=1e-6)
    assert mode_figures(samples, CENTRES, 0.1, least=1)["modes"] == 3


@pytest.mark.parametrize("name", list(MODES))
def test_the_density_itself_has_all_modes(name: str) -> None:
    """High quality is the mass within three standard deviations, 1 - exp(-9 / 2)."""
    density = MODES[name]
    samples = density.sample(50_000, rng=torch.Generator().manual_seed(0))
    found = mode_figures(samples, density.places, density.spread)
    assert found["modes"] == len(density.centres)
    assert found["high_quality"] == pytest.approx(1 - math.exp(-4.5), abs=3e-3)
    assert 0 <= found["reverse_kl"] < 1e-3


def test_divergence_of_counts() -> None:
    assert reverse_kl(torch.tensor([5, 5, 5, 5])) == pytest.approx(0.0, abs=1e-12)
    assert reverse_kl(torch.tensor([7, 0, 0, 0])) == pytest.approx(math.log(4))
    assert reverse_kl(torch.zeros(4, dtype=torch.long)) == math.inf


@pytest.mark.parametrize("name", list(MODES))
def test_the_log_density_is_that_of_a_mixture(name: str) -> None:
    density = MODES[name]
    mixture = torch.distributions.MixtureSameFamily(
        torch.distributions.Categorical(torch.ones(len(density.centres), dtype=torch.float64)),
        torch.distributions.Independent(
            torch.distributions.Normal(density.places, density.spread), 1
        ),
    )
    x = density.sample(100, rng=torch.Generator().manual_seed(1))
    torch.testing.assert_close(density.log_prob(x), mixture.log_prob(x))
    assert float(x.abs().max()) < density.reach
