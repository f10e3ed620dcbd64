"""Surfaces on the command line: of fields, of parts, and of what has none."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import trimesh
from torch import Tensor
from typer.testing import CliRunner

import shapegen
from shapegen.cli import app, draw
from shapegen.cli.assets import surface_scene
from shapegen.data.catalog import make
from shapegen.fields.field_surface import SurfaceOptions
from shapegen.fields.meshes import Meshes


def invoke(*words: Any) -> Any:
    return CliRunner().invoke(app, [str(word) for word in words])


@dataclass
class Ball:
    """A radiance field as a model would give it: z up, density 30 in a ball of radius .5."""

    height: float = 0.4

    @property
    def bounds(self) -> Tensor:
        return torch.tensor([[-1.0, -1.0, -1.0], [1.0, 1.0, 1.0]])

    def density(self, points: Tensor) -> Tensor:
        away = (points - torch.tensor([0.0, 0.0, self.height])).norm(dim=1)
        return 60 * torch.sigmoid(20 * (0.5 - away))

    def color(self, points: Tensor) -> Tensor:
        return torch.tensor([1.0, 0.0, 0.0]).expand(len(points), 3)


class Balls:
    """Shapes that know their surface."""

    def to_meshes(self, options: SurfaceOptions | None = None) -> Meshes:
        return Meshes.of_fields([Ball()], options, z_up=True)


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(shapegen, "load", lambda name: name)
    monkeypatch.setattr(draw, "samples", lambda model, seeds: [Balls()])
    return "a-model-of-fields"


@pytest.mark.parametrize("kind", ["glb", "obj", "ply", "stl"])
def test_fields_become_meshes_in_every_format(model: str, kind: str, tmp_path: Path) -> None:
    out = tmp_path / f"a.{kind}"
    words = ("--resolution", 32, "--level", 30, "--largest")
    done = invoke("mesh", model, *words, "--out", out)
    assert done.exit_code == 0, done.output
    mesh = trimesh.load_scene(out).to_mesh()
    mesh.merge_vertices(merge_norm=True)
    assert mesh.is_watertight
    assert mesh.volume == pytest.approx(4 / 3 * math.pi * 0.5**3, rel=0.02)
    # y is up in files.
    np.testing.assert_allclose(mesh.bounds.mean(0), [0, 0.4, 0], atol=0.01)
    if kind in ("obj", "ply"):
        assert (mesh.visual.vertex_colors[:, :3] == [255, 0, 0]).all()


def test_a_level_that_no_density_reaches_is_one_line(model: str, tmp_path: Path) -> None:
    done = invoke("mesh", model, "--level", 99, "--resolution", 16, "--out", tmp_path / "a.glb")
    assert done.exit_code == 2, done.output
    assert "no surface at the level 99: the densities met are 0 to" in done.output
    assert len(done.output.strip().splitlines()) == 1
    assert not (tmp_path / "a.glb").exists()


def test_options_of_fields_are_for_fields(tmp_path: Path) -> None:
    make("furniture-chairs", count=1).write(tmp_path / "c.npz")
    done = invoke("mesh", tmp_path / "c.npz", "--level", 3, "--out", tmp_path / "a.glb")
    assert done.exit_code == 2
    assert "are for fields of density; got PartTree" in done.output
    done = invoke("mesh", tmp_path / "c.npz", "--resolution", 1, "--out", tmp_path / "a.glb")
    assert "resolution must be at least 2" in done.output


def test_single_fields_and_meshes_have_surfaces() -> None:
    one = surface_scene(Ball(), SurfaceOptions(12)).mesh()
    assert len(one.faces) > 20
    meshes = Balls().to_meshes(SurfaceOptions(12))
    assert len(surface_scene(meshes).mesh().faces) == len(meshes.meshes[0].faces)
    points = make("furniture-points", count=1)
    with pytest.raises(ValueError, match="no boxes, so no surface"):
        surface_scene(points)
