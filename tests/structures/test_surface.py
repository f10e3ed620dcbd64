"""Points on a union: against closed-form areas of overlapping, touching and coinciding boxes."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from shapegen.core import boxes as box_algebra
from shapegen.structures.surface import sample_union
from tests.hand_made import box

Array = NDArray[np.float64]

COUNT = 40_000


def draw(*boxes: Array, n: int = COUNT, seed: int = 0) -> Array:
    return sample_union(np.stack(boxes), n, rng=torch.Generator().manual_seed(seed))


def assert_share(mask: NDArray[np.bool_], expected: float) -> None:
    # Five standard deviations of a binomial share.
    assert abs(mask.mean() - expected) < 5 * np.sqrt(expected * (1 - expected) / len(mask)) + 1e-9


def test_one_box_gets_points_by_area_and_evenly() -> None:
    points = draw(box((0, 0, 0), (1, 2, 3)))
    on_x, on_y, on_z = (np.isclose(np.abs(points[:, i]), h) for i, h in enumerate((0.5, 1, 1.5)))
    assert_share(on_x, 12 / 22)
    assert_share(on_y, 6 / 22)
    assert_share(on_z, 4 / 22)
    assert_share(points[:, 0] > 0.25, 12 / 22 / 2 + 10 / 22 / 4)


def test_overlapping_boxes() -> None:
    # Cubes of side 2 shifted by 1 along x: the union is a 3 x 2 x 2 block.
    points = draw(box((0, 0, 0), (2, 2, 2)), box((1, 0, 0), (2, 2, 2)))
    area = 2 * 4 + 4 * 6
    assert_share(np.isclose(points[:, 0], -1), 4 / area)
    assert_share(np.isclose(points[:, 0], 2), 4 / area)
    # The strip where both cubes have the same four faces counts once.
    assert_share((points[:, 0] > 0) & (points[:, 0] < 1), 8 / area)
    assert not ((np.abs(points - [0.5, 0, 0]) < [1.499, 0.999, 0.999]).all(1)).any()


def test_touching_boxes_have_no_points_between_them() -> None:
    points = draw(box((0, 0, 0), (2, 2, 2)), box((0, 1.5, 0), (1, 1, 1)))
    area = 24 - 1 + 5
    interface = np.isclose(points[:, 1], 1) & (np.abs(points[:, [0, 2]]) < 0.5 - 1e-9).all(1)
    assert not interface.any()
    assert_share(points[:, 1] > 1 + 1e-9, 5 / area)
    assert_share(np.isclose(points[:, 1], 1), 3 / area)


def test_equal_boxes_count_once_and_swallowed_ones_not_at_all() -> None:
    cube, rod = box((0, 0, 0), (2, 2, 2)), box((0, 0, 0), (4, 1, 1))
    # The second cube is the first with its axes renamed.
    points = draw(cube, box((0, 0, 0), (2, 2, 2), (0, 1, 0), (0, 0, 1)), rod, rod * 1.0)
    area = (24 - 2) + 2 * (1 + 4)
    assert_share(np.abs(points[:, 0]) > 1 + 1e-9, 10 / area)


def test_oblique_overlap() -> None:
    # A square bar turned by 45 degrees through a slab: what lies inside the slab is cut off.
    bar = box(
        (0, 0, 0), (1, 1, 6), (np.sqrt(0.5), np.sqrt(0.5), 0), (-np.sqrt(0.5), np.sqrt(0.5), 0)
    )
    points = draw(box((0, 0, 0), (4, 4, 2)), bar)
    area = (2 * 16 + 4 * 8 - 2) + 2 * (1 + 4 * 2)
    assert_share(np.abs(points[:, 2]) > 1 + 1e-9, 18 / area)


def test_a_plate_without_thickness_has_two_sides_and_vanishes_in_a_face() -> None:
    plate = box((3, 0, 0), (2, 2, 0))
    cube = box((0, 0, 0), (2, 2, 2))
    assert_share(draw(cube, plate)[:, 0] > 1.5, 8 / 32)
    on_top = box((0, 0, 1), (2, 2, 0))
    for order in ((cube, on_top), (on_top, cube)):
        assert_share(np.isclose(draw(*order)[:, 2], 1), 4 / 24)


def test_points_move_with_the_boxes() -> None:
    rows = np.stack([box((0, 0, 0), (1, 2, 3)), box((0.3, 0.4, 1), (1, 1, 2))])
    angle = 0.7
    rotation = np.array(
        [[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]]
    )
    moved = box_algebra.transformed(rows, rotation=rotation, scale=2.0, translation=(1, 2, 3))
    first = sample_union(rows, 500, rng=torch.Generator().manual_seed(3))
    second = sample_union(moved, 500, rng=torch.Generator().manual_seed(3))
    np.testing.assert_allclose(second, 2 * first @ rotation.T + [1, 2, 3], atol=1e-9)


def test_draws_repeat_and_bad_input_is_refused() -> None:
    one = box((0, 0, 0), (1, 1, 1))
    np.testing.assert_array_equal(draw(one, n=10), draw(one, n=10))
    assert draw(one, n=0).shape == (0, 3)
    with pytest.raises(ValueError, match="must not be negative; got -1"):
        draw(one, n=-1)
    with pytest.raises(ValueError, match="no surface"):
        draw(box((0, 0, 0), (1, 0, 0)))
    with pytest.raises(ValueError, match=r"\(n, 12\)"):
        sample_union(np.zeros((2, 3)), 1)
    with pytest.raises(ValueError, match="finite"):
        draw(one * np.nan)
