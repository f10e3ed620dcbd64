"""Closed-form shape features: what they see, what they do not, and their scale."""

import numpy as np
import pytest

from shapegen.data.furniture import furniture
from shapegen.metrics.frechet import frechet_distance
from shapegen.metrics.shape_features import COMPONENTS, ShapeFeatures

Boxes = list[np.ndarray]


@pytest.fixture(scope="module")
def shapes() -> Boxes:
    return [tree.boxes() for tree in furniture(60, seed=3)]


@pytest.fixture(scope="module")
def features(shapes: Boxes) -> ShapeFeatures:
    return ShapeFeatures(shapes)


def test_the_training_shapes_spread_by_one(features: ShapeFeatures, shapes: Boxes) -> None:
    found = features(shapes)
    assert found.shape == (60, COMPONENTS) == (60, len(features))
    np.testing.assert_allclose(found.mean(0), 0, atol=1e-9)
    assert found.var(0).sum() == pytest.approx(features.explained)
    assert 0.8 < features.explained <= 1
    # Principal components: uncorrelated, the widest first.
    covariance = np.cov(found.T)
    np.testing.assert_allclose(covariance, np.diag(np.diag(covariance)), atol=1e-9)
    assert (np.diff(np.diag(covariance)) <= 0).all()


def test_the_order_of_boxes_hardly_matters(features: ShapeFeatures, shapes: Boxes) -> None:
    mixed = [np.random.default_rng(0).permutation(shape) for shape in shapes]
    moved = features(mixed) - features(shapes)
    # Other samples of the same surfaces, in units of the spread of the shapes.
    assert np.square(moved).sum(1).mean() < 0.02


def test_more_noise_is_farther(features: ShapeFeatures, shapes: Boxes) -> None:
    stream = np.random.default_rng(1)
    known = features(shapes)
    assert frechet_distance(features(shapes), known) < 1e-9
    noise = [np.pad(stream.normal(size=(len(s), 6)), ((0, 0), (0, 6))) for s in shapes]
    distances = [
        frechet_distance(
            features([s + scale * n for s, n in zip(shapes, noise, strict=True)]), known
        )
        for scale in (0.02, 0.05, 0.1, 0.2)
    ]
    assert (np.diff(distances) > 0).all()
    # A set that repeats one shape has lost all its spread.
    assert frechet_distance(features([shapes[0]] * 60), known) > features.explained


def test_bad_training_sets_are_refused(shapes: Boxes) -> None:
    with pytest.raises(ValueError, match="at least 2 training shapes; got 1"):
        ShapeFeatures(shapes[:1])
    with pytest.raises(ValueError, match="the 3 training shapes are all the same"):
        ShapeFeatures([shapes[0]] * 3)
