"""Boxes under linear maps: exact where the image is a box, the nearest box elsewhere."""

import numpy as np
import pytest

from shapegen.core import boxes as box_algebra
from shapegen.structures.motion import rotation


def some_boxes() -> np.ndarray:
    rng = np.random.default_rng(0)
    frames = [rotation(axis / np.linalg.norm(axis), 1.0) for axis in rng.normal(size=(5, 3))]
    rows = [
        np.concatenate([rng.normal(size=3), rng.uniform(0.1, 1, 3), frame[0], frame[1]])
        for frame in frames
    ]
    flat = rows[0].copy()
    flat[4] = 0.0
    return np.array([*rows, flat])


def test_rigid_motions_and_scalings_are_exact() -> None:
    boxes = some_boxes()
    turn, shift = rotation(np.array([0.6, 0.0, 0.8]), 0.7), np.array([0.1, 0.2, -0.3])
    wanted = box_algebra.transformed(boxes, rotation=turn, scale=1.5, translation=shift)
    found = box_algebra.stretched(boxes, 1.5 * turn, shift)
    np.testing.assert_allclose(found, wanted, atol=1e-12)


def test_along_its_own_axes_a_box_is_stretched_exactly() -> None:
    for box in some_boxes()[:5]:
        frame = box_algebra.axes(box[None])[0]
        found = box_algebra.stretched(box[None], frame.T @ np.diag([2.0, 0.5, 3.0]) @ frame)[0]
        np.testing.assert_allclose(found[3:6], box[3:6] * [2.0, 0.5, 3.0])
        np.testing.assert_allclose(found[6:], box[6:], atol=1e-12)


def test_a_long_box_keeps_its_direction_and_mirrors_stay_mirrors() -> None:
    frame = rotation(np.eye(3)[2], 0.5)
    bar = np.concatenate([np.zeros(3), [4.0, 0.1, 0.1], frame[:, 0], frame[:, 1]])[None]
    matrix = np.diag([1.0, 3.0, 1.0])
    found = box_algebra.stretched(bar, matrix)[0]
    wanted = matrix @ frame[:, 0]
    np.testing.assert_allclose(found[6:9], wanted / np.linalg.norm(wanted), atol=2e-3)
    mirror = np.diag([-1.0, 1.0, 1.0])
    image = box_algebra.transformed(bar, rotation=mirror)
    first = box_algebra.half_axes(box_algebra.stretched(image, matrix))
    second = box_algebra.half_axes(box_algebra.transformed(found[None], rotation=mirror))
    np.testing.assert_allclose(np.abs(first), np.abs(second), atol=1e-12)


@pytest.mark.parametrize("matrix", [np.diag([1.0, 1.0, -1.0]), np.zeros((3, 3)), np.eye(2)])
def test_maps_that_flatten_or_turn_over_are_refused(matrix: np.ndarray) -> None:
    with pytest.raises(ValueError, match="positive determinant"):
        box_algebra.stretched(some_boxes(), matrix)
