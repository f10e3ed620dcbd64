"""The grid's occupancy and its divergences against plain loops, and their laws."""

from __future__ import annotations

import numpy as np
import pytest

from shapegen.metrics.occupancy import (
    jensen_shannon,
    jsd,
    occupancy,
    occupancy_entropy,
    sphere_nodes,
)


def test_the_grid_is_that_of_the_paper() -> None:
    nodes = sphere_nodes(28)
    assert len(nodes) == 10144
    assert np.linalg.norm(nodes, axis=1).max() <= 0.5 + 1e-12
    steps = (nodes + 0.5) * 27
    np.testing.assert_allclose(steps, np.rint(steps), atol=1e-9)
    # On the border of the sphere: 4^2 + 6^2 + 12^2 = 14^2.
    assert (np.abs(sphere_nodes(29) * 28 - [4, 6, 12]).max(1) < 1e-9).any()


def test_points_belong_to_the_nearest_node_outside_the_sphere_too() -> None:
    points = np.random.default_rng(0).normal(size=(2, 40, 3))
    nodes = sphere_nodes(6)
    expected = np.zeros((2, len(nodes)), np.int64)
    for cloud, counts in zip(points, expected, strict=True):
        for point in cloud:
            counts[np.square(nodes - point).sum(1).argmin()] += 1
    np.testing.assert_array_equal(occupancy(points, 6), expected)


def test_divergence_of_two_distributions() -> None:
    assert jensen_shannon([3, 1, 0], [6, 2, 0]) == pytest.approx(0.0, abs=1e-12)
    assert jensen_shannon([1, 0], [0, 5]) == pytest.approx(1.0)  # bits
    p, q = np.array([0.5, 0.5, 0.0]), np.array([0.25, 0.25, 0.5])
    middle = (p + q) / 2
    by_hand = (
        0.5 * (p[:2] * np.log2(p[:2] / middle[:2])).sum() + 0.5 * (q * np.log2(q / middle)).sum()
    )
    assert jensen_shannon(p, q) == pytest.approx(by_hand)
    assert jensen_shannon(q, p) == pytest.approx(by_hand)


def test_a_set_against_itself_diverges_nowhere() -> None:
    stream = np.random.default_rng(1)
    clouds = 0.2 * stream.normal(size=(5, 60, 3))
    assert jsd(clouds, clouds) == 0.0
    assert jsd(clouds, clouds[::-1, ::-1]) == 0.0
    far = clouds + np.array([1.0, 0, 0])
    assert 0.5 < jsd(clouds, far) <= 1.0


def test_entropy_of_occupancy() -> None:
    # Two clouds, each in one node of its own: there the share is 1/2, elsewhere 0.
    clouds = np.stack([np.full((9, 3), 0.0), np.tile([0.4, 0.0, 0.0], (9, 1))])
    expected = 2 * np.log(2) / len(sphere_nodes(8))
    assert occupancy_entropy(clouds, 8) == pytest.approx(expected)
    assert occupancy_entropy(clouds[:1], 8) == pytest.approx(0.0)


def test_bad_input_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 2 nodes a side; got 1"):
        sphere_nodes(1)
    with pytest.raises(ValueError, match=r"clouds must be \(clouds, points, 3\)"):
        occupancy(np.ones((4, 3)))
    with pytest.raises(ValueError, match=r"counts must be \(n,\), both; got \(2,\), \(3,\)"):
        jensen_shannon([1, 2], [1, 2, 3])
    for bad in ([-1, 2], [0, 0]):
        with pytest.raises(ValueError, match="counts must not be negative, nor all 0"):
            jensen_shannon([1, 1], bad)
