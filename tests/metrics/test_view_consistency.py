"""Views of one solid agree; views of several, of boards and of noise do not."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from shapegen.config.render import RenderConfig
from shapegen.data.furniture import furniture
from shapegen.data.rendering import render_shapes, turned_poses
from shapegen.fields.cameras import on_sphere
from shapegen.images.renders import Renders
from shapegen.metrics.view_consistency import depth_consistency, hull_agreement, silhouettes

SIZE, FOV, VIEWS = 32, 30.0, 24


def around(count: int = VIEWS) -> Tensor:
    azimuth = torch.arange(count, dtype=torch.float64) * 2 * math.pi / count
    return on_sphere(azimuth, torch.full_like(azimuth, 1.2), torch.full_like(azimuth, 4.0))


def ball_depth(poses: Tensor, centre: Tensor, radius: float) -> Tensor:
    """Depth of a sphere by its equation ``(n, size, size)``, infinite beside it."""
    line = ((torch.arange(SIZE) + 0.5) * 2 / SIZE - 1) * math.tan(math.radians(FOV / 2))
    y, x = torch.meshgrid(line, line, indexing="ij")
    local = torch.stack([x, -y, -torch.ones_like(x)], -1).double()
    found = []
    for pose in poses:
        rays = local @ pose[:3, :3].T
        eye = pose[:3, 3] - centre
        a, b = rays.square().sum(-1), rays @ eye
        root = b.square() - a * (eye @ eye - radius**2)
        depth = (-b - root.clamp_min(0).sqrt()) / a
        found.append(torch.where(root > 0, depth, torch.inf))
    return torch.stack(found)


@pytest.fixture(scope="module")
def chairs() -> Renders:
    config = RenderConfig(size=SIZE, views=VIEWS, polar=(60.0, 70.0), maps=True)
    return render_shapes(furniture(3, category="chair"), config, poses=turned_poses(config))


@pytest.mark.parametrize("place", [(0.0, 0.0, 0.0), (0.2, -0.1, 0.3)])
def test_a_sphere_is_consistent(place: tuple[float, float, float]) -> None:
    poses = around()
    depth = ball_depth(poses, torch.tensor(place, dtype=torch.float64), 0.5)
    found = depth_consistency(depth, poses, FOV)
    assert found.contradicted == 0
    assert found.error < 0.02
    # Half of the sphere is seen by a view, about half of it by another one on average.
    assert 0.3 < found.seen < 0.7
    assert hull_agreement(depth.isfinite().double(), poses, FOV) > 0.99


def test_shapes_are_consistent_and_mixtures_are_not(chairs: Renders) -> None:
    assert chairs.alpha is not None
    assert chairs.depth is not None
    for number in range(3):
        one = chairs.of_shapes([number])
        assert one.alpha is not None
        assert one.depth is not None
        assert hull_agreement(one.alpha, one.poses, FOV) > 0.99
        assert depth_consistency(one.depth, one.poses, FOV).contradicted < 0.01
    mixed = chairs[[VIEWS * (number % 3) + number for number in range(VIEWS)]]
    assert mixed.alpha is not None
    assert mixed.depth is not None
    assert hull_agreement(mixed.alpha, mixed.poses, FOV) < 0.8
    assert depth_consistency(mixed.depth, mixed.poses, FOV).contradicted > 0.1


def test_a_picture_that_turns_with_the_camera_is_no_shape(chairs: Renders) -> None:
    assert chairs.alpha is not None
    assert chairs.depth is not None
    alpha = chairs.alpha[:1].expand(VIEWS, -1, -1)
    depth = chairs.depth[:1].expand(VIEWS, -1, -1)
    poses = chairs.poses[:VIEWS]
    assert hull_agreement(alpha, poses, FOV) < 0.9
    assert depth_consistency(depth, poses, FOV).contradicted > 0.1


def test_random_silhouettes_have_no_hull() -> None:
    rng = torch.Generator().manual_seed(0)
    alpha = (torch.rand(VIEWS, SIZE, SIZE, generator=rng) > 0.5).double()
    assert hull_agreement(alpha, around(), FOV) < 0.1


def test_what_is_hidden_contradicts_nothing() -> None:
    # One ball before another one: from behind they swap places.
    poses = around(2)
    pair = torch.tensor([[0.5, 0.0, 0.0], [-0.5, 0.0, 0.0]]).double()
    balls = torch.stack([ball_depth(poses, centre, 0.3) for centre in pair])
    found = depth_consistency(balls.amin(0), poses, FOV)
    assert found.contradicted == 0
    assert found.seen < 0.2
    # What one view shows the other one looks through.
    nothing = torch.full_like(balls[0, 1], torch.inf)
    through = depth_consistency(torch.stack([balls[0, 0], nothing]), poses, FOV)
    assert through.contradicted == 1


def test_depth_that_is_off_is_an_error_until_it_is_a_contradiction() -> None:
    poses = around(8)
    depth = ball_depth(poses, torch.zeros(3).double(), 0.5)
    exact = depth_consistency(depth, poses, FOV, tolerance=0.1)
    near = depth_consistency(depth - 0.03, poses, FOV, tolerance=0.1)
    far = depth_consistency(depth - 0.4, poses, FOV, tolerance=0.1)
    assert exact.error < near.error
    assert near.contradicted < 0.02
    assert far.contradicted > 0.3


def test_silhouettes_of_pictures_on_white(chairs: Renders) -> None:
    colors = torch.tensor([[1.0, 1.0, 1.0], [1.0, 0.8, 1.0], [1.0, 0.6, 1.0], [0.0, 0.0, 0.0]])
    found = silhouettes(colors.T.reshape(1, 3, 2, 2))
    # Brightness in -1 to 1: .8 is a tenth below white, half of what covers.
    torch.testing.assert_close(found.flatten(), torch.tensor([0.0, 0.5, 1.0, 1.0]))
    assert chairs.alpha is not None
    one = chairs.of_shapes([0])
    assert hull_agreement(silhouettes(one.pixels), one.poses, FOV) > 0.95


def test_mistakes_are_one_line() -> None:
    depth, poses = torch.full((2, 4, 4), torch.inf), around(2)
    with pytest.raises(ValueError, match="nothing is"):
        depth_consistency(depth, poses, FOV)
    with pytest.raises(ValueError, match="one has an empty silhouette"):
        hull_agreement(torch.zeros(2, 4, 4), poses, FOV)
    for images in (depth[:1], depth[:, :3], torch.ones(3, 4, 4)):
        with pytest.raises(ValueError, match="at least two square views"):
            depth_consistency(images, poses, FOV)
    with pytest.raises(ValueError, match="fov must be"):
        hull_agreement(torch.ones(2, 4, 4), poses, 180.0)
