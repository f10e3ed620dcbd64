"""Shapes that are turned about the up axis are set straight."""

from __future__ import annotations

import numpy as np
import pytest

from shapegen.core import boxes as box_algebra
from shapegen.data.alignment import aligning_rotation
from shapegen.data.furniture import furniture
from tests.hand_made import box, chair

ANGLES = [0.0, 0.3, -0.7, np.pi / 4, 2.0, -2.5, np.pi / 2, np.pi]


def turn(angle: float) -> np.ndarray:
    sine, cosine = np.sin(angle), np.cos(angle)
    return np.array([[cosine, 0.0, sine], [0.0, 1.0, 0.0], [-sine, 0.0, cosine]])


@pytest.mark.parametrize("angle", ANGLES)
def test_a_turned_chair_is_turned_back_or_about(angle: float) -> None:
    boxes = box_algebra.transformed(chair().boxes(), rotation=turn(angle))
    whole = aligning_rotation(boxes) @ turn(angle)
    # Left-right is found; front and back are not told apart.
    np.testing.assert_allclose(np.abs(whole), np.eye(3), atol=1e-9)
    assert whole[1, 1] > 0
    np.testing.assert_allclose(np.linalg.det(whole), 1.0)


def test_straight_shapes_are_left_alone() -> None:
    for tree in furniture(20, category="chair", seed=5):
        np.testing.assert_array_equal(aligning_rotation(tree.boxes()), np.eye(3))


def test_the_longer_side_of_an_even_shape_is_its_width() -> None:
    deep = np.stack([box((0, 0, 0), (1, 0.1, 2))])
    whole = aligning_rotation(deep)
    assert np.abs(whole[0]).argmax() == 2
    wide = np.stack([box((0, 0, 0), (2, 0.1, 1))])
    np.testing.assert_array_equal(aligning_rotation(wide), np.eye(3))


def test_tilted_parts_alone_say_quarter_turns() -> None:
    tilted = box((0, 0, 0), (1, 2, 3), (0.8, 0.6, 0), (-0.36, 0.48, 0.8))[None]
    np.testing.assert_array_equal(np.abs(aligning_rotation(tilted)), np.eye(3)[[2, 1, 0]])
