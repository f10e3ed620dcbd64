"""Measure a model of images: generation, reconstruction, its likelihood, and trivial rivals."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from shapegen.base import Autoencoder, GenerativeModel
from shapegen.fields.radiance import RadianceFields
from shapegen.images.autoencoder import squared_error
from shapegen.images.images import Images
from shapegen.metrics.draws import Figures, Measured, bootstrap_interval, sample_size
from shapegen.metrics.feature_extractors import Extractor
from shapegen.metrics.field_evaluation import evaluate_fields
from shapegen.metrics.gan_figures import further_figures
from shapegen.metrics.image_figures import (
    BASELINE,
    COMPONENTS,
    DISTANCE,
    ImageFigures,
    PcaImages,
)

SAMPLES = 200
"""Generated images, and reference images, at most."""


@torch.no_grad()
def evaluate_images(
    model: Any,
    data_train: Any,
    data_test: Any,
    *,
    draws: int = 1,
    n: int | None = None,
    seed: int = 0,
    features: str | Path | Extractor | None = None,
) -> dict[str, Any]:
    """Measure any model whose results are images.

    Args:
        model: In eval mode.
        data_train: Images that it was trained on.
        data_test: Held-out images.
        draws: Generation figures are means of so many draws; intervals are of the first.
        n: Images of the reference and of a draw; default :data:`SAMPLES`, or all if fewer. The
            reference is chosen by ``numpy.random.RandomState(0)``.
        seed: Draw i is seeded ``seed + i``.
        features: What gives the features that are compared, as
            :func:`shapegen.metrics.feature_extractors.extractor` takes it; ``settings`` name it.

    Returns:
        ``metrics``, ``floor`` (training images as samples), ``baseline`` (Gaussian of principal
        components), ``intervals``, ``memorisation`` and ``settings``; ``reconstruction`` with the
        squared error of an image (brightness in 0 to 1, summed over the pixels) of the ``model``
        and of as many principal components (``baseline``); ``model``: what the model's own
        ``figures`` say, and :func:`~shapegen.metrics.gan_figures.further_figures`. Of a model
        of radiance fields also ``fields``: :mod:`shapegen.metrics.field_evaluation`.

    Raises:
        ValueError: Empty data, images of another size than the model's, or an argument out of its
            range.
        TypeError: A model or data of another kind.
    """
    if not isinstance(model, GenerativeModel):
        raise TypeError(f"a model that samples images is needed; got {type(model).__name__}")
    train, test = Images.of(data_train).pixels, Images.of(data_test)
    size = sample_size(n, draws, default=SAMPLES, most=len(test), what="the held-out images")
    drawn = [_drawn(model, size, seed + draw) for draw in range(draws)]
    samples = [_pixels(each) for each in drawn]
    if isinstance(drawn[0], RadianceFields):
        # A model of fields sees grey images in three equal colours, and its own have three.
        train, test = train.expand(-1, 3, -1, -1), Images(test.pixels.expand(-1, 3, -1, -1))
    _one_size(samples[0], train, test.pixels)
    fixed = np.random.RandomState(0)
    chosen = fixed.permutation(len(test))[:size]
    smallest = min(size, len(train))
    measure = ImageFigures(test.pixels[chosen], features, smallest=smallest, seed=seed)
    shares = measure.pixels.shares(samples[0])
    figures = [measure(each) for each in samples]
    result = {
        "metrics": {name: float(np.mean([one[name] for one in figures])) for name in figures[0]},
        **measure.rivals(train, size, draws=draws, seed=seed),
        "intervals": {
            name: bootstrap_interval(each, rng=_stream(seed)) for name, each in shares.items()
        },
        "memorisation": measure.memorised(samples[0], train, test.pixels, seed),
        "reconstruction": _reconstruction(model, train, test, seed),
        "model": (model.figures(test, rng=_stream(seed)) if isinstance(model, Measured) else {})
        | further_figures(model, data_train, data_test, seed=seed),
        "settings": {
            "samples": size,
            "reference": size,
            "train": len(train),
            "reconstructed": len(test),
            "points": None,
            "normalisation": "none",
            "distance": DISTANCE,
            "emd": None,
            "seed": seed,
            "draws": draws,
            "baseline": BASELINE,
            "features": measure.features.settings(
                {"samples": size, "reference": size, "floor_samples": smallest}
            ),
        },
    }
    if isinstance(drawn[0], RadianceFields):
        result["fields"] = evaluate_fields(
            model, data_train, data_test, n=n, draws=draws, seed=seed, features=features
        )
    return result


def _drawn(model: GenerativeModel, size: int, seed: int) -> Images | RadianceFields:
    images = model.sample(size, rng=_stream(seed))
    if not isinstance(images, Images | RadianceFields):
        raise TypeError(f"a model that samples images is needed; got {type(images).__name__}")
    return images


def _pixels(images: Images | RadianceFields) -> Tensor:
    """Pixels; of fields pictures, from poses that are drawn as the training's."""
    return images.pixels if isinstance(images, Images) else images.render().pixels


def _one_size(*sets: Tensor) -> None:
    sizes = [" x ".join(map(str, each.shape[1:])) for each in sets]
    if len(set(sizes)) > 1:
        raise ValueError(
            "images that are evaluated on must be as the model's; got {} of the model, {} for "
            "training and {} held out".format(*sizes)
        )


def _reconstruction(
    model: GenerativeModel, train: Tensor, test: Images, seed: int
) -> dict[str, Figures]:
    components = COMPONENTS
    found: dict[str, Figures] = {"model": {}, "floor": {}}
    if isinstance(model, Autoencoder):
        components = min(model.latent_dim, train[0].numel())
        rebuilt = model.reconstruct(test, rng=_stream(seed)).pixels
        found["model"] = {"squared error": _error(rebuilt, test.pixels)}
    again = PcaImages(train, components).reconstruct(test.pixels)
    found["baseline"] = {"squared error": _error(again, test.pixels)}
    return found


def _error(rebuilt: Tensor, pixels: Tensor) -> float:
    return float(squared_error(rebuilt, pixels).mean())


def _stream(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)
