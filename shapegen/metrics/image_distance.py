"""Frechet distance of images, in pixels or in any features, between two anchors.

For small images there is no network whose features everybody uses; the leading components of the
training pixels need none. The figure means something between its anchors: the floor, which as many
real images have, and the collapse, the same image for every code.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from shapegen.metrics import baselines
from shapegen.metrics.draws import Figures
from shapegen.metrics.feature_extractors import Extractor
from shapegen.metrics.frechet import Gaussian, gaussian_distance
from shapegen.metrics.principal import GaussianRows

COMPONENTS = 64


class ImageDistance:
    """Squared Frechet distance to held-out images.

    Args:
        train: Training images in [-1, 1]: the anchors, and where there is no extractor what gives
            the components by which all are compared.
        reference: Held-out ones, which samples are compared with.
        features: What gives the features; None: principal components of the training pixels, and
            the distance is one of brightness in 0 to 1, summed over the pixels.
        components: At most so many.

    Raises:
        ValueError: Fewer than two images on a side, or other sizes.
    """

    def __init__(
        self,
        train: Float[Tensor, "n c h w"],
        reference: Float[Tensor, "m channels height width"],
        features: Extractor | None = None,
        *,
        components: int = COMPONENTS,
    ) -> None:
        if train.shape[1:] != reference.shape[1:]:
            got = " and ".join(str(tuple(each.shape[1:])) for each in (train, reference))
            raise ValueError(f"images must have one size; got {got}")
        self.train, self.extractor = train, features
        if features is None:
            rows = GaussianRows(_rows(train), components)
            self._mean, self._axes = rows.mean, rows.axes
        self._reference = Gaussian.of(self.features(reference).numpy())

    @property
    def name(self) -> str:
        """What images are compared in."""
        if self.extractor is not None:
            return self.extractor.name
        return f"{self._axes.shape[1]} principal components of the training pixels"

    def features(self, images: Float[Tensor, "n c h w"]) -> Float[Tensor, "n features"]:
        """What is compared of images: coordinates along the components, or features."""
        if self.extractor is not None:
            return torch.from_numpy(self.extractor(images))
        return (_rows(images).double() - self._mean) @ self._axes

    def __call__(self, samples: Float[Tensor, "n c h w"]) -> float:
        """The distance of samples, at least two."""
        return gaussian_distance(Gaussian.of(self.features(samples).numpy()), self._reference)

    def anchors(self, n: int, *, rng: torch.Generator | None = None) -> Figures:
        """``floor``: of ``n`` training images; ``collapse``: of one of them, ``n`` times.

        Raises:
            ValueError: ``n`` is below 2 or there are not so many.
        """
        if not 2 <= n <= len(self.train):
            raise ValueError(f"n must be 2 to {len(self.train)}, the images; got {n}")
        chosen = self.train[baselines.draw(n, len(self.train), rng=rng)]
        # The same features n times: so many need not be found.
        alone = self.features(chosen[:1]).expand(n, -1)
        collapse = gaussian_distance(Gaussian.of(alone.numpy()), self._reference)
        return {"floor": self(chosen), "collapse": collapse}


def _rows(images: Tensor) -> Tensor:
    return images.flatten(1).double() / 2
