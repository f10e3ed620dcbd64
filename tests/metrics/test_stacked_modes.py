"""Modes of stacked digits, told by an oracle: flat digits whose brightness is their class."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from shapegen.core.seeding import seeded
from shapegen.data.image_sets import digits
from shapegen.images.digit_classifier import DigitClassifier, fitted_classifier
from shapegen.images.gan import GAN, GANConfig
from shapegen.images.images import Images
from shapegen.images.stacked import StackedDigits
from shapegen.metrics import stacked_modes
from shapegen.metrics.image_evaluation import evaluate_images
from shapegen.metrics.image_figures import is_images
from shapegen.metrics.stacked_modes import mode_counts, stacked_figures


class Reader(DigitClassifier):
    """Reads the class off the brightness; what is between two classes it is not sure of."""

    def told(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        level = (pixels.mean((1, 2, 3)) + 1) / 2 * 9
        return level.round().long(), 1 - (level - level.round()).abs()


FLAT = Images(torch.linspace(-1, 1, 10).view(10, 1, 1, 1).expand(-1, -1, 4, 4), torch.arange(10))
READER = Reader(2)


def stack(*labels: int) -> Tensor:
    numbers = [[label // 100, label // 10 % 10, label % 10] for label in labels]
    return StackedDigits(FLAT, numbers, 2).pixels


def test_modes_are_the_numbers_that_occur() -> None:
    found = mode_counts(READER, stack(7, 70, 700, 7, 999, 7))
    assert found["modes"] == 4
    entropy = -(0.5 * math.log(0.5) + 3 * math.log(1 / 6) / 6)
    assert found["reverse kl"] == pytest.approx(math.log(1000) - entropy)
    assert found["sure"] == 1


def test_all_numbers_once_are_all_modes() -> None:
    found = mode_counts(READER, stack(*range(1000)))
    assert found["modes"] == found["sure modes"] == 1000
    assert found["reverse kl"] == pytest.approx(0, abs=1e-9)


def test_an_image_is_as_sure_as_its_least_sure_digit() -> None:
    pixels = stack(123, 123, 456)
    # A fifth of the way to the next class, in one channel of the last image.
    pixels[2, 1] += 0.2 * 2 / 9
    found = mode_counts(READER, pixels)
    assert found["modes"] == 2
    assert found["sure modes"] == 1
    assert found["sure"] == pytest.approx(2 / 3)


def test_a_generator_that_repeats_itself_stands_beside_real_images() -> None:
    stacked = StackedDigits(FLAT, [[0, 0, 0]], 2)
    asked: list[int] = []

    def sample(n: int) -> Tensor:
        asked.append(n)
        return stack(*(label % 5 for label in range(n)))

    found = stacked_figures(sample, stacked, stacked, samples=26_000, classifier=READER)
    assert asked == [26_000]
    assert found["modes"] == 5
    assert found["reverse kl"] == pytest.approx(math.log(200))
    assert found["real modes"] == 1000
    # In the mean a sample of equal shares is (modes - 1) / (2 n) nats from them.
    assert found["real reverse kl"] == pytest.approx(999 / 52_000, rel=0.2)
    assert found["classifier accuracy"] == 1
    assert found["mode samples"] == 26_000


def test_evaluation_counts_modes_of_a_model_of_stacked_digits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert stacked_modes.SAMPLES == 26_000
    monkeypatch.setattr(stacked_modes, "SAMPLES", 500)
    sets = [
        StackedDigits.draw(each, 40, 4, rng=torch.Generator().manual_seed(0))
        for each in (digits(800), digits(100, start=800))
    ]
    assert is_images(sets[0])
    with seeded(0):
        model = GAN(GANConfig(channels=3, size=(4, 4), noise_dim=3, hidden=(4,))).eval()
    found = evaluate_images(model, *sets)["model"]
    # The judge has learnt from the digits of the training set, and is tried on the others.
    judge = fitted_classifier(sets[0].digits, 4)
    assert found["classifier accuracy"] == judge.accuracy(sets[1].digits) > 0.5
    rng = torch.Generator().manual_seed(0)
    expected = mode_counts(judge, model.sample(500, rng=rng).pixels)
    assert {name: found[name] for name in expected} == expected
    # Of 500 real ones nearly 400 numbers occur.
    assert found["real modes"] > 200 > found["modes"]


def test_mistakes() -> None:
    stacked = StackedDigits(FLAT, [[0, 0, 0]], 2)
    with pytest.raises(ValueError, match="samples must be at least 1; got 0"):
        stacked_figures(lambda n: stack(0), stacked, stacked, samples=0)
    other = StackedDigits(FLAT, [[0, 0, 0]], 4)
    with pytest.raises(ValueError, match="both sets must have one size; got 2 and 4"):
        stacked_figures(lambda n: stack(0), stacked, other)
