"""How the shipped network of image features was made: its images, damage, and the same again."""

from __future__ import annotations

import json
import sys

import pytest
import torch
from scipy.ndimage import gaussian_filter

from benchmarks import feature_images, image_features
from benchmarks.feature_training import BLUR, NOISE, blurred, damaged, train
from shapegen.metrics.feature_extractors import read_features


def test_images_have_the_classes_of_their_kinds_and_depend_on_the_seed() -> None:
    found = feature_images.feature_images(5, seed=3)
    assert len(found) == 5 * feature_images.VIEWS * 5
    labels = found.labels
    assert labels is not None
    views = 5 * feature_images.VIEWS
    # One piece of every category in turn, as a rendering and as a map.
    assert labels[: 2 * views].unique().tolist() == list(range(10))
    assert int(labels[2 * views : 3 * views].min()) >= 10
    assert int(labels[3 * views :].min()) >= 26
    assert int(labels.max()) < feature_images.CLASSES
    again = feature_images.feature_images(5, seed=3)
    assert torch.equal(found.pixels, again.pixels)
    assert not torch.equal(found.pixels, feature_images.feature_images(5, seed=4).pixels)


def test_a_blur_is_a_gaussian() -> None:
    pixels = torch.rand(3, 1, 16, 16, generator=torch.Generator().manual_seed(0))
    found = blurred(pixels, torch.tensor([0.0, 0.8, 1.7]))
    assert torch.equal(found[0], pixels[0])
    for number, deviation in ((1, 0.8), (2, 1.7)):
        expected = gaussian_filter(
            pixels[number, 0].numpy(), deviation, mode="nearest", truncate=6 / deviation
        )
        torch.testing.assert_close(found[number, 0], torch.from_numpy(expected), atol=1e-4, rtol=0)


def test_damage_is_what_is_said_of_it() -> None:
    pixels = torch.zeros(400, 3, 8, 8)
    changed, damage = damaged(pixels, torch.Generator().manual_seed(0))
    assert torch.equal(changed[2::4], pixels[2::4])
    assert not damage[2::4].any()
    assert not damage[:, 0][1::4].any()
    # Noise of few standard deviations is not cut off.
    small = damage[:, 0].mul(NOISE).lt(0.3) & damage[:, 0].gt(0)
    spread = changed[small].flatten(1).std(1)
    torch.testing.assert_close(spread, damage[small, 0] * NOISE, rtol=0.2, atol=0.01)
    assert 0 < float(damage[:, 1].max()) <= 1 < BLUR


def test_training_again_gives_the_same_file(
    tmp_path: object, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from pathlib import Path

    monkeypatch.setattr(image_features, "HELD_OUT", 1)
    assert isinstance(tmp_path, Path)
    files = [tmp_path / f"{number}.safetensors" for number in range(2)]
    for file in files:
        words = ["", "--train", str(file), "--shapes", "2", "--steps", "3"]
        monkeypatch.setattr(sys, "argv", words)
        image_features.main()
        figures = json.loads(capsys.readouterr().out)
        assert 0 <= figures["accuracy"] <= 1
    assert files[0].read_bytes() == files[1].read_bytes()
    images = feature_images.feature_images(2)
    features = read_features(files[0])(images.pixels)
    torch.testing.assert_close(
        torch.from_numpy(features.mean(0)), torch.zeros(64).double(), atol=1e-3, rtol=0
    )


def test_a_few_steps_teach_four_signs() -> None:
    images = feature_images.signs(700)
    assert images.labels is not None
    images = images[torch.nonzero(images.labels < 4)[:, 0]]
    pupil = train(images, steps=40)
    with torch.no_grad():
        found = pupil(images.pixels).classes.argmax(1)
    # By chance a quarter, give or take a twentieth.
    assert float((found == images.labels).double().mean()) > 0.45
