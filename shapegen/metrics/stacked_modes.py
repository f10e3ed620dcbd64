"""How many of the 1000 modes of stacked digits a generator has found.

A mode is found that one of 26,000 samples is told for, whatever it looks like: the field's count.
The share of samples whose digits are all told surely says how much of that are digits.

Reference: Lin et al., *PacGAN: The power of two samples in generative adversarial networks*, 2018,
section 4.2, https://arxiv.org/abs/1712.04086.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from shapegen.images.digit_classifier import DigitClassifier, fitted_classifier
from shapegen.images.stacked import MODES, StackedDigits
from shapegen.metrics.draws import Figures
from shapegen.metrics.modes import reverse_kl

SAMPLES = 26_000
SURE = 0.9
"""Least probability of a digit that is told surely."""


def stacked_figures(
    sample: Callable[[int], Float[Tensor, "n 3 h w"]],
    train: StackedDigits,
    test: StackedDigits,
    *,
    samples: int | None = None,
    seed: int = 0,
    classifier: DigitClassifier | None = None,
) -> Figures:
    """Count the modes of samples, and of as many real images of held-out digits.

    Args:
        sample: Draws images.
        train: Whose digits train the classifier.
        test: Whose digits, held out, measure it and give the real images.
        samples: Images to draw; default :data:`SAMPLES`.
        seed: Of the classifier and of the real images.
        classifier: One that is trained already.

    Returns:
        The figures of :func:`mode_counts`; the same of real images, with ``real`` before their
        names; ``classifier accuracy`` on single held-out digits; ``mode samples``, how many.

    Raises:
        ValueError: Fewer than 1 sample asked for, digits that lack a class, or two sizes.
    """
    samples = SAMPLES if samples is None else samples
    if samples < 1:
        raise ValueError(f"samples must be at least 1; got {samples}")
    if train.size != test.size:
        raise ValueError(f"both sets must have one size; got {train.size} and {test.size}")
    rng = torch.Generator().manual_seed(seed)
    real = StackedDigits.draw(test.digits, samples, test.size, rng=rng)
    judge = classifier or fitted_classifier(train.digits, train.size, seed=seed)
    found = mode_counts(judge, sample(samples))
    floor = mode_counts(judge, real.pixels)
    return (
        found
        | {f"real {name}": value for name, value in floor.items()}
        | {"classifier accuracy": judge.accuracy(test.digits), "mode samples": float(samples)}
    )


def mode_counts(classifier: DigitClassifier, pixels: Float[Tensor, "n 3 h w"]) -> Figures:
    """Modes of images of three digits.

    Args:
        classifier: Tells them, channel by channel.
        pixels: Images.

    Returns:
        ``modes``: numbers 0 to 999 that at least one image is told for; ``sure modes``: those of
        images of whose digits each is told with a probability of .9 or more; ``sure``: share of
        these images; ``reverse kl``: divergence in nats of all numbers' shares from equal ones.
    """
    told, least = classifier.told_stacks(pixels)
    sure = least >= SURE
    counts = torch.bincount(told, minlength=MODES)
    return {
        "modes": float((counts > 0).sum()),
        "sure modes": float(len(told[sure].unique())),
        "sure": float(sure.float().mean()),
        "reverse kl": reverse_kl(counts),
    }
