"""GRAF: its field against the plain network, its game against the sums, its learning."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.functional import softplus

from shapegen import registry
from shapegen.core.game import GameOptions
from shapegen.core.latent import slerp
from shapegen.core.patch import PatchSampler, extract
from shapegen.fields.camera_setting import CameraSetting
from shapegen.fields.graf import GRAF
from shapegen.fields.graf_config import GRAFConfig, patch_gamma
from shapegen.fields.graf_networks import (
    ConditionalField,
    PatchJudge,
    SpectralConvolution,
    encoded,
)
from shapegen.fields.rendering import Sampling
from shapegen.images.images import Images
from tests.fields.plain_field import plain_field, plain_outputs

SMALL: dict[str, Any] = {
    "size": 16,
    "patch": PatchSampler(8),
    "latent_dim": 6,
    "appearance_dim": 2,
    "depth": 3,
    "width": 16,
    "skips": (0,),
    "frequencies": 3,
    "view_frequencies": 1,
    "sampling": Sampling(8, jitter=True, white=True),
    "judge_width": 4,
}


def graf(**changes: Any) -> GRAF:
    model = registry.build_seeded("graf", GRAFConfig(**(SMALL | changes)), 0)
    assert isinstance(model, GRAF)
    return model


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
    "capped": {"color_cap": 0.8},
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
    if not several:
        alone = found.densities(codes)(points)
        torch.testing.assert_close(alone, wanted.relu(), rtol=0, atol=1e-5)


def test_the_papers_size_rendered_is_the_plain_network_to_rounding() -> None:
    model = graf(**(vars(GRAFConfig()) | {"size": 32, "cameras": CameraSetting()}))
    assert sum(p.numel() for p in model.generator.parameters()) == 677_764
    assert sum(p.numel() for p in model.discriminator.parameters()) == 2_635_776
    fields = model.decode(model.sample_latent(1, rng=torch.Generator().manual_seed(0)))
    with torch.no_grad():
        rays = model.config.cameras.image_rays(fields.poses, model.config.cameras.lens(32)).of(0)
        t = rays.near[:, None] + torch.linspace(0, 5, 4)
        some = slice(0, 1024, 16)
        points = (rays.origins[:, None] + t[..., None] * rays.directions[:, None])[some]
        unit = (rays.directions / rays.lengths[:, None])[some]
        raw = plain_outputs(model.generator, fields.codes[0], points, unit)
        density, rgb = model.generator.field(fields.codes[0])(points, unit)
        half, _ = model.generator.field(fields.codes[0], torch.bfloat16)(points, unit)
    torch.testing.assert_close(density, raw[..., 3], rtol=0, atol=1e-5)
    torch.testing.assert_close(rgb, raw[..., :3].sigmoid(), rtol=0, atol=1e-5)
    assert half.dtype == torch.float32
    assert 0 < (half - density).abs().max() < 0.02


def test_the_papers_other_sizes() -> None:
    assert sum(p.numel() for p in PatchJudge(64, 64).parameters()) == 2_763_776
    assert sum(p.numel() for p in PatchJudge(128, 64).parameters()) == 2_795_008
    without = graf(**(vars(GRAFConfig(view_directions=False))))
    assert sum(p.numel() for p in without.generator.parameters()) == 674_308


def test_positions_are_encoded_without_pi() -> None:
    found = encoded(torch.tensor([0.3, -1.0, 2.0]), 2)
    x = torch.tensor([0.3, -1.0, 2.0])
    wanted = torch.cat([x, x.sin(), x.cos(), (2 * x).sin(), (2 * x).cos()])
    torch.testing.assert_close(found, wanted)


def test_density_knows_the_shape_alone(rng: torch.Generator) -> None:
    model = graf()
    points, directions = places(rng, 50)
    codes = model.sample_latent(2, rng=rng)
    painted = torch.cat([codes[0, :4], codes[1, 4:]])
    shaped = torch.cat([codes[1, :4], codes[0, 4:]])
    first, other, another = (
        model.generator.field(each)(points, directions) for each in (codes[0], painted, shaped)
    )
    assert torch.equal(first[0], other[0])
    assert (first[1] - other[1]).abs().max() > 1e-3
    assert (first[0] - another[0]).abs().max() > 1e-3
    turned = model.generator.field(codes[0])(points, -directions)
    assert torch.equal(first[0], turned[0])
    assert (first[1] - turned[1]).abs().max() > 1e-3


@pytest.mark.parametrize("side", [8, 12, 16, 32, 33, 64])
def test_a_judge_gives_a_logit_a_patch_of_any_side(side: int, rng: torch.Generator) -> None:
    judge = PatchJudge(side, 4, told=1)
    patches, told = (torch.randn(3, each, side, side, generator=rng) for each in (3, 1))
    assert judge(patches, told).shape == (3,)
    norms = sum(isinstance(each, torch.nn.InstanceNorm2d) for each in judge.layers)
    halvings = sum(isinstance(each, SpectralConvolution) for each in judge.layers) - 1
    assert norms == halvings - (side != 32)


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


def losses(model: GRAF, pixels: Tensor, step: int = 3) -> dict[str, tuple[Tensor, dict]]:
    """Both objectives' losses in evaluation mode, with one stream each."""
    model.eval()
    return {
        name: {each.name: each for each in model.objectives(rng=stream(name))}[name].loss(
            pixels, step
        )
        for name in ("discriminator", "generator")
    }


