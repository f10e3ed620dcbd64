"""Figures of densities, by shapes whose figures are known."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from shapegen.core import boxes as box_algebra
from shapegen.metrics.field_figures import (
    box_solid,
    cube_points,
    field_figures,
    mean_iou,
    occupancy,
    roundness,
    sampled,
    white_share,
)

R = 40


def ball(points: Tensor, radius: float = 0.8) -> Tensor:
    return 10.0 * (points.norm(dim=1) < radius)


def cuboid(x: float, y: float, z: float, turn: float = 0.0) -> Tensor:
    axis = [math.cos(turn), math.sin(turn), 0, -math.sin(turn), math.cos(turn), 0]
    return torch.tensor([[0.1, 0, -0.1, x, y, z, *axis]])


def full(*boxes: Tensor) -> Tensor:
    points = cube_points(R).view(-1, 3)
    return torch.stack([box_solid(each, points).view(R, R, R) for each in boxes])


def test_cells_fill_the_cube() -> None:
    points = cube_points(4, 2.0)
    assert points[0, 0, 0].tolist() == [-1.5, -1.5, -1.5]
    # Along x, y, z in this order.
    assert points[3, 0, 1].tolist() == [1.5, -1.5, -0.5]


def test_occupancy_is_the_share_of_the_ball() -> None:
    found = occupancy(sampled([ball, lambda p: ball(p, 0.4)], R) > 5)
    expected = [radius**3 for radius in (0.8, 0.4)]
    torch.testing.assert_close(found, torch.tensor(expected).double(), rtol=0.03, atol=0)
    # What cameras cannot see counts for nothing.
    corner = torch.zeros(1, R, R, R, dtype=torch.bool)
    corner[:, :5, :5, :5] = True
    assert float(occupancy(corner)) == 0
    assert float(occupancy(~corner)) == 1
    with pytest.raises(ValueError, match="no density of 5; its largest is 0"):
        field_figures(9.0 * corner, 5.0)


@pytest.mark.parametrize("turn", [0.0, 0.6])
def test_roundness_is_the_ratio_of_the_horizontal_sides(turn: float) -> None:
    # Whatever its height and wherever it points: .4 by 1 has .4, a board about 0.
    found = roundness(full(cuboid(1.0, 0.4, 0.3, turn), cuboid(1.2, 0.05, 1.6, turn)))
    assert float(found[0]) == pytest.approx(0.4, abs=0.03)
    # One cell is a 24th of its width.
    assert float(found[1]) < 0.08
    assert float(roundness(sampled([ball], R) > 5)) == pytest.approx(1, abs=1e-6)
    # A tall back on one side of a square seat is not seen from above.
    seat = full(torch.cat([cuboid(0.8, 0.8, 0.1, turn), cuboid(0.8, 0.1, 0.8, turn)]))
    assert float(roundness(seat)) == pytest.approx(1, abs=0.03)
    assert float(roundness(torch.zeros(1, 4, 4, 4, dtype=torch.bool))) == 0


def test_overlap_of_pairs() -> None:
    one, half = full(cuboid(0.8, 0.8, 0.8), cuboid(0.8, 0.8, 0.4)).unbind(0)
    assert mean_iou(torch.stack([one, one])) == 1
    assert mean_iou(torch.stack([one, half])) == pytest.approx(0.5, abs=0.05)
    mixed = mean_iou(torch.stack([one, one, ~one]))
    assert mixed == pytest.approx(1 / 3)


def test_white_is_a_share_of_the_density_not_of_the_cells() -> None:
    density = torch.tensor([3.0, 1.0, 0.0, 4.0, 0.0, 0.0, 0.0, 0.0]).view(1, 2, 2, 2)
    colors = torch.ones(1, 2, 2, 2, 3)
    colors[0, 0, 0, 0, 2] = 0.9
    assert float(white_share(density, colors)) == pytest.approx(5 / 8)
    assert float(white_share(0 * density, colors)) == 0


def test_all_figures_at_once() -> None:
    density = sampled([ball, ball], R)
    figures = field_figures(density, 5.0, colors=torch.ones(*density.shape, 3))
    assert figures.keys() == {"occupancy", "roundness", "iou", "white"}
    assert (figures["iou"], figures["white"]) == (1, 1)
    assert field_figures(density[:1], 5.0).keys() == {"occupancy", "roundness"}
    density[1] /= 100
    with pytest.raises(ValueError, match=r"shape 1 has no density of 5; its largest is 0.1"):
        field_figures(density, 5.0)
    with pytest.raises(ValueError, match="in pairs; got 1"):
        mean_iou(density[:1] > 5)


def test_boxes_hold_what_is_in_their_frame() -> None:
    rng = np.random.default_rng(0)
    boxes = box_algebra.orthonormalised(rng.normal(size=(5, 12)))
    points = rng.normal(size=(300, 3))
    frame = box_algebra.axes(boxes)
    local = np.einsum("mbj,baj->mba", points[:, None] - boxes[:, :3], frame)
    expected = (np.abs(local) <= boxes[:, 3:6] / 2).all(2).any(1)
    found = box_solid(torch.from_numpy(boxes), torch.from_numpy(points))
    assert 20 < expected.sum() < 280
    np.testing.assert_array_equal(found.numpy(), expected)
