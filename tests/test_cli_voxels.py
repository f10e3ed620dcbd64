"""The command line on voxels: made, trained on, sampled, measured."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

import shapegen
from shapegen.cli import app

CONFIG = Path(__file__).resolve().parents[1] / "configs" / "tiny" / "voxelgan.yaml"
SHORT = (
    "model.size=8",
    "model.hidden=[4, 4]",
    "data.count=24",
    "data.voxels=8",
    "data.holdout=8",
    "train.epochs=1",
    "train.tensorboard=false",
)


def run(*words: Any) -> str:
    done = CliRunner().invoke(app, [str(word) for word in words])
    assert done.exit_code == 0, done.output
    return done.output


def test_from_data_to_figures(tmp_path: Path) -> None:
    run(
        "data",
        "make",
        "furniture-lamp-voxels",
        "-n",
        3,
        "--voxels",
        9,
        "--out",
        tmp_path / "v.npz",
    )
    facts = run("data", "info", tmp_path / "v.npz")
    assert "9 x 9 x 9 (z, y, x)" in facts
    model = tmp_path / "run"
    run("train", CONFIG, *SHORT, "--out", model)
    run("sample", model, "-n", 2, "--format", "stl", "--out", tmp_path / "stl")
    assert (tmp_path / "stl" / "0001.stl").stat().st_size > 84
    run("sample", model, "-n", 2, "--format", "npz", "--out", tmp_path / "npz")
    samples = shapegen.read(tmp_path / "npz" / "samples.npz")
    assert isinstance(samples, shapegen.Voxels)
    assert samples.occupancy.shape == (2, 8, 8, 8)
    assert (tmp_path / "npz" / "contact.png").is_file()
    run("interpolate", model, 1, 2, "--steps", 3, "--out", tmp_path / "walk")
    run("evaluate", model, "-n", 4, "--json", tmp_path / "figures.json")
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert {"cov-iou", "mmd-iou", "1nna-iou"} <= figures["metrics"].keys()
    assert figures["settings"]["cells"] == [8, 8, 8]


def test_voxels_have_no_hierarchy(tmp_path: Path) -> None:
    run(
        "data",
        "make",
        "furniture-chair-voxels",
        "-n",
        2,
        "--voxels",
        8,
        "--out",
        tmp_path / "v.npz",
    )
    done = CliRunner().invoke(app, ["data", "info", str(tmp_path / "v.npz"), "--tree", "0"])
    assert isinstance(done.exception, ValueError | SystemExit)
    assert "voxels, which have no hierarchy" in f"{done.output}{done.exception}"
