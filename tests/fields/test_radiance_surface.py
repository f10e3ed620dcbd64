"""Surfaces of radiance fields: where the density is the level, in the colours that are seen."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import trimesh

from shapegen.core.frames import to_z_up
from shapegen.fields.density import DensityField, Meshable, Sampled
from shapegen.fields.meshes import Meshes
from shapegen.fields.radiance import RadianceFields
from shapegen.fields.radiance_surface import OneField
from tests.fields.test_graf import graf


@pytest.fixture(scope="module")
def fields() -> RadianceFields:
    return graf(density="softplus").sample(2, rng=torch.Generator().manual_seed(0))


def middle_level(fields: RadianceFields) -> float:
    """A density that parts of all fields have."""
    reach = fields.cameras.reach
    points = (2 * torch.rand(500, 3, generator=torch.Generator().manual_seed(1)) - 1) * reach
    found = torch.stack([each.densities()(points) for each in fields])
    return float(found.median(dim=1).values.mean())


def test_vertices_have_the_density_of_the_level(fields: RadianceFields) -> None:
    level = middle_level(fields)
    assert isinstance(fields, Meshable)
    meshes = fields.mesh(resolution=24, level=level)
    assert isinstance(meshes, Meshes)
    assert all(meshes.watertight())
    reach = fields.cameras.reach
    for field, mesh in zip(fields, meshes.meshes, strict=True):
        places = torch.from_numpy(to_z_up(mesh.vertices)).float()
        inside = (places.abs() < 0.98 * reach).all(1)
        assert inside.sum() > 50
        found = field.densities()(places[inside])
        spread = float(field.densities()(reach * torch.randn(200, 3)).std())
        assert float((found - level).abs().mean()) < 0.1 * spread
        # What is against the gradient is less dense.
        assert mesh.vertex_normals is not None
        out = torch.from_numpy(to_z_up(mesh.vertex_normals)).float()[inside]
        step = 0.2 * reach / 24
        ahead, behind = (field.densities()(places[inside] + sign * step * out) for sign in (1, -1))
        assert float((ahead < behind).float().mean()) > 0.99


def test_colours_are_those_that_are_rendered(fields: RadianceFields) -> None:
    one = OneField(fields[1])
    assert isinstance(one, DensityField)
    points = torch.randn(7, 3, generator=torch.Generator().manual_seed(0))
    found = fields.network.field(fields.codes[1])
    for point, color in zip(points, one.color(points), strict=True):
        seen = found(point[None, None], -point[None] / point.norm())[1][0, 0]
        torch.testing.assert_close(color, seen, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(one.density(points), fields[1].densities()(points))
    reach = fields.cameras.reach
    torch.testing.assert_close(one.bounds, torch.tensor([[-reach] * 3, [reach] * 3]))


def test_the_level_that_is_chosen_follows_the_samples(fields: RadianceFields) -> None:
    one = OneField(fields[0])
    assert isinstance(one, Sampled)
    rays = fields.cameras.image_rays(
        fields.cameras.viewpoints.middle(like=fields.codes)[None], fields.cameras.lens(9)
    )
    lengths = (rays.far - rays.near).max() / fields.sampling.samples
    assert one.spacing == pytest.approx(float(lengths), rel=1e-4)


def test_files_of_meshes_are_the_surfaces(
    fields: RadianceFields, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = fields[0].mesh(resolution=12, level=middle_level(fields))
    monkeypatch.setattr(RadianceFields, "to_meshes", lambda field, options=None: wanted)
    fields[0].write(tmp_path / "a.glb")
    found = trimesh.load_mesh(tmp_path / "a.glb", process=False)
    np.testing.assert_allclose(found.bounds, wanted[0].bounds, atol=1e-5)


def test_fields_without_a_surface_are_named(fields: RadianceFields) -> None:
    with pytest.raises(ValueError, match=r"shape 0: no surface at the level 1e\+09"):
        fields.mesh(resolution=8, level=1e9)