def stream(name: str) -> torch.Generator:
    return torch.Generator().manual_seed(len(name))


def drawn(model: GRAF, n: int, step: int, rng: torch.Generator) -> tuple[Tensor, Tensor]:
    """Patches of fields as the model makes them, and their opacity."""
    config = model.config
    codes = model.sample_latent(n, rng=rng)
    poses = config.cameras.viewpoints.draw(n, like=codes, rng=rng)
    patches = config.patch.draw(n, step=step, like=codes, rng=rng)
    noise = config.noise_at(step)
    seen = model.render_patches(codes, poses, patches.places, noise=noise, jitter=True, rng=rng)
    side = config.patch.side
    return (2 * seen.rgb - 1).view(n, side, side, 3).permute(0, 3, 1, 2), seen.opacity


def test_the_generator_is_to_be_taken_for_real() -> None:
    model, pixels = graf(opacity=0.3), torch.zeros(4, 3, 16, 16)
    loss, terms = losses(model, pixels)["generator"]
    fake, opacity = drawn(model, 4, 3, stream("generator"))
    wanted = softplus(-model.discriminator(fake)).mean()
    torch.testing.assert_close(terms["game"], wanted)
    torch.testing.assert_close(loss, wanted + 0.3 * opacity.mean())
    torch.testing.assert_close(terms["opacity"], opacity.mean())


def test_the_discriminator_pays_half_gamma_for_squared_slopes_at_patches(
    rng: torch.Generator,
) -> None:
    pixels = torch.rand(4, 3, 16, 16, generator=rng) * 2 - 1
    model = graf(game=GameOptions(r1=3.0))
    loss, terms = losses(model, pixels)["discriminator"]
    own = stream("discriminator")
    fake, _ = drawn(model, 4, 3, own)
    places = model.config.patch.draw(4, step=3, like=pixels, rng=own).places
    real = extract(pixels, places).requires_grad_()
    logits = model.discriminator(real)
    (slope,) = torch.autograd.grad(logits.sum(), real, retain_graph=True)
    penalty = 1.5 * slope.square().sum((1, 2, 3)).mean()
    torch.testing.assert_close(terms["penalty"], penalty)
    plain = softplus(-logits).mean() + softplus(model.discriminator(fake)).mean()
    torch.testing.assert_close(loss, plain + penalty)
    # The original's is a mean over pixels.
    pixel = 10 * slope.square().sum(1).mean()
    torch.testing.assert_close(patch_gamma(10.0, 8) / 3.0 * penalty, pixel)


def test_noise_is_a_function_of_the_step() -> None:
    ours, theirs = GRAFConfig(noise=2.0), GRAFConfig(noise=2.0, compat="official")
    assert [ours.noise_at(step) for step in (0, 2500, 5000, 9000)] == [2.0, 1.0, 0.0, 0.0]
    assert theirs.noise_at(4999) == theirs.noise_at(9000) == pytest.approx(2.0 / 5000)
    assert ours.judge_noise_at(2500) == 1.0
    assert theirs.judge_noise_at(2501) == theirs.noise_at(2500) == 1.0


@pytest.mark.parametrize("told", ["nothing", "scale", "place"])
def test_what_the_discriminator_is_told_is_the_patchs(told: Any, rng: torch.Generator) -> None:
    model = graf(told=told, flip="all")
    patches = model.config.patch.draw(40, step=0, like=torch.zeros(()), rng=rng)
    pixels = patches.places.permute(0, 3, 1, 2)[:, [0, 1, 1]]
    assert torch.equal(model._shown(pixels, patches, rng, mirrored=False)[0], pixels)
    shown = model._shown(pixels, patches, rng, mirrored=True)
    assert len(shown) == 1 + (told != "nothing")
    mirrored = (shown[0] != pixels).flatten(1).any(1)
    assert 5 < mirrored.sum() < 35
    assert torch.equal(shown[0][mirrored], pixels[mirrored].flip(3))
    if told == "scale":
        assert torch.equal(shown[1][:, 0, 0, 0], patches.scale)
    if told == "place":
        # What it is told is mirrored with the patch: here it is the same.
        assert torch.equal(shown[1], shown[0][:, :2])
    values = losses(model, torch.zeros(3, 3, 16, 16))
    assert all(loss.isfinite() for loss, _ in values.values())


