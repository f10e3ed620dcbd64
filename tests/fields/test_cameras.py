"""Poses, lenses and rays by their geometry."""

from __future__ import annotations

import math

import pytest
import torch

from shapegen.core.patch import patches_at
from shapegen.fields.camera_setting import CameraSetting
from shapegen.fields.cameras import Viewpoints, look_at, on_sphere, orthographic, pinhole
from shapegen.fields.rays import image_rays, in_slab, in_sphere, patch_rays

LIKE = torch.zeros((), dtype=torch.float64)


def test_poses_are_rigid_and_look_at_the_middle(rng: torch.Generator) -> None:
    views = Viewpoints((0.3, 5.0), (0.0, math.pi), (2.0, 3.0))
    poses = views.draw(200, like=LIKE, rng=rng)
    axes, places = poses[:, :3, :3], poses[:, :3, 3]
    torch.testing.assert_close(axes.mT @ axes, torch.eye(3).double().expand(200, 3, 3))
    torch.testing.assert_close(torch.linalg.det(axes), torch.ones(200).double())
    # Backwards is away from the middle, and up in the image has no part that points down.
    torch.testing.assert_close(places, places.norm(dim=1, keepdim=True) * axes[:, :, 2])
    assert (axes[:, 2, 1] >= -1e-12).all()
    assert (places.norm(dim=1) >= 2).all()
    assert (places.norm(dim=1) <= 3).all()


@pytest.mark.parametrize("height", [1.0, -1.0])
def test_right_above_and_below_there_are_poses_too(height: float) -> None:
    pose = look_at(torch.tensor([0.0, 0.0, 2 * height]).double())
    torch.testing.assert_close(pose[:3, :3].mT @ pose[:3, :3], torch.eye(3).double())
    assert torch.equal(pose[:3, 2], torch.tensor([0.0, 0.0, height]).double())


def test_equal_areas_of_the_sphere_are_equally_likely(rng: torch.Generator) -> None:
    poses = Viewpoints((0.0, 2 * math.pi), (0.0, math.pi / 2)).draw(20000, like=LIKE, rng=rng)
    x, y, z = poses[:, :3, 3].unbind(1)
    # Archimedes: the height is uniform. Four standard errors.
    assert z.mean().item() == pytest.approx(0.5, abs=4 / math.sqrt(12 * 20000))
    assert z.square().mean().item() == pytest.approx(1 / 3, abs=0.01)
    assert torch.stack([x, y]).mean(1).abs().max() < 0.02


def test_a_turntable_steps_evenly_and_does_not_repeat_its_first_pose() -> None:
    setting = CameraSetting(azimuth=(10.0, 370.0), polar=(60.0, 80.0), radius=(2.0, 3.0))
    places = setting.viewpoints.turned(4, like=LIKE)[:, :3, 3]
    angles = torch.atan2(places[:, 1], places[:, 0]).rad2deg() % 360
    torch.testing.assert_close(angles, torch.tensor([10.0, 100.0, 190.0, 280.0]).double())
    torch.testing.assert_close(
        places[:, 2], torch.full((4,), 3 * math.cos(math.radians(70))).double()
    )
    tilted = setting.viewpoints.tilted(2, like=LIKE)[:, :3, 3]
    heights = 3 * torch.tensor([60.0, 70.0]).double().deg2rad().cos()
    torch.testing.assert_close(tilted[:, 2], heights)


def test_rays_through_the_borders_of_an_image_are_a_field_of_view_apart() -> None:
    size, fov = 9, 0.7
    pose = on_sphere(*torch.tensor([0.4, 1.1, 5.0]).double())[None]
    _, directions = image_rays(pose, pinhole(size, fov))
    back = pose[0, :3, 2]
    # The middle of the image is straight ahead; t is the depth.
    torch.testing.assert_close(directions[0, 4, 4], -back)
    depths = -(directions @ back)
    torch.testing.assert_close(depths, torch.ones_like(depths))
    left, right = directions[0, 4, 0], directions[0, 4, 8]
    # Half a pixel lies beyond the middles of the outermost ones.
    reach = (right - left).norm() / 2 * size / (size - 1)
    assert 2 * math.atan(reach) == pytest.approx(fov)
    up = pose[0, :3, 1]
    assert (directions[0, 0, 4] @ up) > 0 > (directions[0, 8, 4] @ up)
    corner = image_rays(pose, pinhole(size + 1, fov, corner=True))[1]
    torch.testing.assert_close(corner[0, 5, 5], -back)


