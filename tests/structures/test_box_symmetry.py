"""Symmetries estimated between two boxes: against the plain ones, and on boxes made by them."""

import math

import pytest
import torch
from torch import Tensor

from shapegen.structures import box_symmetry
from shapegen.structures.box_points import Frames, frames, nearest_distances, rotation_matrix
from tests.structures import structurenet_recursion as plain
from tests.structures.structurenet_cases import random_boxes


@pytest.mark.parametrize("official", [False, True])
def test_symmetries_equal_the_plain_ones(official: bool, rng: torch.Generator) -> None:
    a, b = random_boxes(15, rng), random_boxes(15, rng)
    points = torch.randn(6, 3, generator=rng, dtype=torch.float64)
    one, other = frames(a), frames(b)
    found = {
        "TRANS_SYM": box_symmetry.translations(one, other),
        "REF_SYM": box_symmetry.reflections(one, other),
        "ROT_SYM": box_symmetry.rotations(one, other, official=official),
    }
    for kind, matrices in found.items():
        for row, matrix in enumerate(matrices):
            move = plain.symmetry(plain.RelationKind(kind), a[row], b[row], official=official)
            torch.testing.assert_close(points @ matrix[:, :3].T + matrix[:, 3], move(points))


def test_a_rotated_box_is_found_again(rng: torch.Generator) -> None:
    box = frames(random_boxes(30, rng))
    turn = rotation_matrix(random_boxes(30, rng)[:, 6:])
    pivot = torch.randn(30, 3, 1, generator=rng, dtype=torch.float64)
    image = box.moved(torch.cat([turn, pivot - turn @ pivot], dim=2))
    again = box.moved(box_symmetry.rotations(box, image))
    assert nearest_distances(again, image).max() < 1e-18
    assert nearest_distances(image, again).max() < 1e-18


def test_half_turns_are_as_exact_as_the_boxes(rng: torch.Generator) -> None:
    """Boxes whose axes are swapped or turned back, in single precision: half turns all of them."""
    boxes = random_boxes(40, rng)
    boxes[:, 6:] = torch.eye(4, dtype=torch.float64)[torch.arange(40) % 4]
    a, b = (frames(boxes[rows]) for rows in (slice(0, 20), slice(20, 40)))
    single = [type(a)(*(values.float() for values in side)) for side in (a, b)]
    double = [type(a)(*(values.double() for values in side)) for side in single]
    for official in (False, True):
        found = box_symmetry.rotations(*single, official=official)
        expected = box_symmetry.rotations(*double, official=official)
        # Near half a turn a single cosine knows the angle to 3e-4.
        torch.testing.assert_close(found.double(), expected, atol=3e-6, rtol=0)


def test_translations_and_reflections_exchange_the_centres(rng: torch.Generator) -> None:
    a, b = frames(random_boxes(20, rng)), frames(random_boxes(20, rng))
    for move in (box_symmetry.translations, box_symmetry.reflections):
        torch.testing.assert_close(a.moved(move(a, b)).centre, b.centre)
    mirror = box_symmetry.reflections(a, b)
    there_and_back = a.moved(mirror).moved(mirror)
    torch.testing.assert_close(there_and_back.centre, a.centre)
    torch.testing.assert_close(there_and_back.rotation, a.rotation)
    determinant = torch.linalg.det(mirror[:, :, :3])
    torch.testing.assert_close(determinant, -torch.ones(20, dtype=torch.float64))


def turned_about_y(box: Tensor, angle: float) -> Frames:
    half = torch.tensor([math.cos(angle / 2), 0, math.sin(angle / 2), 0], dtype=torch.float64)
    motion = torch.cat([rotation_matrix(half[None]), torch.zeros(1, 3, 1).double()], dim=2)
    return frames(box).moved(motion)


@pytest.mark.parametrize("sides", [3, 4, 5, 7])
def test_legs_of_a_star_base_turn_into_one_another(sides: int) -> None:
    leg = torch.tensor([[0.4, 0.1, 0, 0.8, 0.05, 0.1, 1, 0, 0, 0]], dtype=torch.float64)
    for step in range(1, sides):
        image = turned_about_y(leg, 2 * math.pi * step / sides)
        motion = box_symmetry.rotations(frames(leg), image)
        again = frames(leg).moved(motion)
        assert nearest_distances(again, image).max() < 1e-18
        torch.testing.assert_close(again.centre, image.centre)


@pytest.mark.parametrize("official", [False, True])
def test_boxes_without_a_rotation_between_them(official: bool) -> None:
    box = torch.tensor([[0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 1, 0, 0, 0]], dtype=torch.float64)
    nothing = box.clone()
    nothing[:, 3:6] = 0
    for a, b in ((box, box), (nothing, nothing), (box, nothing)):
        motion = box_symmetry.rotations(frames(a), frames(b), official=official)
        assert torch.isfinite(motion).all()
        linear = motion[:, :, :3]
        identity = torch.eye(3, dtype=torch.float64)[None]
        torch.testing.assert_close(linear @ linear.transpose(1, 2), identity)
        mirror = box_symmetry.reflections(frames(a), frames(b))
        assert torch.isfinite(mirror).all()


def test_no_gradient_flows_through_an_estimate(rng: torch.Generator) -> None:
    a, b = frames(random_boxes(4, rng).requires_grad_()), frames(random_boxes(4, rng))
    for move in (box_symmetry.translations, box_symmetry.reflections, box_symmetry.rotations):
        assert not move(a, b).requires_grad
