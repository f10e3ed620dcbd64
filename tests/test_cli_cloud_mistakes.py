"""Bad clouds and wrong models at the command line: one line, exit code 2, nothing written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor
from typer.testing import CliRunner

import shapegen
from shapegen import checkpoint
from shapegen.cli import app
from shapegen.core.gaussian import DiagGaussian
from shapegen.data.furniture import furniture
from shapegen.points.pointflow_networks import CloudEncoder
from tests.points.pointflow_cases import clouds, stirred
from tests.test_cli_mistakes import refused

POINTFLOW = """\
model: {name: pointflow, latent_dim: 4, hidden: [16, 16], latent_hidden: [8], encoder: [8, 16],
  heads: [8], num_points: 24, matching: {targets: 32, times: 2, group: 8}}
"""
GRASS = "model: {name: grass, feature_dim: 8, hidden_dim: 12, prior: normal}\n"
TRAIN = "train: {epochs: 3, batch_size: 3, save_every: 1, tensorboard: false, device: cpu}\n"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model of either kind, and shapes for either."""
    place = tmp_path_factory.mktemp("clouds")
    shapegen.save(stirred(), place / "pointflow.safetensors")
    torch.manual_seed(0)
    built = shapegen.build("grass", feature_dim=8, hidden_dim=12, prior="normal")
    shapegen.save(built, place / "grass.safetensors")
    clouds(6).write(place / "clouds.npz")
    furniture(3, category="chair", seed=0).write(place / "trees.npz")
    return place


def write_config(folder: Path, model: str, data: Path, more: str = TRAIN) -> Path:
    (folder / "config.yaml").write_text(f"{model}data: {{path: '{data}'}}\n{more}")
    return folder / "config.yaml"


# Clouds ------------------------------------------------------------------------------------


def array(*shape: int) -> NDArray[np.float64]:
    return np.random.RandomState(0).rand(*shape)


def spoilt(value: float) -> NDArray[np.float64]:
    points = array(2, 9, 3)
    points[1, 4, 2] = value
    return points


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "an empty folder": ({}, "bad"),
    "NaN": ({"a.npy": spoilt(np.nan)}, "a.npy: points must be finite; shape 1 has NaN"),
    "infinity": ({"a.npy": spoilt(-np.inf)}, "a.npy: points must be finite; shape 1 has NaN or"),
    "seven points": ({"a.npy": array(2, 7, 3)}, "at least one shape of 8 points is needed; got"),
    "no extent": ({"a.npy": np.ones((2, 9, 3))}, "a.npy: a shape needs an extent"),
    "the plane": ({"a.npy": array(2, 9, 2)}, "points must be (shapes, points, 3) or (points, 3)"),
    "two dimensions": ({"a.npy": array(9, 3), "b.npy": array(9, 2)}, "b.npy: points must be"),
    "two sizes": ({"a.npy": array(9, 3), "b.npy": array(10, 3)}, "equally many points; got"),
    "text": ({"a.npy": np.array([["x"] * 3] * 9)}, "a.npy: points must be"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_clouds_are_told_by_every_verb(case: str, place: Path, tmp_path: Path) -> None:
    arrays, said = BAD[case]
    bad, out = tmp_path / "bad", tmp_path / "out"
    bad.mkdir()
    for name, values in arrays.items():
        np.save(bad / name, values)
    model, good = place / "pointflow.safetensors", place / "clouds.npz"
    for words in (
        ("train", write_config(tmp_path, POINTFLOW, bad), "--out", out),
        ("reconstruct", model, bad, "--out", out),
        ("interpolate", model, good, bad, "--out", out),
        ("evaluate", model, "--data", bad, "--train", good),
        ("evaluate", model, "--data", good, "--train", bad),
        ("compare", good, bad),
        ("data", "check", bad),
        ("data", "import", bad, "--points", 8, "--out", out / "new.npz"),
        ("view", bad, "--out", out / "view.png"),
    ):
        assert said in refused(*words), words
    assert not out.exists()


# Models ------------------------------------------------------------------------------------


def test_shapes_of_another_kind_than_the_models(place: Path, tmp_path: Path) -> None:
    pointflow, grass = place / "pointflow.safetensors", place / "grass.safetensors"
    cloud, trees, out = place / "clouds.npz", place / "trees.npz", ("--out", tmp_path / "out")
    for words in (
        ("reconstruct", pointflow, trees, *out),
        ("interpolate", pointflow, trees, trees, *out),
        ("train", write_config(tmp_path, POINTFLOW, trees), *out),
    ):
        assert "point clouds are needed; one is PartTree" in refused(*words)
    refused("reconstruct", grass, cloud, *out)  # in the words of the tests' own checks of types
    refused("train", write_config(tmp_path, GRASS, cloud), *out)
    for model, shapes, said in (
        (pointflow, trees, "models of point clouds on clouds; got PointFlow and PartTrees"),
        (grass, cloud, "samples must be point clouds, (n, points, 3) or a path; got PartTrees"),
    ):
        assert said in refused("evaluate", model, "--data", shapes, "--train", shapes)
    assert "grass cannot be asked for a number" in refused("sample", grass, "--points", 9, *out)
    # A run that was not begun leaves the configuration that it was given.
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"config.yaml"}


