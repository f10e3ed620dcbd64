"""Compare two sets of images in pixels and in a network's features; no model is needed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from shapegen.images.images import Images
from shapegen.metrics.draws import bootstrap_interval
from shapegen.metrics.feature_extractors import Extractor
from shapegen.metrics.image_figures import BASELINE, DISTANCE, ImageFigures


def compare_images(
    samples: Any,
    reference: Any,
    *,
    train: Any = None,
    draws: int = 5,
    seed: int = 0,
    features: str | Path | Extractor | None = None,
) -> dict[str, Any]:
    """Measure how well sampled images stand for a reference.

    Give as many samples as reference images, or most figures mean something else.

    Args:
        samples: Images of any kind, at least two.
        reference: The same, of the same size.
        train: Images that the samples' model was trained on: gives the floor (training images in
            the samples' place), a baseline (principal components) and the memorisation ratios.
        draws: Floor and baseline are means of so many draws.
        seed: Of those draws, of the bootstrap and of the kernel distance's subsets.
        features: What gives the features that are compared, as
            :func:`shapegen.metrics.feature_extractors.extractor` takes it.

    Returns:
        ``metrics`` (:class:`shapegen.metrics.image_figures.ImageFigures`), ``floor``,
        ``baseline``, ``intervals`` (95 % bootstrap intervals of the means over images),
        ``memorisation`` and ``settings``, whose ``features`` name the extractor and the counts;
        what needs ``train`` is empty without it.

    Raises:
        ValueError: Fewer than two images in a set, or images of different sizes.
        TypeError: They are no images.
    """
    ours, theirs = _pixels(samples, "samples"), _pixels(reference, "reference")
    known = None if train is None else _pixels(train, "train")
    sides = [each for each in (ours, theirs, known) if each is not None]
    _same_size(sides)
    smallest = min(len(each) for each in sides)
    measure = ImageFigures(theirs, features, smallest=smallest, seed=seed)
    counts = {"samples": len(ours), "reference": len(theirs)}
    result: dict[str, Any] = {
        "metrics": measure(ours),
        "floor": {},
        "baseline": {},
        "intervals": {
            name: bootstrap_interval(each, rng=torch.Generator().manual_seed(seed))
            for name, each in measure.pixels.shares(ours).items()
        },
        "memorisation": {},
        "settings": {
            **counts,
            "shapes": "images",
            "points": None,
            "normalisation": "none",
            "distance": DISTANCE,
            "emd": None,
            "seed": seed,
            "draws": draws if known is not None else 1,
            "preset": None,
        },
    }
    if known is not None:
        result |= measure.rivals(known, len(ours), draws=draws, seed=seed)
        result["memorisation"] = measure.memorised(ours, known, theirs, seed)
        result["settings"] |= {"train": len(known), "baseline": BASELINE}
        counts["floor_samples"] = min(len(ours), len(known))
    result["settings"]["features"] = measure.features.settings(counts)
    return result


def _pixels(images: Any, what: str) -> Float[Tensor, "n c h w"]:
    if isinstance(images, str | Path):
        from shapegen.images.files import read_images

        images = read_images(images)
    try:
        pixels = Images.of(images).pixels
    except (TypeError, ValueError) as error:
        raise type(error)(f"{what}: {error}") from None
    if len(pixels) < 2:
        raise ValueError(f"{what} must be at least 2 images; got {len(pixels)}")
    return pixels


def _same_size(sides: list[Tensor]) -> None:
    sizes = sorted({tuple(each.shape[1:]) for each in sides})
    if len(sizes) > 1:
        got = ", ".join(" x ".join(map(str, size)) for size in sizes)
        raise ValueError(f"images that are compared must have one size; got {got}")
