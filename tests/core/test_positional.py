"""Coordinates as waves."""

import math

import torch

from shapegen.core.positional import positional_encoding


def test_features_are_the_coordinates_and_octaves_of_their_waves() -> None:
    x = torch.tensor([[0.25, -0.5]])
    found = positional_encoding(x, 3)
    a, b = 0.25 * math.pi, -0.5 * math.pi
    wanted = [0.25, -0.5]
    for factor in (1, 2, 4):
        wanted += [f(factor * each) for f in (math.sin, math.cos) for each in (a, b)]
    torch.testing.assert_close(found, torch.tensor([wanted]))
    torch.testing.assert_close(positional_encoding(x, 0), x)


def test_another_lowest_frequency_stretches_space(rng: torch.Generator) -> None:
    x = torch.rand(4, 5, 3, generator=rng)
    torch.testing.assert_close(
        positional_encoding(x, 3, lowest=1.0)[..., 3:],
        positional_encoding(x / math.pi, 3)[..., 3:],
    )
