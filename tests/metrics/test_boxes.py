"""Corner distance and box-set distance against enumeration."""

from __future__ import annotations

from itertools import permutations, product

import numpy as np
import pytest
from numpy.typing import NDArray

from shapegen.core import boxes as box_algebra
from shapegen.metrics.boxes import (
    BoxSets,
    box_set_distance,
    corner_distance,
    distance_matrix,
    lower_bounds,
    nearest,
    nearest_matrix,
)

Array = NDArray[np.float64]

CUBE = np.array([0.0, 0, 0, 1, 1, 1, 1, 0, 0, 0, 1, 0])
SYMMETRIES = [
    np.diag(signs)[list(order)]
    for order in permutations(range(3))
    for signs in product((-1.0, 1.0), repeat=3)
]


def random_boxes(n: int, seed: int) -> Array:
    """Boxes with directions as a network predicts them: neither unit nor orthogonal."""
    return np.random.default_rng(seed).normal(size=(n, 12))


def random_shapes(count: int, most: int, seed: int) -> list[Array]:
    stream = np.random.default_rng(seed)
    return [stream.normal(size=(int(n), 12)) for n in stream.integers(1, most + 1, count)]


def enumerated_corner_distance(a: Array, b: Array) -> float:
    """Root mean square over the eight corners, under the best of the 48 symmetries."""
    assert len(SYMMETRIES) == 48
    half_a, half_b = box_algebra.half_axes(a[None])[0], box_algebra.half_axes(b[None])[0]
    signs = np.array(list(product((-1, 1), repeat=3)))
    ours = a[:3] + signs @ half_a
    costs = []
    for symmetry in SYMMETRIES:
        theirs = b[:3] + signs @ symmetry @ half_b
        costs.append(np.sqrt(((ours - theirs) ** 2).sum(1).mean()))
    return min(costs)


def enumerated_box_set_distance(a: Array, b: Array) -> float:
    """The definition, over every way to match the smaller set into the larger."""
    if len(a) > len(b):
        a, b = b, a
    distance = np.array([[enumerated_corner_distance(x, y) for y in b] for x in a])
    diagonal = np.linalg.norm(b[:, 3:6], axis=1)
    totals = []
    for chosen in permutations(range(len(b)), len(a)):
        left = sum(diagonal[j] for j in range(len(b)) if j not in chosen)
        totals.append(sum(distance[i, j] for i, j in enumerate(chosen)) + left)
    return min(totals) / len(b)


def test_corner_distance_is_the_best_of_48_symmetries() -> None:
    a, b = random_boxes(7, 0), random_boxes(9, 1)
    expected = [[enumerated_corner_distance(x, y) for y in b] for x in a]
    np.testing.assert_allclose(corner_distance(a, b), expected, atol=1e-12)


def test_corner_distance_of_hand_made_boxes() -> None:
    moved, longer = CUBE.copy(), CUBE.copy()
    moved[:3] = (3, 0, 4)
    longer[3] = 3.0  # every corner moves by 1 along x
    turned = np.concatenate([CUBE[:6], [0, 0, -1], [0, 1, 0]])
    np.testing.assert_allclose(
        corner_distance([CUBE], [CUBE, moved, longer, turned])[0], [0, 5, 1, 0], atol=1e-12
    )


def test_names_and_signs_of_axes_do_not_matter() -> None:
    boxes = box_algebra.orthonormalised(random_boxes(5, 2))
    frame = box_algebra.axes(boxes)
    renamed = np.concatenate(
        [boxes[:, :3], -boxes[:, [5, 3, 4]], -frame[:, 2], frame[:, 0]], axis=1
    )
    assert np.diag(corner_distance(boxes, renamed)).max() == 0.0


def test_degenerate_directions_and_sides_are_read_by_the_rule() -> None:
    flat = np.array([0, 0, 0, 2.0, 0, 0, 0, 0, 0, 0, 0, 0])
    along_x = np.array([0, 0, 0, 2.0, 0, 0, 1, 0, 0, 0, 1, 0])
    np.testing.assert_allclose(corner_distance([flat], [along_x, CUBE]), [[0, np.sqrt(0.75)]])


@pytest.mark.parametrize("sizes", [(1, 1), (2, 4), (4, 2), (3, 3), (1, 5), (4, 4)])
def test_box_set_distance_is_the_best_of_all_matchings(sizes: tuple[int, int]) -> None:
    a, b = random_boxes(sizes[0], 3), random_boxes(sizes[1], 4)
    assert box_set_distance(a, b) == pytest.approx(enumerated_box_set_distance(a, b), abs=1e-11)


