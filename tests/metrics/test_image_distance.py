"""The distance of images in components of their pixels: exact cases, and its anchors."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from shapegen.metrics.frechet import frechet_distance
from shapegen.metrics.image_distance import ImageDistance
from shapegen.metrics.random_features import random_features


def images(count: int, seed: int, shift: float = 0.0) -> torch.Tensor:
    """Mixtures of four patterns, which four components hold exactly."""
    rng = torch.Generator().manual_seed(seed)
    patterns = torch.randn(4, 3, 6, 6, generator=torch.Generator().manual_seed(9)) / 20
    weights = torch.rand(count, 4, generator=rng) + shift
    return torch.einsum("nk,kchw->nchw", weights, patterns).clamp(-1, 1)


def test_few_components_hold_what_pixels_hold() -> None:
    train, test, samples = images(300, 0), images(200, 1), images(150, 2, shift=0.3)
    distance = ImageDistance(train, test)
    pixels = [(each.flatten(1).double() / 2).numpy() for each in (samples, test)]
    assert distance(samples) == pytest.approx(frechet_distance(*pixels), rel=1e-6)
    assert distance(test) == pytest.approx(0, abs=1e-8)
    assert ImageDistance(train, test, components=1)(samples) < distance(samples)


def test_anchors_are_below_and_above_a_model() -> None:
    distance = ImageDistance(images(300, 0), images(200, 1))
    anchors = distance.anchors(100, rng=torch.Generator().manual_seed(0))
    assert 0 < anchors["floor"] < distance(images(100, 3, shift=0.1)) < anchors["collapse"]
    spread = np.trace(np.cov(distance.features(images(200, 1)).numpy().T))
    # One point against a Gaussian: its variance, and how far the point is from the mean.
    assert anchors["collapse"] >= spread * 0.999


def test_features_of_a_network_are_compared_in_the_same_way() -> None:
    train, test, samples = images(80, 0), images(60, 1), images(50, 2, shift=0.3)
    distance = ImageDistance(train, test, random_features())
    network = random_features()
    assert distance(samples) == frechet_distance(network(samples), network(test))
    anchors = distance.anchors(80, rng=torch.Generator().manual_seed(0))
    assert anchors["floor"] == pytest.approx(frechet_distance(network(train), network(test)))
    spread = np.trace(np.cov(network(test).T))
    assert anchors["collapse"] > spread
    assert (distance.name, ImageDistance(train, test, components=3).name) == (
        network.name,
        "3 principal components of the training pixels",
    )


def test_mistakes_are_one_line() -> None:
    train = images(5, 0)
    with pytest.raises(ValueError, match=r"one size; got \(3, 6, 6\) and \(3, 6, 5\)"):
        ImageDistance(train, train[..., :5])
    with pytest.raises(ValueError, match="n must be 2 to 5, the images; got 6"):
        ImageDistance(train, train).anchors(6)
