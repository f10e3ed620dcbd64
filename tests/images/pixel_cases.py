"""Small autoregressive models of images, and images, that their tests share."""

from __future__ import annotations

import itertools
from typing import Any

import torch
from torch import Tensor

from shapegen import registry
from shapegen.core.likelihoods import pixels_of
from shapegen.core.seeding import seeded
from shapegen.images.pixel_model import PixelModel

CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "gated": ("pixelcnn", {"gated": True, "features": 8, "layers": 2}),
    "placed": ("pixelcnn", {"features": 8, "layers": 2, "places": True}),
    "masked": ("pixelcnn", {"gated": False, "features": 16, "layers": 2}),
    "row": ("pixelrnn", {"network": "row", "hidden_dim": 6, "layers": 2}),
    "diagonal": ("pixelrnn", {"network": "diagonal", "hidden_dim": 6, "layers": 2}),
}
KINDS: dict[str, dict[str, Any]] = {
    "binary": {},
    "colours given labels": {"channels": 3, "head": "categorical", "levels": 3, "classes": 2},
    "mixture of logistics": {"channels": 3, "head": "logistic", "levels": 5, "mixtures": 2},
}


def build(case: str, height: int = 3, width: int = 3, **changes: Any) -> PixelModel:
    """A model with weights from seed 0, larger than first ones, so that all matter."""
    name, sizes = CASES[case]
    sizes = {"size": (height, width), "first_kernel": 3, "head_dim": 8} | sizes | changes
    with seeded(0):
        model = registry.build(name, **sizes)
        assert isinstance(model, PixelModel)
        with torch.no_grad():
            for parameter in model.parameters():
                # What begins at nothing must matter too.
                parameter.mul_(2) if parameter.any() else parameter.normal_()
    return model.eval()


def labels_of(model: PixelModel, n: int) -> Tensor | None:
    """Labels in turn, where the model takes some."""
    classes = model.config.classes
    return torch.arange(n) % classes if classes else None


def everything(levels: int, channels: int, height: int, width: int) -> Tensor:
    """All images of so many levels."""
    numbers = itertools.product(range(levels), repeat=channels * height * width)
    return pixels_of(torch.tensor(list(numbers)), levels).view(-1, channels, height, width)