@pytest.mark.parametrize(("flip", "times"), [("nothing", 0), ("data", 1), ("all", 3)])
def test_data_alone_or_all_is_mirrored(
    flip: Any, times: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, asked = graf(flip=flip), []
    shown = model._shown

    def watched(*given: Any, mirrored: bool) -> Any:
        asked.append(mirrored)
        return shown(*given, mirrored=mirrored)

    monkeypatch.setattr(model, "_shown", watched)
    losses(model, torch.zeros(3, 3, 16, 16))
    assert (len(asked), sum(asked)) == (3, times)


def test_walks_are_of_the_shape_and_the_appearance_each(rng: torch.Generator) -> None:
    model = graf()
    a, b = model.sample_latent(2, rng=rng)
    t = torch.linspace(0, 1, 5)
    both = model.interpolate(a, b, 5).codes
    torch.testing.assert_close(both[:, :4], slerp(a[:4], b[:4], t))
    torch.testing.assert_close(both[:, 4:], slerp(a[4:], b[4:], t))
    shape = model.interpolate(a, b, 5, codes="shape").codes
    torch.testing.assert_close(shape[:, :4], both[:, :4])
    torch.testing.assert_close(shape[:, 4:], a[4:].expand(5, 2))
    painted = model.interpolate(a, b, 5, codes="appearance").codes
    torch.testing.assert_close(painted[:, :4], a[:4].expand(5, 4))
    torch.testing.assert_close(painted[:, 4:], both[:, 4:])


def test_fields_are_rendered_as_they_are_trained() -> None:
    """A whole image's rays are those of a patch of scale 1."""
    model = graf(size=8)
    codes = model.sample_latent(2, rng=torch.Generator().manual_seed(0))
    fields = model.decode(codes)
    line = torch.linspace(-1, 1, 8)
    y, x = torch.meshgrid(line, line, indexing="ij")
    whole = torch.stack([x, y], -1).expand(2, -1, -1, -1)
    with torch.no_grad():
        seen = model.render_patches(codes, fields.poses, whole)
    pixels = (2 * seen.rgb - 1).view(2, 8, 8, 3).permute(0, 3, 1, 2)
    torch.testing.assert_close(fields.render().pixels, pixels, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"appearance_dim": 6}, "appearance_dim must be from 0 to below latent_dim; got 6 of 6"),
        ({"patch": PatchSampler(32)}, "patch.side must be at most size 16; got 32"),
        ({"patch": PatchSampler(4)}, "patch.side must be at least 8; got 4"),
        ({"color_cap": 1.5}, "color_cap must be above 0 and at most 1; got 1.5"),
        ({"skips": (-1,)}, "skips must be layers from 0; got [-1]"),
        ({"game": GameOptions(pack=2)}, "game.pack must be 1; got 2"),
        ({"width": 1}, "width must be at least 2; got 1"),
    ],
)
def test_wrong_options_are_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError) as caught:
        GRAFConfig(**(SMALL | fields))
    assert message in str(caught.value)


def test_only_images_of_its_size_are_learnt_from() -> None:
    model = graf()
    grey = model.prepare(Images(torch.zeros(2, 1, 16, 16)))
    assert grey.shape == (2, 3, 16, 16)
    with pytest.raises(ValueError, match="of images 16 x 16; got 8 x 8"):
        model.prepare(Images(torch.zeros(2, 3, 8, 8)))
    with pytest.raises(TypeError, match="graf learns from images; got list"):
        model.prepare([1, 2])
    with pytest.raises(ValueError, match="at least 1; got 0"):
        model.sample(0)


def test_a_color_is_learnt() -> None:
    """Images of one colour: the generator's pictures come nearer to it."""
    model = graf(cameras=CameraSetting(sphere=2.5), noise=0.0, game=GameOptions(r1=0.1))
    wanted = torch.tensor([0.8, -0.8, -0.4])
    pixels = wanted.view(1, 3, 1, 1).expand(8, 3, 16, 16).contiguous()
    rng = torch.Generator().manual_seed(0)

    def distance() -> float:
        fields = model.eval().sample(4, rng=torch.Generator().manual_seed(1))
        return float((fields.render(size=8).pixels.mean((0, 2, 3)) - wanted).abs().mean())

    first = distance()
    model.train()
    objectives = model.objectives(rng=rng)
    optimizers = [
        torch.optim.Adam(each.module.parameters(), lr=2e-3, betas=(0.0, 0.99))
        for each in objectives
    ]
    for step in range(60):
        for objective, optimizer in zip(objectives, optimizers, strict=True):
            loss, _ = objective.loss(pixels, step)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    assert distance() < 0.5 * first


def test_memory_can_be_bounded_in_training(rng: torch.Generator) -> None:
    gradients = []
    for recompute in (False, True):
        sampling = replace(SMALL["sampling"], recompute=recompute, chunk=40)
        model = graf(sampling=sampling)
        loss, _ = losses(model, torch.zeros(2, 3, 16, 16))["generator"]
        loss.backward()
        gradients.append([each.grad for each in model.generator.parameters()])
    for ours, wanted in zip(*gradients, strict=True):
        torch.testing.assert_close(ours, wanted)
