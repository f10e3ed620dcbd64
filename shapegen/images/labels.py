"""Labels beside images, and as vectors that a layer adds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

LABEL_SCALE = 0.1
"""Standard deviation of the first vectors."""


@dataclass(frozen=True)
class LabelledPixels:
    """What the losses of models take that know classes, or may: pixels, and labels or none."""

    pixels: Float[Tensor, "n c h w"]
    """In -1 to 1."""
    labels: Int[Tensor, "n"] | None

    def __len__(self) -> int:
        return len(self.pixels)

    def __getitem__(self, indices: Tensor) -> LabelledPixels:
        labels = None if self.labels is None else self.labels[indices]
        return LabelledPixels(self.pixels[indices], labels)

    def to(self, device: torch.device) -> LabelledPixels:
        """The same on a device."""
        labels = None if self.labels is None else self.labels.to(device)
        return LabelledPixels(self.pixels.to(device), labels)


def checked_labels(labels: Tensor | None, classes: int) -> Int[Tensor, "n"]:
    """Labels of images, which a model of so many classes needs.

    Raises:
        ValueError: None, or of no class.
    """
    if labels is None:
        raise ValueError(
            f"this model is conditional on {classes} classes: images need labels; got none"
        )
    low, high = int(labels.min()), int(labels.max())
    if low < 0 or high >= classes:
        raise ValueError(f"labels must be from 0 to {classes - 1}; got {low} to {high}")
    return labels


def labels_to_draw(
    n: int,
    labels: Sequence[int] | Tensor | None,
    classes: int,
    *,
    rng: torch.Generator | None = None,
) -> Int[Tensor, "n"] | None:
    """Labels of samples: as given, or drawn, all classes alike; None without classes.

    Raises:
        ValueError: Labels of no class or of another number, or a model that is not conditional.
    """
    if not classes:
        if labels is not None:
            raise ValueError("this model is not conditional (classes: 0): it takes no labels")
        return None
    if labels is None:
        device = None if rng is None else rng.device
        return torch.randint(classes, (n,), generator=rng, device=device).cpu()
    given = torch.as_tensor(labels).cpu()
    if given.shape != (n,) or given.is_floating_point():
        raise ValueError(
            f"labels must be one whole number a sample ({n}); got {tuple(given.shape)} "
            f"{given.dtype}"
        )
    return checked_labels(given.long(), classes)


def label_embedding(classes: int, width: int) -> nn.Embedding | None:
    """Vectors of labels, or None where there are none."""
    if not classes:
        return None
    embedding = nn.Embedding(classes, width)
    with torch.no_grad():
        embedding.weight.mul_(LABEL_SCALE)
    return embedding