def test_checkpoints_of_another_model(place: Path, tmp_path: Path) -> None:
    grass, out = place / "grass.safetensors", tmp_path / "out"
    refused("convert", grass, "--model", "pointflow", "--out", out / "new.safetensors")
    config = write_config(tmp_path, POINTFLOW, place / "clouds.npz")
    for path, said in (
        (grass, "holds the model `grass`; `pointflow` is due"),
        (place / "nowhere.safetensors", "no checkpoint"),
        (tmp_path, "holds neither best.safetensors nor last.safetensors"),
    ):
        words = ("train", config, "--out", out, f"model.start_from={path}")
        assert said in refused(*words)
    words = ("train", config, "--out", out, "model.hidden=[17]")
    line = refused(*words, f"model.start_from={place / 'pointflow.safetensors'}")
    assert "has other networks than the config says" in line
    assert not list(out.glob("*.safetensors"))


def test_a_run_of_another_model_is_not_resumed(place: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    first = write_config(tmp_path, GRASS, place / "trees.npz")
    done = CliRunner().invoke(app, ["train", str(first), "--out", str(out)])
    assert done.exit_code == 0, done.output
    before = (out / "state.safetensors").read_bytes()
    second = write_config(tmp_path, POINTFLOW, place / "clouds.npz")
    line = refused("train", second, "--out", out, "--resume")
    assert "`model` was grass and is pointflow" in line
    assert (out / "state.safetensors").read_bytes() == before


@pytest.mark.parametrize("objective", ["flow_matching", "likelihood"])
@pytest.mark.filterwarnings("ignore:the adaptive solver stopped")
def test_a_run_that_diverges_says_where_and_keeps_the_last_good_weights(
    objective: str, place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, calls = CloudEncoder.forward, []

    def spoilt_in_the_second_epoch(self: CloudEncoder, points: Tensor) -> DiagGaussian:
        found = real(self, points)
        if not torch.is_grad_enabled():  # The norms are measured.
            return found
        calls.append(len(points))
        return found if len(calls) < 3 else DiagGaussian(found.mean / 0, found.logvar)

    monkeypatch.setattr(CloudEncoder, "forward", spoilt_in_the_second_epoch)
    config, out = write_config(tmp_path, POINTFLOW, place / "clouds.npz"), tmp_path / "out"
    words = ["train", str(config), "--out", str(out), f"model.objective={objective}"]
    done = CliRunner().invoke(app, words)
    # It is nobody's input: one line, but another exit code.
    assert done.exit_code == 1
    said = f"TrainingDiverged: the loss `{objective}` is not finite at step 2 (epoch 1.0); the"
    assert said in done.stderr.splitlines()[-1]
    assert checkpoint.header(out)["info"]["step"] == 2
    assert all(value.isfinite().all() for value in shapegen.load(out).state_dict().values())


def test_a_field_that_is_too_stiff_for_its_solver_says_where(place: Path, tmp_path: Path) -> None:
    config, out = write_config(tmp_path, POINTFLOW, place / "clouds.npz"), tmp_path / "out"
    words = ["train", str(config), "--out", str(out), "model.objective=likelihood"]
    solver = "model.solver={atol: 1e-12, rtol: 1e-12, max_num_steps: 2}"
    done = CliRunner().invoke(app, [*words, solver])
    assert done.exit_code == 1
    said = "needs more than 2 steps at atol 1e-12, rtol 1e-12: the vector field is too stiff at"
    assert f"{said} step 0" in done.stderr.splitlines()[-1]
