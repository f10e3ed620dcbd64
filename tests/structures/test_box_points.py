"""Closed-form distances between boxes, against all pairs of 150 points."""

import itertools

import pytest
import torch

from shapegen.structures import box_symmetry
from shapegen.structures.box_points import (
    anchor_loss,
    area_weights,
    box_cost,
    box_loss,
    direction_boxes,
    frames,
    nearest,
    nearest_distances,
    quaternion_boxes,
    rotation_matrix,
    surface_points,
)
from tests.structures import structurenet_recursion as plain
from tests.structures.structurenet_cases import random_boxes


def test_points_are_the_distinct_ones_of_the_150(rng: torch.Generator) -> None:
    box = random_boxes(1, rng)
    all_points, distinct = plain.on_box(box[0]), surface_points(box)[0]
    assert len(distinct) == 98
    assert plain.nearest(all_points, distinct).max() < 1e-24
    assert plain.nearest(distinct, all_points).max() < 1e-24


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("flat", [False, True])
def test_nearest_points_are_the_nearest_of_all(
    flat: bool, mirrored: bool, rng: torch.Generator
) -> None:
    a, b = random_boxes(40, rng), random_boxes(40, rng)
    if flat:  # without thickness, and the second without any extent
        a[:, 4], b[:, 3:6] = 0, 0
    # Some near one another, some inside one another.
    b[:20, :3] = a[:20, :3] + 0.05 * b[:20, :3]
    points_a, points_b = surface_points(a), surface_points(b)
    one, other = frames(a), frames(b)
    if mirrored:  # symmetries move boxes to left-handed axes
        mirror = box_symmetry.reflections(one, other)
        one = one.moved(mirror)
        points_a = points_a @ mirror[:, :, :3].transpose(1, 2) + mirror[:, None, :, 3]
        assert torch.linalg.det(one.rotation).max() < 0
    distance = (points_a[:, :, None] - points_b[:, None]).square().sum(3).min(2).values
    found = nearest(one, other)
    torch.testing.assert_close(found.distance, distance)
    torch.testing.assert_close(nearest_distances(one, other), distance)
    centre, size, rotation = other
    at = (found.point * size[:, None]) @ rotation.transpose(1, 2) + centre[:, None]
    torch.testing.assert_close((points_a - at).square().sum(2), distance)


@pytest.mark.parametrize("thickness", [None, 1e-3, 0.0])
def test_losses_equal_the_plain_ones_in_values_and_gradients(
    thickness: float | None, rng: torch.Generator
) -> None:
    a, b = random_boxes(12, rng), random_boxes(12, rng)
    if thickness is not None:
        a[:6, 3], b[3:, 5] = thickness, thickness
    a, b = a.requires_grad_(), b.requires_grad_()
    for ours, theirs in ((box_loss, plain.box_loss), (anchor_loss, plain.anchor_loss)):
        expected = torch.stack([theirs(p, g) for p, g in zip(a, b, strict=True)])
        torch.testing.assert_close(ours(a, b), expected)
        if thickness == 0:  # points of both sides are equally near: no gradient is the one
            continue
        for side in (a, b):
            (one,) = torch.autograd.grad(ours(a, b).sum(), side, retain_graph=True)
            (other,) = torch.autograd.grad(expected.sum(), side, retain_graph=True)
            torch.testing.assert_close(one, other)


def test_costs_are_the_losses_of_all_pairs(rng: torch.Generator) -> None:
    slots, true = random_boxes(3 * 5, rng).view(3, 5, 10), random_boxes(4, rng)
    parent = torch.tensor([0, 0, 1, 2])
    cost = box_cost(slots, true, parent)
    for child, slot in itertools.product(range(4), range(5)):
        expected = plain.box_loss(slots[parent[child], slot], true[child])
        torch.testing.assert_close(cost[child, slot], expected)


def test_boxes_without_area_give_finite_losses() -> None:
    nothing = torch.zeros(1, 10)
    nothing[0, 6] = 1
    some = nothing.clone()
    some[0, 3:6] = 0.5
    nothing.requires_grad_()
    loss = box_loss(nothing, some)
    loss.sum().backward()
    assert torch.isfinite(loss).all()
    assert torch.isfinite(nothing.grad).all()
    torch.testing.assert_close(area_weights(nothing[:, 3:6]).sum(1), torch.ones(1))


def test_quaternions_and_directions_are_the_same_boxes(rng: torch.Generator) -> None:
    boxes = random_boxes(200, rng)
    again = quaternion_boxes(direction_boxes(boxes))
    torch.testing.assert_close(again[:, :6], boxes[:, :6])
    torch.testing.assert_close(rotation_matrix(again[:, 6:]), rotation_matrix(boxes[:, 6:]))
