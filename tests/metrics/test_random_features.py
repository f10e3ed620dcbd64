"""Convolutions that nobody trained: by hand, the same for everybody, and what they notice."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.ndimage import correlate
from torch import Tensor

from benchmarks.feature_training import blurred
from shapegen.data.catalog import make
from shapegen.images.images import Images
from shapegen.metrics.image_distance import ImageDistance
from shapegen.metrics.random_features import RandomConvolutions, random_features


def test_features_are_those_of_a_plain_convolution() -> None:
    image = torch.rand(3, 12, 9, generator=torch.Generator().manual_seed(0)) * 2 - 1
    stream, maps = np.random.RandomState(0), image.double().numpy()
    for before, after in ((3, 16), (16, 32), (32, 64)):
        weights = stream.standard_normal((after, before, 3, 3)) * math.sqrt(2 / (9 * before))
        each = [
            [correlate(maps[i], one[i], mode="nearest") for i in range(before)] for one in weights
        ]
        sums = np.array(each).sum(1)[:, ::2, ::2]
        maps = np.where(sums > 0, sums, 0.2 * sums)
    found = random_features()(image[None])
    assert found.shape == (1, 64)
    np.testing.assert_allclose(found[0], maps.mean((1, 2)), atol=1e-5)


def test_everybody_has_the_same_filters() -> None:
    total = sum(float(weight.sum()) for weight in RandomConvolutions().weights)
    # A figure of version 1 is comparable with those that are written down.
    assert total == pytest.approx(-5.51519, abs=1e-4)
    assert random_features().name == "shapegen random-convolutions 1 (seed 0)"
    assert not any(weight.requires_grad for weight in RandomConvolutions().weights)


def test_grey_images_and_white_ones() -> None:
    grey = torch.rand(2, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    found = random_features()(grey)
    np.testing.assert_array_equal(found, random_features()(grey.expand(-1, 3, -1, -1)))
    # A white image has no border.
    white = [random_features()(torch.ones(1, 3, size, size)) for size in (8, 32)]
    np.testing.assert_allclose(white[0], white[1], atol=1e-5)


def test_noise_and_blur_are_farther_than_other_images() -> None:
    made = make("furniture-images", count=160, seed=1)
    pixels = Images.of(made).pixels
    train, test = pixels[:80], pixels[80:]
    distance = ImageDistance(train, test, random_features())

    def noisy(images: Tensor) -> Tensor:
        noise = torch.randn(images.shape, generator=torch.Generator().manual_seed(0))
        return (images + 0.3 * noise).clamp(-1, 1)

    anchors = distance.anchors(80, rng=torch.Generator().manual_seed(0))
    soft = distance(blurred(train, torch.full((80,), 2.0)))
    assert 2 * anchors["floor"] < soft < distance(noisy(train)) < anchors["collapse"]
    # Noise hides from the components of pixels, and not from these.
    plain = ImageDistance(train, test)
    floor = plain.anchors(80, rng=torch.Generator().manual_seed(0))["floor"]
    assert plain(noisy(train)) / floor < 0.2 * distance(noisy(train)) / anchors["floor"]
