"""The commands on radiance fields: train, sample, interpolate, evaluate."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

import shapegen
from shapegen.cli import app
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


def test_walks_and_figures(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, fewer in (("SHAPES", 2), ("VIEWED", 1), ("MESH_CELLS", 16), ("CELLS", 16)):
        monkeypatch.setattr(field_evaluation, name, fewer)
    call("interpolate", run, 1, 2, "--steps", 3, "--out", tmp_path / "walk")
    assert len(list((tmp_path / "walk").glob("000*.png"))) == 3
    call("evaluate", run, "-n", 4, "--json", tmp_path / "figures.json")
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert {"1nna-l2", "mmd-l2"} <= set(figures["metrics"])


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
