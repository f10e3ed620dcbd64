"""What the discriminator of a GAN has learnt without labels: classes by a linear classifier.

Reference: Radford, Metz and Chintala, *Unsupervised Representation Learning with Deep
Convolutional GANs*, 2016, section 5.1, https://arxiv.org/abs/1511.06434.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from shapegen.core.gan_nets import LabelJudge
from shapegen.core.minibatch import MinibatchStddev
from shapegen.images.images import Images

Array = NDArray[np.float64]
GRID = 4
"""Height and width that maps of features are pooled to; smaller ones stay as they are."""
LABELS = 1000
DRAWS = 5
STRENGTHS = (1.0, 10.0, 100.0)
"""Weights of the data against the penalty of a classifier's weights, of rows of mean square 1."""
CHUNK = 256


@torch.no_grad()
def stage_features(
    discriminator: LabelJudge, pixels: Float[Tensor, "n c h w"]
) -> Float[Tensor, "n features"]:
    """The largest features of every stage in a grid of 4 x 4, one stage behind the other.

    A stage ends where the maps change their size next. A discriminator of packed images is shown
    an image beside itself.

    Args:
        discriminator: Of convolutions, that is not shown classes beside an image.
        pixels: Images.

    Raises:
        ValueError: A discriminator of another kind, or of images of other channels.
    """
    features = discriminator.features
    assert isinstance(features, nn.Sequential)
    convolutions = [each for each in features.modules() if isinstance(each, nn.Conv2d)]
    if not convolutions or discriminator.planes:
        kind = "sees classes beside the image" if discriminator.planes else "has no convolutions"
        raise ValueError(f"features are of convolutions of images alone; this one {kind}")
    wanted = convolutions[0].in_channels
    if wanted % pixels.shape[1]:
        raise ValueError(
            f"the discriminator takes {wanted} channels; got images of {pixels.shape[1]}"
        )
    place = next(discriminator.parameters())
    return torch.cat(
        [
            _pooled(features, part.to(place).repeat(1, wanted // pixels.shape[1], 1, 1)).cpu()
            for part in pixels.split(CHUNK)
        ]
    )


def _pooled(features: nn.Sequential, x: Tensor) -> Tensor:
    last: dict[torch.Size, Tensor] = {}
    for layer in features:
        if isinstance(layer, MinibatchStddev | nn.Flatten):
            break  # what follows is no map, or not of one image alone
        x = layer(x)
        last[x.shape[2:]] = x
    return torch.cat(
        [
            functional.adaptive_max_pool2d(each, (min(GRID, height), min(GRID, width))).flatten(1)
            for (height, width), each in last.items()
        ],
        1,
    )


def probe_figures(
    discriminator: LabelJudge,
    known: Images,
    test: Images,
    *,
    labels: int = LABELS,
    draws: int = DRAWS,
    seed: int = 0,
) -> dict[str, float]:
    """How well few labels tell classes, from features and from pixels alike.

    Args:
        discriminator: Trained on images without their labels.
        known: Images that labels are drawn from.
        test: Images that are told.
        labels: How many a draw.
        draws: Draws of them.
        seed: Of the first draw; the others follow.

    Returns:
        ``feature accuracy`` and ``pixel accuracy``, means over the draws; with `` sd`` behind
        their names, the standard deviations; ``probe labels``.

    Raises:
        ValueError: Images without labels, fewer than are to be drawn, no draws, or as
            :func:`stage_features`.
    """
    if known.labels is None or test.labels is None:
        raise ValueError("labels are needed; the images have none")
    if not 10 <= labels <= len(known) or draws < 1:
        raise ValueError(
            f"labels must be from 10 to {len(known)}, those known, and draws at least 1; "
            f"got {labels} and {draws}"
        )
    truth, goal = known.labels.numpy(), test.labels.numpy()
    sides = {
        "feature": _rows(lambda pixels: stage_features(discriminator, pixels), known, test),
        "pixel": _rows(lambda pixels: pixels.flatten(1), known, test),
    }
    found: dict[str, float] = {}
    for name, (rows, wanted) in sides.items():
        shares = []
        for draw in range(draws):
            stream = np.random.RandomState(seed + draw)
            chosen = stream.permutation(len(truth))[:labels]
            told = linear_classes(rows[chosen], truth[chosen], wanted)
            shares.append(float((told == goal).mean()))
        found |= {f"{name} accuracy": float(np.mean(shares))}
        found |= {f"{name} accuracy sd": float(np.std(shares))}
    return found | {"probe labels": float(labels)}


def linear_classes(rows: Array, labels: NDArray[np.int64], wanted: Array) -> NDArray[np.int64]:
    """Classes by logistic regression.

    Every feature is scaled to variance 1 or all are by one number, and the penalty has one of
    :data:`STRENGTHS`: what tells a fifth of the labels best that was left out. Pixels, whose
    borders hardly vary, and features are so each given what suits them.

    Args:
        rows: ``(n, d)``, in random order.
        labels: Their classes ``(n,)``.
        wanted: Rows to tell ``(m, d)``.

    Returns:
        Classes ``(m,)``.
    """
    from sklearn.linear_model import LogisticRegression

    def told(count: int, choice: tuple[bool, float], asked: Array) -> NDArray[np.int64]:
        apart, strength = choice
        known, others = _scaled(rows[:count], asked, apart=apart)
        judge = LogisticRegression(C=strength, max_iter=1000).fit(known, labels[:count])
        found: NDArray[np.int64] = judge.predict(others)
        return found

    kept = len(rows) - len(rows) // 5
    choices = list(itertools.product((True, False), STRENGTHS))
    right = [(told(kept, each, rows[kept:]) == labels[kept:]).mean() for each in choices]
    return told(len(rows), choices[int(np.argmax(right))], wanted)


def _scaled(rows: Array, others: Array, *, apart: bool) -> tuple[Array, Array]:
    """Rows less the mean row, of mean square 1; of others the same is taken."""
    mean, variance = rows.mean(0), rows.var(0)
    squares = len(variance) * variance if apart else np.full_like(variance, variance.sum())
    # What never varies is 0 whatever it is divided by.
    scale = np.sqrt(np.where(squares > 0, squares, 1))
    return (rows - mean) / scale, (others - mean) / scale


def _rows(
    features: Callable[[Tensor], Tensor], known: Images, test: Images
) -> tuple[Array, Array]:
    one, other = (features(each.pixels).double().numpy() for each in (known, test))
    return one, other
