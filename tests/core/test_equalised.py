"""Equalised learning rates and pixel norm against plain layers."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional

from shapegen.core.equalised import (
    HE,
    EqualisedConv2d,
    EqualisedLinear,
    equalised_head,
    pixel_norm,
)
from shapegen.core.seeding import seeded


def test_vectors_of_channels_have_unit_root_mean_square(rng: torch.Generator) -> None:
    x = 7 * torch.randn(3, 5, 4, 2, generator=rng) + 2
    normed = pixel_norm(x)
    root = normed.square().mean(1).sqrt()
    torch.testing.assert_close(root, torch.ones(3, 4, 2))
    # The direction stays.
    cosine = functional.cosine_similarity(normed, x, dim=1)
    torch.testing.assert_close(cosine, torch.ones(3, 4, 2))
    assert pixel_norm(torch.zeros(1, 4)).isfinite().all()


@pytest.mark.parametrize("rate", [1.0, 0.01])
def test_a_layer_is_a_plain_one_with_scaled_weights(rate: float, rng: torch.Generator) -> None:
    with seeded(0):
        layer = EqualisedLinear(6, 4, gain=3.0, rate=rate, bias=0.5)
    plain = torch.nn.Linear(6, 4)
    with torch.no_grad():
        plain.weight.copy_(layer.weight * (rate * 3 / math.sqrt(6)))
        plain.bias.fill_(0.5)
    x = torch.randn(5, 6, generator=rng)
    torch.testing.assert_close(layer(x), plain(x))


@pytest.mark.parametrize("bias", [True, False])
def test_a_convolution_is_a_plain_one_with_scaled_weights(
    bias: bool, rng: torch.Generator
) -> None:
    with seeded(0):
        layer = EqualisedConv2d(3, 4, 3, gain=2.0, bias=bias)
    plain = torch.nn.Conv2d(3, 4, 3, padding=1, bias=bias)
    with torch.no_grad():
        plain.weight.copy_(layer.weight * (2 / math.sqrt(3 * 9)))
        if plain.bias is not None:
            plain.bias.zero_()
    x = torch.randn(2, 3, 5, 6, generator=rng)
    torch.testing.assert_close(layer(x), plain(x))


@pytest.mark.parametrize("rate", [1.0, 0.1])
def test_weights_are_standard_normal_and_outputs_keep_the_variance(rate: float) -> None:
    with seeded(0):
        layer = EqualisedLinear(300, 400, gain=1.0, rate=rate)
        x = torch.randn(200, 300)
    assert layer.weight.std().item() == pytest.approx(1 / rate, rel=0.01)
    assert layer(x).std().item() == pytest.approx(1.0, rel=0.02)


def test_a_rate_is_how_much_an_update_moves_what_comes_out() -> None:
    """Adam moves every weight by its learning rate: what comes out moves by a share of it."""
    with seeded(0):
        layers = [EqualisedLinear(8, 1, rate=rate) for rate in (1.0, 0.01)]
    x = torch.ones(1, 8)
    moved = []
    for layer in layers:
        before = layer(x).item()
        with torch.no_grad():
            layer.weight += 1e-2
            layer.bias += 1e-2
        moved.append(layer(x).item() - before)
    assert moved[1] == pytest.approx(moved[0] / 100, rel=1e-3)


def test_rectified_layers_keep_the_scale_of_what_goes_through() -> None:
    with seeded(0):
        layers = [EqualisedLinear(128, 128, gain=HE) for _ in range(20)]
        x = torch.randn(100, 128)
    for layer in layers:
        x = functional.leaky_relu(layer(x), 0.2)
    # He's gain is that of rectifiers of slope 0; a slope of .2 adds 4 % of variance a layer.
    assert x.square().mean().sqrt().item() == pytest.approx(1.04**10, rel=0.5)


def test_a_head_sees_the_spread_of_the_batch() -> None:
    with seeded(0):
        head, x = equalised_head(3, (2, 2)), torch.randn(4, 3, 2, 2)
    repeated = x[:1].expand(4, -1, -1, -1)
    assert head(x).shape == (4, 1)
    assert not torch.allclose(head(x)[0], head(repeated)[0])
    torch.testing.assert_close(head(repeated)[0], head(x[:1])[0])
