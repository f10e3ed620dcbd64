"""Figures of images in pixels and in features, and the trivial rivals of a generator of images."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from shapegen.images.images import Images, Picture
from shapegen.images.renders import Renders
from shapegen.images.stacked import StackedDigits
from shapegen.metrics import baselines, feature_distances, sets
from shapegen.metrics.draws import Figures, mean_of_draws
from shapegen.metrics.feature_distances import FeatureDistances
from shapegen.metrics.feature_extractors import Extractor
from shapegen.metrics.manifolds import NEIGHBOURS
from shapegen.metrics.principal import GaussianRows

COMPONENTS = 30
"""Of the principal components beside a model without codes, and of the Gaussian of them."""
BASELINE = "pca_gaussian"
DISTANCE = "l2 of pixels, brightness in 0 to 1"


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
        self.shape = pixels.shape[1:]
        self.gaussian = GaussianRows(pixels.flatten(1), components)

    def encode(self, pixels: Float[Tensor, "n c h w"]) -> Float[Tensor, "n components"]:
        """Coordinates along the components."""
        return (pixels.flatten(1).double() - self.gaussian.mean) @ self.gaussian.axes

    def reconstruct(self, pixels: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        """What the components keep of images."""
        return self._images(self.gaussian.reconstruct(pixels.flatten(1)))

    def sample(self, n: int, *, rng: torch.Generator | None = None) -> Float[Tensor, "n c h w"]:
        """Draw images."""
        return self._images(self.gaussian.sample(n, rng=rng))

    def _images(self, rows: Tensor) -> Tensor:
        return rows.clamp(-1, 1).view(len(rows), *self.shape).float()


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


class ImageFigures:
    """All figures of many sets of samples against one reference.

    Args:
        reference: Images, at least two.
        features: As :func:`shapegen.metrics.feature_extractors.extractor` takes it.
        smallest: Images of the smallest set that is measured: there are fewer neighbours.
        seed: Of the subsets behind the kernel distance.
    """

    def __init__(
        self,
        reference: Float[Tensor, "n c h w"],
        features: str | Path | Extractor | None = None,
        *,
        smallest: int,
        seed: int = 0,
    ) -> None:
        self.pixels = ImageMetrics(reference)
        neighbours = max(1, min(NEIGHBOURS, smallest - 1, len(reference) - 1))
        self.features = FeatureDistances(reference, features, neighbours=neighbours, seed=seed)

    def __call__(self, samples: Float[Tensor, "n c h w"]) -> Figures:
        """Those of :class:`ImageMetrics` and of :class:`FeatureDistances`."""
        return self.pixels(samples) | self.features(samples)

    def rivals(
        self, train: Float[Tensor, "n c h w"], size: int, *, draws: int, seed: int
    ) -> dict[str, Figures]:
        """Figures of training images (``floor``) and of a PCA Gaussian (``baseline``).

        Args:
            train: At least two images.
            size: Images a draw; of training images at most as many as there are.
            draws: Both are means of so many.
            seed: Of the first draw.
        """
        pca, most = PcaImages(train), min(size, len(train))
        return {
            "floor": mean_of_draws(
                lambda rng: self(train[baselines.draw(most, len(train), rng=rng)]), draws, seed
            ),
            "baseline": mean_of_draws(lambda rng: self(pca.sample(size, rng=rng)), draws, seed),
        }

    def memorised(
        self,
        samples: Float[Tensor, "n c h w"],
        train: Float[Tensor, "m c h w"],
        held_out: Float[Tensor, "k c h w"],
        seed: int,
    ) -> dict[str, float]:
        """Whether samples are nearer to training images than to equally many held-out ones.

        Returns:
            ``ratio`` (:func:`shapegen.metrics.sets.memorisation`, about 1 is ideal) and the mean
            distances ``nearest_train`` and ``nearest_held_out`` by pixels; the same with
            ``_features``; the ``shapes`` of either kind.
        """
        size = min(len(train), len(held_out))
        rng = torch.Generator().manual_seed(seed)
        known = (train[baselines.draw(size, len(train), rng=rng)], held_out[:size])
        extract = self.features.extractor
        found = extract(samples)
        return {
            **_nearness([distances(samples, each) for each in known], ""),
            **_nearness(
                [feature_distances.distances(found, extract(each)) for each in known], "_features"
            ),
            "shapes": size,
        }


def _nearness(near: Sequence[NDArray[np.float64]], what: str) -> dict[str, float]:
    return {
        f"ratio{what}": sets.memorisation(*near),
        f"nearest_train{what}": float(near[0].min(1).mean()),
        f"nearest_held_out{what}": float(near[1].min(1).mean()),
    }
