"""The verbs that write assets: animations, units and axes, turntables, solids."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import trimesh
from PIL import Image
from typer.testing import CliRunner

import shapegen
from shapegen.cli import app


def run(*words: object) -> str:
    """A command that succeeds."""
    done = CliRunner().invoke(app, [str(word) for word in words])
    assert done.exit_code == 0, done.output
    return done.output


def refused(*words: object) -> str:
    """The one line of a command that is given bad input."""
    done = CliRunner().invoke(app, [str(word) for word in words])
    assert done.exit_code == 2, done.output
    return done.output


@pytest.fixture(scope="module")
def chairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("assets") / "chairs.npz"
    run("data", "make", "furniture-chairs", "-n", 2, "--seed", 5, "--out", path)
    return path


def test_an_animation_stands_beside_its_steps(tmp_path: Path) -> None:
    words = ("--steps", 3, "--animate", "--out", tmp_path / "walk")
    run("interpolate", "grass-furniture", 1, 4, *words)
    names = {path.name for path in (tmp_path / "walk").iterdir()}
    assert {"animation.gif", "animation.glb", "0002.glb"} <= names
    # It is none of the steps when the folder is read, and its rest is the first of them.
    steps = shapegen.read(tmp_path / "walk")
    assert len(steps) == 3
    first = shapegen.read(tmp_path / "walk" / "animation.glb")
    np.testing.assert_allclose(first[0].boxes(), steps[0].boxes())


def test_an_animation_of_clouds_stands_beside_its_steps(tmp_path: Path) -> None:
    words = ("--steps", 2, "--animate", "--out", tmp_path / "walk")
    run("interpolate", "pointflow-furniture", 1, 4, *words)
    assert (tmp_path / "walk" / "animation.glb").exists()
    assert len(shapegen.read(tmp_path / "walk")) == 2


def test_samples_in_centimetres_with_z_up(tmp_path: Path) -> None:
    words = ("sample", "grass-furniture", "-n", 1, "--format", "obj", "--out")
    run(*words, tmp_path / "a")
    run(*words, tmp_path / "b", "--unit", "cm", "--up", "z")
    own, other = (trimesh.load(tmp_path / f / "0000.obj", force="mesh") for f in "ab")
    np.testing.assert_allclose(
        100 * own.vertices[:, [0, 2, 1]] * [1, -1, 1], other.vertices, atol=1e-3
    )
    manifest = json.loads((tmp_path / "b" / "manifest.json").read_text())
    assert (manifest["unit"], manifest["up"]) == ("cm", "z")
    assert "unit" not in json.loads((tmp_path / "a" / "manifest.json").read_text())


def test_units_of_files_that_have_none(chairs: Path, tmp_path: Path) -> None:
    out = ("--out", tmp_path / "out")
    words = ("sample", "grass-furniture", *out, "--unit", "cm")
    assert "got .glb, whose files are in metres with y up" in refused(*words)
    assert "got .png" in refused(*words, "--format", "png")
    refused("mesh", chairs, "--up", "z", "--out", tmp_path / "a.glb")
    refused("mesh", chairs, "--up", "x", "--out", tmp_path / "a.obj")
    assert list(tmp_path.iterdir()) == []


def test_usd_files(chairs: Path, tmp_path: Path) -> None:
    run("sample", "grass-furniture", "-n", 1, "--format", "usda", "--out", tmp_path / "a")
    assert (tmp_path / "a" / "0000.usda").read_text().startswith("#usda 1.0")
    run("mesh", chairs, "--up", "z", "--out", tmp_path / "a.usda")
    assert 'upAxis = "Z"' in (tmp_path / "a.usda").read_text()


def test_a_printable_mesh(chairs: Path, tmp_path: Path) -> None:
    pytest.importorskip("manifold3d", reason="manifold3d is not installed")
    run("mesh", chairs, "--printable", "--unit", "cm", "--out", tmp_path / "a.stl")
    found = trimesh.load(tmp_path / "a.stl")
    assert found.is_watertight
    run("mesh", chairs, "--out", tmp_path / "b.stl")
    assert found.volume == pytest.approx(1e6 * trimesh.load(tmp_path / "b.stl").volume, rel=1e-3)


def test_a_turntable_of_several_shapes(chairs: Path, tmp_path: Path) -> None:
    run("view", chairs, "--turntable", tmp_path / "a.gif")
    with Image.open(tmp_path / "a.gif") as animation:
        assert animation.n_frames == 36
    assert "a .gif, an .mp4 or a folder" in refused("view", chairs, "--turntable", "a.webm")
