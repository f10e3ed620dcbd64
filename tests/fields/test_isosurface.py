"""Surfaces of densities: closed forms, topology, blocks, and what goes with them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import Tensor

from shapegen.core.frames import to_y_up
from shapegen.fields.density import DensityField
from shapegen.fields.field_surface import SurfaceOptions, field_surface, largest_piece
from shapegen.fields.isosurface import Grid, auto_level, isosurface
from shapegen.fields.meshes import Meshes

RADIUS, TUBE = 0.7, 0.25
CUBE = np.array([[-1.0, -1.0, -1.0], [1.0, 1.0, 1.0]])


@dataclass
class Ball:
    """Density 10 on a sphere, rising by ``slope`` per unit inwards; coloured by place."""

    slope: float = 40.0
    centre: tuple[float, float, float] = (0.0, 0.0, 0.0)

    @property
    def bounds(self) -> Tensor:
        return torch.from_numpy(CUBE).float()

    def density(self, points: Tensor) -> Tensor:
        away = (points - torch.tensor(self.centre)).norm(dim=1)
        return 10 + self.slope * (RADIUS - away)

    def color(self, points: Tensor) -> Tensor:
        return (points + 1) / 2


def torus(points: Tensor) -> Tensor:
    ring = points[:, :2].norm(dim=1) - RADIUS
    return 10 + 100 * (TUBE - torch.stack([ring, points[:, 2]]).norm(dim=0))


def noise(points: Tensor) -> Tensor:
    """Rough enough to meet every case of the cubes, the ambiguous ones too."""
    waves = torch.randn(3, 40, generator=torch.Generator().manual_seed(0))
    return 10 + 6 * (9 * points @ waves).sin().sum(1)


def solid(density: Callable[[Tensor], Tensor], **options: float) -> object:
    import trimesh

    vertices, faces = isosurface(density, CUBE, **{"level": 10.0, **options})  # type: ignore[arg-type]
    return trimesh.Trimesh(vertices, faces, process=False)


def test_a_sphere_has_its_volume_area_and_place() -> None:
    mesh = solid(Ball().density, resolution=48)
    assert mesh.is_watertight
    assert mesh.is_winding_consistent
    # The volume is positive: triangles are counter-clockwise seen from outside.
    assert mesh.volume == pytest.approx(4 / 3 * math.pi * RADIUS**3, rel=0.01)
    assert mesh.area == pytest.approx(4 * math.pi * RADIUS**2, rel=0.01)
    # Vertices lie where the interpolated density is: within a small part of a cell.
    np.testing.assert_allclose(np.linalg.norm(mesh.vertices, axis=1), RADIUS, atol=0.003)


def test_a_torus_has_one_hole() -> None:
    mesh = solid(torus, resolution=64)
    assert mesh.is_watertight
    assert mesh.euler_number == 0
    assert mesh.volume == pytest.approx(2 * math.pi**2 * RADIUS * TUBE**2, rel=0.01)


@pytest.mark.parametrize("density", [Ball().density, torus, noise])
@pytest.mark.parametrize("block", [5, 16])
def test_blocks_give_what_the_whole_gives(density: Callable[[Tensor], Tensor], block: int) -> None:
    whole = isosurface(density, CUBE, resolution=24, level=10.0, block=100)
    parts = isosurface(density, CUBE, resolution=24, level=10.0, block=block)
    assert parts[0].shape == whole[0].shape
    assert parts[1].shape == whole[1].shape
    sides = [
        np.array(sorted(np.sort(vertices[faces].round(4), axis=1).reshape(-1, 9).tolist()))
        for vertices, faces in (whole, parts)
    ]
    np.testing.assert_allclose(sides[0], sides[1], atol=2e-4)


@pytest.mark.parametrize("block", [7, 100])
def test_rough_surfaces_are_closed_also_at_the_bounds(block: int) -> None:
    mesh = solid(noise, resolution=24, block=block)
    assert mesh.is_watertight
    assert mesh.is_winding_consistent
    full = solid(lambda points: torch.full((len(points),), 1e6), resolution=10, block=block)
    assert full.is_watertight
    # All is dense: the bounds, and up to half a cell of the layer around them.
    assert 8 <= full.volume <= 2.2**3


def test_steep_densities_make_no_steps() -> None:
    # A jump from 0 to a billion: by the density itself the surface would be one of cubes.
    def jump(points: Tensor) -> Tensor:
        return 1e9 * torch.sigmoid(40 * (RADIUS - points.norm(dim=1)))

    half = solid(jump, level=5e8, resolution=40)
    assert half.volume == pytest.approx(4 / 3 * math.pi * RADIUS**3, rel=0.02)


def test_nodes_on_the_level_are_no_trouble() -> None:
    mesh = solid(lambda points: 10 + (2 * points[:, 0]).round(), resolution=8)
    assert mesh.is_watertight


def test_grids_have_cubic_cells_around_the_bounds() -> None:
    grid = Grid.over(np.array([[0.0, 0.0, 0.0], [4.0, 1.0, 2.1]]), 8)
    assert grid.cell == 0.5
    assert grid.nodes == (8 + 3, 2 + 3, 5 + 3)
    np.testing.assert_allclose(grid.low, [-0.5, -0.5, -0.7])
    seen = np.zeros(grid.nodes, dtype=int)
    for first, last in grid.blocks(3):
        cells = tuple(slice(low, high) for low, high in zip(first, last, strict=True))
        seen[cells] += 1
    assert (seen[:-1, :-1, :-1] == 1).all()


def test_the_level_that_is_chosen_holds_half_of_the_light_back() -> None:
    level = auto_level(np.array([[0.0, 0.0, 0.0], [1.0, 5.0, 2.0]]))
    assert 1 - math.exp(-level * 5 / 32) == pytest.approx(0.5)
    # A field that is known every so far holds it back from one sample to the next.
    assert 1 - math.exp(-auto_level(CUBE, 0.5) * 0.5) == pytest.approx(0.5)
    assert auto_level(CUBE, 1e-3) == auto_level(CUBE)
    given = isosurface(Ball().density, CUBE, resolution=12, level=auto_level(CUBE))
    chosen = isosurface(Ball().density, CUBE, resolution=12)
    np.testing.assert_array_equal(given[0], chosen[0])


def test_fields_give_colours_and_outward_normals() -> None:
    ball = Ball(centre=(0.1, 0.0, -0.2))
    assert isinstance(ball, DensityField)
    mesh = field_surface(ball, SurfaceOptions(resolution=24, level=10.0))
    assert mesh.vertex_colors is not None
    assert mesh.vertex_normals is not None
    np.testing.assert_allclose(mesh.vertex_colors, (mesh.vertices + 1) / 2, atol=1e-6)
    out = mesh.vertices - ball.centre
    out /= np.linalg.norm(out, axis=1, keepdims=True)
    assert (mesh.vertex_normals * out).sum(1).min() > 0.999
    np.testing.assert_allclose(np.linalg.norm(mesh.vertex_normals, axis=1), 1)


def test_normals_of_flat_densities_are_those_of_the_triangles() -> None:
    class Flat(Ball):
        def density(self, points: Tensor) -> Tensor:
            # Beyond a step of the difference all is as dense, or as empty.
            return 1e6 * (points.abs().amax(1) < 0.5).float()

    mesh = field_surface(Flat(), SurfaceOptions(resolution=8, level=10.0))
    assert mesh.vertex_normals is not None
    np.testing.assert_allclose(np.linalg.norm(mesh.vertex_normals, axis=1), 1)
    assert ((mesh.vertex_normals * mesh.vertices).sum(1) > 0).all()


def test_the_largest_piece_is_the_one_with_the_largest_area() -> None:
    def two(points: Tensor) -> Tensor:
        balls = [
            radius - (points - torch.tensor([place, 0.0, 0.0])).norm(dim=1)
            for place, radius in ((-0.6, 0.3), (0.4, 0.5))
        ]
        return 10 + 100 * torch.stack(balls).amax(0)

    vertices, faces = isosurface(two, CUBE, resolution=32, level=10.0)
    kept, triangles = largest_piece(vertices, faces)
    assert triangles.max() + 1 == len(kept) < len(vertices)
    assert kept[:, 0].min() == pytest.approx(-0.1, abs=0.02)


def test_simplified_surfaces_have_few_triangles() -> None:
    pytest.importorskip("open3d")
    mesh = field_surface(Ball(), SurfaceOptions(resolution=32, level=10.0, faces=400))
    assert 380 <= len(mesh.faces) <= 400
    assert mesh.vertex_colors is not None
    np.testing.assert_allclose(mesh.vertex_colors, (mesh.vertices + 1) / 2, atol=1e-6)
    # A sphere of 400 triangles with its corners on it has 95 % of the volume.
    assert Meshes([mesh])[0].volume == pytest.approx(0.95 * 4 / 3 * math.pi * RADIUS**3, rel=0.01)


def test_what_has_no_surface_is_refused_in_one_line() -> None:
    with pytest.raises(ValueError, match=r"no surface at the level 99: .* are -31.* to 38") as e:
        isosurface(Ball().density, CUBE, resolution=16, level=99.0)
    assert "\n" not in str(e.value)
    with pytest.raises(ValueError, match="shape 1: no surface"):
        Meshes.of_fields([Ball(), Ball(slope=0.0)], SurfaceOptions(8, level=20.0))
    cases = {
        "low below high": (Ball().density, CUBE[::-1], {}),
        "at least 2 and block at least 1; got 1": (Ball().density, CUBE, {"resolution": 1}),
        "level must be above 0": (Ball().density, CUBE, {"level": -1.0}),
        r"one a point; got \(1,\)": (lambda p: p[:1, 0], CUBE, {}),
        "must be finite": (lambda p: p[:, 0] / 0, CUBE, {}),
    }
    for message, (density, bounds, options) in cases.items():
        with pytest.raises(ValueError, match=message):
            isosurface(density, bounds, **options)  # type: ignore[arg-type]
    for options in ({"resolution": 1}, {"level": 0.0}, {"faces": 3}):
        with pytest.raises(ValueError, match=next(iter(options))):
            SurfaceOptions(**options)  # type: ignore[arg-type]


def test_fields_that_are_z_up_become_shapes_that_are_y_up() -> None:
    ball = Ball(centre=(0.1, -0.3, 0.2))
    options = SurfaceOptions(resolution=16, level=10.0)
    plain, turned = (Meshes.of_fields([ball], options, z_up=up).meshes[0] for up in (False, True))
    # Its front, -y, is +z; what is up, z, is y.
    middle = 0.5 * (turned.vertices.min(0) + turned.vertices.max(0))
    np.testing.assert_allclose(middle, [0.1, 0.2, 0.3], atol=0.01)
    assert turned.vertex_normals is not None
    assert plain.vertex_normals is not None
    np.testing.assert_allclose(turned.vertex_normals, to_y_up(plain.vertex_normals))
