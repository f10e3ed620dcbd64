"""Structure distances of two sets against those of every pair by itself."""

import numpy as np
import pytest

from shapegen.data.furniture import furniture
from shapegen.metrics import structure_distance
from shapegen.metrics.hierarchies import hierarchy_figures
from shapegen.metrics.structure_distance import structure_matrix
from shapegen.structures.part_tree import PartTree, PartTrees
from tests.structures.structurenet_cases import random_tree


@pytest.fixture(scope="module")
def shapes() -> PartTrees:
    trees: list[PartTree] = [*furniture(6, seed=5), *(random_tree(seed) for seed in range(12))]
    return PartTrees(trees)


def test_all_pairs_are_those_one_by_one(
    shapes: PartTrees, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, theirs = shapes[::2], shapes
    expected = [[hierarchy_figures([a], [b]).structure_distance[0] for b in theirs] for a in ours]
    np.testing.assert_allclose(structure_matrix(ours, theirs), expected)
    monkeypatch.setattr(structure_distance, "_CHUNK", 7)
    np.testing.assert_allclose(structure_matrix(ours, theirs), expected)


def test_a_shape_is_at_no_distance_from_itself(shapes: PartTrees) -> None:
    found = structure_matrix(shapes, shapes)
    np.testing.assert_array_equal(np.diag(found), 0)
    size = np.array([len(tree) for tree in shapes])
    # The number of lone nodes is symmetric; what it is divided by is the second shape's.
    np.testing.assert_allclose(found * size, (found * size).T)


def test_empty_sets_are_refused(shapes: PartTrees) -> None:
    with pytest.raises(ValueError, match="both sets need a shape; got 0 and 18"):
        structure_matrix([], shapes)
