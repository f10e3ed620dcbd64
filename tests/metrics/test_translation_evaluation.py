"""Figures of translations: labels found by a trained judge, errors, and rivals."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from shapegen.images.images import Images
from shapegen.images.pairs import ImageDomains, ImagePairs
from shapegen.metrics.evaluation import evaluate
from shapegen.metrics.label_maps import label_figures
from shapegen.metrics.translation_evaluation import evaluate_translation
from tests.images.image_cases import blobs

PALETTE = torch.tensor([[1.0, 1, 1], [-1, -1, 1], [1, -1, -1]])


def maps(n: int, seed: int = 0) -> ImagePairs:
    """Two squares at random places; label 1 is dark there, label 2 striped, with some noise."""
    rng = torch.Generator().manual_seed(seed)
    masks = torch.zeros(n, 12, 12, dtype=torch.long)
    for mask in masks:
        for label in (1, 2):
            row, column = torch.randint(0, 7, (2,), generator=rng).tolist()
            mask[row : row + 5, column : column + 5] = label
    stripes = torch.where(torch.arange(12) % 2 == 0, 0.5, -0.5).expand(n, 12, 12)
    seen = torch.where(masks == 0, 0.9, torch.where(masks == 1, -0.8, stripes))[:, None]
    seen = (seen + 0.05 * torch.randn(seen.shape, generator=rng)).clamp(-1, 1)
    return ImagePairs(PALETTE[masks].permute(0, 3, 1, 2), seen, PALETTE)


class Known:
    """Gives what it was told for every image, or one image for all."""

    def __init__(self, pairs: ImagePairs, *, grey: bool = False) -> None:
        self.pairs, self.grey = pairs, grey

    def translate(self, images: Images, *, rng: torch.Generator | None = None) -> Images:
        found = self.pairs.target.pixels[: len(images)]
        return Images(torch.zeros_like(found) if self.grey else found)


def test_figures_of_labels_written_out() -> None:
    truth = torch.tensor([[[0, 0, 1, 1, 2, 2]]])
    found = torch.tensor([[[0, 1, 1, 1, 2, 3]]])
    figures = label_figures(found, truth)
    assert figures["accuracy"] == pytest.approx(3 / 4)
    assert figures["IoU"] == pytest.approx((2 / 3 + 1 / 2) / 2)
    assert label_figures(truth, truth) == {"accuracy": 1.0, "IoU": 1.0}
    with pytest.raises(ValueError, match="only background"):
        label_figures(truth, torch.zeros_like(truth))


def test_true_targets_reach_all_of_the_labels_and_grey_ones_few() -> None:
    train, test = maps(200), maps(20, seed=1)
    right, grey = (
        evaluate_translation(Known(test, grey=grey), train, test, n=10) for grey in (False, True)
    )
    assert right["reconstruction"]["model"]["L1"] == 0
    assert right["model"]["label IoU, share of it"] == 1
    assert right["model"]["label IoU"] == right["model"]["label IoU of true targets"]
    expected = test.target.pixels.abs().mean().item() / 2
    assert grey["reconstruction"]["model"]["L1"] == pytest.approx(expected)
    assert grey["model"]["label IoU, share of it"] < 0.5
    assert grey["model"]["label IoU of true targets"] == right["model"]["label IoU"]


def test_the_rival_is_the_target_of_the_nearest_source() -> None:
    train, test = maps(9), maps(4, seed=1)
    found = evaluate_translation(Known(test), train, test)
    errors = []
    for source, target in zip(test.source.pixels, test.target.pixels, strict=True):
        far = [(source - each).abs().sum().item() for each in train.source.pixels]
        near = train.target.pixels[far.index(min(far))]
        errors.append((near - target).abs().mean().item() / 2)
    assert found["reconstruction"]["baseline"]["L1"] == pytest.approx(sum(errors) / 4)
    assert found["settings"]["baseline"] == "nearest_source"
    assert evaluate(Known(test), train, test)["metrics"] == found["metrics"]


def test_samples_are_held_against_targets_of_other_sources() -> None:
    """The halves differ in brightness: translations that are right are far from the reference."""
    dark, bright = Images(blobs(8).pixels * 0.1 - 0.8), Images(blobs(8).pixels * 0.1 + 0.8)
    test = ImagePairs(blobs(16), Images.join([dark, bright]))
    found = evaluate_translation(Known(test), test, test)
    assert found["reconstruction"]["model"]["L1"] == 0
    assert found["metrics"]["mmd-l2"] > 0.7 * 8
    assert found["metrics"]["1nna-l2"] == 1


def test_two_sets_have_no_errors() -> None:
    sets = ImageDomains(blobs(6), Images(-blobs(5).pixels))
    known: Any = Known(ImagePairs(blobs(5), blobs(5)))
    found = evaluate_translation(known, sets, sets, n=2)
    assert found["reconstruction"] == {"model": {}, "floor": {}, "baseline": {}}
    assert found["settings"]["baseline"] == "untranslated"
    assert found["metrics"] == found["baseline"]  # it gives back what it gets


def test_mistakes() -> None:
    pairs = maps(4)
    with pytest.raises(TypeError, match="for models that translate; got object"):
        evaluate_translation(object(), pairs, pairs)
    with pytest.raises(TypeError, match="got ImageDomains and ImagePairs"):
        evaluate_translation(Known(pairs), ImageDomains(blobs(2), blobs(2)), pairs)
    with pytest.raises(ValueError, match="n 2 to 2, half of the held-out images; got 1 and 5"):
        evaluate_translation(Known(pairs), pairs, pairs, n=5)
