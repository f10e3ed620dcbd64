"""Measure a model that makes one image of another: errors, sets, labels found in results."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from shapegen.base import Translator
from shapegen.images.images import Images
from shapegen.images.pairs import ImageDomains, ImagePairs
from shapegen.images.segmenter import fitted_segmenter
from shapegen.metrics import baselines
from shapegen.metrics.draws import (
    Figures,
    Measured,
    bootstrap_interval,
    mean_of_draws,
    sample_size,
)
from shapegen.metrics.image_evaluation import SAMPLES
from shapegen.metrics.image_figures import ImageMetrics
from shapegen.metrics.label_maps import label_figures

RETRIEVAL, UNTRANSLATED = "nearest_source", "untranslated"
JUDGE_EPOCHS, JUDGE_BATCH = 20, 16
"""Of the segmenter that finds labels in translations."""


def is_translation(shapes: Any) -> bool:
    """Whether shapes are pairs of images, or two sets of them."""
    return isinstance(shapes, ImagePairs | ImageDomains)


@torch.no_grad()
def evaluate_translation(
    model: Any,
    data_train: Any,
    data_test: Any,
    *,
    draws: int = 1,
    n: int | None = None,
    seed: int = 0,
) -> dict[str, Any]:
    """Measure translations of held-out sources (of the images of A).

    Args:
        model: In eval mode.
        data_train: Pairs or two sets, that it was trained on.
        data_test: Held-out ones of the same kind.
        draws: Figures of generation are means of so many draws of the model's noise.
        n: Of a set of samples and of the reference; default :data:`SAMPLES`, or half of what is
            held out if that is fewer. The first ``2 n`` held-out images are translated.
        seed: Draw i is seeded ``seed + i``.

    Returns:
        ``metrics``: translations as samples, against the targets of other held-out sources (beside
        their own ones they would be nearer than data are to one another); ``floor``: training
        targets as samples; ``baseline``: of pairs the target of the nearest training source
        (``nearest_source``), else the images as they were. ``reconstruction``: of pairs ``L1``,
        the mean absolute error of brightness (0 to 1). ``model``: what its own ``figures`` say
        and, of maps of labels, ``label accuracy`` and ``label IoU`` of a segmenter
        (:mod:`shapegen.images.segmenter`) trained on ``data_train``, the same of true targets,
        and the share of those that is reached: in a good translation, a network that was trained
        on true ones finds the map that it was made of (Isola et al., 2017, section 4.1).
        ``intervals`` and ``settings``.

    Raises:
        ValueError: Too few images, or an argument out of its range.
        TypeError: A model or data of another kind.
    """
    if not isinstance(model, Translator):
        raise TypeError(
            f"pairs of images are for models that translate; got {type(model).__name__}"
        )
    if type(data_train) is not type(data_test):
        raise TypeError(
            "training and held-out images must both be pairs or both be two sets; "
            f"got {type(data_train).__name__} and {type(data_test).__name__}"
        )
    paired = isinstance(data_test, ImagePairs)
    train, (sources, targets) = _sides(data_train), _sides(data_test)
    most = min(len(sources), len(targets)) // 2
    size = sample_size(n, draws, default=SAMPLES, most=most, what="half of the held-out images")
    sources, targets = sources[: 2 * size], targets[: 2 * size]
    made = [model.translate(sources, rng=_stream(seed + draw)).pixels for draw in range(draws)]
    measure = ImageMetrics(targets.pixels[:size])
    first = measure.shares(made[0][size:])
    figures = [measure(each[size:]) for each in made]
    rival = _retrieved(train, sources) if paired else sources.pixels
    known = train[1].pixels
    result: dict[str, Any] = {
        "metrics": {name: float(np.mean([one[name] for one in figures])) for name in first},
        "floor": mean_of_draws(
            lambda rng: measure(known[baselines.draw(min(size, len(known)), len(known), rng=rng)]),
            draws,
            seed,
        ),
        "baseline": measure(rival[size:]) if rival.shape == targets.pixels.shape else {},
        "intervals": {
            name: bootstrap_interval(each, rng=_stream(seed)) for name, each in first.items()
        },
        "memorisation": {},
        "reconstruction": {"model": {}, "floor": {}, "baseline": {}},
        "model": model.figures(data_test[: 2 * size], rng=_stream(seed))
        if isinstance(model, Measured)
        else {},
        "settings": {
            "samples": size,
            "reference": size,
            "train": len(data_train),
            "reconstructed": 2 * size if paired else 0,
            "points": None,
            "normalisation": "none",
            "distance": "l2 of pixels, brightness in 0 to 1",
            "emd": None,
            "seed": seed,
            "draws": draws,
            "baseline": RETRIEVAL if paired else UNTRANSLATED,
        },
    }
    if paired:
        errors = [_error(each, targets.pixels) for each in made]
        result["reconstruction"]["model"] = {"L1": float(np.mean(errors))}
        result["reconstruction"]["baseline"] = {"L1": _error(rival, targets.pixels)}
        if data_test.palette is not None:
            result["model"] |= _labels_found(data_train, data_test[: 2 * size], made)
    return result


def _sides(shapes: Any) -> tuple[Images, Images]:
    if isinstance(shapes, ImagePairs):
        return shapes.source, shapes.target
    return shapes.a, shapes.b


def _retrieved(train: tuple[Images, Images], sources: Images) -> Tensor:
    """The targets of the nearest training sources."""
    far = torch.cdist(sources.pixels.flatten(1), train[0].pixels.flatten(1), p=1)
    return train[1].pixels[far.argmin(1)]


def _error(found: Tensor, wanted: Tensor) -> float:
    return float((found - wanted).abs().mean() / 2)


def _labels_found(train: ImagePairs, test: ImagePairs, made: list[Tensor]) -> Figures:
    steps = JUDGE_EPOCHS * -(-len(train) // JUDGE_BATCH)
    judge = fitted_segmenter(
        train.target.pixels, train.masks(), steps=steps, batch_size=JUDGE_BATCH
    )
    truth = test.masks()
    best = label_figures(judge.labels(test.target.pixels), truth)
    each = [label_figures(judge.labels(pixels), truth) for pixels in made]
    found: Figures = {}
    for name, value in best.items():
        mean = float(np.mean([one[name] for one in each]))
        found[f"label {name}"] = mean
        found[f"label {name} of true targets"] = value
        found[f"label {name}, share of it"] = mean / value if value else 0.0
    return found


def _stream(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)
