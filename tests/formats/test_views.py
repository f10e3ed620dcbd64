"""What cameras see of a scene, against closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
import trimesh

from shapegen.core.camera import Camera
from shapegen.core.frames import to_y_up, to_z_up
from shapegen.fields.cameras import look_at, on_sphere, pinhole
from shapegen.formats.views import Stage
from shapegen.scene import Boxes, Mesh, Node, Points, Scene

SIZE, FOV = 48, math.radians(30)
HALF = np.array([0.3, 0.45, 0.2])


def pose(azimuth: float = 0.7, polar: float = 1.1, radius: float = 4.0) -> np.ndarray:
    angles = [torch.tensor([value], dtype=torch.float64) for value in (azimuth, polar, radius)]
    return on_sphere(*angles)[0].numpy()


def rays(camera_pose: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Eye, and directions ``(size, size, 3)`` of depth one, by the lens of fields."""
    lens = pinhole(SIZE, FOV)
    offset = (np.arange(SIZE) - lens.centre) / lens.focal
    x, y = np.meshgrid(offset, offset)
    local = np.stack([x, -y, -np.ones_like(x)], axis=-1)
    return camera_pose[:3, 3], local @ camera_pose[:3, :3].T


def box_scene(*boxes: list[float]) -> Scene:
    nodes = [Node(f"part_{i}", primitive=Boxes(np.array([box]))) for i, box in enumerate(boxes)]
    return Scene((Node("root"), *(Node(n.name, 0, n.primitive) for n in nodes)))


def straight(centre: list[float], lengths: list[float]) -> list[float]:
    return [*centre, *lengths, 1, 0, 0, 0, 1, 0]


def test_a_box_has_the_depth_and_silhouette_of_its_planes() -> None:
    scene = box_scene(straight([0, 0, 0], (2 * HALF).tolist()))
    seen = Stage(scene, normalise=False).view(pose(), SIZE, FOV)
    eye, directions = rays(pose())
    half = to_z_up(HALF) * [1, -1, 1]  # lengths: of y to z and of z to y
    with np.errstate(divide="ignore"):
        one, other = (-half - eye) / directions, (half - eye) / directions
    enter, leave = np.minimum(one, other).max(-1), np.maximum(one, other).min(-1)
    hit = enter < leave
    # Rays that graze an edge may fall on either side of it.
    clear = np.abs(enter - leave) > 1e-6
    np.testing.assert_array_equal(np.isfinite(seen.depth)[clear], hit[clear])
    np.testing.assert_allclose(seen.depth[hit], enter[hit], rtol=1e-5)
    np.testing.assert_array_equal(seen.parts >= 0, np.isfinite(seen.depth))
    points = eye + directions[hit] * enter[hit, None]
    axis = np.argmax(np.abs(points) / half, axis=1)
    expected = np.eye(3)[axis] * np.sign(points[np.arange(len(points)), axis])[:, None]
    np.testing.assert_allclose(seen.normals[hit], expected, atol=1e-6)


@pytest.mark.parametrize("radius", [4.0, 7.0])
def test_a_sphere_has_the_depth_and_silhouette_of_its_equation(radius: float) -> None:
    ball = trimesh.creation.icosphere(subdivisions=5, radius=0.8)
    scene = Scene((Node("ball", primitive=Mesh(ball.vertices, ball.faces)),))
    seen = Stage(scene, normalise=False).view(pose(radius=radius), SIZE, FOV)
    eye, directions = rays(pose(radius=radius))
    a, b = (directions**2).sum(-1), directions @ eye
    inside = b**2 - a * (eye @ eye - 0.8**2)
    depth = (-b - np.sqrt(np.maximum(inside, 0))) / a
    clear = np.abs(inside) > 0.02  # the ball is one of flat triangles
    np.testing.assert_array_equal(np.isfinite(seen.depth)[clear], (inside > 0)[clear])
    both = clear & (inside > 0)
    np.testing.assert_allclose(seen.depth[both], depth[both], atol=2e-3)
    # Its disc on the image: the share of covered pixels.
    tangent = 0.8 / math.sqrt(radius**2 - 0.8**2)
    expected = math.pi * (SIZE / 2 * tangent / math.tan(FOV / 2)) ** 2
    assert seen.alpha.sum() == pytest.approx(expected, rel=0.01)


def test_parts_divide_the_silhouette_and_the_nearest_is_seen() -> None:
    boxes = [straight([x, 0.1 * x, 0], [0.5, 1, 0.2]) for x in (-0.5, 0.0, 0.5)]
    whole = Stage(box_scene(*boxes), normalise=False).view(pose(), SIZE, FOV)
    alone = [Stage(box_scene(b), normalise=False).view(pose(), SIZE, FOV) for b in boxes]
    depths = np.stack([view.depth for view in alone])
    nearest = np.where(np.isfinite(depths.min(0)), 1 + depths.argmin(0), -1)
    np.testing.assert_array_equal(whole.parts, nearest)
    np.testing.assert_array_equal(whole.depth, depths.min(0))
    assert set(np.unique(whole.parts)) == {-1, 1, 2, 3}


def test_alpha_mixes_the_shape_with_white() -> None:
    seen = Stage(box_scene(straight([0, 0, 0], [1, 1, 1]))).view(pose(), SIZE, FOV)
    assert (seen.pixels[seen.alpha == 0] == 255).all()
    assert (seen.pixels[seen.alpha == 1].max(1) < 255).all()
    edge = (seen.alpha > 0) & (seen.alpha < 1)
    assert edge.sum() > SIZE
    # Shares of nine samples.
    np.testing.assert_allclose(9 * seen.alpha, np.rint(9 * seen.alpha), atol=1e-5)


