"""GANs of images: latents and labels, the game's batches, and learning."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from shapegen.core.adversarial import Kind
from shapegen.core.game import GameOptions
from shapegen.core.seeding import seeded
from shapegen.images.gan import GAN, GANConfig
from shapegen.images.images import Images
from tests.images.image_cases import play

SMALL: dict[str, Any] = {"size": (8, 8), "noise_dim": 5, "hidden": (4, 8)}


def build(**changes: Any) -> GAN:
    with seeded(0):
        return GAN(GANConfig(**(SMALL | changes))).eval()


def squares(n: int) -> Images:
    """Dark images of class 0 and bright ones of class 1."""
    rng = torch.Generator().manual_seed(0)
    labels = torch.arange(n) % 2
    pixels = 0.2 * torch.randn(n, 1, 8, 8, generator=rng) + (labels.view(-1, 1, 1, 1) - 0.5)
    return Images(pixels.clamp(-1, 1), labels)


def test_a_latent_is_noise_and_a_class() -> None:
    model = build(classes=3)
    assert model.latent_dim == 8
    z = model.sample_latent(100, rng=torch.Generator().manual_seed(0))
    assert z.shape == (100, 8)
    assert torch.equal(z[:, 5:].sum(1), torch.ones(100))
    images = model.decode(z)
    assert torch.equal(images.labels, z[:, 5:].argmax(1))
    assert set(images.labels.tolist()) == {0, 1, 2}
    drawn = model.sample(4, [2, 0, 1, 2])
    assert drawn.labels.tolist() == [2, 0, 1, 2]
    assert build().sample(2).labels is None


def test_samples_depend_on_the_stream_alone() -> None:
    model = build(classes=2)
    a, b = (model.sample(3, rng=torch.Generator().manual_seed(7)) for _ in range(2))
    assert torch.equal(a.pixels, b.pixels)
    other = model.sample(3, rng=torch.Generator().manual_seed(8))
    assert not torch.equal(a.pixels, other.pixels)


def test_what_is_made_has_the_classes_of_the_batch() -> None:
    model = build(classes=2)
    seen: list[Any] = []
    model.discriminator.register_forward_pre_hook(lambda module, inputs: seen.append(inputs))
    batch = model.prepare(squares(6))
    judge, make = model.objectives(rng=torch.Generator().manual_seed(0))
    judge.loss(batch, 0)
    make.loss(batch, 0)
    (real, on_real), (fake, on_fake) = seen[0], seen[1]
    assert torch.equal(real, batch.pixels)
    assert torch.equal(on_real, batch.labels)
    assert torch.equal(on_fake, batch.labels)
    assert torch.equal(seen[-1][1], batch.labels)
    assert not torch.equal(fake, batch.pixels)


@pytest.mark.parametrize("loss", ["non_saturating", "hinge"])
def test_the_generator_is_to_be_taken_for_real(loss: Kind) -> None:
    model = build(game=GameOptions(loss=loss))
    batch = model.prepare(squares(6))
    found, _ = model.objectives(rng=torch.Generator().manual_seed(3))[1].loss(batch, 0)
    z = model.sample_latent(6, rng=torch.Generator().manual_seed(3))
    logits = model.discriminator(model.generator(z))
    expected = -logits if loss == "hinge" else -logits.sigmoid().log()
    torch.testing.assert_close(found, expected.mean())


def test_the_discriminator_pays_half_gamma_for_squared_slopes_at_images() -> None:
    batch = build().prepare(squares(6))
    losses = [
        build(game=GameOptions(r1=gamma)).objectives(rng=torch.Generator().manual_seed(3))[0]
        for gamma in (0.0, 3.0)
    ]
    plain, penalised = (objective.loss(batch, 0)[0] for objective in losses)
    pixels = batch.pixels.clone().requires_grad_()
    (slope,) = torch.autograd.grad(build().discriminator(pixels).sum(), pixels)
    expected = 1.5 * slope.square().flatten(1).sum(1).mean()
    torch.testing.assert_close(penalised - plain, expected, rtol=1e-4, atol=1e-6)


def test_packing_shows_several_images_at_once() -> None:
    model = build(game=GameOptions(pack=2))
    batch = model.prepare(squares(6))
    seen: list[torch.Tensor] = []
    model.discriminator.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    model.objectives()[0].loss(batch, 0)
    assert seen[0].shape == (3, 2, 8, 8)
    assert torch.equal(seen[0][0], batch.pixels[:2, 0])


@pytest.mark.parametrize("network", ["mlp", "dcgan", "resnet"])
def test_classes_are_learnt(network: str) -> None:
    """Dark and bright squares, at -.5 and .5: brightness follows the label."""
    model = build(classes=2, network=network, hidden=(16, 16), game=GameOptions(r1=0.1))
    batch = model.prepare(squares(256))
    play(model, batch, 150, rng=torch.Generator().manual_seed(0))
    rng = torch.Generator().manual_seed(1)
    dark, bright = (model.sample(50, [label] * 50, rng=rng).pixels.mean() for label in (0, 1))
    assert -0.95 < dark < -0.15
    assert 0.15 < bright < 0.95


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"classes": 1}, "classes must be 0, or at least 2; got 1"),
        ({"noise_dim": 0}, "noise_dim must be at least 1; got 0"),
        ({"hidden": ()}, r"hidden must be widths of at least 1; got \[\]"),
        ({"hidden": (4,) * 5}, r"5 halvings \(hidden\) are too many for images of 8 x 8"),
        ({"classes": 2, "game": GameOptions(pack=2)}, "packed images cannot have classes"),
        ({"channels": 2}, "channels must be 1 or 3; got 2"),
    ],
)
def test_settings_that_make_no_model(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        GANConfig(**(SMALL | fields))


def test_mistakes() -> None:
    with pytest.raises(ValueError, match="not conditional"):
        build().sample(2, [0, 1])
    model = build(classes=2)
    with pytest.raises(
        ValueError, match=r"labels must be one whole number a sample \(3\); got \(2,\)"
    ):
        model.sample(3, [0, 1])
    with pytest.raises(ValueError, match="labels must be from 0 to 1; got 0 to 2"):
        model.sample(2, [0, 2])
    with pytest.raises(ValueError, match="conditional on 2 classes: images need labels; got none"):
        model.prepare(torch.zeros(2, 1, 8, 8))
    with pytest.raises(ValueError, match="at least 1; got 0"):
        model.sample(0)
