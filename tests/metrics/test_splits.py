"""Splits against the written definition, and families against a plain graph search."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from shapegen.metrics.boxes import distance_matrix
from shapegen.metrics.splits import families, family_split, random_split

Array = NDArray[np.float64]


def chained_shapes(count: int, seed: int) -> list[Array]:
    """Cubes along lines: neighbours .05 apart, gaps between some of them."""
    stream = np.random.default_rng(seed)
    places = np.cumsum(stream.choice([0.05, 0.09, 0.11, 0.5], size=count))
    shapes = []
    for place in stream.permutation(places):
        box = np.array([place, 0, 0, 1, 1, 1, 1, 0, 0, 0, 1, 0])
        far = box + np.eye(12)[1] * 5
        shapes.append(np.array([box, far]) if stream.random() < 0.5 else np.array([far, box]))
    return shapes


def searched_families(shapes: list[Array], threshold: float) -> list[int]:
    near = distance_matrix(shapes) < threshold
    family = [-1] * len(shapes)
    for start in range(len(shapes)):
        if family[start] >= 0:
            continue
        number, reached = max(family) + 1, [start]
        while reached:
            shape = reached.pop()
            if family[shape] < 0:
                family[shape] = number
                reached += np.flatnonzero(near[shape]).tolist()
    return family


@pytest.mark.parametrize("seed", range(4))
def test_families_are_the_components_of_the_graph(seed: int) -> None:
    shapes = chained_shapes(60, seed)
    found = families(shapes).tolist()
    assert found == searched_families(shapes, 0.1)
    assert 3 < len(set(found)) < 57


def test_families_follow_the_threshold_strictly() -> None:
    shapes = [np.array([[x, 0, 0, 1, 1, 1, 1, 0, 0, 0, 1, 0]]) for x in (0.0, 0.25, 0.75)]
    assert families(shapes, threshold=0.25).tolist() == [0, 1, 2]
    assert families(shapes, threshold=0.26).tolist() == [0, 0, 1]
    assert families(shapes, threshold=0.51).tolist() == [0, 0, 0]


def test_whole_families_are_held_out_in_the_seeds_order() -> None:
    shapes = chained_shapes(60, 5)
    family = np.array(searched_families(shapes, 0.1))
    for seed in range(3):
        train, test = family_split(shapes, held_out=20, seed=seed)
        assert sorted([*train, *test]) == list(range(60))
        assert not set(family[train]) & set(family[test])
        expected: list[int] = []
        for one in np.random.RandomState(seed).permutation(family.max() + 1):
            if len(expected) >= 20:
                break
            expected += np.flatnonzero(family == one).tolist()
        assert test.tolist() == sorted(expected)
        assert len(test) >= 20


def test_random_split_is_the_last_of_numpys_permutation() -> None:
    train, test = random_split(2000)
    order = np.random.RandomState(0).permutation(2000)
    np.testing.assert_array_equal(train, order[:1540])
    np.testing.assert_array_equal(test, order[1540:])
    assert set(random_split(100, held_out=10, seed=1)[1]) != set(
        random_split(100, held_out=10, seed=2)[1]
    )


def test_impossible_splits_are_refused() -> None:
    with pytest.raises(ValueError, match="held_out must be 1 to 9"):
        random_split(10, held_out=10)
    same = [np.array([[0, 0, 0, 1, 1, 1, 1, 0, 0, 0, 1, 0.0]])] * 5
    with pytest.raises(ValueError, match="held_out must be 1 to 4"):
        family_split(same, held_out=5)
    with pytest.raises(ValueError, match="too large to hold out 2"):
        family_split(same, held_out=2)
