r"""What single units of a network stand for, and what becomes of its images without them.

A unit is a channel of a layer. It is on where its map, enlarged to the image, is above a
threshold; the intersection over the union says how well that agrees with where a concept is:

.. math:: \mathrm{IoU}_{u,c} = \frac{|\{a_u > t_{u,c}\} \cap s_c|}{|\{a_u > t_{u,c}\} \cup s_c|}

over all pixels of all images. Agreement is no cause: for that, units are set to other values while
the network runs, and the concept's pixels are counted again.

References: Bau et al., *GAN Dissection: Visualizing and Understanding Generative Adversarial
Networks*, 2019, https://arxiv.org/abs/1811.10597; Bau et al., *Network Dissection*, 2017.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional

from shapegen.core.units import CHUNK, Subject, recorded, units_set

SHARES = (0.5, 0.3, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005)
"""Of a unit's values that its threshold may leave above it."""


@dataclass(frozen=True)
class Dissection:
    """Units of a layer beside concepts."""

    iou: Float[Tensor, "units concepts"]
    """Intersection over union of where the unit is on and where the concept is."""
    thresholds: Float[Tensor, "units concepts"]
    """Above which a unit counts as on."""
    typical: Float[Tensor, "units concepts"]
    """A unit's mean value where the concept is; NaN of a concept that is nowhere."""

    def ranked(self, concept: int) -> Int[Tensor, "units"]:
        """Numbers of the units, the one that agrees best with a concept first."""
        return self.iou[:, concept].argsort(descending=True, stable=True)


@dataclass(frozen=True)
class Effect:
    """Pixels of concepts before and after an intervention."""

    before: Float[Tensor, "concepts"]
    after: Float[Tensor, "concepts"]
    kept: Float[Tensor, "concepts"]
    """Of those before, how many are still there, each at its place."""
    pixels: int
    """All that were looked at, of any concept or none."""

    @property
    def removed(self) -> Float[Tensor, "concepts"]:
        """Share of a concept's pixels that are gone; below 0 where there are more than before."""
        return 1 - self.after / self.before

    def changed_elsewhere(self, concept: int) -> float:
        """Share of the pixels of all other concepts that are no longer of the same one."""
        others = torch.arange(len(self.before)) != concept
        return 1 - float(self.kept[others].sum() / self.before[others].sum())


@torch.no_grad()
def dissect(
    subject: Subject, inputs: Float[Tensor, "n *_"], *, shares: Sequence[float] = SHARES
) -> Dissection:
    """Measure how well each unit agrees with each concept.

    Args:
        subject: The network, the layer and the concepts.
        inputs: Of the network. With several shares every second one serves to choose thresholds,
            and the agreement is measured on the others.
        shares: Of a unit's values, over all inputs and places, that are above its threshold. Of
            several the one with the largest information about the concept is taken: mutual
            information over joint entropy, pixel by pixel.

    Raises:
        ValueError: A layer that gives no maps, too few inputs, or shares not between 0 and 1.
    """
    if not shares or not all(0 < share < 1 for share in shares):
        raise ValueError(f"shares must be between 0 and 1; got {list(shares)}")
    if len(inputs) < 2:
        raise ValueError(f"at least 2 inputs are needed to dissect a layer; got {len(inputs)}")
    module, _ = subject.located(inputs)
    chosen_on, measured_on = (inputs, inputs) if len(shares) == 1 else (inputs[::2], inputs[1::2])
    thresholds = _thresholds(subject, module, chosen_on, shares)  # (units, shares)
    counts = _Counts.of(subject, module, chosen_on, thresholds)
    best = counts.information().argmax(1)  # (units, concepts)
    taken = thresholds.gather(1, best)
    found = _Counts.of(subject, module, measured_on, taken)
    # Of every pair of threshold and concept only the pair's own is of interest.
    return Dissection(found.iou().diagonal(dim1=1, dim2=2), taken, found.typical())


