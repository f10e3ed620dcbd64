"""Styles: statistics of planes, weights of every image, mixing, truncation, noise."""

from __future__ import annotations

from typing import get_args

import pytest
import torch
from torch.nn import functional

from shapegen.core.seeding import seeded
from shapegen.core.style import (
    MappingNetwork,
    Modulation,
    StyleLayer,
    adain,
    doubled,
    mixed,
    modulated_conv,
)

MODULATIONS = get_args(Modulation)


def test_planes_get_the_mean_and_the_spread_that_they_are_told(rng: torch.Generator) -> None:
    x = 5 + 3 * torch.randn(3, 4, 6, 5, generator=rng, dtype=torch.float64)
    scale, shift = (torch.randn(3, 4, generator=rng, dtype=torch.float64) for _ in range(2))
    found = adain(x, scale, shift)
    torch.testing.assert_close(found.mean((2, 3)), shift)
    # But for the constant below the root.
    spread = found.std((2, 3), correction=0)
    torch.testing.assert_close(spread, scale.abs(), rtol=1e-8, atol=1e-8)
    # Another brightness and contrast of what comes in changes nothing.
    torch.testing.assert_close(adain(2 * x - 1, scale, shift), found, rtol=1e-7, atol=1e-7)
    assert adain(torch.ones(1, 1, 2, 2), torch.ones(1, 1), torch.ones(1, 1)).isfinite().all()


@pytest.mark.parametrize("demodulate", [True, False])
def test_every_image_is_convolved_with_weights_of_its_own(
    demodulate: bool, rng: torch.Generator
) -> None:
    x, weight = torch.randn(3, 4, 5, 6, generator=rng), torch.randn(2, 4, 3, 3, generator=rng)
    scale = torch.randn(3, 4, generator=rng)
    found = modulated_conv(x, weight, scale, demodulate=demodulate)
    for image, own, result in zip(x, scale, found, strict=True):
        kernel = weight * own[None, :, None, None]
        if demodulate:
            kernel = kernel / kernel.square().sum((1, 2, 3), keepdim=True).sqrt()
        plain = functional.conv2d(image[None], kernel, padding=1)[0]
        torch.testing.assert_close(result, plain, rtol=1e-4, atol=1e-5)


def test_what_is_demodulated_has_variance_1_whatever_the_scale(rng: torch.Generator) -> None:
    x = torch.randn(2, 16, 64, 64, generator=rng)
    weight = 9 * torch.randn(5, 16, 3, 3, generator=rng)
    scale = torch.stack([torch.full((16,), 0.01), 100 * torch.rand(16, generator=rng)])
    inside = modulated_conv(x, weight, scale)[:, :, 1:-1, 1:-1]
    spread = inside.std((2, 3))
    torch.testing.assert_close(spread, torch.ones(2, 5), rtol=0.1, atol=0)


@pytest.mark.parametrize("modulation", MODULATIONS)
def test_a_layer_takes_its_style_from_its_image_alone(modulation: Modulation) -> None:
    with seeded(0):
        layer = StyleLayer(3, 5, 4, (8, 6), double=True, modulation=modulation)
        x, style = torch.randn(3, 3, 4, 3), torch.randn(3, 4)
    found = layer(x, style)
    assert found.shape == (3, 5, 8, 6)
    other = style.clone()
    other[1] += 1
    changed = layer(x, other)
    same = (found == changed).flatten(1).all(1)
    assert same.tolist() == [True, False, True]


