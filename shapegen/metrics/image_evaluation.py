"""Measure a model of images: generation, reconstruction, its likelihood, and trivial rivals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from shapegen.base import Autoencoder, GenerativeModel
from shapegen.core.noise import standard_normal
from shapegen.fields.radiance import RadianceFields
from shapegen.images.autoencoder import squared_error
from shapegen.images.images import Images, Picture
from shapegen.images.renders import Renders
from shapegen.images.stacked import StackedDigits
from shapegen.metrics import baselines, sets
from shapegen.metrics.draws import (
    Figures,
    Measured,
    bootstrap_interval,
    mean_of_draws,
    sample_size,
)
from shapegen.metrics.gan_figures import further_figures

SAMPLES = 200
"""Generated images, and reference images, at most."""
COMPONENTS = 30
"""Of the principal components beside a model without codes, and of the Gaussian of them."""
BASELINE = "pca_gaussian"


def is_images(shapes: Any) -> bool:
    """Whether shapes in memory are images of ours."""
    if isinstance(shapes, Images | Renders | StackedDigits | Picture):
        return True
    first = shapes[0] if isinstance(shapes, Sequence) and len(shapes) else None
    return isinstance(first, Images | Picture)


class PcaImages:
    """A Gaussian over the leading principal components of training images.

    Args:
        pixels: At least two images.
        components: At most so many.

    Raises:
        ValueError: Fewer than two images.
    """

    def __init__(self, pixels: Float[Tensor, "n c h w"], components: int = COMPONENTS) -> None:
        if len(pixels) < 2:
            raise ValueError(f"principal components need at least 2 images; got {len(pixels)}")
        rows = pixels.flatten(1).double()
        self.shape, self.mean = pixels.shape[1:], rows.mean(0)
        centred = rows - self.mean
        values, vectors = torch.linalg.eigh(centred.T @ centred / (len(rows) - 1))
        self.axes = vectors[:, -components:]
        self.spread = values[-components:].clamp_min(0).sqrt()

    def encode(self, pixels: Float[Tensor, "n c h w"]) -> Float[Tensor, "n components"]:
        """Coordinates along the components."""
        return (pixels.flatten(1).double() - self.mean) @ self.axes

    def reconstruct(self, pixels: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        """What the components keep of images."""
        return self._images(self.encode(pixels))

    def sample(self, n: int, *, rng: torch.Generator | None = None) -> Float[Tensor, "n c h w"]:
        """Draw images."""
        noise = standard_normal((n, len(self.spread)), like=self.mean, rng=rng)
        return self._images(noise * self.spread)

    def _images(self, codes: Tensor) -> Tensor:
        rows = (self.mean + codes @ self.axes.T).clamp(-1, 1)
        return rows.view(len(codes), *self.shape).float()


class ImageMetrics:
    """The figures of many sets of samples against one reference, by distances of pixels.

    Args:
        reference: Images.
    """

    def __init__(self, reference: Float[Tensor, "n c h w"]) -> None:
        self.reference = reference
        self._inside = distances(reference, reference)

    def shares(self, samples: Float[Tensor, "n c h w"]) -> dict[str, Any]:
        """What every image adds to the figures, which are the means of it."""
        across = distances(samples, self.reference)
        return sets.shares("l2", across, distances(samples, samples), self._inside)

    def __call__(self, samples: Float[Tensor, "n c h w"]) -> Figures:
        """MMD in both directions, COV and 1-NNA with both halves."""
        return {name: float(np.mean(each)) for name, each in self.shares(samples).items()}


def distances(a: Float[Tensor, "n c h w"], b: Float[Tensor, "m c h w"]) -> NDArray[np.float64]:
    """Root of the summed squared differences, brightness in 0 to 1."""
    return torch.cdist(a.flatten(1).double() / 2, b.flatten(1).double() / 2).numpy()


@torch.no_grad()
def evaluate_images(
    model: Any,
    data_train: Any,
    data_test: Any,
    *,
    draws: int = 1,
    n: int | None = None,
    seed: int = 0,
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

    Returns:
        ``metrics``, ``floor`` (training images as samples), ``baseline`` (Gaussian of principal
        components), ``intervals``, ``memorisation`` and ``settings``; ``reconstruction`` with the
        squared error of an image (brightness in 0 to 1, summed over the pixels) of the ``model``
        and of as many principal components (``baseline``); ``model``: what the model's own
        ``figures`` say, and :func:`~shapegen.metrics.gan_figures.further_figures`.

    Raises:
        ValueError: Empty data, or an argument out of its range.
        TypeError: A model or data of another kind.
    """
    if not isinstance(model, GenerativeModel):
        raise TypeError(f"a model that samples images is needed; got {type(model).__name__}")
    train, test = Images.of(data_train).pixels, Images.of(data_test)
    size = sample_size(n, draws, default=SAMPLES, most=len(test), what="the held-out images")
    samples = [_drawn(model, size, seed + draw) for draw in range(draws)]
    fixed = np.random.RandomState(0)
    chosen = fixed.permutation(len(test))[:size]
    measure = ImageMetrics(test.pixels[chosen])
    first = measure.shares(samples[0])
    figures = [measure(each) for each in samples]
    pca = PcaImages(train)
    return {
        "metrics": {name: float(np.mean([one[name] for one in figures])) for name in first},
        "floor": mean_of_draws(
            lambda rng: measure(train[baselines.draw(min(size, len(train)), len(train), rng=rng)]),
            draws,
            seed,
        ),
        "baseline": mean_of_draws(lambda rng: measure(pca.sample(size, rng=rng)), draws, seed),
        "intervals": {
            name: bootstrap_interval(each, rng=_stream(seed)) for name, each in first.items()
        },
        "memorisation": _memorised(samples[0], train, test.pixels, seed),
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
            "distance": "l2 of pixels, brightness in 0 to 1",
            "emd": None,
            "seed": seed,
            "draws": draws,
            "baseline": BASELINE,
        },
    }


def _drawn(model: GenerativeModel, size: int, seed: int) -> Tensor:
    images = model.sample(size, rng=_stream(seed))
    if isinstance(images, RadianceFields):
        # Their pictures, from poses that are drawn as the training's.
        return images.render().pixels
    if not isinstance(images, Images):
        raise TypeError(f"a model that samples images is needed; got {type(images).__name__}")
    return images.pixels


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


def _memorised(samples: Tensor, train: Tensor, held_out: Tensor, seed: int) -> dict[str, float]:
    """Whether samples are nearer to training images than to equally many held-out ones."""
    size = min(len(train), len(held_out))
    chosen = baselines.draw(size, len(train), rng=_stream(seed))
    near = [distances(samples, known) for known in (train[chosen], held_out[:size])]
    return {
        "ratio": sets.memorisation(*near),
        "nearest_train": float(near[0].min(1).mean()),
        "nearest_held_out": float(near[1].min(1).mean()),
        "shapes": size,
    }


def _stream(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)
