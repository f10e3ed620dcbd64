"""Images of shapes on the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import trimesh
from typer.testing import CliRunner

import shapegen
from shapegen.cli import app
from shapegen.images.renders import Renders


def invoke(*words: Any) -> Any:
    return CliRunner().invoke(app, [str(word) for word in words])


def run(*words: Any) -> str:
    done = invoke(*words)
    assert done.exit_code == 0, done.output
    return str(done.output)


def test_sets_and_files_are_rendered_and_described(tmp_path: Path) -> None:
    out = tmp_path / "r.npz"
    words = ("--size", 12, "--views", 3, "--seed", 1)
    said = run("data", "render", "furniture-chairs", "-n", 2, *words, "--out", out)
    assert "6 images of 2 shapes" in said
    renders = shapegen.read(out)
    assert isinstance(renders, Renders)
    assert renders.parts is not None
    assert renders.size == 12
    info = run("data", "info", out)
    for fact in ("12 x 12, colour", "4 to 4 away, 30 degrees wide", "alpha, depth, parts"):
        assert fact in info
    run("data", "make", "furniture-chairs", "-n", 3, "--seed", 1, "--out", tmp_path / "c.npz")
    run("data", "render", tmp_path / "c.npz", "-n", 2, *words, "--out", tmp_path / "again.npz")
    assert (tmp_path / "again.npz").read_bytes() == out.read_bytes()
    assert "sound, images: 6 shapes" in run("data", "check", out)


def test_turntables_of_mesh_files(tmp_path: Path) -> None:
    trimesh.creation.box((1, 2, 3)).export(tmp_path / "box.obj")
    words = ("--turntable", "--views", 4, "--size", 16, "--polar", 90, 90)
    run("data", "render", tmp_path / "box.obj", *words, "--out", tmp_path / "a.gif")
    assert (tmp_path / "a.gif").read_bytes()[:4] == b"GIF8"
    run("data", "render", tmp_path / "box.obj", *words, "--out", tmp_path / "pictures")
    assert len(list((tmp_path / "pictures").glob("*.png"))) == 4


def test_mistakes_are_one_line(tmp_path: Path) -> None:
    out = tmp_path / "r.npz"
    run("data", "make", "furniture-points", "-n", 2, "--points", 16, "--out", tmp_path / "p.npz")
    for words, message in (
        (("furniture-chairs", "--radius", 0.2, "-n", 1), "whole shape before it"),
        (("furniture-chairs", "--views", 0), "views must be at least 1"),
        (("nothing-there",), "nothing-there"),
        ((tmp_path / "p.npz",), "what is rendered has boxes or triangles"),
    ):
        done = invoke("data", "render", *words, "--out", out)
        assert done.exit_code == 2, done.output
        assert message in done.output
        assert len(done.output.strip().splitlines()) == 1
        assert not out.exists()
