"""GRAF's networks: the field against the plain one, and what a discriminator's weights are."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from shapegen.fields.graf_judges import PatchJudge, PlainJudge, SpectralConvolution
from shapegen.fields.graf_networks import ConditionalField, as_color, encoded
from tests.fields.plain_field import plain_field


def network(**changes: Any) -> ConditionalField:
    sizes: dict[str, Any] = {
        "depth": 4,
        "width": 24,
        "skips": (1,),
        "frequencies": 5,
        "view_frequencies": 2,
        "shape_dim": 5,
        "appearance_dim": 3,
    }
    with torch.random.fork_rng():
        torch.manual_seed(1)
        return ConditionalField(**(sizes | changes))


NETWORKS: dict[str, dict[str, Any]] = {
    "plain": {},
    "no skip": {"skips": ()},
    "a skip at the end": {"skips": (3,)},
    "several": {"depth": 6, "skips": (0, 2, 4)},
    "no views": {"view_frequencies": None},
    "no appearance": {"appearance_dim": 0},
    "neither": {"view_frequencies": None, "appearance_dim": 0},
    "no waves": {"frequencies": 0, "view_frequencies": 0},
    "capped": {"white_cap": 0.8},
    "soft": {"density": "softplus"},
}


def places(rng: torch.Generator, *shape: int) -> tuple[Tensor, Tensor]:
    points = torch.randn(*shape, 7, 3, generator=rng)
    directions = torch.randn(*shape, 3, generator=rng)
    return points, directions / directions.norm(dim=-1, keepdim=True)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("several", [False, True])
def test_a_folded_field_is_the_plain_network(
    name: str, several: bool, rng: torch.Generator
) -> None:
    found = network(**NETWORKS[name])
    codes = torch.randn(4, sum(found.code_dims), generator=rng)
    codes = codes if several else codes[0]
    points, directions = places(rng, *((4, 3) if several else (3,)))
    results = []
    for field in (found.field(codes), plain_field(found, codes)):
        found.zero_grad()
        density, rgb = field(points, directions)
        (density.square().mean() + rgb.square().mean()).backward()
        results.append((density, rgb, [each.grad.clone() for each in found.parameters()]))
    (density, rgb, gradients), (wanted, color, slopes) = results
    torch.testing.assert_close(density, wanted, rtol=0, atol=1e-5)
    torch.testing.assert_close(rgb, color, rtol=0, atol=1e-5)
    for ours, theirs in zip(gradients, slopes, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-6)
    with torch.no_grad():  # another kernel
        density, rgb = found.field(codes)(points, directions)
    torch.testing.assert_close(density, wanted.detach(), rtol=0, atol=1e-5)
    torch.testing.assert_close(rgb, color.detach(), rtol=0, atol=1e-5)
    if not several:
        alone = found.densities(codes)(points)
        torch.testing.assert_close(alone, wanted.relu(), rtol=0, atol=1e-5)


def test_positions_are_encoded_without_pi() -> None:
    found = encoded(torch.tensor([0.3, -1.0, 2.0]), 2)
    x = torch.tensor([0.3, -1.0, 2.0])
    wanted = torch.cat([x, x.sin(), x.cos(), (2 * x).sin(), (2 * x).cos()])
    torch.testing.assert_close(found, wanted)


def test_only_what_is_white_is_capped() -> None:
    loud = torch.tensor([[9.0, 9.0, 9.0], [9.0, 9.0, -9.0], [9.0, -9.0, -9.0], [0.0, 0.0, 0.0]])
    colors = as_color(loud, 0.8)
    assert colors[0].tolist() == pytest.approx([0.8] * 3, abs=1e-3)
    for row, wanted in enumerate(([1, 1, 0], [1, 0, 0], [0.4875] * 3), start=1):
        assert colors[row].tolist() == pytest.approx(wanted, abs=1e-3)
    assert as_color(torch.randn(1000, 3) * 5, 0.8).amin(1).max() <= 0.8


@pytest.mark.parametrize("side", [8, 12, 16, 32, 33, 64])
def test_a_judge_gives_a_logit_a_patch_of_any_side(side: int, rng: torch.Generator) -> None:
    judge = PatchJudge(side, 4, told=1)
    patches, told = (torch.randn(3, each, side, side, generator=rng) for each in (3, 1))
    assert judge(patches, told).shape == (3,)
    norms = sum(isinstance(each, torch.nn.InstanceNorm2d) for each in judge.layers)
    halvings = sum(isinstance(each, SpectralConvolution) for each in judge.layers) - 1
    assert norms == halvings - (side != 32)


@pytest.mark.parametrize(
    ("side", "widths", "features"),
    [(16, [48, 96], 97 * 16), (32, [48, 96, 192], 193 * 16), (64, [48, 96, 192, 384], 385 * 16)],
)
def test_a_plain_judges_layers(side: int, widths: list[int], features: int) -> None:
    judge = PlainJudge(side, 48, told=2)
    maps = [each for each in judge.layers if isinstance(each, torch.nn.Conv2d)]
    assert [each.out_channels for each in maps] == widths
    assert {(each.kernel_size, each.stride) for each in maps} == {((4, 4), (2, 2))}
    rows = [each for each in judge.layers if isinstance(each, torch.nn.Linear)]
    assert [(each.in_features, each.out_features) for each in rows] == [(features, 128), (128, 1)]
    patches, told = torch.zeros(3, 3, side, side), torch.zeros(3, 2, side, side)
    assert judge(patches, told).shape == (3,)


def test_a_plain_judge_is_convolutions_a_spread_and_two_layers(rng: torch.Generator) -> None:
    judge = PlainJudge(16, 4, told=1)
    patches, told = (torch.randn(6, each, 16, 16, generator=rng) for each in (3, 1))
    x = torch.cat([patches, told], 1)
    first, second = (each for each in judge.layers if isinstance(each, torch.nn.Conv2d))
    for layer in (first, second):
        x = torch.nn.functional.conv2d(x, layer.weight, layer.bias, stride=2, padding=1)
        x = torch.where(x > 0, x, 0.2 * x)
    # Groups of four rows, in their order: of six, the last two.
    spread = [part.std(0, correction=0).mean().view(1) for part in (x[:4], x[4:])]
    planes = torch.cat([spread[0].expand(4), spread[1].expand(2)]).view(6, 1, 1, 1)
    x = torch.cat([x, planes.expand(6, 1, 4, 4)], 1).flatten(1)
    hidden, last = (each for each in judge.layers if isinstance(each, torch.nn.Linear))
    x = x @ hidden.weight.T + hidden.bias
    logits = torch.where(x > 0, x, 0.2 * x) @ last.weight[0] + last.bias
    torch.testing.assert_close(judge(patches, told), logits, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", [PatchJudge, PlainJudge])
def test_too_small_patches_are_not_judged(kind: Any) -> None:
    assert kind(8, 4)(torch.zeros(2, 3, 8, 8)).shape == (2,)
    with pytest.raises(ValueError, match="at least 8 x 8 pixels; got 7"):
        kind(7, 4)


def test_a_spectral_norm_converges_and_rests_outside_of_training(rng: torch.Generator) -> None:
    layer = SpectralConvolution(3, 5, 4)
    x = torch.randn(2, 3, 4, 4, generator=rng)
    for _ in range(200):
        layer(x)
    largest = torch.linalg.matrix_norm(layer.weight.flatten(1), 2)
    wanted = torch.nn.functional.conv2d(x, layer.weight / largest)
    torch.testing.assert_close(layer.eval()(x), wanted, rtol=1e-4, atol=1e-6)
    before = layer.u.clone()
    layer(x)
    assert torch.equal(layer.u, before)
