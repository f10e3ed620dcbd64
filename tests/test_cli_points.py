"""From the points of parts to a trained StructureNet of points, by the command line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner, Result

import shapegen
from shapegen.cli import app
from shapegen.structures.part_tree import PartTrees

TINY = Path(__file__).resolve().parents[1] / "configs" / "tiny"
BRIEF = ("data.count=8", "data.validation=2", "train.epochs=1", "train.tensorboard=false")
SHORT = (*BRIEF, "data.holdout=0", "model.components=2")


def run(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a trained part autoencoder."""
    out = tmp_path_factory.mktemp("runs") / "parts"
    config = TINY / "partgeometry.yaml"
    done = run("train", config, *BRIEF, "--out", out)
    assert done.exit_code == 0, done.output
    return out


@pytest.fixture(scope="module")
def lamps(parts: Path) -> Path:
    """The folder of a StructureNet that was trained on it."""
    out = parts.parent / "lamps"
    words = ("train", TINY / "structurenet_points.yaml", *SHORT, "--out", out)
    done = run(*words, f"model.geometry.part_weights={parts}")
    assert done.exit_code == 0, done.output
    return out


def test_mixed_precision(parts: Path, lamps: Path, tmp_path: Path) -> None:
    words = ("train", TINY / "structurenet_points.yaml", *SHORT, "--out", tmp_path)
    done = run(*words, f"model.geometry.part_weights={parts}", "train.precision=bf16-mixed")
    assert done.exit_code == 0, done.output
    assert all(each.isfinite().all() for each in shapegen.load(tmp_path).state_dict().values())


def test_the_parts_are_those_that_were_trained(parts: Path, lamps: Path) -> None:
    part = shapegen.load(parts).state_dict()
    model = shapegen.load(lamps).state_dict()
    for name, value in part.items():
        assert torch.equal(model[f"head.geometry.{name}"], value), name


def test_its_file_needs_no_other(parts: Path, lamps: Path, tmp_path: Path) -> None:
    moved = parts.rename(parts.parent / "elsewhere")
    try:
        done = run("sample", lamps, "-n", 2, "--out", tmp_path / "out", "--format", "npz")
        assert done.exit_code == 0, done.output
        more = run("train", lamps / "config.yaml", "--out", lamps, "--resume")
        assert more.exit_code == 0, more.output
    finally:
        moved.rename(parts)
    (tree,) = shapegen.read(tmp_path / "out" / "0001.npz")
    assert np.isfinite(tree.box).all()
    assert isinstance(shapegen.load(lamps).sample(2), PartTrees)


def test_without_trained_parts_training_does_not_begin(tmp_path: Path) -> None:
    words = ("train", TINY / "structurenet_points.yaml", *SHORT, "--out", tmp_path / "a")
    for path, said in (
        (f"{tmp_path}/none", "no checkpoint"),
        ("null", "part_weights is due"),
    ):
        done = run(*words, f"model.geometry.part_weights={path}")
        assert done.exit_code == 2
        assert said in done.output
        assert not (tmp_path / "a" / "state.safetensors").exists()
