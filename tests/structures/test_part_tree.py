"""What models of part trees take, and what they refuse."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from shapegen.data.catalog import make
from shapegen.structures.part_tree import trees_facing


def test_trees_are_turned_to_one_front() -> None:
    trees = make("furniture-chairs", count=2)
    mixed: Any = [trees[0], trees[1].facing("+x")]
    for turned, tree in zip(trees_facing("+z", mixed), trees, strict=True):
        assert turned.front == "+z"
        np.testing.assert_allclose(turned.boxes(), tree.boxes(), atol=1e-12)
    with pytest.raises(ValueError, match=r"front must be one of .*; got 'x'"):
        trees_facing("x", mixed)


def test_shapes_of_another_kind_are_refused() -> None:
    clouds = make("furniture-chair-points", count=2)
    with pytest.raises(TypeError, match="part trees are needed; one is PointCloud"):
        trees_facing("+z", clouds)
    with pytest.raises(ValueError, match="no shapes were given; at least one is needed"):
        trees_facing("+z", [])