def test_light_stays_where_it_is_when_the_camera_moves() -> None:
    scene = box_scene(straight([0, 0, 0], [1, 1, 1]))
    for shadows in (False, True):
        stage = Stage(scene, shadows=shadows)
        found = []
        for azimuth in (0.3, 0.8):
            seen = stage.view(pose(azimuth=azimuth), SIZE, FOV)
            top = (seen.normals[..., 2] > 0.99) & (seen.alpha == 1)
            found.append(np.median(seen.pixels[top], axis=0))
        np.testing.assert_allclose(found[0], found[1], atol=2)


def test_shadows_darken_what_is_covered() -> None:
    plate = straight([0, -0.5, 0], [1, 0.05, 1])
    lid = straight([0, 0.0, 0], [1, 0.05, 1])
    scene = box_scene(plate, lid)
    bright, dark = (
        Stage(scene, shadows=each).view(pose(polar=1.3), SIZE, FOV) for each in (False, True)
    )
    below = (bright.parts == 1) & (bright.normals[..., 2] > 0.99) & (bright.alpha == 1)
    assert below.sum() > 50
    assert dark.pixels[below].mean() < 0.8 * bright.pixels[below].mean()


def test_open_surfaces_are_seen_and_lit_from_both_sides() -> None:
    corners = np.array([[-0.5, -0.5, 0], [0.5, -0.5, 0], [0.5, 0.5, 0], [-0.5, 0.5, 0.0]])
    scene = Scene((Node("sheet", primitive=Mesh(corners, [[0, 1, 2], [0, 2, 3]])),))
    stage = Stage(scene)
    for azimuth in (-math.pi / 2, math.pi / 2):
        seen = stage.view(pose(azimuth=azimuth, polar=math.pi / 2), SIZE, FOV)
        assert seen.alpha.sum() > 100
        away = rays(pose(azimuth=azimuth, polar=math.pi / 2))[1] * seen.normals
        assert (away.sum(-1)[seen.parts >= 0] < 0).all()


def test_shapes_fill_the_unit_sphere_unless_told_otherwise() -> None:
    scene = box_scene(straight([5, 6, 7], [3, 4, 12]))
    corners = Stage(scene).drawn.triangles.reshape(-1, 3)
    np.testing.assert_allclose(np.linalg.norm(corners, axis=1), 1)
    np.testing.assert_allclose(corners.mean(0), 0, atol=1e-12)
    kept = Stage(scene, normalise=False).drawn.triangles
    np.testing.assert_allclose(to_y_up(kept).mean((0, 1)), [5, 6, 7])


def test_the_front_is_seen_from_the_front() -> None:
    # y up, front +z: in the frame of poses up is z and the front is at -y, azimuth -90 degrees.
    np.testing.assert_array_equal(to_z_up([0, 0, 1]), [0, -1, 0])
    np.testing.assert_array_equal(to_z_up([0, 1, 0]), [0, 0, 1])
    np.testing.assert_array_equal(to_y_up(to_z_up([1, 2, 3])), [1, 2, 3])
    knob = straight([0.3, 0.4, 0.5], [0.1, 0.1, 0.1])
    scene = box_scene(straight([0, 0, 0], [1, 1, 1]), knob)
    seen = Stage(scene, normalise=False).view(pose(-math.pi / 2, math.pi / 2), SIZE, FOV)
    row, column = np.nonzero(seen.parts == 2)
    assert column.mean() > SIZE / 2  # x is to the right
    assert row.mean() < SIZE / 2  # y is up
    behind = Stage(scene, normalise=False).view(pose(math.pi / 2, math.pi / 2), SIZE, FOV)
    assert not (behind.parts == 2).any()


def test_cameras_and_poses_are_one_another() -> None:
    given = pose(0.3, 0.9, 5.0)
    camera = Camera.of_pose(given, FOV)
    np.testing.assert_allclose(camera.pose, given, atol=1e-12)
    np.testing.assert_allclose(camera.project([0.0, 0.0, 0.0]), [0, 0, 5], atol=1e-12)
    line = (np.arange(SIZE) + 0.5) * 2 / SIZE - 1
    directions = camera.rays(np.stack(np.meshgrid(line, line), axis=-1))
    np.testing.assert_allclose(directions, rays(given)[1], atol=1e-12)
    assert look_at(torch.tensor([[0.0, -4.0, 1.0]])).shape == (1, 4, 4)


def test_what_cannot_be_seen_is_refused() -> None:
    stage = Stage(box_scene(straight([0, 0, 0], [1, 1, 1])))
    bad_axes = pose()
    bad_axes[:3, 0] *= -1
    cases = {
        "size must be at least 1 pixel; got 0": (pose(), 0, FOV),
        "whole shape before it; got one that is 0.5": (pose(radius=0.5), 8, FOV),
        r"must be \(4, 4\)": (np.eye(3), 8, FOV),
        "orthonormal and right-handed": (bad_axes, 8, FOV),
        "fov must be": (pose(), 8, 4.0),
    }
    for message, (camera, size, fov) in cases.items():
        with pytest.raises(ValueError, match=message):
            stage.view(camera, size, fov)
    with pytest.raises(ValueError, match="needs boxes or meshes"):
        Stage(Scene((Node("cloud", primitive=Points(np.zeros((3, 3)))),)))
