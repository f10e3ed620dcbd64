"""Rendering up to an error: what is left out, what the grid knows, and what must not be lost."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from shapegen.fields.rays import Rays
from shapegen.fields.rendering import Sampling, render
from shapegen.fields.skipping import RESOLUTION, Occupancy, render_quickly
from tests.fields.test_graf import graf
from tests.fields.test_rendering import SETTING, filled, slab_rays


@pytest.mark.parametrize("white", [False, True])
@pytest.mark.parametrize("tolerance", [0.2, 0.01])
def test_skipping_errs_by_the_tolerance_at_most(tolerance: float, white: bool) -> None:
    poses = SETTING.viewpoints.turned(1, like=torch.zeros(()))
    rays = SETTING.image_rays(poses, SETTING.lens(24)).of(0)
    asked: list[int] = []

    def density(points: Tensor) -> Tensor:
        # A ball with a soft border in thin fog.
        return 0.0005 + 8 * (12 * (0.9 - points.norm(dim=-1))).sigmoid()

    def field(points: Tensor, directions: Tensor) -> tuple[Tensor, Tensor]:
        asked.append(points[..., 0].numel())
        return density(points), (points / 6 + 0.5).clamp(0, 1)

    sampling = Sampling(samples=48, white=white)
    wanted = render(field, rays, sampling)
    whole = sum(asked)
    asked.clear()
    grid = Occupancy.of(density, SETTING.reach, like=poses)
    found = render_quickly(field, rays, sampling, grid, tolerance=tolerance)
    for name in ("rgb", "opacity"):
        error = (getattr(found, name) - getattr(wanted, name)).abs().max()
        assert error <= tolerance
    assert sum(asked) < 0.6 * whole
    exact = render_quickly(field, rays, sampling, grid, tolerance=1e-7)
    torch.testing.assert_close(exact.rgb, wanted.rgb, rtol=0, atol=1e-6)


def test_a_field_is_not_asked_for_nothing() -> None:
    poses = SETTING.viewpoints.turned(1, like=torch.zeros(()))
    rays = SETTING.image_rays(poses, SETTING.lens(4)).of(0)

    def field(points: Tensor, directions: Tensor) -> tuple[Tensor, Tensor]:
        raise AssertionError(f"asked for {len(points)} points of an empty field")

    grid = Occupancy.of(lambda points: torch.zeros_like(points[..., 0]), SETTING.reach, like=poses)
    found = render_quickly(field, rays, Sampling(12, open_end=False), grid, tolerance=0.01)
    assert found.opacity.max() == 0


@pytest.mark.parametrize(("share", "asked"), [(0.4, 0), (0.6, 2), (3.0, 6)])
def test_fog_is_skipped_up_to_half_of_the_tolerance(share: float, asked: int) -> None:
    rays, tolerance, samples = slab_rays(4), 0.1, 8
    # Over the ray's 4 units of length this holds back so much of the tolerance. Of the samples the
    # last is at the ray's end; of the others as many are left out as half of the tolerance allows.
    fog = -math.log1p(-share * tolerance) / 4
    places: list[int] = []

    def field(points: Tensor, directions: Tensor) -> tuple[Tensor, Tensor]:
        places.append(points[..., 0].numel())
        return torch.full_like(points[..., 0], fog), torch.ones_like(points)

    grid = Occupancy.of(lambda at: torch.full_like(at[:, 0], fog), 7.0, like=rays.near)
    shown = render_quickly(field, rays, Sampling(samples=samples), grid, tolerance=tolerance)
    assert sum(places) == 4 * asked
    wanted = filled((4,), 1 - math.exp(-fog * 4 * asked / (samples - 1)))
    torch.testing.assert_close(shown.opacity, wanted, rtol=0, atol=1e-8)
    assert (shown.opacity - share * tolerance).abs().max() <= tolerance / 2


@pytest.mark.parametrize(("density", "asked"), [(10.0, 4), (4.0, 8), (1.5, 16)])
def test_what_is_hidden_is_not_asked_for(density: float, asked: int) -> None:
    # Of 4 units in 31 steps: e^-3 shines through 3 / density of them, in pieces of four steps.
    rays, places = slab_rays(4), list[int]()

    def field(points: Tensor, directions: Tensor) -> tuple[Tensor, Tensor]:
        places.append(points[..., 0].numel())
        return torch.full_like(points[..., 0], density), torch.ones_like(points)

    grid = Occupancy.of(lambda at: torch.full_like(at[:, 0], density), 7.0, like=rays.near)
    shown = render_quickly(field, rays, Sampling(samples=32), grid, tolerance=0.1)
    assert sum(places) == 4 * asked
    assert (1 - shown.opacity).max() < 0.05


def test_a_grid_knows_the_largest_density_around_and_nothing_outside() -> None:
    def density(points: Tensor) -> Tensor:
        return ((points - 0.3).norm(dim=-1) < 0.2).to(points)

    # Small cells are 1/30 long.
    grid = Occupancy.of(density, 1.0, like=torch.zeros(()).double(), resolution=20)
    near = [[0.3, 0.3, 0.3], [0.3, 0.3, 0.52], [0.3, 0.3, 0.56], [-0.5, 0, 0], [1.2, 0, 0]]
    assert grid.at(torch.tensor(near).double()).tolist() == [1.0, 1.0, 0.0, 0.0, math.inf]


def test_small_cells_are_looked_into_where_large_ones_are_dense() -> None:
    asked: list[int] = []

    def density(points: Tensor) -> Tensor:
        asked.append(len(points))
        return (5 - 20 * (points - 0.1).norm(dim=-1)).relu()

    grid = Occupancy.of(density, 1.0, like=torch.zeros(()).double(), resolution=16)
    # The ball is 1/120 of the cube, or 34 large cells, which with those around it are 8 times as
    # many.
    assert sum(asked) < 16**3 + 8 * 34 * 27
    points = 2 * torch.rand(20000, 3, generator=torch.Generator().manual_seed(0)).double() - 1
    bound, found = grid.at(points), density(points)
    assert (bound >= found).all()
    # What it bounds is within two small cells: the density changes by 20 a unit.
    assert (bound - found).max() < 20 * math.sqrt(3) * 2 * 2 / 48


@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize("offset", [0.0, 0.25, 0.5, 0.8])
def test_a_leg_that_is_as_thick_as_a_large_cell_is_not_lost(offset: float, soft: bool) -> None:
    cell = 2 / RESOLUTION
    middle = torch.tensor([offset, 0.3]).double() * cell

    def density(points: Tensor) -> Tensor:
        away = (points[..., :2] - middle).abs().amax(-1) / (1.02 * cell / 2)
        return 50 * (2 - away).clamp(0, 1) if soft else 500 * (away < 1).to(points)

    def field(points: Tensor, directions: Tensor) -> tuple[Tensor, Tensor]:
        return density(points), torch.ones_like(points)

    y = torch.linspace(-2, 2, 41).double() * cell
    origins = torch.stack([-torch.ones_like(y), y, torch.full_like(y, 0.01)], -1)
    forward = torch.tensor([[1.0, 0.0, 0.0]]).double().expand(len(y), 3)
    rays = Rays(origins, forward, torch.zeros_like(y), torch.full_like(y, 2.0))
    sampling = Sampling(samples=128)
    grid = Occupancy.of(density, 1.0, like=y)
    shown = render_quickly(field, rays, sampling, grid, tolerance=0.01)
    wanted = render(field, rays, sampling)
    assert wanted.opacity.max() > 0.5
    assert (shown.opacity - wanted.opacity).abs().max() <= 0.01


def test_dense_cells_count_for_their_neighbours_across_the_border_of_what_is_looked_into() -> None:
    def density(points: Tensor) -> Tensor:
        corner = (points + 0.75).norm(dim=-1) < 0.1
        # Between the middles of large cells, -.25 and .25; a small one's, -.125, is in it.
        sheet = points[..., 0].abs() < 0.15
        return 50 * (corner | sheet).to(points)

    grid = Occupancy.of(density, 1.0, like=torch.zeros(()).double(), resolution=4)
    assert grid.at(torch.tensor([[0.1, -0.6, -0.6]]).double()).item() == 50


def test_what_is_outside_of_the_sphere_is_not_looked_into() -> None:
    asked: list[int] = []

    def density(points: Tensor) -> Tensor:
        asked.append(len(points))
        return 9 * (points.norm(dim=-1) > 0.7).to(points)

    like = torch.zeros(()).double()
    whole = Occupancy.of(density, 1.0, like=like)
    everywhere = sum(asked)
    asked.clear()
    grid = Occupancy.of(density, 1.0, like=like, sphere=0.8)
    assert sum(asked) < 0.6 * everywhere
    points = 1.6 * torch.rand(20000, 3, generator=torch.Generator().manual_seed(0)).double() - 0.8
    points = points[points.norm(dim=-1) < 0.8]
    assert (grid.at(points) >= density(points)).all()
    assert torch.equal(grid.at(points), whole.at(points))


def test_the_thinnest_mist_at_an_end_without_end_is_opaque() -> None:
    rays, sampling = slab_rays(3), Sampling(samples=16, open_end=True)
    end = 6.0

    def density(points: Tensor) -> Tensor:
        return 2e-6 * ((points[..., 2] - end).abs() < 1e-3).to(points)

    def field(points: Tensor, directions: Tensor) -> tuple[Tensor, Tensor]:
        return density(points), torch.ones_like(points)

    grid = Occupancy.of(density, 7.0, like=rays.near)
    shown = render_quickly(field, rays, sampling, grid, tolerance=0.01)
    assert render(field, rays, sampling).opacity.min() > 1 - 1e-9
    assert shown.opacity.min() > 1 - 1e-9


@pytest.mark.parametrize("backbone", ["mlp", "triplane"])
def test_fields_without_anything_are_rendered(backbone: str) -> None:
    model = graf(backbone=backbone)
    with torch.no_grad():
        model.generator.density.bias.sub_(1e3)
    fields = model.eval().sample(1, rng=torch.Generator().manual_seed(0))
    assert fields.render(tolerance=0.02).opacity.max() == 0