def test_parallel_rays_are_an_extent_apart() -> None:
    pose = on_sphere(*torch.tensor([0.4, 1.1, 5.0]).double())[None]
    origins, directions = image_rays(pose, orthographic(4, 2.0))
    torch.testing.assert_close(directions, -pose[0, :3, 2].expand(1, 4, 4, 3))
    assert (origins[0, 0, 3] - origins[0, 0, 0]).norm().item() == pytest.approx(1.5)
    torch.testing.assert_close(origins.mean((1, 2)), pose[:, :3, 3])


@pytest.mark.parametrize("parallel", [False, True])
def test_rays_of_a_patch_are_some_of_the_images(parallel: bool) -> None:
    poses = on_sphere(*torch.tensor([[0.4, 2.0], [1.1, 0.3], [5.0, 4.0]]).double())
    lens = CameraSetting(parallel=parallel).lens(9)
    whole = image_rays(poses, lens)
    # The middle fifth of nine pixels, every pixel; and all of it, every second one.
    cases = (
        (5, torch.tensor([0.5, 0.5]), torch.tensor([[0.25, -0.25], [0.0, 0.0]])),
        (5, torch.ones(2), torch.zeros(2, 2)),
    )
    for (side, scale, offset), step in zip(cases, (1, 2), strict=True):
        places = patches_at(side, scale.double(), offset.double()).places
        for seen, part in zip(whole, patch_rays(poses, lens, places), strict=True):
            for number, (x, y) in enumerate(offset.tolist()):
                top, left = (round(4 + 4 * each) - 2 * step for each in (y, x))
                rows = slice(top, top + 4 * step + 1, step)
                columns = slice(left, left + 4 * step + 1, step)
                torch.testing.assert_close(part[number], seen[number, rows, columns])


def test_nearer_cameras_look_at_the_same_part_of_the_world() -> None:
    poses = on_sphere(*torch.tensor([[0.4, 0.4], [1.1, 1.1], [9.0, 10.0]]).double())
    setting = CameraSetting(radius=(9.0, 10.0))
    rays = setting.image_rays(poses, setting.lens(3))
    middle = rays.origins[:, 4] + rays.near[:, 4, None] * rays.directions[:, 4]
    torch.testing.assert_close(middle[0], middle[1])
    assert rays.near[1, 4].item() == setting.near
    assert in_slab(rays.origins, rays.directions, 1.0, 2.0).far.unique().tolist() == [2.0]


def test_rays_in_a_sphere_enter_and_leave_it(rng: torch.Generator) -> None:
    origins = 1.2 * torch.randn(200, 3, dtype=torch.float64, generator=rng)
    directions = torch.randn(200, 3, dtype=torch.float64, generator=rng)
    rays = in_sphere(origins, directions, 1.5)
    for t in (rays.near, rays.far):
        seen = (rays.far > rays.near) & (t > 0)
        points = rays.origins + t[:, None] * rays.directions
        torch.testing.assert_close(
            points.norm(dim=1)[seen], torch.full((200,), 1.5).double()[seen]
        )
        assert 10 < seen.sum() < 190
    missed = rays.far <= rays.near
    nearest = torch.linalg.cross(origins, directions).norm(dim=1) / directions.norm(dim=1)
    ahead = (origins * directions).sum(1) < 0
    assert torch.equal(missed, (nearest > 1.5) | (~ahead & (origins.norm(dim=1) > 1.5)))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"fov": 180.0}, "fov must be above 0 and below 180 degrees; got 180.0"),
        ({"near": 3.0, "far": 3.0}, "near and far must be 0 <= near < far; got 3.0, 3.0"),
        ({"radius": (1.0, 9.0)}, "near 7.5 would be behind the nearest cameras"),
        ({"polar": (10.0, 181.0)}, "polar must be in 0 to pi"),
        ({"azimuth": (20.0, 10.0)}, "azimuth must go from low to high"),
        ({"sphere": -1.0}, "sphere must be a radius above 0, or null; got -1.0"),
    ],
)
def test_settings_of_no_cameras_are_refused(fields: dict, message: str) -> None:
    with pytest.raises(ValueError) as caught:
        CameraSetting(**fields)
    assert message in str(caught.value)


@pytest.mark.parametrize("parallel", [False, True])
def test_all_that_is_seen_is_in_reach(parallel: bool, rng: torch.Generator) -> None:
    setting = CameraSetting(radius=(9.0, 10.0), parallel=parallel)
    poses = setting.viewpoints.draw(20, like=LIKE, rng=rng)
    rays = setting.image_rays(poses, setting.lens(8))
    for t in (rays.near, rays.far):
        assert (rays.origins + t[..., None] * rays.directions).abs().max() <= setting.reach
