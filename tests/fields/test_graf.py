"""GRAF: its field against the plain network, its game against the sums, its learning."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.functional import softplus

import shapegen
from shapegen import registry
from shapegen.config import load_run
from shapegen.core.game import GameOptions
from shapegen.core.latent import slerp
from shapegen.core.patch import PatchSampler, extract, patches_at
from shapegen.fields.camera_setting import CameraSetting
from shapegen.fields.graf import GRAF
from shapegen.fields.graf_config import GRAFConfig, patch_gamma
from shapegen.fields.graf_judges import PatchJudge
from shapegen.fields.rendering import Sampling
from shapegen.images.images import Images
from shapegen.train.schedule import rate_factor
from tests.fields.plain_field import plain_outputs
from tests.fields.test_graf_networks import places
from tests.images.image_cases import play

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
    clear, shown = losses(graf(translucency=0.5), pixels)["generator"]
    between = 4 * (opacity * (1 - opacity)).mean()
    torch.testing.assert_close(shown["translucency"], between)
    torch.testing.assert_close(clear, wanted + 0.5 * between)


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


def test_a_rendered_patch_is_a_part_of_the_picture() -> None:
    model = graf(density="softplus")
    codes = model.sample_latent(1, rng=torch.Generator().manual_seed(0))
    fields = model.decode(codes)
    left, top = 7, 1
    # Eight pixels of sixteen, from the middle of the first to that of the last.
    middle = torch.tensor([[2 * (left + 3.5) / 15 - 1, 2 * (top + 3.5) / 15 - 1]])
    places = patches_at(8, torch.tensor([7 / 15]), middle).places
    with torch.no_grad():
        seen = model.render_patches(codes, fields.poses, places)
    pixels = (2 * seen.rgb - 1).view(8, 8, 3).permute(2, 0, 1)
    whole = fields.render().pixels[0]
    torch.testing.assert_close(pixels, whole[:, top : top + 8, left : left + 8], rtol=0, atol=1e-4)
    # Another part differs by twenty times the tolerance and more.
    assert (pixels - whole[:, :8, :8]).abs().max() > 2e-3


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"appearance_dim": 6}, "appearance_dim must be from 0 to below latent_dim; got 6 of 6"),
        ({"patch": PatchSampler(32)}, "patch.side must be at most size 16; got 32"),
        ({"patch": PatchSampler(4)}, "patch.side must be at least 8; got 4"),
        ({"white_cap": 1.5}, "white_cap must be above 0 and at most 1; got 1.5"),
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


def test_fewer_images_than_the_batch_are_refused(tmp_path: Path) -> None:
    model, images = graf(), Images(torch.zeros(3, 3, 16, 16))
    train = {"epochs": 1, "batch_size": 4, "tensorboard": False}
    wanted = "images fewer than the batch: got 3 for train.batch_size 4; give more images or"
    with pytest.raises(ValueError, match=wanted):
        shapegen.fit(model, images, train, out=tmp_path / "few", progress=False)
    found = shapegen.fit(
        model, images, train | {"batch_size": 3}, out=tmp_path / "enough", progress=False
    )
    assert found.step == 1


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
    play(model, pixels, 60, rng=rng, rate=2e-3)
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


FOLDER = Path(__file__).resolve().parents[2] / "configs"
THEIRS = ("carla", "cats", "celeba", "celebahq", "chairs", "cub")
CONFIGS = [FOLDER / f"graf_{name}.yaml" for name in THEIRS]


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_the_authors_settings_are_official(path: Path) -> None:
    run = load_run(path)
    config = run.model.fields
    own = {"size", "cameras", "patch", "view_directions", "flip"}
    changed = {name: getattr(config, name) for name in own}
    white = config.sampling.white
    sampling = Sampling(64, jitter=True, white=white)
    assert config == GRAFConfig.official(**changed, sampling=sampling)
    # Sets as they are handed out: pictures of any size, some of them cut.
    crops = {"graf_celeba": 108, "graf_celebahq": 650}
    assert (run.data.image_size, run.data.image_crop) == (config.size, crops.get(path.stem))
    assert (run.train.optimizer, run.train.betas, run.train.ema) == ("rmsprop", (0.0, 0.99), 0.999)
    rates = [
        (run.train.rates.get(name, run.train.learning_rate) * rate_factor(run.train, step, 10**6))
        for step in (0, 49999, 50000, 100000, 200000)
        for name in ("generator", "discriminator")
    ]
    wanted = [factor * rate for factor in (1, 1, 0.5, 0.25, 0.125) for rate in (5e-4, 1e-4)]
    assert rates == pytest.approx(wanted)


OURS = sorted(set(FOLDER.glob("graf_*.yaml")) - set(CONFIGS))


@pytest.mark.parametrize("path", [*OURS, FOLDER / "tiny/graf.yaml"], ids=lambda path: path.stem)
def test_our_own_cameras_are_those_of_the_renders(path: Path) -> None:
    """The model may guess anything; what is shipped guesses right."""
    run = load_run(path)
    render, cameras = run.data.render, run.model.fields.cameras
    assert render is not None
    assert (render.size, render.fov, render.radius, render.azimuth, render.polar) == (
        run.model.fields.size,
        cameras.fov,
        cameras.radius,
        cameras.azimuth,
        cameras.polar,
    )
    # Shapes fill the unit sphere.
    assert render.normalise
    assert cameras.sphere == 1.0


def test_boxes_and_furniture_have_configurations() -> None:
    assert {path.stem for path in OURS} >= {"graf_chairs_boxes", "graf_furniture"}
