"""Progressive GAN: the schedule of growth, the fade's ends, checkpoints on the way, the game."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

import shapegen
from shapegen.core.adversarial import Kind
from shapegen.core.game import GameOptions
from shapegen.core.seeding import seeded
from shapegen.images.progan import ProGAN, ProGANConfig
from shapegen.images.progan_networks import (
    Growth,
    doubled_pixels,
    growth_at,
    halved_pixels,
    level_at,
    shown_at,
)
from tests.images.image_cases import blobs, play, unlikeness

SMALL: dict[str, Any] = {
    "channels": 1,
    "size": (16, 16),
    "noise_dim": 5,
    "hidden": (4, 6, 8),
    "hold_steps": 4,
    "fade_steps": 5,
}
LATE = 10**6
"""A step at which all has grown."""


def build(**changes: Any) -> ProGAN:
    with seeded(0):
        return ProGAN(ProGANConfig(**(SMALL | changes))).eval()


def pixels(n: int = 6) -> torch.Tensor:
    return torch.rand(n, 1, 16, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1


def test_the_schedule_of_growth() -> None:
    levels = [level_at(step, 3, 2, 4) for step in range(14)]
    assert levels == [0, 0, 0.25, 0.5, 0.75, 1, 1, 1, 1.25, 1.5, 1.75, 2, 2, 2]
    assert level_at(LATE, 3, 2, 4) == 2
    assert [level_at(step, 3, 2, 0) for step in range(5)] == [0, 0, 1, 1, 2]
    assert level_at(0, 3, 0, 0) == 2
    assert growth_at(1.0) == Growth(1, 1.0)
    assert growth_at(1.25) == Growth(2, 0.25)
    assert growth_at(0.0) == Growth(0, 1.0)


@pytest.mark.parametrize("stage", [1, 2])
def test_a_fade_begins_at_the_size_before_and_ends_at_the_next(stage: int) -> None:
    model, z = build(), torch.randn(3, 5, generator=torch.Generator().manual_seed(0))
    before, after = (model.generator(z, Growth(each)) for each in (stage - 1, stage))
    begun, half, ended = (model.generator(z, Growth(stage, a)) for a in (0.0, 0.5, 1.0))
    torch.testing.assert_close(begun, doubled_pixels(before))
    assert torch.equal(ended, after)
    torch.testing.assert_close(half, (begun + ended) / 2)
    assert not torch.allclose(begun, ended, atol=1e-2)


@pytest.mark.parametrize("stage", [1, 2])
def test_a_discriminator_fades_likewise(stage: int) -> None:
    model = build()
    shown = shown_at(pixels(), Growth(stage), 3)
    begun, half, ended = (model.discriminator(shown, torch.tensor(a)) for a in (0.0, 0.5, 1.0))
    torch.testing.assert_close(begun, model.discriminator(halved_pixels(shown)))
    torch.testing.assert_close(ended, model.discriminator(shown))
    assert not torch.allclose(half, begun, atol=1e-4)
    assert not torch.allclose(half, ended, atol=1e-4)


def test_data_are_shown_as_fine_as_what_is_made() -> None:
    seen = pixels()
    assert torch.equal(shown_at(seen, Growth(2), 3), seen)
    coarse = seen.view(6, 1, 4, 4, 4, 4).mean((3, 5))
    torch.testing.assert_close(shown_at(seen, Growth(0), 3), coarse)
    half = shown_at(seen, Growth(1), 3)
    torch.testing.assert_close(shown_at(seen, Growth(1, 0.0), 3), doubled_pixels(coarse))
    torch.testing.assert_close(
        shown_at(seen, Growth(1, 0.25), 3), 0.75 * doubled_pixels(coarse) + 0.25 * half
    )


@pytest.mark.parametrize(
    ("step", "size", "alpha"),
    [(0, 4, None), (4, 8, 0.2), (9, 8, None), (15, 16, 0.6), (99, 16, None)],
)
def test_both_sides_are_shown_at_the_size_of_the_step(
    step: int, size: int, alpha: float | None
) -> None:
    model = build()
    seen: list[Any] = []
    model.discriminator.register_forward_pre_hook(lambda module, inputs: seen.append(inputs))
    judge, make = model.objectives(rng=torch.Generator().manual_seed(0))
    judge.loss(pixels(), step)
    make.loss(pixels(), step)
    given = () if alpha is None else (pytest.approx(alpha),)
    for shown, *beside in seen:
        assert shown.shape == (6, 1, size, size)
        assert tuple(each.item() for each in beside) == given
    growth = growth_at(model.level_at(step))
    assert torch.equal(seen[0][0], shown_at(pixels(), growth, 3))


def test_losses_are_functions_of_the_step_alone() -> None:
    """Whatever was seen before: a run can be resumed at any step."""
    fresh, used = build().train(), build().train()
    for step in (0, 20, 5):
        used.objectives()[0].loss(pixels(), step)
    for number in (0, 1):
        found = [
            each.objectives(rng=torch.Generator().manual_seed(3))[number].loss(pixels(), 7)[0]
            for each in (fresh, used)
        ]
        assert torch.equal(found[0], found[1])


@pytest.mark.parametrize(("step", "stage"), [(0, 0), (5, 1), (14, 2), (LATE, 2)])
def test_a_checkpoint_makes_images_of_its_own_stage(step: int, stage: int, tmp_path: Path) -> None:
    model = build().train()
    model.objectives(rng=torch.Generator().manual_seed(0))[0].loss(pixels(), step)
    model.eval()
    # What is measured in eval mode is no training.
    model.objectives(rng=torch.Generator().manual_seed(0))[0].loss(pixels(), LATE + 1)
    shapegen.save(model, tmp_path / "a.safetensors")
    loaded = shapegen.load(tmp_path / "a.safetensors")
    z = model.sample_latent(3, rng=torch.Generator().manual_seed(0))
    images = loaded.decode(z).pixels
    assert torch.equal(images, model.decode(z).pixels)
    assert images.shape == (3, 1, 16, 16)
    level = model.level_at(step)
    assert loaded.growth.stage == stage
    made = model.generator(z, growth_at(torch.tensor(level).item()))
    for _ in range(2 - stage):
        made = doubled_pixels(made)
    torch.testing.assert_close(images, made.clamp(-1, 1).detach())


def test_all_of_both_networks_learn_in_the_course_of_the_growth() -> None:
    model = build()
    for number in (0, 1):
        objective = model.objectives(rng=torch.Generator().manual_seed(0))[number]
        for step in (0, 6, 15):  # the first size alone, then both fades
            objective.loss(pixels(), step)[0].backward()
        gradients = [each.grad for each in objective.module.parameters()]
        assert all(each is not None and bool(each.any()) for each in gradients)


@pytest.mark.parametrize("step", [6, LATE])
@pytest.mark.parametrize("loss", ["non_saturating", "wasserstein"])
def test_the_generator_is_to_be_taken_for_real(loss: Kind, step: int) -> None:
    model = build(game=GameOptions(loss=loss))
    found, _ = model.objectives(rng=torch.Generator().manual_seed(3))[1].loss(pixels(), step)
    growth = growth_at(model.level_at(step))
    z = model.sample_latent(6, rng=torch.Generator().manual_seed(3))
    logits = model.discriminator(model.generator(z, growth), *growth.given)
    expected = -logits if loss == "wasserstein" else -logits.sigmoid().log()
    torch.testing.assert_close(found, expected.mean())


@pytest.mark.parametrize("step", [6, LATE])
def test_the_discriminator_pays_half_gamma_for_squared_slopes_at_images(step: int) -> None:
    plain, penalised = (
        build(game=GameOptions(r1=gamma))
        .objectives(rng=torch.Generator().manual_seed(3))[0]
        .loss(pixels(), step)[0]
        for gamma in (0.0, 3.0)
    )
    model = build()
    growth = growth_at(model.level_at(step))
    at = shown_at(pixels(), growth, 3).requires_grad_()
    (slope,) = torch.autograd.grad(model.discriminator(at, *growth.given).sum(), at)
    expected = 1.5 * slope.square().flatten(1).sum(1).mean()
    torch.testing.assert_close(penalised - plain, expected, rtol=1e-4, atol=1e-6)


def test_the_papers_game_is_an_option() -> None:
    model = build(game=GameOptions(loss="wasserstein", gradient_penalty=10.0))
    loss, terms = model.objectives(rng=torch.Generator().manual_seed(0))[0].loss(pixels(), 6)
    loss.backward()
    # Slopes of a fresh critic are far from 1.
    assert terms["penalty"] > 0.1
    assert loss.isfinite()


def test_discs_are_learnt() -> None:
    """Made discs are as bright as those of the data, and their places vary as much."""
    data = blobs(128)
    model = build(
        size=(8, 8), hidden=(8, 8), hold_steps=20, fade_steps=30, game=GameOptions(r1=1.0)
    )
    before = model.sample(64, rng=torch.Generator().manual_seed(1)).pixels
    play(model, model.prepare(data), 120, rng=torch.Generator().manual_seed(0))
    after = model.sample(64, rng=torch.Generator().manual_seed(1)).pixels
    assert model.growth == Growth(1, 1.0)
    errors = [unlikeness(each, data.pixels) for each in (before, after)]
    # From a quarter to two thirds with four seeds, of which this one begins nearest.
    assert errors[1] < 0.75 * errors[0]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"noise_dim": 0}, "noise_dim must be at least 1; got 0"),
        ({"hidden": ()}, r"hidden must be widths of at least 1; got \[\]"),
        (
            {"size": (16, 18)},
            r"3 sizes \(hidden\) need sides that are multiples of 4; got 16 x 18",
        ),
        ({"fade_steps": -1}, "fade_steps must be at least 0; got -1"),
        ({"game": GameOptions(pack=2)}, r"game\.pack must be 1"),
    ],
)
def test_settings_that_make_no_model(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ProGANConfig(**(SMALL | fields))
