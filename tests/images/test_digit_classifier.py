"""A classifier of digits that is trained on the spot."""

from __future__ import annotations

import pytest
import torch

from shapegen.data.image_sets import digits
from shapegen.images.digit_classifier import DigitClassifier, fitted_classifier
from shapegen.images.images import Images
from shapegen.images.stacked import StackedDigits, reduced

KNOWN, HELD_OUT = digits(1300), digits(400, start=1300)


@pytest.fixture(scope="module")
def classifier() -> DigitClassifier:
    return fitted_classifier(KNOWN, 8, epochs=6)


def test_it_tells_digits_that_it_has_not_seen(classifier: DigitClassifier) -> None:
    # scikit-learn's logistic regression has .95 here; without learning it is .1.
    assert classifier.accuracy(HELD_OUT) > 0.95
    assert not classifier.training


def test_accuracy_is_the_share_that_is_told_right(classifier: DigitClassifier) -> None:
    told, sure = classifier.told(HELD_OUT.pixels)
    right = sum(int(a) == int(b) for a, b in zip(told, HELD_OUT.labels, strict=True))
    assert classifier.accuracy(HELD_OUT) == pytest.approx(right / 400)
    logits = classifier(HELD_OUT.pixels[:50]).softmax(1)
    torch.testing.assert_close(sure[:50], logits.max(1).values)
    # What is told surely is right more often.
    correct = (told == HELD_OUT.labels).float()
    assert correct[sure > 0.9].mean() > correct[sure <= 0.9].mean()


def test_stacks_are_told_channel_by_channel(classifier: DigitClassifier) -> None:
    stacked = StackedDigits.draw(HELD_OUT, 60, 8, rng=torch.Generator().manual_seed(0))
    told, sure = classifier.told_stacks(stacked.pixels)
    single, probability = classifier.told(HELD_OUT.pixels)
    for row, numbers in enumerate(stacked.numbers.tolist()):
        hundreds, tens, units = (int(single[number]) for number in numbers)
        assert int(told[row]) == 100 * hundreds + 10 * tens + units
        torch.testing.assert_close(sure[row], probability[numbers].min())


def test_a_seed_gives_the_same_classifier_and_leaves_the_global_stream() -> None:
    few = KNOWN[:100]
    before = torch.get_rng_state()
    a, b, c = (fitted_classifier(few, 4, epochs=1, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), before)
    pixels = reduced(few.pixels, 4)
    assert torch.equal(a(pixels), b(pixels))
    assert not torch.allclose(a(pixels), c(pixels))


def test_mistakes(classifier: DigitClassifier) -> None:
    with pytest.raises(ValueError, match="digits need labels"):
        fitted_classifier(Images(KNOWN.pixels), 8)
    with pytest.raises(ValueError, match="at least two digits are needed; got 1"):
        fitted_classifier(KNOWN[:1], 8)
    with pytest.raises(ValueError, match="size must divide that of the digits, 8; got 5"):
        fitted_classifier(KNOWN, 5)
    with pytest.raises(ValueError, match="at least one digit is needed; got none"):
        classifier.accuracy(KNOWN[:0])
    with pytest.raises(ValueError, match="size must divide that of the digits, 4; got 8"):
        classifier.accuracy(Images(torch.zeros(3, 1, 4, 4), [0, 1, 2]))