def test_a_left_over_box_costs_its_diagonal() -> None:
    far = CUBE.copy()
    far[:3], far[3:6] = 100.0, (1, 2, 2)
    assert box_set_distance([CUBE], [CUBE, far]) == pytest.approx(3 / 2)
    assert box_set_distance([CUBE, far], [CUBE]) == pytest.approx(3 / 2)
    # Both sets have one box: it is matched however far.
    assert box_set_distance([CUBE], [far]) > 100


def test_rigid_motion_order_and_scale() -> None:
    a, b = random_boxes(4, 5), random_boxes(6, 6)
    rotation = np.linalg.qr(np.random.default_rng(7).normal(size=(3, 3)))[0]
    motion = {"rotation": rotation, "scale": 3.0, "translation": (50.0, -20.0, 7.0)}
    moved = [box_algebra.transformed(box_algebra.orthonormalised(x), **motion) for x in (a, b)]
    assert box_set_distance(*moved) == pytest.approx(3 * box_set_distance(a, b), abs=1e-10)
    assert box_set_distance(a[::-1], b[[3, 1, 0, 5, 4, 2]]) == box_set_distance(a, b)
    assert box_set_distance(b, a) == box_set_distance(a, b)


def test_matrix_holds_the_distance_of_every_pair() -> None:
    a, b = random_shapes(6, 4, 8), random_shapes(5, 4, 9)
    expected = [[enumerated_box_set_distance(x, y) for y in b] for x in a]
    np.testing.assert_allclose(distance_matrix(a, b), expected, atol=1e-11)
    inside = distance_matrix(a)
    np.testing.assert_array_equal(inside, inside.T)
    np.testing.assert_array_equal(inside, distance_matrix(a, a))
    assert (np.diag(inside) == 0).all()


def test_long_sets_are_cut_into_pieces_that_do_not_matter() -> None:
    a, many = random_shapes(2, 3, 10), random_shapes(900, 8, 11)
    assert sum(map(len, many)) > 2048
    whole = distance_matrix(a, many)
    parts = [distance_matrix(a, many[i : i + 100]) for i in range(0, 900, 100)]
    np.testing.assert_array_equal(whole, np.concatenate(parts, axis=1))


def clustered_shapes(count: int, seed: int) -> list[Array]:
    stream = np.random.default_rng(seed)
    kinds = [stream.normal(size=(n, 12)) for n in (3, 5, 5, 8)]
    return [
        kinds[pick] + 0.1 * stream.normal(size=kinds[pick].shape)
        for pick in stream.integers(0, 4, count)
    ]


def test_lower_bounds_never_exceed_the_distance_and_are_close() -> None:
    a, b = clustered_shapes(30, 12), clustered_shapes(40, 13)
    bound, distance = lower_bounds(BoxSets.of(a), BoxSets.of(b)), distance_matrix(a, b)
    assert (bound <= distance).all()
    assert np.median(bound / distance) > 0.3  # else nothing would be pruned


def test_nearest_matrix_has_all_smallest_entries() -> None:
    a, b = clustered_shapes(60, 14), clustered_shapes(50, 15)
    b += [a[3].copy(), a[3][::-1].copy()]  # ties
    for pruned, whole in (
        (nearest_matrix(a, b), distance_matrix(a, b)),
        (nearest_matrix(b), distance_matrix(b) + np.diag(np.full(len(b), np.inf))),
    ):
        known = np.isfinite(pruned)
        np.testing.assert_array_equal(pruned[known], whole[known])
        for axis in (0, 1):
            np.testing.assert_array_equal(pruned.min(axis), whole.min(axis))
            np.testing.assert_array_equal(pruned.argmin(axis), whole.argmin(axis))
            assert known.mean() < 0.8  # it does leave entries out
    whole = distance_matrix(a, b)
    numbers, distances = nearest(a, b)
    np.testing.assert_array_equal(numbers, whole.argmin(1))
    np.testing.assert_array_equal(distances, whole.min(1))


def test_equal_shapes_are_at_distance_zero_and_tie() -> None:
    shape = random_boxes(6, 16)
    other = random_boxes(6, 17)
    distance = distance_matrix([other, shape], [shape, shape[::-1], shape.copy()])
    assert (distance[1] == 0).all()
    assert len(set(distance[0])) == 1


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        ([], "at least one shape"),
        ([np.zeros((0, 12))], "shape 0 has no boxes"),
        ([CUBE[None], np.full((1, 12), np.nan)], "shape 1 holds NaN"),
        ([np.zeros((2, 11))], r"\(n, 12\)"),
        ([CUBE], r"\(n, 12\)"),
    ],
)
def test_bad_input_is_refused(shapes: list[Array], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        distance_matrix(shapes, [CUBE[None]])
    with pytest.raises(ValueError, match=message):
        nearest_matrix(shapes)


def test_corner_distance_of_no_boxes_is_empty() -> None:
    assert corner_distance(np.zeros((0, 12)), [CUBE]).shape == (0, 1)
