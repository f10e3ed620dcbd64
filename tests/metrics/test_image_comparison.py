"""Two sets of images against one another: figures, rivals, and what the result says of itself."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

import shapegen
from shapegen.data.catalog import make
from shapegen.images.images import Images
from shapegen.metrics import compare
from shapegen.metrics.tables import comparison_table


def digits(count: int, start: int = 0) -> Images:
    return Images.of(make("digits", count=count, start=start))


def test_real_images_are_at_the_floor_and_components_are_not(tmp_path: Path) -> None:
    path = tmp_path / "reference.npz"
    digits(120).write(path)
    found = compare(digits(120, 200), path, train=digits(300, 400), draws=2)
    metrics, floor, baseline = (found[name] for name in ("metrics", "floor", "baseline"))
    assert set(metrics) == set(floor) == set(baseline)
    assert {"1nna-l2", "frechet", "kernel", "kernel error", "recall"} <= set(metrics)
    assert metrics["frechet"] == pytest.approx(floor["frechet"], rel=0.3)
    assert metrics["kernel"] == pytest.approx(floor["kernel"], abs=4 * metrics["kernel error"])
    assert baseline["frechet"] > 1.3 * floor["frechet"]
    assert baseline["kernel"] > 4 * floor["kernel error"]
    used = found["settings"]["features"]
    assert used["extractor"].startswith("shapegen image-features 1 (sha256 ")
    assert (used["samples"], used["reference"], used["floor_samples"]) == (120, 120, 120)
    assert (used["dimensions"], used["neighbours"]) == (64, 5)
    assert 0.8 < found["memorisation"]["ratio_features"] < 1.25
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    caption = comparison_table(found).caption
    assert isinstance(caption, str)
    assert used["extractor"] in caption
    assert "120 samples against 120, floor of 120; 5 neighbours" in caption


def test_copies_are_found_out_in_features() -> None:
    train = digits(200)
    found = compare(train[:80], digits(160, 300), train=train, draws=1)
    assert found["memorisation"]["ratio"] < 0.5
    assert found["memorisation"]["ratio_features"] < 0.5
    assert (
        found["memorisation"]["nearest_train_features"]
        < (found["memorisation"]["nearest_held_out_features"])
    )


def test_without_training_images_there_are_no_rivals_and_few_images_have_few_neighbours() -> None:
    found = compare(digits(4), digits(3, 10))
    assert found["floor"] == found["baseline"] == found["memorisation"] == {}
    assert found["settings"]["features"]["neighbours"] == 2
    assert "floor_samples" not in found["settings"]["features"]
    assert compare(digits(4), digits(3, 10)) == found


def test_mistakes_are_one_line(tmp_path: Path) -> None:
    some = digits(4)
    with pytest.raises(ValueError, match="samples must be at least 2 images; got 1"):
        compare(digits(1), some)
    with pytest.raises(ValueError, match=r"one size; got 1 x 8 x 8, 3 x 32 x 32"):
        compare(some, make("scenes", count=4))
    with pytest.raises(TypeError, match=r"reference: images are needed; one is .*PartTree"):
        compare(some, make("furniture", count=2))
    with pytest.raises(ValueError, match="images have neither presets nor a choice of metrics"):
        compare(some, some, preset="structures")
    with pytest.raises(ValueError, match="no Inception weights at"):
        compare(some, some, features=tmp_path / "nowhere.pth")
    trees = make("furniture", count=2)
    with pytest.raises(ValueError, match="features are of images; got PartTrees"):
        compare(trees, trees, features=tmp_path / "nowhere.pth")
    with pytest.raises(ValueError, match="features are of images; got PartTrees"):
        shapegen.metrics.evaluate(torch.nn.Identity(), trees, trees, features="nowhere.pth")
