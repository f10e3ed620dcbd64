"""Figures beside a model's own that depend on its training images too: modes, and probes."""

from __future__ import annotations

from typing import Any

import torch

from shapegen.base import GenerativeModel
from shapegen.images.gan import GAN
from shapegen.images.gan_probes import LABELS, probe_figures
from shapegen.images.images import Images
from shapegen.images.stacked import StackedDigits
from shapegen.metrics.draws import Figures
from shapegen.metrics.stacked_modes import stacked_figures

FEWEST = 100
"""Labels below which a probe says nothing."""


def further_figures(
    model: GenerativeModel, data_train: Any, data_test: Any, *, seed: int = 0
) -> Figures:
    """The modes of a model of stacked digits; the probe of a GAN of other images with labels.

    Args:
        model: In eval mode.
        data_train: What it was trained on.
        data_test: Held out.
        seed: Of all draws.

    Returns:
        Figures of :func:`~shapegen.metrics.stacked_modes.stacked_figures` or of
        :func:`~shapegen.images.gan_probes.probe_figures`, with as many labels as there are, at
        most 1000; none where neither can be.
    """
    if isinstance(data_train, StackedDigits) and isinstance(data_test, StackedDigits):
        rng = torch.Generator().manual_seed(seed)
        return stacked_figures(
            lambda n: Images.of(model.sample(n, rng=rng)).pixels, data_train, data_test, seed=seed
        )
    if not isinstance(model, GAN) or not _can_be_probed(model):
        return {}
    known, test = Images.of(data_train), Images.of(data_test)
    if known.labels is None or test.labels is None or len(known) < FEWEST:
        return {}
    labels = min(LABELS, len(known))
    return probe_figures(model.discriminator, known, test, labels=labels, seed=seed)


def _can_be_probed(model: GAN) -> bool:
    """Whether the discriminator has convolutions, of images alone, and was not told classes."""
    return model.config.network != "mlp" and not model.config.classes
