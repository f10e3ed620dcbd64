"""Latent arithmetic on a generator whose attributes are known."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from shapegen.core.latent import direction
from shapegen.metrics.attributes import attribute_direction, attribute_figures

SIZE = 40


def draw(n: int, seed: int = 0) -> Tensor:
    return torch.randn(n, SIZE, generator=torch.Generator().manual_seed(seed))


def bright(shapes: Tensor) -> Tensor:
    """The attribute: the first number, alone, is above 0."""
    return shapes[:, 0] > 0


def normal(x: float) -> float:
    return (1 + math.erf(x / math.sqrt(2))) / 2


def test_a_linear_attribute_against_its_closed_form(rng: torch.Generator) -> None:
    """Half-normal means are sqrt(2 / pi) on either side, so the direction is twice that long.

    It brings all from -1.596 on over the border; of a random one only the first entry counts.
    """
    found = attribute_figures(lambda z: z, draw(20_000), bright, directions=40, rng=rng)
    length = 2 * math.sqrt(2 / math.pi)
    assert found.share == pytest.approx(0.5, abs=0.02)
    assert found.length == pytest.approx(length, abs=0.05)
    expected = 2 * (normal(length) - 0.5)
    assert found.gained == pytest.approx(expected, abs=0.02)
    assert found.lost == pytest.approx(expected, abs=0.02)
    entry = length / math.sqrt(SIZE) * math.sqrt(2 / math.pi)  # on average, of either sign
    at_random = (normal(entry) - 0.5) / 2  # it helps half of the time
    assert found.gained_at_random == pytest.approx(at_random, abs=0.02)
    assert found.lost_at_random == pytest.approx(at_random, abs=0.02)


def test_twice_the_direction_gives_more(rng: torch.Generator) -> None:
    once, twice = (
        attribute_figures(lambda z: z, draw(2000), bright, strength=strength, rng=rng)
        for strength in (0.5, 1.0)
    )
    assert twice.length == pytest.approx(2 * once.length)
    assert twice.gained > once.gained + 0.1


def test_an_attribute_that_latents_do_not_tell_is_no_direction(rng: torch.Generator) -> None:
    """Bright where a number is near 0 or far: the means of both are alike."""
    found = attribute_figures(lambda z: z.square() - 0.45, draw(8000), bright, rng=rng)
    assert found.length < 0.3
    assert found.gained == pytest.approx(found.gained_at_random, abs=0.1)


def test_the_direction_is_shaped_by_one_half_alone(rng: torch.Generator) -> None:
    z = draw(400)
    found = attribute_figures(lambda each: each, z, bright, rng=rng)
    half = z[:200]
    expected = direction(half[half[:, 0] > 0], half[half[:, 0] <= 0]).norm()
    assert found.length == pytest.approx(float(expected), rel=1e-5)


def test_an_attribute_that_all_have() -> None:
    z = draw(10)
    with pytest.raises(ValueError, match="with and without it; 10 of 10 have it"):
        attribute_direction(z, torch.ones(10, dtype=torch.bool))
    with pytest.raises(ValueError, match="with and without it; 0 of 5 have it"):
        attribute_figures(lambda each: each, z, lambda shapes: shapes[:, 0] > 99)
