"""A generator taken apart: which units of a layer stand for which parts, and what they cause."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional

from shapegen.core.dissection import Dissection, dissect, effect
from shapegen.core.units import Subject
from shapegen.metrics.attributes import AttributeFigures, attribute_figures

LEAST = 0.005
"""Share of an image's pixels from which on a part counts as being there."""
FEW = 4
"""Samples of either half that must have a part, and that must lack it, for its direction."""


@dataclass(frozen=True)
class PartFigures:
    """A part, and the units that agree best with it."""

    part: str
    present: float
    """Share of samples in which it is there."""
    units: tuple[int, ...]
    """The best ones first."""
    iou: float
    """Intersection over union of the first unit and the part."""
    removed: float
    """Share of the part's pixels that are gone without these units; NaN where there are none."""
    removed_at_random: float
    """The same without as many units drawn at random, on average."""
    changed_elsewhere: float
    """Share of other parts' pixels that are no longer of the same part, without these units."""
    region: Bool[Tensor, "h w"]
    """Places of the layer: there units are set to what they mostly are in the part."""
    inserted: float
    """Share of the region's pixels that are then of the part."""
    before: float
    """The same as it was."""
    arithmetic: AttributeFigures | None
    """Of the part as an attribute of latents; None where almost all samples have or lack it."""


@dataclass(frozen=True)
class LayerFigures:
    """A layer, and all parts."""

    dissection: Dissection
    parts: tuple[PartFigures, ...]
    explained: float
    """Share of the samples' pixels that are of any part."""


@torch.no_grad()
def layer_figures(
    subject: Subject,
    z: Float[Tensor, "n latent"],
    parts: Sequence[str],
    *,
    units: int = 10,
    draws: int = 8,
    rng: torch.Generator | None = None,
) -> LayerFigures:
    """Take a layer of a generator apart.

    Units are ranked on one half of the samples; what they cause is measured on the other.

    Args:
        subject: The generator, the layer and the masks of the parts in its images.
        z: Samples of the prior, at least 4.
        parts: Their names.
        units: How many are removed and inserted at once, for each part.
        draws: Sets of units at random to compare with.
        rng: Of these, and of random directions.

    Raises:
        ValueError: A layer without maps or with too few units, or too few samples.
    """
    if len(z) < 4:
        raise ValueError(f"at least 4 samples are needed; got {len(z)}")
    rest = z[len(z) // 2 :]
    (count, *size) = subject.located(z)[1]
    if not 1 <= units < count:
        raise ValueError(
            f"units to remove must be from 1 to {count - 1}, of the layer's {count}; got {units}"
        )
    found = dissect(subject, z[: len(z) // 2])
    chosen = [torch.randperm(count, generator=rng)[:units] for _ in range(draws)]
    at_random = torch.stack([effect(subject, rest, each).removed for each in chosen]).mean(0)
    masks = subject.masks(subject.images_of(rest)).cpu()
    figures = []
    for number, name in enumerate(parts):
        best, region = found.ranked(number)[:units], usual_place(masks[:, number], size)
        without = effect(subject, rest, best)
        put = effect(subject, rest, best, found.typical[best, number].nan_to_num(), region)
        figures.append(
            PartFigures(
                part=name,
                present=float(is_there(masks[:, number]).float().mean()),
                units=tuple(best.tolist()),
                iou=float(found.iou[best[0], number]),
                removed=float(without.removed[number]),
                removed_at_random=float(at_random[number]),
                changed_elsewhere=without.changed_elsewhere(number),
                region=region,
                inserted=float(put.after[number]) / put.pixels,
                before=float(put.before[number]) / put.pixels,
                arithmetic=_arithmetic(subject, z, number, rng),
            )
        )
    return LayerFigures(found, tuple(figures), float(masks.any(1).float().mean()))


def is_there(mask: Bool[Tensor, "n h w"]) -> Bool[Tensor, "n"]:
    """Whether so many pixels of an image are of a part that it can be seen."""
    return mask.flatten(1).float().mean(1) >= LEAST


def usual_place(mask: Bool[Tensor, "n h w"], size: Sequence[int]) -> Bool[Tensor, "rows columns"]:
    """Three by three places of a layer, around the one where a part most often is.

    Args:
        mask: Where the part is in images.
        size: Rows and columns of the layer's maps.
    """
    rows, columns = size
    often = functional.adaptive_avg_pool2d(mask.float().mean(0)[None, None], (rows, columns))
    row, column = divmod(int(often.argmax()), columns)
    region = torch.zeros(rows, columns, dtype=torch.bool)
    region[max(0, row - 1) : row + 2, max(0, column - 1) : column + 2] = True
    return region


def _arithmetic(
    subject: Subject, z: Tensor, part: int, rng: torch.Generator | None
) -> AttributeFigures | None:
    def attribute(images: Tensor) -> Tensor:
        return is_there(subject.masks(images)[:, part])

    having = attribute(subject.images_of(z))
    halves = having[: len(z) // 2], having[len(z) // 2 :]
    if min(int(min(half.sum(), (~half).sum())) for half in halves) < FEW:
        return None
    return attribute_figures(subject.images_of, z, attribute, rng=rng)
