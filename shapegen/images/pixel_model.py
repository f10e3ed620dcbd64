r"""Autoregressive models of images: every pixel given those before it, row by row.

.. math:: \log p(x) = \sum_i \sum_c \log p(x_{ic} \mid x_{<i}, x_{i,<c})

What models differ in is the network from the pixels before one to its features.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from shapegen.base import GenerativeModel, Likelihood
from shapegen.core.autoregressive import draw
from shapegen.core.likelihoods import LEVELS, binarised, bits_per_dim, levels_of, pixels_of
from shapegen.core.objective import Objective
from shapegen.images.autoregressive_head import AutoregressiveHead, Head
from shapegen.images.images import Images
from shapegen.images.labels import LabelledPixels, checked_labels, labels_to_draw
from shapegen.images.pixel_process import (
    Evaluation,
    FullPasses,
    PixelProcess,
    images_of,
    sequences,
)
from shapegen.images.validity import binarised_once, check_size, checked_pixels

CHUNK_IMAGES = 100
"""Images that are scored at once."""


@dataclass(frozen=True)
class PixelConfig:
    """Options of every autoregressive model of images."""

    channels: int = 1
    """Of an image: 1 grey, 3 red, green and blue."""
    size: tuple[int, int] = (28, 28)
    """Height and width of an image."""
    classes: int = 0
    """Numbers of classes that images are drawn given; 0: none are given."""
    head: Head = "bernoulli"
    """``bernoulli``: black or white; ``categorical``: any level; ``logistic``: a mixture of
    logistics over the levels."""
    levels: int = LEVELS
    """Equidistant values of ``categorical`` and ``logistic``."""
    mixtures: int = 5
    """Logistics of a mixture."""
    binarise: bool = True
    """Under ``bernoulli``: grey images are drawn black and white anew at every step."""
    head_dim: int = 64
    """Of the hidden layer between features and distributions."""

    def __post_init__(self) -> None:
        check_size(self.channels, self.size)
        for name in ("mixtures", "head_dim"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1; got {getattr(self, name)}")
        if self.classes < 0:
            raise ValueError(f"classes must be at least 0; got {self.classes}")
        if self.levels < 2:
            raise ValueError(f"levels must be at least 2; got {self.levels}")


class PixelModel(GenerativeModel, Likelihood):
    """An exact likelihood of images, and draws from it.

    Args:
        config: Of images and distributions.
        features: That the network has for a pixel.
    """

    config: PixelConfig
    head: AutoregressiveHead

    def __init__(self, config: PixelConfig, features: int) -> None:
        super().__init__()
        self.config = config
        self.head = AutoregressiveHead(
            features,
            config.head_dim,
            config.channels,
            kind=config.head,
            levels=config.levels,
            mixtures=config.mixtures,
        )

    @property
    @abstractmethod
    def network(self) -> nn.Module:
        """From pixels ``(n, c, h, w)`` and labels to features ``(n, f, h, w)`` of those before."""

    @abstractmethod
    def evaluation(self, n: int, labels: Tensor | None) -> Evaluation:
        """The network on ``n`` images pixel by pixel, keeping what the next ones need."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height and width of an image."""
        return self.config.channels, *self.config.size

    # Data and training ---------------------------------------------------------------------

    def prepare(self, shapes: Any) -> LabelledPixels:
        """Pixels at the head's levels, with labels where the model is conditional.

        Raises:
            TypeError: No images.
            ValueError: Of another size, without labels where they are due, or grey where black
                and white are due.
        """
        images = self._images(shapes)
        pixels = images.pixels
        if self.config.head != "bernoulli":
            pixels = pixels_of(levels_of(pixels, self.config.levels), self.config.levels)
        elif not self.config.binarise:
            _check_black_and_white(pixels, "set binarise")
        return LabelledPixels(pixels, self._labels_of(images))

    def objectives(self, *, rng: torch.Generator | None = None) -> tuple[Objective, ...]:
        """Nats an image, minus the mean log-likelihood; the term is in bits a dimension."""

        def loss(batch: LabelledPixels, step: int) -> tuple[Tensor, dict[str, Tensor]]:
            pixels = batch.pixels
            if self.config.head == "bernoulli" and self.config.binarise:
                pixels = binarised(pixels, rng=rng)
            nats = -self.scores(pixels, batch.labels).mean()
            return nats, {"bits/dim": bits_per_dim(nats, pixels[0].numel())}

        return (Objective("nats", self, loss),)

    # Likelihood ----------------------------------------------------------------------------

    def log_prob(self, shapes: Any) -> Float[Tensor, "batch"]:
        """Exact log-likelihood of every image in nats; given its label in a conditional model.

        Raises:
            TypeError: No images.
            ValueError: Of another size, without labels where they are due, or grey in a model of
                black and white.
        """
        images = self._images(shapes)
        if self.config.head == "bernoulli":
            _check_black_and_white(images.pixels, "draw them by core.likelihoods.binarised")
        labels = self._labels_of(images)
        found = []
        with torch.no_grad():
            for indices in torch.arange(len(images)).split(CHUNK_IMAGES):
                batch = LabelledPixels(images.pixels, labels)[indices].to(self._like.device)
                found.append(self.scores(batch.pixels, batch.labels))
        return torch.cat(found)

    def scores(
        self,
        pixels: Float[Tensor, "batch channels height width"],
        labels: Int[Tensor, "batch"] | None = None,
    ) -> Float[Tensor, "batch"]:
        """Log-likelihood in nats of pixels on the model's device; it has a gradient."""
        pixels = pixels.to(self._like.dtype)
        numbers = self.head(self.network(pixels, labels), pixels)
        return self.head.distribution(numbers).log_prob(pixels).flatten(1).sum(1)

    def figures(self, shapes: Any, *, rng: torch.Generator | None = None) -> dict[str, float]:
        """Minus the mean log-likelihood of held-out images: lower is better.

        For a model of black and white the images are binarised once: white where their grey value
        exceeds uniforms from numpy's ``RandomState(1)``, drawn for the whole array in order.

        Args:
            shapes: Images.
            rng: Not used: the figures are exact.

        Returns:
            ``nats`` an image and ``bits/dim``.
        """
        images = self._images(shapes)
        if self.config.head == "bernoulli":
            images = Images(binarised_once(images.pixels), images.labels)
        nats = -self.log_prob(images).double().mean()
        bits = bits_per_dim(nats, images.pixels[0].numel())
        return {"nats": float(nats), "bits/dim": float(bits)}

    # Drawing -------------------------------------------------------------------------------

    def sample(
        self,
        n: int,
        labels: Sequence[int] | Tensor | None = None,
        *,
        rng: torch.Generator | None = None,
    ) -> Images:
        """Draw images.

        Args:
            n: Number of images.
            labels: Of a conditional model, one an image; None: drawn, all classes alike.
            rng: Random stream.

        Raises:
            ValueError: None to draw, labels of no class or of another number, or a model that is
                not conditional.
        """
        if n < 1:
            raise ValueError(f"the number of samples must be at least 1; got {n}")
        return self._drawn(n, labels_to_draw(n, labels, self.config.classes, rng=rng), rng=rng)

    def complete(self, images: Any, rows: int, *, rng: torch.Generator | None = None) -> Images:
        """Draw what is below the upper rows of images.

        Args:
            images: Of the model's size; those below are replaced. A model of black and
                white draws those of grey rows, if it was trained so.
            rows: That are kept.
            rng: Random stream.

        Raises:
            TypeError: No images.
            ValueError: Images as in :meth:`log_prob`, or a number of rows that they have not.
        """
        height = self.config.size[0]
        if not 0 <= rows <= height:
            raise ValueError(f"rows must be from 0 to {height}; got {rows}")
        images = self._images(images)
        kept = self.prepare(images).pixels[:, :, :rows]
        if self.config.head == "bernoulli" and self.config.binarise:
            kept = binarised(kept, rng=rng)
        return self._drawn(len(images), self._labels_of(images), rng=rng, kept=kept)

    def process(self, labels: Tensor | None = None, *, cached: bool = True) -> PixelProcess:
        """The model as a sequence of numbers, for :mod:`shapegen.core.autoregressive`.

        Args:
            labels: One an image, where the model is conditional.
            cached: Compute what the next pixel needs; otherwise everything for every pixel.
        """

        def begin(n: int) -> Evaluation:
            if cached:
                return self.evaluation(n, labels)
            return FullPasses(
                lambda pixels: self.network(pixels, labels), n, self.shape, like=self._like
            )

        return PixelProcess(begin, self.head, self.shape, like=self._like)

    def _drawn(
        self,
        n: int,
        labels: Tensor | None,
        *,
        rng: torch.Generator | None,
        kept: Tensor | None = None,
    ) -> Images:
        device = self._like.device
        on_device = None if labels is None else labels.to(device)
        given = None if kept is None else sequences(kept.to(device))
        values = draw(
            self.process(on_device),
            n,
            math.prod(self.shape),
            lambda predicted: predicted.sample(rng=rng),
            given=given,
        )
        return Images(images_of(values, self.shape), labels)

    # Checks --------------------------------------------------------------------------------

    @property
    def _like(self) -> Tensor:
        return self.head.hidden.weight

    def _images(self, shapes: Any) -> Images:
        images = Images.of(shapes)
        checked_pixels(images, self.config.channels, self.config.size)
        return images

    def _labels_of(self, images: Images) -> Tensor | None:
        if not self.config.classes:
            return None
        return checked_labels(images.labels, self.config.classes)


def _check_black_and_white(pixels: Tensor, remedy: str) -> None:
    if not bool((pixels.abs() == 1).all()):
        raise ValueError(
            f"this model is of black (-1) and white (1) pixels; got grey ones: {remedy}"
        )
