"""Gaps between boxes and rigid motions of boxes: against brute force and by hand."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import lsq_linear

from shapegen.core import boxes as box_algebra
from shapegen.structures.contact import gap, gaps, set_gap
from shapegen.structures.motion import corner_distances, inverse, mapped, matching, motion
from shapegen.structures.part_tree import RelationKind
from tests.hand_made import box

Array = NDArray[np.float64]

ADJ, REF = RelationKind.ADJ, RelationKind.REF_SYM
TRANS, ROT = RelationKind.TRANS_SYM, RelationKind.ROT_SYM


def random_boxes(n: int, size: float, seed: int) -> Array:
    draws = np.random.RandomState(seed).normal(size=(n, 12))
    draws[:, 3:6] = np.abs(draws[:, 3:6]) * size
    return draws


# Gaps


@pytest.mark.parametrize("size", [0.3, 1.0, 3.0])
def test_gap_is_the_least_distance_of_two_solid_boxes(size: float) -> None:
    boxes = random_boxes(40, size, seed=1)
    boxes[::5, 6:] = [1, 0, 0, 0, 1, 0]  # pairs with parallel axes
    boxes[::7, 3] = 0  # plates without thickness
    pairs = np.array([(i, j) for i in range(0, 40, 3) for j in range(1, 40, 4) if i != j])
    half = box_algebra.half_axes(boxes)
    expected = []
    for i, j in pairs:
        # A point of each box, c + sum u_k h_k with |u_k| <= 1: bounded least squares, exactly.
        matrix = np.concatenate([half[i], -half[j]]).T
        target = boxes[j, :3] - boxes[i, :3]
        solution = lsq_linear(matrix, target, bounds=(-1, 1), method="bvls", tol=1e-14)
        expected.append(np.linalg.norm(matrix @ solution.x - target))
    np.testing.assert_allclose(gaps(boxes, pairs), expected, atol=1e-9)
    assert 0 < np.mean(np.array(expected) > 1e-9) < 1 or size == 0.3


def test_gaps_that_can_be_said_by_hand() -> None:
    cube = box((0, 0, 0), (2, 2, 2))
    assert gap(cube, box((2, 0, 0), (2, 2, 2))) == 0.0  # face on face
    assert gap(cube, box((5, 0, 0), (2, 2, 2))) == pytest.approx(3)
    assert gap(cube, box((3, 3, 3), (2, 2, 2))) == pytest.approx(np.sqrt(3))  # corner to corner
    s = np.sqrt(0.5)
    edge_on = box((3, 0, 0), (2, 2, 2), (s, s, 0), (-s, s, 0))
    assert gap(cube, edge_on) == pytest.approx(2 - np.sqrt(2))  # edge to face
    # Two crossing bars: edge to edge, with no corner anywhere near.
    along_x = box((0, 0, 0), (10, 1, 1), (1, 0, 0), (0, s, s))
    along_z = box((0, 2, 0), (1, 1, 10), (s, s, 0), (-s, s, 0))
    assert gap(along_x, along_z) == pytest.approx(2 - np.sqrt(2))
    assert gap(cube, box((0, 0, 0), (0.1, 0.1, 0.1))) == 0.0  # inside
    assert set_gap([cube], [box((9, 0, 0), (2, 2, 2)), box((3, 0, 0), (2, 2, 2))]) == 1.0


def test_gaps_beyond_the_horizon_are_lower_bounds() -> None:
    boxes = random_boxes(30, 0.3, seed=2)
    exact, quick = gaps(boxes), gaps(boxes, beyond=0.5)
    near = exact <= 0.5
    np.testing.assert_array_equal(quick[near], exact[near])
    assert (quick[~near] > 0.5).all()
    assert (quick <= exact + 1e-12).all()


def test_bad_gaps_are_refused() -> None:
    with pytest.raises(ValueError, match=r"\(m, 2\)"):
        gaps(np.zeros((2, 12)), [0, 1])
    with pytest.raises(ValueError, match="finite"):
        gaps(np.full((2, 12), np.nan))
    with pytest.raises(ValueError, match="both sets need a box"):
        set_gap(np.zeros((0, 12)), np.zeros((1, 12)))


# Motions


def test_corner_distance_is_the_best_of_48_matchings() -> None:
    a, b = random_boxes(20, 1.0, seed=3), random_boxes(20, 1.0, seed=4)
    brute = []
    for first, second in zip(a, b, strict=True):
        corners = box_algebra.corners(first[None])[0]
        half = box_algebra.half_axes(second[None])[0]
        options = []
        for axes in [(0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)]:
            for signs in box_algebra.CORNER_SIGNS:
                other = second[:3] + box_algebra.CORNER_SIGNS @ (half[list(axes)] * signs[:, None])
                options.append(np.sqrt(((corners - other) ** 2).sum(1).mean()))
        brute.append(min(options))
    np.testing.assert_allclose(corner_distances(a, b), brute, atol=1e-9)


@pytest.mark.parametrize(
    ("kind", "params"),
    [
        (TRANS, (0.3, -1.0, 2.0)),
        (REF, (0.1, 0.2, 0.3, 0.6, 0.8, 0.0)),
        (ROT, (0.1, 0.2, 0.3, 0.0, 0.6, 0.8, 1.1)),
    ],
)
def test_motions_move_corners_as_points_and_have_inverses(
    kind: RelationKind, params: tuple[float, ...]
) -> None:
    boxes = random_boxes(5, 1.0, seed=5)
    matrix, offset = motion(kind, params)
    moved = mapped(boxes, kind, params)
    expected = box_algebra.corners(boxes) @ matrix.T + offset
    for corners, points in zip(box_algebra.corners(moved), expected, strict=True):
        distance = np.linalg.norm(corners[:, None] - points, axis=2)
        np.testing.assert_allclose(distance.min(1), 0, atol=1e-12)
    np.testing.assert_allclose(mapped(moved, kind, inverse(kind, params)), boxes, atol=1e-12)


def test_a_rotation_follows_the_right_hand() -> None:
    matrix, _ = motion(ROT, (0, 0, 0, 0, 1, 0, np.pi / 2))
    np.testing.assert_allclose(matrix @ [0, 0, 1], [1, 0, 0], atol=1e-12)


def test_bad_motions_are_refused() -> None:
    with pytest.raises(ValueError, match="maps no points"):
        motion(ADJ, ())
    with pytest.raises(ValueError, match="takes 6 parameters"):
        motion(REF, (1.0,))
    with pytest.raises(ValueError, match="longer than 0"):
        motion(REF, (0.0,) * 6)
    with pytest.raises(ValueError, match="equal size; got 1 and 2"):
        matching(random_boxes(1, 1, 0), random_boxes(2, 1, 0))