@torch.no_grad()
def effect(
    subject: Subject,
    inputs: Float[Tensor, "n *_"],
    units: Int[Tensor, "k"],
    values: Float[Tensor, "k"] | float = 0.0,
    where: Bool[Tensor, "h w"] | None = None,
) -> Effect:
    """Set units to values while the network runs, and count pixels of concepts again.

    Values of 0 are an ablation; high values in a region an insertion.

    Args:
        subject: The network, the layer and the concepts.
        inputs: Of the network.
        units: Numbers of channels of the layer.
        values: One a unit, or one for all.
        where: Places of the maps; None: all. With it only pixels in that part of the images count.

    Raises:
        ValueError: A layer that gives no maps, or masks of inputs, which nothing changes.
    """
    if subject.images == "inputs":
        raise ValueError("units are set to see what becomes of outputs; the masks are of inputs")
    (module, _), totals, pixels = subject.located(inputs), torch.zeros(()), 0
    for part in inputs.split(CHUNK):
        before = subject.masks(subject.images_of(part))
        with units_set(module, units, values, where):
            after = subject.masks(subject.images_of(part))
        counted = torch.stack([before, after, before & after])
        area = before.new_ones(before.shape[2:])
        if where is not None:
            area = functional.interpolate(where[None, None].float(), before.shape[2:])[0, 0] > 0
        totals = totals + (counted & area.to(counted)).sum((1, 3, 4)).double().cpu()
        pixels += len(part) * int(area.sum())
    before, after, kept = totals
    return Effect(before, after, kept, pixels)


@dataclass(frozen=True)
class _Counts:
    """Of all pixels: on and concept together, each alone; sums of the units where concepts are."""

    both: Float[Tensor, "units thresholds concepts"]
    on: Float[Tensor, "units thresholds"]
    concept: Float[Tensor, "concepts"]
    pixels: int
    sums: Float[Tensor, "units concepts"]

    @classmethod
    def of(cls, subject: Subject, layer: nn.Module, inputs: Tensor, thresholds: Tensor) -> _Counts:
        both, on, concept, sums = (torch.zeros((), device=thresholds.device) for _ in range(4))
        pixels = 0
        for maps, images in recorded(subject, layer, inputs):
            masks = subject.masks(images)
            wide = functional.interpolate(
                maps, masks.shape[2:], mode="bilinear", align_corners=False
            )
            values = wide.transpose(0, 1).flatten(1)  # (units, pixels)
            marks = masks.transpose(0, 1).flatten(1).to(values)  # (concepts, pixels)
            lit = [(values > edge[:, None]).to(values) for edge in thresholds.T]
            both = both + torch.stack([each @ marks.T for each in lit], 1).double()
            on = on + torch.stack([each.sum(1) for each in lit], 1).double()
            concept, sums = concept + marks.sum(1).double(), sums + (values @ marks.T).double()
            pixels += marks.shape[1]
        return cls(both, on, concept, pixels, sums)

    def iou(self) -> Float[Tensor, "units thresholds concepts"]:
        union = self.on[..., None] + self.concept - self.both
        return (self.both / union.clamp_min(1)).float().cpu()

    def typical(self) -> Float[Tensor, "units concepts"]:
        return (self.sums / self.concept).float().cpu()

    def information(self) -> Float[Tensor, "units thresholds concepts"]:
        """Mutual information of on and concept over their joint entropy; 0 where that is 0."""
        on, concept = self.on[..., None], self.concept.expand_as(self.both)
        on = on.expand_as(self.both)
        neither = self.pixels - on - concept + self.both
        cells = torch.stack([self.both, on - self.both, concept - self.both, neither])
        joint = torch.special.entr(cells / self.pixels).sum(0)
        alone = sum(
            torch.special.entr(count / self.pixels) + torch.special.entr(1 - count / self.pixels)
            for count in (on, concept)
        )
        return torch.where(joint > 0, (alone - joint) / joint.clamp_min(1e-300), 0.0)


def _thresholds(
    subject: Subject, layer: nn.Module, inputs: Tensor, shares: Sequence[float]
) -> Float[Tensor, "units shares"]:
    """Between a unit's largest values, so many, and the next smaller one.

    Values that are equal, such as the zeros of rectifiers, stay on one side.
    """
    maps = torch.cat([maps for maps, _ in recorded(subject, layer, inputs)])
    values = maps.transpose(0, 1).flatten(1).sort(1).values.contiguous()
    count = values.shape[1]
    first = [count - min(count, math.ceil(share * count)) for share in shares]
    least = values[:, first].contiguous()  # (units, shares): the least value above
    below = values.gather(1, (torch.searchsorted(values, least) - 1).clamp_min(0))
    # Nothing is below a unit's smallest value: then what is above it counts.
    return torch.where(below < least, (below + least) / 2, least)
