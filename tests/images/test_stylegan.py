"""StyleGAN: scales that styles rule, truncation, walks, the game and its path lengths."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import pytest
import torch

import shapegen
from shapegen.core.game import GameOptions
from shapegen.core.latent import lerp
from shapegen.core.seeding import seeded
from shapegen.core.style import Modulation
from shapegen.images.stylegan import StyleGAN, StyleGANConfig
from shapegen.images.stylegan_networks import Outputs
from tests.images.image_cases import blobs, play, unlikeness

SMALL: dict[str, Any] = {
    "channels": 1,
    "size": (16, 16),
    "noise_dim": 5,
    "style_dim": 6,
    "mapping_layers": 2,
    "hidden": (4, 6, 8),
}
ROUNDING = 1e-5
"""Of pixels: rows of one batch that are alike may differ in the last bits."""
MODULATIONS, OUTPUTS = get_args(Modulation), get_args(Outputs)


def build(**changes: Any) -> StyleGAN:
    with seeded(0):
        model = StyleGAN(StyleGANConfig(**(SMALL | changes))).eval()
        for layer in model.generator.synthesis.layers:
            torch.nn.init.normal_(layer.strength)
    return model


def pixels(n: int = 6) -> torch.Tensor:
    return torch.rand(n, 1, 16, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1


def two_styles(model: StyleGAN) -> tuple[torch.Tensor, torch.Tensor]:
    first, second = model.styles(model.sample_latent(2, rng=torch.Generator().manual_seed(0)))
    return first.expand(model.layers, -1), second.expand(model.layers, -1)


def same(seen: list[torch.Tensor]) -> list[bool]:
    """Of what two calls of one list of layers gave, which is equal bit for bit."""
    half = len(seen) // 2
    return [torch.equal(a, b) for a, b in zip(seen[:half], seen[half:], strict=True)]


@pytest.mark.parametrize("modulation", MODULATIONS)
@pytest.mark.parametrize("outputs", OUTPUTS)
def test_mixing_changes_the_chosen_scales_alone(modulation: Modulation, outputs: Outputs) -> None:
    """Layers 1 and 2 are of 8 x 8: with another style there, 4 x 4 stays, and 16 x 16 changes."""
    model = build(modulation=modulation, outputs=outputs)
    features: list[torch.Tensor] = []
    for layer in model.generator.synthesis.layers:
        layer.register_forward_hook(lambda module, inputs, output: features.append(output))
    told: list[torch.Tensor] = []
    for layer in model.generator.synthesis.layers:
        layer.affine.register_forward_hook(lambda module, inputs, output: told.append(output))
    first, second = two_styles(model)
    middle = first.clone()
    middle[1:3] = second[1:3]
    for styles in (first, middle):
        model.decode_styles(styles[None])
    assert [each.shape[2] for each in features[:5]] == [4, 8, 8, 16, 16]
    assert same(features) == [True, False, False, False, False]
    # Later layers see other features, but are told the same; a layer's pixels are told beside it.
    assert same(told) == [True, False, False, True, True]


def test_fine_styles_leave_the_coarse_image() -> None:
    """Skip outputs: pixels of every size are added, those of coarse layers stay bit for bit."""
    model = build()
    made: list[torch.Tensor] = []
    for each in model.generator.synthesis.to_pixels:
        each.register_forward_hook(lambda module, inputs, output: made.append(output))
    first, second = two_styles(model)
    fine = first.clone()
    fine[3:] = second[3:]
    images = [model.decode_styles(styles[None]).pixels for styles in (first, fine)]
    assert same(made) == [True, True, False]
    assert not torch.equal(images[0], images[1])


def test_psi_of_0_gives_one_image_and_of_1_all() -> None:
    model = build().train()
    model.objectives(rng=torch.Generator().manual_seed(0))[0].loss(pixels(), 0)
    model.eval()
    mean = model.generator.mapping.mean
    assert bool(mean.any())
    z = model.sample_latent(4, rng=torch.Generator().manual_seed(1))
    spreads = [
        model.decode_styles(model.styles(z, psi=psi)).pixels.std(0).mean().item()
        for psi in (0.0, 0.5, 1.0)
    ]
    assert spreads[0] < ROUNDING
    assert 0 < spreads[1] < spreads[2]
    torch.testing.assert_close(model.styles(z, psi=0.0), mean.expand(4, -1))


def test_psi_can_be_changed_when_a_model_is_loaded(tmp_path: Path) -> None:
    model = build().train()
    model.objectives(rng=torch.Generator().manual_seed(0))[0].loss(pixels(), 0)
    shapegen.save(model.eval(), tmp_path / "a.safetensors")
    whole, one = (shapegen.load(tmp_path / "a.safetensors", psi=psi) for psi in (1.0, 0.0))
    assert one.sample(3).pixels.std(0).max() < ROUNDING
    assert whole.sample(3).pixels.std(0).max() > 0.1
    stream = [torch.Generator().manual_seed(2) for _ in range(2)]
    assert torch.equal(
        whole.sample(3, rng=stream[0]).pixels, model.sample(3, rng=stream[1]).pixels
    )


@pytest.mark.parametrize("noise", ["fixed", "random", "none"])
def test_samples_depend_on_the_stream_alone(noise: Any) -> None:
    model = build(noise=noise)
    a, b, other = (
        model.sample(3, rng=torch.Generator().manual_seed(seed)).pixels for seed in (7, 7, 8)
    )
    assert torch.equal(a, b)
    assert not torch.equal(a, other)
    z = model.sample_latent(1, rng=torch.Generator().manual_seed(0)).expand(2, -1)
    drawn = model.decode(z, rng=torch.Generator().manual_seed(0)).pixels
    assert ((drawn[0] - drawn[1]).abs().max() < ROUNDING) == (noise != "random")


def test_walks_of_styles_are_straight() -> None:
    a, b = build().sample_latent(2, rng=torch.Generator().manual_seed(0))
    model = build(walk="style")
    ends = model.styles(torch.stack([a, b]))
    expected = model.decode_styles(lerp(ends[0], ends[1], torch.linspace(0, 1, 5)))
    straight, arc = model.interpolate(a, b, 5).pixels, build().interpolate(a, b, 5).pixels
    torch.testing.assert_close(straight, expected.pixels)
    torch.testing.assert_close(straight[[0, -1]], arc[[0, -1]])
    assert not torch.allclose(straight[2], arc[2], atol=1e-3)


@pytest.mark.parametrize("mixing", [0.0, 0.5, 1.0])
def test_so_many_images_in_training_have_two_styles(mixing: float) -> None:
    model = build(mixing=mixing, hidden=(2, 2, 2))
    seen: list[torch.Tensor] = []
    model.generator.synthesis.register_forward_pre_hook(lambda module, args: seen.append(args[0]))
    objective = model.objectives(rng=torch.Generator().manual_seed(0))[1]
    objective.loss(pixels(400), 0)
    changes = (seen[0][:, 1:] != seen[0][:, :-1]).any(2)
    assert changes.sum(1).max() <= 1
    assert changes.any(1).float().mean().item() == pytest.approx(mixing, abs=0.08)
    if mixing == 1:
        # The crossover is at any layer but the first.
        shares = changes.float().mean(0)
        torch.testing.assert_close(shares, torch.full((4,), 0.25), atol=0.08, rtol=0)


def test_the_generator_is_to_be_taken_for_real() -> None:
    model = build(mixing=0.0, noise="none")
    found, _ = model.objectives(rng=torch.Generator().manual_seed(3))[1].loss(pixels(), 0)
    z = model.sample_latent(6, rng=torch.Generator().manual_seed(3))
    styles = model.styles(z)[:, None].expand(-1, model.layers, -1)
    logits = model.discriminator(model.generator.synthesis(styles, noise="none"))
    torch.testing.assert_close(found, -logits.sigmoid().log().mean())


@pytest.mark.parametrize(("step", "weight"), [(0, 4.0), (1, 0.0), (4, 4.0)])
def test_the_discriminator_pays_half_gamma_for_squared_slopes_at_images(
    step: int, weight: float
) -> None:
    plain, penalised = (
        build(game=GameOptions(r1=gamma, lazy=4))
        .objectives(rng=torch.Generator().manual_seed(3))[0]
        .loss(pixels(), step)[0]
        for gamma in (0.0, 3.0)
    )
    at = pixels().requires_grad_()
    (slope,) = torch.autograd.grad(build().discriminator(at).sum(), at)
    expected = weight * 1.5 * slope.square().flatten(1).sum(1).mean()
    torch.testing.assert_close(penalised - plain, expected, rtol=1e-4, atol=1e-5)


def test_the_path_penalty_is_due_now_and_then_and_weighs_so_much_more() -> None:
    plain, model = build(), build(path_weight=2.0, path_every=3)
    for step, due in ((0, True), (1, False), (3, True)):
        losses, terms = [], {}
        for each in (plain, model):
            objective = each.objectives(rng=torch.Generator().manual_seed(1))[1]
            loss, terms = objective.loss(pixels(), step)
            losses.append(loss)
        torch.testing.assert_close(losses[1] - losses[0], terms["path"], rtol=1e-4, atol=1e-5)
        assert (terms["path"] > 0) == due
    lengths: list[float] = []
    model.path.register_forward_hook(lambda module, args, output: lengths.append(output.item()))
    terms = model.objectives(rng=torch.Generator().manual_seed(1))[1].loss(pixels(), 0)[1]
    assert terms["path"].item() == pytest.approx(2 * 3 * lengths[0])


def test_buffers_change_in_training_alone() -> None:
    model = build(path_weight=2.0, path_every=1)
    before = {name: each.clone() for name, each in model.named_buffers()}
    for objective in model.objectives(rng=torch.Generator().manual_seed(1)):
        objective.loss(pixels(), 0)
    assert all(torch.equal(each, before[name]) for name, each in model.named_buffers())
    model.train()
    for objective in model.objectives(rng=torch.Generator().manual_seed(1)):
        objective.loss(pixels(), 0)
    changed = {n for n, each in model.named_buffers() if not torch.equal(each, before[n])}
    assert changed == {"generator.mapping.mean", "generator.mapping.updates", "path.mean"}


@pytest.mark.parametrize("modulation", MODULATIONS)
@pytest.mark.parametrize("outputs", OUTPUTS)
def test_gradients_reach_every_weight(modulation: Modulation, outputs: Outputs) -> None:
    model = build(modulation=modulation, outputs=outputs, path_weight=2.0)
    for objective in model.objectives(rng=torch.Generator().manual_seed(0)):
        model.zero_grad()
        objective.loss(pixels(), 0)[0].backward()
        for name, each in objective.module.named_parameters():
            assert each.grad is not None, name
            assert bool(each.grad.any()), name


def test_discs_are_learnt_and_styles_go_the_shorter_way() -> None:
    """Made discs are as bright as the data's and vary as much; between the same ends images move
    less along straight lines of styles than along arcs of noise."""
    data = blobs(128)
    model = build(size=(8, 8), hidden=(8, 8), style_dim=16, noise_dim=8, mapping_rate=0.1)
    before = model.sample(64, rng=torch.Generator().manual_seed(1)).pixels
    play(model, model.prepare(data), 100, rng=torch.Generator().manual_seed(0))
    after = model.sample(64, rng=torch.Generator().manual_seed(1)).pixels
    errors = [unlikeness(each, data.pixels) for each in (before, after)]
    # A third or less with four seeds.
    assert errors[1] < errors[0] / 2
    found = model.figures(data, rng=torch.Generator().manual_seed(2))
    assert 0 < found["path length of styles"] < found["path length of noise"]
    assert found["styles to noise"] == pytest.approx(
        found["path length of styles"] / found["path length of noise"]
    )


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"style_dim": 0}, "style_dim must be at least 1; got 0"),
        (
            {"size": (18, 16)},
            r"3 sizes \(hidden\) need sides that are multiples of 4; got 18 x 16",
        ),
        ({"mixing": 1.5}, "mixing must be from 0 to 1; got 1.5"),
        ({"psi": -1.0}, "psi must be at least 0; got -1.0"),
        ({"mapping_rate": 0.0}, "mapping_rate must be above 0; got 0.0"),
        ({"game": GameOptions(pack=2)}, r"game\.pack must be 1"),
    ],
)
def test_settings_that_make_no_model(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        StyleGANConfig(**(SMALL | fields))


def test_styles_that_are_none() -> None:
    model = build()
    with pytest.raises(ValueError, match=r"must be \(n, 6\) or \(n, 5, 6\); got \(2, 4, 6\)"):
        model.decode_styles(torch.zeros(2, 4, 6))
    with pytest.raises(ValueError, match=r"codes must be \(n, 5\); got \(2, 6\)"):
        model.styles(torch.zeros(2, 6))
