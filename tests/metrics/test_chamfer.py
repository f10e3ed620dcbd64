"""Surface points by the definition, a point at a time; chamfer by all pairs."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from shapegen.core import boxes as box_algebra
from shapegen.metrics.chamfer import chamfer, chamfer_matrix, points_of_each, surface_points

Array = NDArray[np.float64]

CUBE = np.array([0.0, 0, 0, 1, 1, 1, 1, 0, 0, 0, 1, 0])


def random_boxes(n: int, seed: int) -> Array:
    return np.random.default_rng(seed).normal(size=(n, 12))


def looped_points(boxes: Array, n: int) -> Array:
    """The definition: faces by box, axis, side +,-; one face for every point."""
    faces = []
    for centre, half in zip(boxes[:, :3], box_algebra.half_axes(boxes), strict=True):
        for j in range(3):
            k, l = (j + 1) % 3, (j + 2) % 3  # noqa: E741
            area = 4 * np.linalg.norm(half[k]) * np.linalg.norm(half[l])
            for side in (1, -1):
                faces.append((area, centre + side * half[j], half[k], half[l]))
    total = sum(face[0] for face in faces)
    g = 1.32471795724474602596
    points = []
    for i in range(n):
        place, before = (i + 0.5) / n * total, 0.0
        for area, middle, across, along in faces:
            if before <= place < before + area:
                u, v = ((i + 1) / g) % 1, ((i + 1) / g**2) % 1
                points.append(middle + (2 * u - 1) * across + (2 * v - 1) * along)
                break
            before += area
    return np.array(points)


def looped_chamfer(a: Array, b: Array) -> float:
    distance = np.linalg.norm(a[:, None] - b[None], axis=2)
    return 0.5 * (distance.min(1).mean() + distance.min(0).mean())


@pytest.mark.parametrize(("count", "n"), [(1, 7), (3, 100), (10, 513)])
def test_points_follow_the_definition(count: int, n: int) -> None:
    boxes = random_boxes(count, count)
    np.testing.assert_allclose(surface_points(boxes, n), looped_points(boxes, n), atol=1e-10)


def test_points_of_each_box_are_those_of_the_box_alone() -> None:
    boxes = np.random.default_rng(3).normal(size=(4, 12))
    expected = [surface_points(box[None], 50) for box in boxes]
    np.testing.assert_array_equal(points_of_each(boxes, 50), expected)


def test_points_lie_on_the_surface_in_proportion_to_area() -> None:
    slab = CUBE.copy()
    slab[3:6] = (4, 1, 2)
    points = surface_points([slab], 2800)
    unit = points / (0.5 * slab[3:6])
    np.testing.assert_allclose(np.abs(unit).max(1), 1.0, atol=1e-12)
    faces = np.argmax(np.abs(unit), axis=1)
    np.testing.assert_array_equal(np.bincount(faces) // 100, [4, 16, 8])


def test_points_are_always_the_same() -> None:
    boxes = random_boxes(4, 9)
    np.testing.assert_array_equal(surface_points(boxes, 64), surface_points(boxes.copy(), 64))


def test_a_shape_without_area_is_its_centre() -> None:
    point = CUBE.copy()
    point[:6] = (1, 2, 3, 0, 0, 0)
    np.testing.assert_array_equal(surface_points([point], 5), np.tile([1.0, 2, 3], (5, 1)))


def test_matrix_is_the_mean_of_nearest_distances() -> None:
    a, b = [random_boxes(n, n) for n in (1, 4)], [random_boxes(n, 10 + n) for n in (2, 3, 5)]
    expected = [[looped_chamfer(looped_points(x, 80), looped_points(y, 80)) for y in b] for x in a]
    np.testing.assert_allclose(chamfer_matrix(a, b, points=80), expected, atol=1e-10)
    inside = chamfer_matrix(b, points=80)
    np.testing.assert_array_equal(inside, inside.T)
    np.testing.assert_allclose(inside, chamfer_matrix(b, b, points=80), atol=1e-12)
    assert (np.diag(inside) == 0).all()


def test_it_is_not_squared_and_scales_with_the_shapes() -> None:
    moved = CUBE.copy()
    moved[0] = 10.0
    # From the faces of one to the near face of the other: 9, 10, and four times 9.5.
    assert chamfer([CUBE], [moved]) == pytest.approx(9.5, abs=0.02)
    a, b = random_boxes(3, 20), random_boxes(4, 21)
    bigger = [box_algebra.transformed(x, scale=2.0, translation=(1, 2, 3)) for x in (a, b)]
    assert chamfer(*bigger) == pytest.approx(2 * chamfer(a, b))


def test_bad_input_is_refused() -> None:
    with pytest.raises(ValueError, match="surface points"):
        surface_points(np.zeros((0, 12)))
    with pytest.raises(ValueError, match="surface points"):
        surface_points([CUBE], 0)
    with pytest.raises(ValueError, match="finite"):
        surface_points([CUBE * np.nan])
    with pytest.raises(ValueError, match="both sets"):
        chamfer_matrix([], [[CUBE]])
