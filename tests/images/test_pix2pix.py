"""pix2pix: what its players see and pay, patches, samples, learning, and mistakes."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.functional import softplus

from shapegen.core.game import GameOptions
from shapegen.core.noise import uniform
from shapegen.core.patch import PatchSampler
from shapegen.core.seeding import seeded
from shapegen.images.images import Images
from shapegen.images.pairs import ImageDomains, ImagePairs
from shapegen.images.pix2pix import PairedPixels, Pix2Pix, Pix2PixConfig
from tests.images.image_cases import blobs

SMALL: dict[str, Any] = {
    "source_channels": 1,
    "target_channels": 3,
    "size": (8, 8),
    "widths": (4, 6),
    "receptive_field": 16,
    "judge_width": 4,
    "kept": 4,
}


def build(**changes: Any) -> Pix2Pix:
    with seeded(0):
        return Pix2Pix(Pix2PixConfig(**(SMALL | changes))).eval()


def pairs(n: int = 6) -> ImagePairs:
    """Blobs in grey, and dark ones in colour."""
    grey = blobs(n)
    return ImagePairs(grey, Images(-grey.pixels * torch.tensor([1, 0.5, -0.5]).view(1, 3, 1, 1)))


def stream(seed: int = 3) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("condition", ["conditional", "unconditional"])
def test_the_players_losses_written_out(condition: str) -> None:
    model = build(adversarial=condition, l1=7.0)
    batch = model.prepare(pairs())
    made = model.generator(batch.source, rng=stream())
    given = (batch.source,) if condition == "conditional" else ()
    on_real = model.discriminator(torch.cat([batch.target, *given], 1))
    on_made = model.discriminator(torch.cat([made, *given], 1))
    judge, generator = model.objectives(rng=stream())
    expected = softplus(-on_real).mean() + softplus(on_made).mean()
    torch.testing.assert_close(judge.loss(batch, 0)[0], expected)
    judge, generator = model.objectives(rng=stream())
    loss, terms = generator.loss(batch, 0)
    far = (made - batch.target).abs().mean()
    torch.testing.assert_close(loss, softplus(-on_made).mean() + 7 * far)
    torch.testing.assert_close(terms["l1"], far.detach())


def test_terms_can_be_left_out() -> None:
    batch = build().prepare(pairs())
    alone = build(adversarial="none", l1=2.0)
    assert alone.discriminator is None
    (objective,) = alone.objectives(rng=stream())
    far = (alone.generator(batch.source, rng=stream()) - batch.target).abs().mean()
    torch.testing.assert_close(objective.loss(batch, 0)[0], 2 * far)
    game = build(l1=0.0)
    loss, terms = game.objectives(rng=stream())[1].loss(batch, 0)
    made = game.generator(batch.source, rng=stream())
    torch.testing.assert_close(loss, softplus(-game.discriminator(made, batch.source)).mean())
    assert terms.keys() == {"game"}


def test_each_loss_trains_its_player() -> None:
    model = build()
    batch = model.prepare(pairs())
    judge, generator = model.objectives(rng=stream())
    judge.loss(batch, 0)[0].backward()
    assert all(each.grad is not None for each in model.discriminator.parameters())
    assert all(each.grad is None for each in model.generator.parameters())
    generator.loss(batch, 0)[0].backward()
    assert all(each.grad is not None for each in model.generator.parameters())


def test_the_discriminator_sees_patches_of_the_samplers_places() -> None:
    """Of images that are linear in their places, a patch says where it lies."""
    sampler = PatchSampler(side=8, min_scale=0.3, anneal=0.0)
    model = build(size=(9, 12), patches=sampler, target_channels=3)
    line_x, line_y = torch.linspace(-1, 1, 12), torch.linspace(-1, 1, 9)
    y, x = torch.meshgrid(line_y, line_x, indexing="ij")
    target = torch.stack([x, y, torch.zeros_like(x)]).expand(5, -1, -1, -1)
    source = ((x + y) / 2).expand(5, 1, -1, -1)
    seen: list[tuple[Tensor, ...]] = []
    model.discriminator.register_forward_pre_hook(lambda _, inputs: seen.append(inputs))
    judge, _ = model.objectives(rng=stream())
    judge.loss(PairedPixels(source, target), 0)
    shown, given = seen[0]
    rng = stream()
    model.generator(source, rng=rng)  # its dropout comes first
    share = uniform((5, 3), like=target, rng=rng)
    scale = 0.3 + 0.7 * share[:, 0]
    offset = (2 * share[:, 1:] - 1) * (1 - scale[:, None])
    grid = torch.linspace(-1, 1, 8)
    across = (scale[:, None] * grid + offset[:, :1])[:, None].expand(-1, 8, -1)
    down = (scale[:, None] * grid + offset[:, 1:])[:, :, None].expand(-1, -1, 8)
    torch.testing.assert_close(shown[:, 0], across, atol=1e-5, rtol=0)
    torch.testing.assert_close(shown[:, 1], down, atol=1e-5, rtol=0)
    # The same piece of both images.
    torch.testing.assert_close(given[:, 0], (across + down) / 2, atol=1e-5, rtol=0)
    assert seen[1][0].shape == (5, 3, 8, 8)


def test_patches_grow_finer_with_the_steps() -> None:
    sampler = PatchSampler(side=8, min_scale=0.05, anneal=0.5)
    model = build(size=(8, 8), patches=sampler)
    ramp = torch.linspace(-1, 1, 8).expand(64, 3, 8, 8)
    spans = []
    for step in (0, 50_000):
        seen: list[Tensor] = []
        hook = model.discriminator.register_forward_pre_hook(
            lambda _, inputs, seen=seen: seen.append(inputs[0])
        )
        model.objectives(rng=stream())[0].loss(PairedPixels(ramp[:, :1], ramp), step)
        hook.remove()
        spans.append((seen[0][:, 0, 0, -1] - seen[0][:, 0, 0, 0]).min().item() / 2)
    assert 0.9 <= spans[0] < 0.95
    assert 0.05 <= spans[1] < 0.3


def test_translations_depend_on_source_and_stream() -> None:
    model = build(widths=(4, 6, 6), dropout=0.5)
    images = Images(blobs(5).pixels, torch.arange(5), [f"n{i}" for i in range(5)])
    a, b, c = (model.translate(images, rng=stream(seed)) for seed in (1, 1, 2))
    assert torch.equal(a.pixels, b.pixels)
    assert not torch.allclose(a.pixels, c.pixels)
    assert a.pixels.shape == (5, 3, 8, 8)
    assert a.names == images.names
    assert torch.equal(a.labels, images.labels)
    certain = build(dropout=0.0)
    torch.testing.assert_close(
        certain.translate(images, rng=stream(1)).pixels, certain.translate(images).pixels
    )
    from_pairs = certain.translate(pairs(5)).pixels
    torch.testing.assert_close(from_pairs, certain.translate(pairs(5).source).pixels)


def test_samples_are_translations_of_kept_sources() -> None:
    model = build(dropout=0.0)
    with pytest.raises(ValueError, match=r"translations of images that training keeps.*was none"):
        model.sample(2)
    model.calibrate(model.prepare(pairs(10)))
    again = build(dropout=0.0)
    again.load_state_dict(model.state_dict())
    # Four of ten, spread evenly.
    known = model.translate(pairs(10)[[0, 2, 5, 7]]).pixels
    drawn = model.sample(40, rng=stream()).pixels
    nearest = torch.cdist(drawn.flatten(1), known.flatten(1)).min(1)
    assert nearest.values.max() < 1e-3
    assert set(nearest.indices.tolist()) == {0, 1, 2, 3}
    assert torch.equal(again.sample(40, rng=stream()).pixels, drawn)
    model.calibrate(model.prepare(pairs(2)))
    assert model.bank.count == 2
    with pytest.raises(ValueError, match="at least 1; got 0"):
        model.sample(0)


def test_the_players_see_a_channel_a_label() -> None:
    colors = ("ffffff", "ff0000", "0000ff")
    model = build(source_channels=3, labels=colors, dropout=0.0)
    masks = torch.arange(6 * 64).view(6, 8, 8) % 3
    planes = torch.stack([masks == label for label in range(3)], 1).float()
    palette = torch.tensor([[1.0, 1, 1], [1, -1, -1], [-1, -1, 1]])
    maps = Images(palette[masks].permute(0, 3, 1, 2))
    targets = pairs().target
    batch = model.prepare(ImagePairs(maps, targets))
    made = model.generator(planes)
    torch.testing.assert_close(model.translate(maps).pixels, made)
    on_real = model.discriminator(torch.cat([batch.target, planes], 1))
    on_made = model.discriminator(torch.cat([made, planes], 1))
    expected = softplus(-on_real).mean() + softplus(on_made).mean()
    torch.testing.assert_close(model.objectives(rng=stream())[0].loss(batch, 0)[0], expected)
    model.calibrate(batch)
    assert len(model.sample(2, rng=stream())) == 2
    off = Images(maps.pixels * 0.5)
    for refused in (lambda: model.translate(off), lambda: model.prepare(ImagePairs(off, targets))):
        with pytest.raises(ValueError, match="a map of labels must have the palette's 3 colours"):
            refused()


@pytest.mark.parametrize("adversarial", ["conditional", "unconditional", "none"])
def test_eight_pairs_are_learnt(adversarial: str) -> None:
    model = build(adversarial=adversarial, dropout=0.0, widths=(16, 32), norm="instance", l1=20.0)
    batch = model.prepare(pairs(8))
    objectives = model.objectives(rng=stream())
    optimizers = [
        torch.optim.Adam(each.module.parameters(), 5e-3, (0.5, 0.999)) for each in objectives
    ]

    def far() -> float:
        return (model.translate(pairs(8)).pixels - batch.target).abs().mean().item()

    before = far()
    model.train()
    for step in range(120):
        for objective, optimizer in zip(objectives, optimizers, strict=True):
            optimizer.zero_grad()
            objective.loss(batch, step)[0].backward()
            optimizer.step()
    model.eval()
    assert far() < before / 5


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"source_channels": 2}, "channels must be 1 or 3; got 2"),
        ({"labels": ("ff00",)}, "must be six hexadecimal digits; got 'ff00'"),
        ({"labels": ("ff0000", "FF0000")}, "labels need two or more different colours; got"),
        (
            {"labels": ("ff0000", "0000ff")},
            "source_channels must be 3; got 1",
        ),
        ({"widths": ()}, r"widths must be widths of at least 1; got \[\]"),
        ({"widths": (4,) * 4}, r"3 halvings \(widths\) are too many for images of 8 x 8"),
        ({"dropout": 1.0}, "dropout must be from 0 to below 1; got 1.0"),
        ({"l1": -1.0}, "l1 must be at least 0; got -1.0"),
        ({"l1": 0.0, "adversarial": "none"}, "l1 is 0 and adversarial is none"),
        ({"kept": 0}, "kept must be at least 1; got 0"),
        ({"game": GameOptions(pack=2)}, r"game\.pack must be 1"),
        ({"receptive_field": 70}, r"\(receptive field 70\) is too large for images of 8 x 8"),
        ({"receptive_field": 17}, "receptive_field must be one of 1, 16, 34, 70; got 17"),
        (
            {"patches": PatchSampler(side=4)},
            r"\(receptive field 16\) is too large for images of 4 x 4",
        ),
    ],
)
def test_settings_that_make_no_model(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build(**fields)


def test_mistakes() -> None:
    model = build()
    with pytest.raises(TypeError, match=r"pairs of images are needed .*; got Images"):
        model.prepare(blobs(2))
    with pytest.raises(TypeError, match="got two sets: 3 images in A and 2 in B"):
        model.prepare(ImageDomains(blobs(3), blobs(2)))
    with pytest.raises(ValueError, match=r"of targets 3 x 8 x 8 .* got 1 x 8 x 8"):
        model.prepare(ImagePairs(blobs(2), blobs(2)))
    with pytest.raises(ValueError, match=r"of images 1 x 8 x 8 .* got 3 x 8 x 8"):
        model.translate(blobs(1, channels=3))
