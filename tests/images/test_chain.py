"""The chain: stages see those before them alone, styles are chosen or drawn, losses, learning."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from shapegen.core.game import GameOptions
from shapegen.core.seeding import seeded
from shapegen.images.chain import STAGES, Chain, ChainConfig, coarsened
from shapegen.images.images import Images
from shapegen.images.pairs import ImagePairs
from tests.images.image_cases import blobs

SMALL: dict[str, Any] = {
    "source_channels": 1,
    "target_channels": 1,
    "size": (8, 8),
    "widths": (4, 6),
    "style_dim": 2,
    "judge_width": 4,
    "kept": 4,
}


def build(**changes: Any) -> Chain:
    with seeded(0):
        return Chain(ChainConfig(**(SMALL | changes))).eval()


def pairs(n: int = 6) -> ImagePairs:
    return ImagePairs(blobs(n), Images(-0.5 * blobs(n).pixels))


def stream(seed: int = 3) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_a_style_changes_its_stage_and_those_after_it_alone() -> None:
    model, images = build(), blobs(4)
    plain = model.steps(images, rng=stream())
    again = model.steps(images, rng=stream())
    for name in STAGES:
        assert torch.equal(plain[name].pixels, again[name].pixels)
    chosen = torch.tensor([2.0, -2.0])
    detail = model.steps(images, styles={"detail": chosen}, rng=stream())
    assert torch.equal(detail["coarse"].pixels, plain["coarse"].pixels)
    assert not torch.allclose(detail["detail"].pixels, plain["detail"].pixels)
    coarse = model.steps(images, styles={"coarse": chosen}, rng=stream())
    assert not torch.allclose(coarse["coarse"].pixels, plain["coarse"].pixels)
    assert not torch.allclose(coarse["detail"].pixels, plain["detail"].pixels)
    both = {"coarse": chosen.expand(4, 2), "detail": chosen}
    first, second = (model.translate(images, styles=both, rng=stream(seed)) for seed in (1, 2))
    assert torch.equal(first.pixels, second.pixels)


def test_the_second_stage_is_given_what_the_first_one_made() -> None:
    model, images = build(), blobs(3)
    styles = {name: torch.randn(3, 2, generator=stream()) for name in STAGES}
    found = model.steps(images, styles=styles)
    coarse = model.stages["coarse"](images.pixels, styles["coarse"])
    torch.testing.assert_close(found["coarse"].pixels, coarse)
    given = torch.cat([images.pixels, coarse], 1)
    torch.testing.assert_close(
        found["detail"].pixels, model.stages["detail"](given, styles["detail"])
    )


def test_the_stages_loss_written_out() -> None:
    model = build(l1=7.0, kl=0.3, regression=2.0)
    batch = model.prepare(pairs())
    loss, terms = model.objectives(rng=stream())[2].loss(batch, 0)
    rng, expected = stream(), torch.zeros(())
    coarse = coarsened(batch.target, 4)
    for name, given, target in (
        ("coarse", batch.source, coarse),
        ("detail", torch.cat([batch.source, coarse], 1), batch.target),
    ):
        stage, judge = model.stages[name], model.discriminators[name]
        read = stage.posterior(target)
        drawn = torch.randn(6, 2, generator=rng)
        again, new = stage(given, read.rsample(rng=rng)), stage(given, drawn)
        logits = torch.cat([judge(again, given), judge(new, given)])
        far = (again - target).abs().mean()
        kl = 0.5 * (read.mean.square() + read.logvar.exp() - 1 - read.logvar).sum(1).mean()
        missed = (stage.posterior(new).mean - drawn).abs().mean()
        expected = expected + (logits - 1).square().mean() / 2
        expected = expected + 7 * far + 0.3 * kl + 2 * missed
        torch.testing.assert_close(terms[f"kl_{name}"], kl.detach())
    torch.testing.assert_close(loss, expected)


def test_drawn_codes_teach_the_generator_and_not_the_encoder() -> None:
    gradients = []
    for weight in (0.0, 5.0):
        model = build(l1=0.0, kl=0.0, regression=weight)
        batch = model.prepare(pairs())
        model.objectives(rng=stream())[2].loss(batch, 0)[0].backward()
        stage = model.stages["coarse"]
        gradients.append(
            [
                torch.cat([each.grad.flatten() for each in part.parameters()])
                for part in (stage.encoder, stage.generator)
            ]
        )
    torch.testing.assert_close(gradients[0][0], gradients[1][0])
    assert not torch.allclose(gradients[0][1], gradients[1][1], rtol=0.01)


def test_every_player_learns() -> None:
    model = build()
    batch = model.prepare(pairs())
    for objective in model.objectives(rng=stream()):
        objective.module.zero_grad()
        objective.loss(batch, 0)[0].backward()
        assert all(each.grad is not None for each in objective.module.parameters())


def test_coarse_images_are_means_of_squares() -> None:
    pixels = torch.rand(2, 1, 8, 8, generator=stream())
    found = coarsened(pixels, 4)
    assert found.shape == pixels.shape
    # Bilinear enlargement leaves the corners as they are.
    assert found[0, 0, 0, 0].item() == pytest.approx(pixels[0, 0, :4, :4].mean().item())
    assert found[1, 0, -1, 0].item() == pytest.approx(pixels[1, 0, 4:, :4].mean().item())
    assert coarsened(torch.rand(1, 1, 7, 5), 4).shape == (1, 1, 7, 5)


def test_styles_are_learnt_and_lead_from_one_look_to_the_other() -> None:
    """Targets are dark or bright, whatever the source: the coarse style says which."""
    model = build(style_dim=1, widths=(8, 16), kl=0.05)
    bright = (torch.arange(32) % 2 * 1.2 - 0.6).view(-1, 1, 1, 1)
    data = ImagePairs(blobs(32), Images((blobs(32).pixels * 0.2 + bright).clamp(-1, 1)))
    batch = model.prepare(data)
    objectives = model.objectives(rng=stream())
    optimizers = [
        torch.optim.Adam(each.module.parameters(), 4e-3, (0.5, 0.999)) for each in objectives
    ]
    model.train()
    for step in range(120):
        part = batch[torch.arange(16) + 16 * (step % 2)]
        for objective, optimizer in zip(objectives, optimizers, strict=True):
            optimizer.zero_grad()
            objective.loss(part, step)[0].backward()
            optimizer.step()
    model.eval()
    codes = model.encode_styles(data)["coarse"][:, 0]
    ends = torch.stack([codes[::2].mean(), codes[1::2].mean()])
    walk = [ends[0] + (ends[1] - ends[0]) * share / 4 for share in range(5)]
    fixed = {"detail": torch.zeros(1)}
    means = [
        model.steps(blobs(8), styles=fixed | {"coarse": code[None]})["coarse"].pixels.mean().item()
        for code in walk
    ]
    assert means == sorted(means)
    assert means[0] < -0.3
    assert means[-1] > 0.0
    found = model.figures(data, rng=stream())
    assert found["L1 of read styles"] < 0.15
    assert found["spread of coarse"] > 0.05


def test_samples_begin_at_kept_sources() -> None:
    model = build()
    with pytest.raises(ValueError, match="there was none"):
        model.sample(1)
    model.calibrate(model.prepare(pairs()))
    a, b = (model.sample(5, rng=stream(1)).pixels for _ in range(2))
    assert torch.equal(a, b)
    assert a.shape == (5, 1, 8, 8)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"coarse": 1}, "coarse must be at least 2; got 1"),
        ({"style_dim": 0}, "style_dim must be at least 1; got 0"),
        ({"kl": -1.0}, "kl must be at least 0; got -1.0"),
        ({"widths": (4,) * 4}, r"3 halvings \(widths\) are too many for images of 8 x 8"),
        ({"game": GameOptions(pack=2)}, r"game\.pack must be 1"),
        ({"receptive_field": 34}, r"\(receptive field 34\) is too large for images of 8 x 8"),
    ],
)
def test_settings_that_make_no_model(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build(**fields)


def test_mistakes() -> None:
    model = build()
    with pytest.raises(ValueError, match="of the stages coarse, detail; got 'fine'"):
        model.translate(blobs(2), styles={"fine": torch.zeros(2)})
    with pytest.raises(ValueError, match=r"a style must be \(2,\), or one an image \(2\); got"):
        model.translate(blobs(2), styles={"coarse": torch.zeros(3)})
    with pytest.raises(TypeError, match="pairs of images are needed"):
        model.prepare(blobs(2))
