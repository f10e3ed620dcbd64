"""The Frechet distance: closed forms and laws."""

import numpy as np
import pytest

from shapegen.metrics.frechet import Gaussian, frechet_distance, gaussian_distance


@pytest.fixture
def features() -> np.ndarray:
    stream = np.random.default_rng(0)
    return stream.normal(size=(80, 6)) @ stream.normal(size=(6, 6))


def test_equal_sets_are_at_no_distance(features: np.ndarray) -> None:
    assert frechet_distance(features, features[::-1]) == pytest.approx(0, abs=1e-9)
    # A hundred directions of thirty samples: most of the covariance is nothing.
    few = np.random.default_rng(1).normal(size=(30, 100))
    assert frechet_distance(few, few) == pytest.approx(0, abs=1e-5)


def test_gaussians_of_commuting_covariances() -> None:
    """Then it is the distance of the means and of the standard deviations."""
    stream = np.random.default_rng(2)
    axes = np.linalg.qr(stream.normal(size=(5, 5)))[0]
    means, spreads = stream.normal(size=(2, 5)), stream.uniform(0, 2, size=(2, 5))
    spreads[0, 0] = 0.0
    a, b = (
        Gaussian(mean, (axes * spread**2) @ axes.T)
        for mean, spread in zip(means, spreads, strict=True)
    )
    expected = np.square(means[0] - means[1]).sum() + np.square(spreads[0] - spreads[1]).sum()
    assert gaussian_distance(a, b) == pytest.approx(expected)


def test_it_is_that_of_the_product_s_root(features: np.ndarray) -> None:
    from scipy.linalg import sqrtm

    other = np.random.default_rng(3).normal(size=(50, 6)) + 1
    a, b = Gaussian.of(features), Gaussian.of(other)
    np.testing.assert_allclose(a.covariance, np.cov(features.T))
    cross = np.trace(sqrtm(a.covariance @ b.covariance)).real
    expected = np.square(a.mean - b.mean).sum() + np.trace(a.covariance + b.covariance) - 2 * cross
    assert frechet_distance(features, other) == pytest.approx(expected)


def test_motions_of_the_features_change_nothing_and_scales_do(features: np.ndarray) -> None:
    stream = np.random.default_rng(4)
    other = stream.normal(size=(40, 6))
    turn = np.linalg.qr(stream.normal(size=(6, 6)))[0]
    here = frechet_distance(features, other)
    assert frechet_distance(other, features) == pytest.approx(here)
    assert frechet_distance(features @ turn + 3, other @ turn + 3) == pytest.approx(here)
    assert frechet_distance(2 * features, 2 * other) == pytest.approx(4 * here)
    assert frechet_distance(features + 0.5, features) == pytest.approx(6 * 0.25)


@pytest.mark.parametrize(
    ("a", "message"),
    [
        (np.zeros((1, 6)), "n >= 2"),
        (np.zeros((4, 0)), "d >= 1"),
        (np.zeros(4), "d >= 1"),
        (np.full((3, 6), np.nan), "finite"),
        (np.zeros((4, 5)), "same features; got 5 and 6"),
    ],
)
def test_bad_features_are_refused(features: np.ndarray, a: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        frechet_distance(a, features)
