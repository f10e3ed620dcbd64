"""Laws of the rasteriser and the camera."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from shapegen.core import boxes as box_algebra
from shapegen.core import raster
from shapegen.core.camera import Camera, framing
from shapegen.core.raster import Canvas

CUBE = box_algebra.mesh([[0, 0, 0, 1, 1, 1, 1, 0, 0, 0, 1, 0]])


def cube_on_canvas(camera: Camera, size: int) -> np.ndarray:
    seen = camera.project(CUBE[0][CUBE[1]])
    seen[..., :2] = (seen[..., :2] + 1) * size / 2
    seen[..., 2] = 1 / seen[..., 2]
    return np.asarray(seen)


def convex_hull_area(points: np.ndarray) -> float:
    from scipy.spatial import ConvexHull

    return float(ConvexHull(points).volume)


@pytest.mark.parametrize(("azimuth", "elevation"), [(0.6, 0.36), (0.0, 0.0), (3.9, -0.8)])
def test_a_cubes_silhouette_has_the_area_of_its_projection(
    azimuth: float, elevation: float
) -> None:
    camera = framing(CUBE[0], azimuth=azimuth, elevation=elevation)
    triangles = cube_on_canvas(camera, 300)
    canvas = Canvas(300, 300)
    canvas.draw(triangles)
    area = convex_hull_area(triangles[..., :2].reshape(-1, 2))
    # The error is that of the border: far less than one pixel in two along it.
    assert np.count_nonzero(canvas.number >= 0) == pytest.approx(area, rel=0.005)


def test_triangles_that_share_edges_cover_every_pixel_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A fan around an inner point tiles a square; each pixel belongs to one triangle only."""
    rng = np.random.default_rng(0)
    corners = np.array([[0, 0], [40, 0], [40, 40], [0, 40.0]])
    # On pixel centres and borders too, where rounding decides.
    for middle in [*rng.uniform(5, 35, (20, 2)), (20.0, 20.0), (12.5, 12.5), (12.5, 30.0)]:
        counts = np.zeros((40, 40), int)
        for a, b in zip(corners, np.roll(corners, -1, axis=0), strict=True):
            flat = np.array([[*a, 1], [*b, 1], [*middle, 1]])
            canvas = Canvas(40, 40)
            canvas.draw(flat[None])
            counts += canvas.number == 0
        assert (counts == 1).all()


def test_the_nearest_is_seen_whatever_the_order() -> None:
    rng = np.random.default_rng(1)
    triangles = rng.uniform(0, 32, (30, 3, 3))
    triangles[..., 2] = rng.uniform(0.5, 2.0, (30, 3))
    forward, backward = Canvas(32, 32), Canvas(32, 32)
    forward.draw(triangles)
    for number in reversed(range(30)):
        backward.draw(triangles[number : number + 1], first=number)
    np.testing.assert_array_equal(forward.number, backward.number)
    assert len(np.unique(forward.number)) > 10
    for row, column in itertools.product(range(0, 32, 5), range(0, 32, 5)):
        depths = [_nearness_at(triangle, column + 0.5, row + 0.5) for triangle in triangles]
        best = max(depths)
        assert forward.nearness[row, column] == pytest.approx(max(best, 0.0), rel=1e-5)
        if best > 0:
            assert forward.number[row, column] == depths.index(best)


def _nearness_at(triangle: np.ndarray, x: float, y: float) -> float:
    """By barycentric coordinates; 0 outside."""
    matrix = np.concatenate([triangle[:, :2].T, np.ones((1, 3))])
    weights = np.linalg.solve(matrix, [x, y, 1.0])
    return float(weights @ triangle[:, 2]) if (weights >= 0).all() else 0.0


def test_equal_nearness_goes_to_the_first() -> None:
    flat = np.array([[0, 0, 1], [9, 0, 1], [0, 9, 1.0]])
    canvas = Canvas(8, 8)
    canvas.draw(np.stack([flat, flat]))
    assert set(np.unique(canvas.number)) == {-1, 0}


def test_pieces_of_the_work_do_not_change_the_result(monkeypatch: pytest.MonkeyPatch) -> None:
    triangles = cube_on_canvas(framing(CUBE[0]), 64)
    whole, pieces = Canvas(64, 64), Canvas(64, 64)
    whole.draw(triangles)
    monkeypatch.setattr(raster, "CHUNK", 100)
    pieces.draw(triangles)
    np.testing.assert_array_equal(whole.number, pieces.number)
    np.testing.assert_array_equal(whole.nearness, pieces.nearness)


def test_what_is_outside_or_has_no_area_is_not_drawn() -> None:
    canvas = Canvas(8, 8)
    canvas.draw(np.array([[[-9, -9, 1], [-1, -9, 1], [-9, -1, 1.0]], [[0, 0, 1], [8, 8, 1]] * 1
                          + [[4, 4, 1.0]]]))  # fmt: skip
    assert (canvas.number == -1).all()
    canvas.draw(np.empty((0, 3, 3)))
    huge = np.array([[-1e6, -1e6, 1], [1e6, -1e6, 1], [0, 1e6, 1.0]])
    canvas.draw(huge[None])
    assert (canvas.number == 0).all()


def test_a_ball_is_a_disc_that_bulges() -> None:
    canvas = Canvas(41, 41)
    canvas.splat(np.array([[20.5, 20.5, 1.0]]), np.array([10.0]), np.array([0.2]))
    assert np.count_nonzero(canvas.number == 0) == pytest.approx(np.pi * 100, rel=0.03)
    assert canvas.nearness[20, 20] == pytest.approx(1.2, abs=1e-3)
    assert canvas.nearness.max() == canvas.nearness[20, 20]


@pytest.mark.parametrize("aspect", [0.5, 1.0, 2.0])
def test_a_camera_frames_its_points_exactly(aspect: float) -> None:
    points = np.random.default_rng(2).normal(size=(50, 3)) * [3, 1, 2]
    camera = framing(points, azimuth=0.9, elevation=0.2, margin=0.1, aspect=aspect)
    seen = camera.project(points)[:, :2]
    reach = np.array([max(aspect, 1), max(1 / aspect, 1)])
    share = np.abs(seen).max(0) / reach
    assert share.max() == pytest.approx(0.8)
    np.testing.assert_allclose(seen.max(0), -seen.min(0), atol=1e-9)


def test_rays_undo_the_projection() -> None:
    points = np.random.default_rng(3).normal(size=(20, 3))
    camera = framing(points)
    seen = camera.project(points)
    back = camera.eye + camera.rays(seen[:, :2]) * seen[:, 2:]
    np.testing.assert_allclose(back, points, atol=1e-9)
    homogeneous = np.append(points[0], 1.0) @ np.linalg.inv(camera.pose).T
    assert homogeneous[2] == pytest.approx(-seen[0, 2])  # the camera looks along its -z
    assert np.linalg.det(camera.pose[:3, :3]) == pytest.approx(1.0)


def test_a_camera_without_points_is_refused() -> None:
    with pytest.raises(ValueError, match="got none"):
        framing(np.empty((0, 3)))
