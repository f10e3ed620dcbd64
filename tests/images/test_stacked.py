"""Stacked digits: three digits to an image, 1000 classes that are equally likely."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from shapegen.config import DataConfig, from_dict
from shapegen.data.catalog import make
from shapegen.images.files import read_images
from shapegen.images.images import Images
from shapegen.images.stacked import StackedDigits, reduced
from shapegen.train import load_data


def digits(n: int = 40, size: int = 8) -> Images:
    """Noise with all ten labels in turn."""
    rng = torch.Generator().manual_seed(0)
    return Images(torch.rand(n, 1, size, size, generator=rng) * 2 - 1, torch.arange(n) % 10)


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_channels_are_digits_and_the_label_spells_them() -> None:
    known = digits()
    stacked = StackedDigits(known, [[0, 1, 2], [39, 7, 13]], 4)
    images = Images.of(stacked)
    assert images.pixels.shape == (2, 3, 4, 4)
    assert images.labels.tolist() == [12, 973]
    for row, numbers in enumerate([[0, 1, 2], [39, 7, 13]]):
        for channel, number in enumerate(numbers):
            for y in range(4):
                for x in range(4):
                    square = known.pixels[number, 0, 2 * y : 2 * y + 2, 2 * x : 2 * x + 2]
                    found = images.pixels[row, channel, y, x]
                    torch.testing.assert_close(found, square.mean())
    assert torch.equal(reduced(known.pixels, 8), known.pixels)


def test_every_class_is_equally_likely_however_rare_its_digits() -> None:
    labels = torch.cat([torch.zeros(200, dtype=torch.int64), torch.arange(10)])
    known = Images(torch.zeros(len(labels), 1, 2, 2), labels)
    stacked = StackedDigits.draw(known, 30_000, 2, rng=seeded(0))
    for place in (100, 10, 1):
        counts = torch.bincount(stacked.labels // place % 10, minlength=10)
        # Five standard deviations of a binomial count are 260.
        assert (counts - 3000).abs().max() < 260
    hundreds = torch.bincount(stacked.labels // 100 * 10 + stacked.labels % 10, minlength=100)
    assert (hundreds - 300).abs().max() < 87
    # Within a class all digits serve.
    zeros = stacked.numbers[(labels == 0)[stacked.numbers]]
    assert len(zeros.unique()) == 201


def test_a_seed_gives_the_same_images_and_another_gives_others() -> None:
    a, b, c = (StackedDigits.draw(digits(), 50, 4, rng=seeded(s)) for s in (1, 1, 2))
    assert torch.equal(a.numbers, b.numbers)
    assert not torch.equal(a.numbers, c.numbers)


def test_parts_are_those_of_the_images() -> None:
    stacked = StackedDigits.draw(digits(), 6, 4, rng=seeded(0))
    whole = stacked.images
    for index in ([4, 1], slice(None, None, -2), torch.tensor([5])):
        part = stacked[index]
        assert isinstance(part, StackedDigits)
        assert torch.equal(part.pixels, whole[index].pixels)
        assert torch.equal(part.labels, whole[index].labels)
    assert torch.equal(stacked[-1].pixels, whole[5].pixels)
    assert stacked[-1].label == whole[5].label
    assert [each.label for each in stacked] == whole.labels.tolist()
    assert repr(stacked) == "StackedDigits(6 of 3 x 4 x 4)"


def test_they_are_written_and_shown_as_images(tmp_path: Path) -> None:
    stacked = StackedDigits.draw(digits(), 3, 4, rng=seeded(0))
    stacked.write(tmp_path / "a.npz")
    again = read_images(tmp_path / "a.npz")
    torch.testing.assert_close(again.pixels, stacked.pixels, atol=1 / 255, rtol=0)
    assert len(stacked.to_scene().nodes) == 3


def test_what_is_held_out_are_digits() -> None:
    config = from_dict(
        DataConfig,
        {"name": "digits", "count": 300, "holdout": 60, "stack": {"size": 4, "each": 5}},
    )
    split, again = load_data(config), load_data(config)
    train, held_out = split.train, split.holdout
    assert isinstance(train, StackedDigits)
    assert isinstance(held_out, StackedDigits)
    assert (len(train), len(held_out)) == (5 * 240, 5 * 60)
    assert (len(train.digits), len(held_out.digits)) == (240, 60)
    order = np.random.RandomState(0).permutation(300)
    whole = make("digits", count=300)
    assert isinstance(whole, Images)
    assert torch.equal(train.digits.pixels, whole[order[:240].tolist()].pixels)
    assert torch.equal(held_out.digits.pixels, whole[order[240:].tolist()].pixels)
    assert torch.equal(train.numbers, again.train.numbers)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"labels": None}, "digits need labels, 0 to 9; the images have none"),
        ({"labels": torch.arange(40)}, "labels of digits must be 0 to 9; got 39"),
        ({"pixels": torch.zeros(40, 3, 8, 8)}, "grey and square; got 3 x 8 x 8"),
        ({"pixels": torch.zeros(40, 1, 8, 6)}, "grey and square; got 1 x 8 x 6"),
        ({"size": 3}, "size must divide that of the digits, 8; got 3"),
        ({"size": 0}, "size must divide that of the digits, 8; got 0"),
        ({"size": 16}, "size must divide that of the digits, 8; got 16"),
        ({"n": 0}, "the number of images must be at least 1; got 0"),
        (
            {"labels": torch.arange(40) % 8},
            r"ten classes are needed; there are none of \[8, 9",
        ),
    ],
)
def test_digits_that_cannot_be_stacked(changes: dict[str, Any], message: str) -> None:
    fields = {"pixels": digits().pixels, "labels": digits().labels, "n": 4, "size": 4} | changes
    with pytest.raises(ValueError, match=message):
        StackedDigits.draw(Images(fields["pixels"], fields["labels"]), fields["n"], fields["size"])


def test_mistakes() -> None:
    with pytest.raises(ValueError, match=r"numbers must be \(n, 3\); got \(2, 2\)"):
        StackedDigits(digits(), [[0, 1], [2, 3]], 4)
    with pytest.raises(ValueError, match="numbers must be from 0 to 39; got 0 to 40"):
        StackedDigits(digits(), [[0, 1, 40]], 4)
    with pytest.raises(TypeError, match="images are needed; got int"):
        StackedDigits.draw(3, 4, 4)
    with pytest.raises(ValueError, match="each must be at least 1; got 0"):
        from_dict(DataConfig, {"path": "a.npz", "stack": {"each": 0}})
    with pytest.raises(ValueError, match="stack is of digits: it excludes render"):
        from_dict(DataConfig, {"path": "a.npz", "stack": {}, "voxels": 8})