def test_a_layer_under_adain_ends_with_its_statistics() -> None:
    with seeded(0):
        layer = StyleLayer(3, 5, 4, (8, 8), modulation="adain")
        x, style = torch.randn(2, 3, 8, 8), torch.randn(2, 4)
    scale, shift = layer.affine(style).chunk(2, 1)
    found = layer(x, style)
    torch.testing.assert_close(found.mean((2, 3)), shift, rtol=1e-4, atol=1e-4)
    spread = found.std((2, 3), correction=0)
    torch.testing.assert_close(spread, (1 + scale).abs(), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("modulation", MODULATIONS)
def test_noise_is_drawn_fixed_or_none(modulation: Modulation) -> None:
    with seeded(0):
        layer = StyleLayer(3, 5, 4, (8, 8), modulation=modulation)
        x, style = torch.randn(1, 3, 8, 8).expand(2, -1, -1, -1), torch.randn(1, 4).expand(2, -1)
    # At first its strength is 0.
    assert torch.equal(layer(x, style), layer(x, style, noise="none"))
    with torch.no_grad():
        layer.strength.fill_(1.0)
    fixed = layer(x, style)
    assert torch.equal(fixed[0], fixed[1])
    assert not torch.equal(fixed, layer(x, style, noise="none"))
    first, second, other = (
        layer(x, style, noise="random", rng=torch.Generator().manual_seed(seed))
        for seed in (0, 0, 1)
    )
    assert torch.equal(first, second)
    assert not torch.equal(first, other)
    assert not torch.equal(first[0], first[1])


def test_noise_is_added_at_its_strength() -> None:
    with seeded(0):
        layer = StyleLayer(2, 3, 4, (4, 4))
        x, style = torch.zeros(1, 2, 4, 4), torch.randn(1, 4)
    with torch.no_grad():
        layer.strength.fill_(0.5)
    expected = functional.leaky_relu(0.5 * layer.fixed, 0.2).expand(1, 3, -1, -1) * 2**0.5
    torch.testing.assert_close(layer(x, style), expected)


def test_doubling_is_the_filter_1_3_3_1() -> None:
    x = torch.tensor([[0.0, 4.0, 0.0, 0.0]])[None, None].expand(1, 1, 4, 4)
    assert doubled(x)[0, 0, 0].tolist() == [0, 1, 3, 3, 1, 0, 0, 0]


def test_styles_do_not_depend_on_the_length_of_noise(rng: torch.Generator) -> None:
    with seeded(0):
        mapping = MappingNetwork(6, 8, 3)
    z = torch.randn(5, 6, generator=rng)
    torch.testing.assert_close(mapping(z), mapping(3 * z), rtol=1e-4, atol=1e-5)
    assert not torch.allclose(mapping(z), mapping(-z))


def test_the_mean_is_of_all_styles_at_first_and_then_follows(rng: torch.Generator) -> None:
    mapping = MappingNetwork(2, 3, 1)
    batches = torch.randn(10, 4, 3, generator=rng)
    for styles in batches:
        mapping.follow(styles)
    torch.testing.assert_close(mapping.mean, batches.flatten(0, 1).mean(0))
    mapping.updates.fill_(10**6)
    before = mapping.mean.clone()
    mapping.follow(torch.ones(4, 3))
    torch.testing.assert_close(mapping.mean, before + 0.005 * (1 - before))
    assert {"mean", "updates"} <= set(mapping.state_dict())


def test_truncation_goes_to_the_mean(rng: torch.Generator) -> None:
    mapping = MappingNetwork(2, 3, 1)
    mapping.follow(torch.tensor([[1.0, 2.0, 3.0]]))
    styles = torch.randn(5, 3, generator=rng)
    assert torch.equal(mapping.truncated(styles, 1.0), styles)
    assert torch.equal(mapping.truncated(styles, 0.0), mapping.mean.expand(5, 3))
    torch.testing.assert_close(mapping.truncated(styles, 0.5), (styles + mapping.mean) / 2)


def test_layers_from_the_crossover_on_have_the_second_style() -> None:
    first, second = torch.zeros(3, 2), torch.ones(3, 2)
    found = mixed(first, second, torch.tensor([1, 3, 4]), 4)
    assert found[:, :, 0].tolist() == [[0, 1, 1, 1], [0, 0, 0, 1], [0, 0, 0, 0]]
