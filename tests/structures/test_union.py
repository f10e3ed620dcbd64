"""The surface of a union: its area and the volume that it encloses, in closed form."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from shapegen.core import boxes as box_algebra
from shapegen.structures.union import union_surface


def box(centre: tuple[float, float, float], lengths: tuple[float, float, float]) -> list[float]:
    return [*centre, *lengths, 1, 0, 0, 0, 1, 0]


def area_and_volume(boxes: np.ndarray) -> tuple[float, float]:
    vertices, faces, source = union_surface(boxes)
    assert len(source) == len(faces)
    a, b, c = (vertices[faces[:, k]] for k in range(3))
    area = 0.5 * np.linalg.norm(np.cross(b - a, c - a), axis=1).sum()
    return float(area), float(np.einsum("fd,fd->f", a, np.cross(b, c)).sum() / 6)


@pytest.mark.parametrize(
    ("boxes", "area", "volume"),
    [
        ([box((0, 0, 0), (1, 2, 3))], 22, 6),
        ([box((0, 0, 0), (1, 1, 1)), box((5, 0, 0), (1, 1, 1))], 12, 2),
        # Half overlapping, with four pairs of equal planes.
        ([box((0, 0, 0), (1, 1, 1)), box((0.5, 0, 0), (1, 1, 1))], 8, 1.5),
        # Touching: the wall between goes.
        ([box((0, 0, 0), (1, 1, 1)), box((1, 0, 0), (1, 1, 1))], 10, 2),
        # A rod through a cube.
        ([box((0, 0, 0), (2, 2, 2)), box((0, 0, 0), (1, 1, 4))], 24 + 8, 8 + 2),
        # One inside the other, and the same twice.
        ([box((0, 0, 0), (2, 2, 2)), box((0, 0, 0), (1, 1, 1))], 24, 8),
        ([box((0, 0, 0), (1, 1, 1))] * 3, 6, 1),
        # A corner notch.
        ([box((0, 0, 0), (2, 2, 2)), box((1, 1, 1), (2, 2, 2))], 48 - 6, 15),
    ],
)
def test_area_and_volume(boxes: list[list[float]], area: float, volume: float) -> None:
    assert area_and_volume(np.array(boxes)) == pytest.approx((area, volume))


def test_turning_changes_neither(rng: torch.Generator) -> None:
    values = torch.randn(6, 12, generator=rng, dtype=torch.float64).numpy()
    values[:, :3] *= 0.3
    boxes = box_algebra.orthonormalised(values)
    before = area_and_volume(boxes)
    turn = np.linalg.qr(torch.randn(3, 3, generator=rng, dtype=torch.float64).numpy())[0]
    assert area_and_volume(box_algebra.transformed(boxes, rotation=turn)) == pytest.approx(before)
    assert before[1] < np.prod(np.abs(boxes[:, 3:6]), axis=1).sum()


def test_volume_equals_the_share_of_points_inside(rng: torch.Generator) -> None:
    boxes = box_algebra.orthonormalised(
        torch.randn(5, 12, generator=rng, dtype=torch.float64).numpy()
    )
    low, high = box_algebra.bounds(boxes)
    unit = torch.rand(200_000, 3, generator=rng, dtype=torch.float64).numpy()
    points = low + unit * (high - low)
    frame = box_algebra.axes(boxes)
    local = np.einsum("nad,npd->npa", frame, points[None] - boxes[:, None, :3])
    inside = (np.abs(local) <= 0.5 * boxes[:, None, 3:6]).all(2).any(0).mean()
    # The share of 200,000 points has a standard error below .0012.
    assert area_and_volume(boxes)[1] / np.prod(high - low) == pytest.approx(inside, abs=0.005)


def test_boxes_without_a_surface_are_refused() -> None:
    with pytest.raises(ValueError, match="no surface"):
        union_surface(np.array([box((0, 0, 0), (0, 0, 0))]))
