"""A segmenter learns what a rule knows."""

from __future__ import annotations

import pytest
import torch

from shapegen.data.scenes import scene_masks, scenes
from shapegen.images.segmenter import fitted_segmenter


def test_parts_that_overlap_are_found_in_other_scenes() -> None:
    train, test = scenes(200).pixels, scenes(40, start=200).pixels
    model = fitted_segmenter(train, scene_masks(train), steps=150, noise=0.1)
    found, truth = model.masks(test), scene_masks(test)
    union = (found | truth).sum((0, 2, 3))
    iou = (found & truth).sum((0, 2, 3)) / union
    assert iou.min() > 0.85  # the smallest parts are of some forty pixels


def test_the_label_of_every_pixel_is_found() -> None:
    """Two textures of one mean colour: no pixel by itself says which it is."""
    rng = torch.Generator().manual_seed(0)
    labels = torch.randint(3, (60, 2, 2), generator=rng).repeat_interleave(8, 1)
    labels = labels.repeat_interleave(8, 2)
    row = torch.arange(16)
    across = ((row[:, None] + 0 * row) % 2).float() * 2 - 1
    images = torch.where(labels == 1, across, torch.where(labels == 2, across.T, 0.0))[:, None]
    model = fitted_segmenter(images[:50], labels[:50], steps=120)
    found = model.labels(images[50:])
    assert (found == labels[50:]).float().mean() > 0.9


def test_the_same_seed_gives_the_same() -> None:
    train = scenes(20).pixels
    one, twin, other = (
        fitted_segmenter(train, scene_masks(train), steps=2, noise=0.1, seed=seed)
        for seed in (0, 0, 1)
    )
    assert torch.equal(one.layers[0].weight, twin.layers[0].weight)
    assert not torch.equal(one.layers[0].weight, other.layers[0].weight)
    assert not one.training


@pytest.mark.parametrize("truth", [(3, 2, 8, 8), (2, 2, 8, 9), (3, 8, 8), (2, 9, 8), (0, 8, 8)])
def test_parts_of_other_images_are_refused(truth: tuple[int, ...]) -> None:
    kind = torch.bool if len(truth) == 4 else torch.int64
    with pytest.raises(ValueError, match=r"of the images \(2, 3, 8, 8\), at least one; got \("):
        fitted_segmenter(torch.zeros(2, 3, 8, 8), torch.zeros(truth, dtype=kind), steps=1)
    with pytest.raises(ValueError, match=r"at least one; got \(0, 8, 8\)"):
        fitted_segmenter(torch.zeros(0, 3, 8, 8), torch.zeros(0, 8, 8).long(), steps=1)
