"""A segmenter learns what a rule knows."""

from __future__ import annotations

import pytest
import torch

from shapegen.data.scenes import scene_masks, scenes
from shapegen.images.segmenter import fitted_segmenter


def test_parts_of_other_scenes_are_found() -> None:
    train, test = scenes(200).pixels, scenes(40, start=200).pixels
    model = fitted_segmenter(train, scene_masks(train), steps=200)
    found, truth = model.masks(test), scene_masks(test)
    union = (found | truth).sum((0, 2, 3))
    iou = (found & truth).sum((0, 2, 3)) / union
    assert iou.min() > 0.85  # the smallest parts are of some forty pixels
    again = fitted_segmenter(train, scene_masks(train), steps=2)
    twin = fitted_segmenter(train, scene_masks(train), steps=2)
    assert torch.equal(again.masks(test), twin.masks(test))


def test_masks_of_other_images_are_refused() -> None:
    with pytest.raises(ValueError, match=r"of the images \(2, 3, 8, 8\), at least one; got \(3, "):
        fitted_segmenter(torch.zeros(2, 3, 8, 8), torch.zeros(3, 2, 8, 8, dtype=torch.bool))
