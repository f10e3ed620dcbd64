"""The discriminator's half of a game, against what is known to be its end."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from scipy.stats import wasserstein_distance

from shapegen.core.game import GameOptions
from shapegen.train.critics import (
    PAIRS,
    WASSERSTEIN,
    LineMixture,
    Pair,
    critic_value,
    fitted_critic,
    judgement_error,
    run_critics,
)


@pytest.mark.parametrize("name", PAIRS)
def test_densities_are_what_is_drawn_and_the_distance_is_that_of_samples(name: str) -> None:
    pair, rng = PAIRS[name], torch.Generator().manual_seed(0)
    x = pair.places()
    for each in pair:
        assert float(torch.trapezoid(each.density(x), x)) == pytest.approx(1, abs=1e-3)
        torch.testing.assert_close(
            torch.cumulative_trapezoid(each.density(x), x), each.below(x)[1:], atol=1e-3, rtol=0
        )
    real, fake = (each.sample(200_000, rng=rng)[:, 0].numpy() for each in pair)
    assert pair.wasserstein() == pytest.approx(wasserstein_distance(real, fake), rel=0.01)


@pytest.mark.parametrize("name", PAIRS)
def test_the_best_critic_has_slope_one_and_the_distance_as_its_value(name: str) -> None:
    pair = PAIRS[name]
    x, value = pair.places(), pair.potential()
    assert float((value.diff() / x.diff()).abs().max()) <= 1 + 1e-9
    gained = torch.trapezoid(value * (pair.real.density(x) - pair.fake.density(x)), x)
    assert float(gained) == pytest.approx(pair.wasserstein(), rel=1e-2)
    assert float(torch.trapezoid(value * pair.fake.density(x), x)) == pytest.approx(0, abs=1e-3)


def test_the_distance_of_a_shift_is_its_length() -> None:
    assert PAIRS["shifted"].wasserstein() == pytest.approx(1, abs=1e-4)


def test_critics_come_within_five_percent_and_judges_to_the_share_of_data() -> None:
    figures = run_critics(PAIRS["two modes, one"], steps=500).figures
    assert abs(figures["error"]) < 0.05
    assert figures["value"] / figures["exact"] - 1 == pytest.approx(figures["error"])
    assert figures["judgement_error"] < 0.02


def test_a_penalty_that_is_too_weak_makes_the_critic_steeper_as_it_is_known_to() -> None:
    """Of two points at distance d the best slope is 1 + d / (2 lambda)."""
    points = Pair(LineMixture((0.5,), 1e-3), LineMixture((-0.5,), 1e-3))
    weak = replace(WASSERSTEIN, gradient_penalty=2.0)
    assert critic_value(fitted_critic(points, weak, steps=400), points) == pytest.approx(
        1 + 1 / 4, rel=0.03
    )


def test_another_seed_is_another_critic_and_the_same_the_same() -> None:
    pair = PAIRS["shifted"]
    one, twin, other = (fitted_critic(pair, GameOptions(), steps=3, seed=s) for s in (0, 0, 1))
    at = torch.zeros(1, 1)
    assert one(at) == twin(at) != other(at)
    assert judgement_error(one, pair) > 0.1
