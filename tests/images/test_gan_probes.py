"""Probes of discriminators: pooled features, a fair linear classifier, and both beside pixels."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from shapegen.core.game import GameOptions
from shapegen.core.gan_nets import LabelJudge
from shapegen.core.seeding import seeded
from shapegen.data.image_sets import digits
from shapegen.images.gan import GAN, GANConfig
from shapegen.images.gan_probes import linear_classes, probe_figures, stage_features
from shapegen.images.images import Images
from shapegen.metrics.image_evaluation import evaluate_images


def judge(**changes: Any) -> LabelJudge:
    fields: dict[str, Any] = {"size": (16, 16), "noise_dim": 4, "hidden": (3, 5, 6)} | changes
    with seeded(0):
        return GAN(GANConfig(**fields)).eval().discriminator


def noise(n: int, channels: int = 1) -> torch.Tensor:
    rng = torch.Generator().manual_seed(0)
    return torch.rand(n, channels, 16, 16, generator=rng) * 2 - 1


def bars(n: int) -> Images:
    """A bar in any row (class 0) or column (class 1), bright or dark: a plane has at most 3 of 4
    images on the right side, as it parts every one of a class from its negative."""
    rng = torch.Generator().manual_seed(0)
    labels = torch.arange(n) % 2
    pixels = torch.zeros(n, 1, 8, 8)
    places = torch.randint(8, (n,), generator=rng).tolist()
    signs = (torch.randint(2, (n,), generator=rng) * 2 - 1).tolist()
    for image, label, place, sign in zip(pixels, labels.tolist(), places, signs, strict=True):
        (image[0].T if label else image[0])[place] = sign
    return Images(pixels, labels)


def test_features_are_the_largest_of_every_stage_in_a_grid() -> None:
    network, pixels = judge(), noise(3)
    found = stage_features(network, pixels)
    expected, x = [], pixels
    for layer in network.features:
        if isinstance(layer, nn.Flatten):
            break
        x = layer(x)
        if isinstance(layer, nn.LeakyReLU):
            side = min(4, x.shape[2])
            width = x.shape[2] // side
            for image in range(3):
                for channel in range(x.shape[1]):
                    for row in range(side):
                        for column in range(side):
                            square = x[image, channel][
                                row * width : (row + 1) * width,
                                column * width : (column + 1) * width,
                            ]
                            expected.append((image, float(square.detach().max())))
    # Maps of 8, 4 and 2 a side.
    assert found.shape == (3, 3 * 16 + 5 * 16 + 6 * 4)
    for image in range(3):
        values = torch.tensor([value for number, value in expected if number == image])
        torch.testing.assert_close(found[image], values)


@pytest.mark.parametrize("network", ["dcgan", "resnet"])
def test_features_of_an_image_do_not_depend_on_the_others(network: str) -> None:
    pixels = noise(4)
    discriminator = judge(network=network, stddev=True)
    whole = stage_features(discriminator, pixels)
    torch.testing.assert_close(whole[2:3], stage_features(discriminator, pixels[2:3]))
    # The batch's spread is no feature.
    assert whole.shape == stage_features(judge(network=network), pixels).shape


def test_a_packed_discriminator_sees_an_image_beside_itself() -> None:
    network = judge(game=GameOptions(pack=2))
    found = stage_features(network, noise(2))
    first = network.features[0](noise(2).repeat(1, 2, 1, 1))
    pooled = nn.functional.adaptive_max_pool2d(nn.functional.leaky_relu(first, 0.2), 4).flatten(1)
    torch.testing.assert_close(found[:, : pooled.shape[1]], pooled)


def test_a_linear_classifier_finds_what_is_linear_and_nothing_else() -> None:
    stream = np.random.RandomState(0)
    rows = stream.normal(size=(600, 5)) * np.array([1, 100, 0.01, 1, 0]) + 3
    labels = (rows[:, 2] > 3).astype(np.int64)
    # The informative feature is the smallest: scaled apart it is as good as the others.
    assert (linear_classes(rows[:300], labels[:300], rows[300:]) == labels[300:]).mean() > 0.95
    chance = stream.permutation(labels)
    told = linear_classes(rows[:300], chance[:300], rows[300:])
    assert 0.4 < (told == chance[300:]).mean() < 0.6


def test_features_tell_what_pixels_do_not() -> None:
    network = judge(size=(8, 8), hidden=(8, 2))
    with torch.no_grad():
        first = network.features[0]
        # Three pixels of one sign in an even or odd column, or row.
        columns = torch.eye(3)[1:, None].expand(2, 3, 3)
        lines = torch.cat([columns, columns.transpose(1, 2)])
        first.weight.copy_(torch.cat([lines, -lines])[:, None])
        first.bias.fill_(-1.5)
    found = probe_figures(network, bars(300), bars(100), labels=200, draws=3)
    assert found["feature accuracy"] > 0.95
    assert found["pixel accuracy"] < 0.8
    assert found["probe labels"] == 200
    assert found == probe_figures(network, bars(300), bars(100), labels=200, draws=3)
    one, other = (
        probe_figures(network, bars(300), bars(100), labels=20, draws=1, seed=seed)
        for seed in (0, 1)
    )
    both = probe_figures(network, bars(300), bars(100), labels=20, draws=2)
    for side in ("feature", "pixel"):
        values = [each[f"{side} accuracy"] for each in (one, other)]
        assert both[f"{side} accuracy"] == pytest.approx(np.mean(values))
        assert both[f"{side} accuracy sd"] == pytest.approx(np.std(values))


def test_evaluation_probes_a_gan_of_labelled_images() -> None:
    train, test = digits(120), digits(60, start=120)
    with seeded(0):
        model = GAN(GANConfig(size=(8, 8), noise_dim=3, hidden=(4, 8))).eval()
    found = evaluate_images(model, train, test)["model"]
    assert found == probe_figures(model.discriminator, train, test, labels=120)
    unlabelled = evaluate_images(model, Images(train.pixels), Images(test.pixels))
    assert unlabelled["model"] == {}
    with seeded(0):
        told = GAN(GANConfig(size=(8, 8), noise_dim=3, hidden=(4, 8), classes=10)).eval()
    assert evaluate_images(told, train, test)["model"] == {}


def test_mistakes() -> None:
    with pytest.raises(ValueError, match="this one has no convolutions"):
        stage_features(judge(network="mlp"), noise(2))
    with pytest.raises(ValueError, match="this one sees classes beside the image"):
        stage_features(judge(classes=3, condition="concatenation"), noise(2))
    with pytest.raises(ValueError, match="takes 1 channels; got images of 3"):
        stage_features(judge(), noise(2, channels=3))
    images = bars(20)
    network = judge(size=(8, 8), hidden=(2, 2))
    with pytest.raises(ValueError, match="labels are needed; the images have none"):
        probe_figures(network, Images(images.pixels), images, labels=10)
    with pytest.raises(ValueError, match="labels must be from 10 to 20, those known"):
        probe_figures(network, images, images, labels=21)
    with pytest.raises(ValueError, match="draws at least 1; got 10 and 0"):
        probe_figures(network, images, images, labels=10, draws=0)
