"""The verbs of the command line on point clouds, with a model that needs no training."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from typer.testing import CliRunner, Result

import shapegen
from shapegen.base import Autoencoder, Prepared
from shapegen.cli import app
from shapegen.core.objective import Objective
from shapegen.points.point_clouds import PointClouds


class Shifted(Autoencoder):
    """A ball of points about its latent, which is the middle of a cloud."""

    name = "shifted"

    @property
    def latent_dim(self) -> int:
        """The coordinates of a place."""
        return 3

    def prepare(self, shapes: Any) -> Prepared:
        """Nothing is learnt."""
        return PointClouds.of(shapes).points

    def objectives(self, *, rng: torch.Generator | None = None) -> tuple[Objective, ...]:
        """None: nothing is learnt."""
        return ()

    def sample_latent(self, n: int, *, rng: torch.Generator | None = None) -> Tensor:
        """Anywhere."""
        return torch.randn(n, 3, generator=rng)

    def encode(self, shapes: Any) -> Tensor:
        """Where the middle is."""
        return PointClouds.of(shapes).points.mean(1)

    def sample(
        self, n: int, *, num_points: int = 16, rng: torch.Generator | None = None
    ) -> PointClouds:
        """Draw balls."""
        return self.decode(self.sample_latent(n, rng=rng), num_points=num_points, rng=rng)

    def decode(
        self, z: Tensor, *, num_points: int = 16, rng: torch.Generator | None = None
    ) -> PointClouds:
        """Points about it."""
        noise = torch.randn(len(z), num_points, 3, generator=rng)
        return PointClouds(z[:, None] + 0.1 * noise)


def invoke(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


def run(*words: object) -> Result:
    done = invoke(*words)
    assert done.exit_code == 0, done.output
    return done


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(shapegen, "load", lambda *_: Shifted().eval())
    monkeypatch.setattr("shapegen.cli.measure.run_config", lambda _: None)
    return "shifted"


@pytest.fixture
def chairs(tmp_path: Path) -> Path:
    path = tmp_path / "chairs.npz"
    run("data", "make", "furniture-chair-points", "-n", 6, "--points", 64, "--out", path)
    return path


def test_samples_as_npz_are_one_file(model: str, tmp_path: Path) -> None:
    for folder in ("a", "b"):
        run("sample", model, "-n", 3, "--seed", 7, "--out", tmp_path / folder, "-f", "npz")
    assert {path.name for path in (tmp_path / "a").iterdir()} == {
        "samples.npz",
        "manifest.json",
        "contact.png",
    }
    with np.load(tmp_path / "a" / "samples.npz") as arrays:
        assert arrays["points"].shape == (3, 16, 3)
    manifest = json.loads((tmp_path / "a" / "manifest.json").read_text())
    assert manifest["count"] == len(manifest["sample_seeds"]) == 3
    (entry,) = manifest["files"]
    content = (tmp_path / "a" / "samples.npz").read_bytes()
    assert entry["sha256"] == hashlib.sha256(content).hexdigest()
    assert content == (tmp_path / "b" / "samples.npz").read_bytes()
    back = shapegen.read(tmp_path / "a")
    assert isinstance(back, PointClouds)
    assert len(back) == 3


def test_any_number_of_points_can_be_asked_for(
    model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("sample", model, "-n", 2, "--points", 40, "--out", tmp_path / "s", "-f", "npz")
    drawn = shapegen.read(tmp_path / "s")
    assert isinstance(drawn, PointClouds)
    assert drawn.points.shape == (2, 40, 3)
    monkeypatch.setattr(Shifted, "sample", Autoencoder.sample)
    refused = invoke("sample", model, "-n", 2, "--points", 40, "--out", tmp_path / "t")
    assert refused.exit_code == 2
    assert "shifted cannot be asked for a number of points" in refused.output


@pytest.mark.parametrize("extension", ["glb", "ply", "npy", "xyz"])
def test_samples_of_other_formats_are_a_file_each(
    model: str, tmp_path: Path, extension: str
) -> None:
    run("sample", model, "-n", 2, "--out", tmp_path / "s", "--format", extension)
    run("sample", model, "-n", 2, "--out", tmp_path / "n", "--format", "npz")
    assert (tmp_path / "s" / f"0001.{extension}").exists()
    back, whole = shapegen.read(tmp_path / "s"), shapegen.read(tmp_path / "n")
    torch.testing.assert_close(back.points, whole.points, atol=1e-5, rtol=0)


def test_a_format_that_clouds_lack_is_refused(model: str, tmp_path: Path) -> None:
    for extension in ("json", "stl"):
        done = invoke("sample", model, "-n", 1, "--out", tmp_path / "s", "--format", extension)
        assert done.exit_code == 2
        assert "point clouds are written as .npz, .npy, .xyz" in done.output
        assert not (tmp_path / "s").exists()


def test_reconstruct_and_interpolate(model: str, chairs: Path, tmp_path: Path) -> None:
    run("reconstruct", model, chairs, "-n", 2, "--out", tmp_path / "r", "--format", "npz")
    assert {"samples.npz", "pairs.png"} <= {path.name for path in (tmp_path / "r").iterdir()}
    ends = (f"{chairs}:1", f"{chairs}:4")
    run("interpolate", model, *ends, "--steps", 3, "--out", tmp_path / "w", "-f", "npz")
    walk, shapes = shapegen.read(tmp_path / "w"), shapegen.read(chairs)
    expected = torch.stack([shapes[1].points.mean(0), shapes[4].points.mean(0)])
    torch.testing.assert_close(walk.points.mean(1)[[0, -1]], expected, atol=0.2, rtol=0)


def test_evaluate_and_compare(model: str, chairs: Path, tmp_path: Path) -> None:
    words = ("--data", chairs, "--train", chairs, "-n", 4, "--json")
    result = json.loads(run("evaluate", model, *words, "-").stdout)
    assert result["settings"]["preset"] == "pointflow"
    assert result["settings"]["draws"] == 1
    # As many as the data have, though the model draws 16 by itself.
    assert result["settings"]["points"] == 64
    assert {"1nna-cd", "cov-cd", "jsd"} <= result["metrics"].keys() == result["floor"].keys()
    assert "rec-cd" in run("evaluate", model, *words, tmp_path / "e.json").stdout
    options = ("--preset", "lion-normbox", "--metrics", "mmd-cd,mmd-emd", "--json", "-")
    compared = json.loads(run("compare", chairs, chairs, *options).stdout)
    assert compared["metrics"] == pytest.approx({"mmd-cd": 0.0, "mmd-emd": 0.0})
    assert compared["settings"]["normalisation"] == "bounding box"
    assert "mmd-cd-sample" in run("compare", chairs, chairs, "--train", chairs).stdout


def test_view(chairs: Path, tmp_path: Path) -> None:
    run("view", chairs, "--limit", 2, "--out", tmp_path / "v.png")
    run("view", chairs, "--limit", 1, "--html", tmp_path / "v.html")
    assert (tmp_path / "v.png").stat().st_size > 1000
    assert (tmp_path / "v.html").exists()


def test_data_verbs(chairs: Path, tmp_path: Path) -> None:
    assert "furniture-chair-points" in run("data", "list").stdout
    info = run("data", "info", chairs).stdout
    assert "64 a shape" in info
    assert "6" in info.splitlines()[0]
    assert "sound, point clouds: 6 shapes" in run("data", "check", chairs).stdout
    refused = invoke("data", "info", chairs, "--tree", 0)
    assert refused.exit_code == 2
    assert "which have no hierarchy" in refused.output
    trees = tmp_path / "trees.npz"
    run("data", "make", "furniture-chairs", "-n", 6, "--out", trees)
    run("data", "import", trees, "--points", 64, "--out", tmp_path / "again.npz")
    again, made = shapegen.read(tmp_path / "again.npz"), shapegen.read(chairs)
    torch.testing.assert_close(again.points, made.points)
    assert again.names == made.names
    wrong = invoke("data", "import", trees, "--points", 64, "--diagonal", 1, "--out", trees)
    assert "are for part trees, not --points" in wrong.output
