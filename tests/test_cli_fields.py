"""The commands on radiance fields: train, sample, interpolate, evaluate."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

import shapegen
from shapegen.cli import app, pages
from shapegen.metrics import field_evaluation
from tests.interop.test_official_graf import states

TINY = Path(__file__).resolve().parents[1] / "configs" / "tiny"


def call(*arguments: str | Path) -> str:
    result = CliRunner().invoke(app, [str(each) for each in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("graf") / "run"
    call("train", TINY / "graf.yaml", "--out", out, "train.epochs=1", "data.count=24")
    return out


def test_samples_are_pictures_from_poses_of_their_own(run: Path, tmp_path: Path) -> None:
    call("sample", run, "-n", 3, "--out", tmp_path / "a")
    call("sample", run, "-n", 2, "--out", tmp_path / "b")
    names = ["0000.png", "0001.png", "0002.png", "contact.png", "manifest.json"]
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == names
    assert (tmp_path / "a/0001.png").read_bytes() == (tmp_path / "b/0001.png").read_bytes()
    assert Image.open(tmp_path / "a/0000.png").size == (32, 32)
    call("sample", run, "-n", 1, "--format", "gif", "--out", tmp_path / "turn")
    with Image.open(tmp_path / "turn/0000.gif") as animation:
        assert animation.n_frames > 1


@pytest.fixture
def _few(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = {"SOLIDS": 2, "SHAPES": 2, "VIEWED": 1, "CELLS": 16, "MESH_CELLS": 16}
    for name, value in sizes.items():
        monkeypatch.setattr(field_evaluation, name, value)
    for name, value in {"COUNT": 2, "STEPS": 2, "SIZE": 40, "PAIRS": 2, "ENDS": 2}.items():
        monkeypatch.setattr(pages, name, value)


@pytest.mark.usefixtures("_few")
def test_walks_and_figures(run: Path, tmp_path: Path) -> None:
    call("interpolate", run, 1, 2, "--steps", 3, "--out", tmp_path / "walk")
    assert len(list((tmp_path / "walk").glob("000*.png"))) == 3
    files = ("--json", tmp_path / "figures.json", "--html", tmp_path / "page.html")
    said = call("evaluate", run, "-n", 4, *files)
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert {"1nna-l2", "mmd-l2"} <= set(figures["metrics"])
    fields = figures["fields"]
    assert {"model", "floor", "collapse", "best"} == set(fields["pictures"])
    assert {"model", "data", "best"} == set(fields["densities"]) == set(fields["views"])
    assert fields["settings"]["real_shapes"] == 2
    for section in ("pictures", "densities", "meshes", "views"):
        assert section in said
    page = (tmp_path / "page.html").read_text()
    assert "figures: views" in page
    assert "random-convolutions 1" in page


@pytest.mark.usefixtures("_few")
def test_other_shapes_are_rendered_as_the_runs_own(run: Path, tmp_path: Path) -> None:
    call("data", "make", "furniture", "-n", 6, "--seed", 9, "--out", tmp_path / "other.npz")
    words = ("-n", 4, "--json", tmp_path / "figures.json")
    call("evaluate", run, "--data", tmp_path / "other.npz", *words)
    fields = json.loads((tmp_path / "figures.json").read_text())["fields"]
    assert fields["settings"]["reference"] == 6
    assert fields["settings"]["real_shapes"] == 2
    call("data", "make", "furniture-points", "-n", 2, "--out", tmp_path / "points.npz")
    line = ["evaluate", str(run), "--data", str(tmp_path / "points.npz")]
    result = CliRunner().invoke(app, line)
    assert result.exit_code == 2
    assert "what is rendered has boxes or triangles" in result.output


def test_a_run_without_held_out_images_says_so(run: Path, tmp_path: Path) -> None:
    text = (run / "config.yaml").read_text()
    for name in ("last.safetensors", "config.yaml"):
        (tmp_path / name).write_bytes((run / name).read_bytes())
    held = next(line for line in text.splitlines() if line.strip().startswith("holdout:"))
    (tmp_path / "config.yaml").write_text(text.replace(held, held.split(":")[0] + ": 0"))
    result = CliRunner().invoke(app, ["evaluate", str(tmp_path)])
    assert result.exit_code == 2
    assert "has no held-out shapes of its own: give --data FILE" in result.output


def test_a_checkpoint_of_the_authors_is_converted(tmp_path: Path) -> None:
    _, generator, discriminator = states(width=16)
    content = {"generator": generator, "discriminator": discriminator, "it": 7}
    torch.save(content, tmp_path / "model.pt")
    out = tmp_path / "graf.safetensors"
    call("convert", tmp_path / "model.pt", "--model", "graf", "--out", out)
    found = shapegen.load(out)
    weight = found.state_dict()["generator.trunk.0.weight"]
    assert torch.equal(weight, generator["pts_linears.0.weight"])
    assert found.config.compat == "official"
