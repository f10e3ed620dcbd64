"""Figures of sets of images in the features of a network, beside which network that is."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from shapegen.metrics.draws import Figures
from shapegen.metrics.feature_extractors import Extractor, extractor
from shapegen.metrics.frechet import Gaussian, gaussian_distance
from shapegen.metrics.kernel_distance import kernel_distance
from shapegen.metrics.manifolds import NEIGHBOURS, manifold_figures

Array = NDArray[np.float64]


class FeatureDistances:
    """The figures of many sets of images against one reference, whose features are found once.

    Args:
        reference: Images in [-1, 1], more than ``neighbours``; 1 or 3 channels, any size.
        features: As :func:`shapegen.metrics.feature_extractors.extractor` takes it.
        neighbours: k of precision, recall, density and coverage.
        seed: Of the subsets behind the kernel distance.

    Raises:
        ValueError: Too few images, or weights that cannot be read.
    """

    def __init__(
        self,
        reference: Float[Tensor, "n c h w"],
        features: str | Path | Extractor | None = None,
        *,
        neighbours: int = NEIGHBOURS,
        seed: int = 0,
    ) -> None:
        if neighbours < 1:
            raise ValueError(f"neighbours must be at least 1; got {neighbours}")
        self.extractor = extractor(features)
        self.neighbours, self.seed = neighbours, seed
        self._enough(len(reference), "the reference")
        self._reference = self.extractor(reference)
        self._gaussian = Gaussian.of(self._reference)
        self._inside = distances(self._reference, self._reference)

    def __call__(self, samples: Float[Tensor, "n c h w"]) -> Figures:
        """All figures of samples, more than ``neighbours`` of them.

        Returns:
            The squared Frechet distance and the kernel distance with its standard error, under the
            names that the extractor gives them; ``precision``, ``recall``, ``density`` and
            ``coverage`` (:mod:`shapegen.metrics.manifolds`).

        Raises:
            ValueError: Too few samples.
        """
        self._enough(len(samples), "the samples")
        found = self.extractor(samples)
        rng = torch.Generator().manual_seed(self.seed)
        kernel = kernel_distance(found, self._reference, rng=rng)
        figures = {
            self.extractor.frechet: gaussian_distance(Gaussian.of(found), self._gaussian),
            self.extractor.kernel: kernel.value,
        }
        # Of two samples there is one subset, which has no error.
        if not math.isnan(kernel.error):
            figures[f"{self.extractor.kernel} error"] = kernel.error
        return figures | manifold_figures(
            distances(found, self._reference),
            distances(found, found),
            self._inside,
            neighbours=self.neighbours,
        )

    def settings(self, counts: Mapping[str, int]) -> dict[str, Any]:
        """What a reader must know of the figures.

        Args:
            counts: Images of every side, by its name.
        """
        return {
            "extractor": self.extractor.name,
            "resize": self.extractor.resize,
            "dimensions": self._reference.shape[1],
            "neighbours": self.neighbours,
            **counts,
        }

    def _enough(self, count: int, what: str) -> None:
        if count <= self.neighbours:
            raise ValueError(
                f"{what} must be more than {self.neighbours} images, the neighbours; got {count}"
            )


def distances(a: Array, b: Array) -> Array:
    """Euclidean distances ``(n, m)`` of features ``(n, d)`` and ``(m, d)``."""
    found: Array = torch.cdist(
        torch.from_numpy(a), torch.from_numpy(b), compute_mode="donot_use_mm_for_euclid_dist"
    ).numpy()
    return found
