"""The verbs of the command line on images."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner, Result

import shapegen
from shapegen.cli import app
from shapegen.images.images import Images

TINY = Path(__file__).resolve().parents[1] / "configs" / "tiny"
SHORT = (
    "data.count=60",
    "data.holdout=20",
    "data.validation=5",
    "train.epochs=2",
    "train.tensorboard=false",
    "train.pictures_every=1",
)


def invoke(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


def run(*words: object) -> str:
    done = invoke(*words)
    assert done.exit_code == 0, done.output
    return done.output


@pytest.fixture(scope="module", params=["vae", "autoencoder"])
def trained(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / request.param
    run("train", TINY / f"{request.param}.yaml", *SHORT, "--out", out)
    return out


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("data") / "digits.npz"
    run("data", "make", "digits", "-n", 30, "--out", path)
    return path


def test_a_run_leaves_pictures(trained: Path) -> None:
    assert sorted(path.name for path in (trained / "samples").iterdir())
    found = {path.name: np.asarray(Image.open(path)) for path in trained.glob("*.png")}
    assert set(found) == {"samples.png", "interpolation.png", "reconstructions.png", "codes.png"}
    assert all(picture.std() > 5 for picture in found.values())


def test_a_run_without_codes_leaves_samples_alone(tmp_path: Path) -> None:
    run("train", TINY / "pixelcnn.yaml", *SHORT, "train.epochs=1", "--out", tmp_path)
    assert [path.name for path in tmp_path.glob("*.png")] == ["samples.png"]


def test_codes_of_one_number_are_shown_on_a_line(tmp_path: Path) -> None:
    changes = ("model.latent_dim=1", "train.epochs=1", "train.pictures_every=0")
    run("train", TINY / "vae.yaml", *SHORT, *changes, "--out", tmp_path)
    rows = np.asarray(Image.open(tmp_path / "codes.png")).std((1, 2)) > 0
    assert 0 < rows.sum() < len(rows) / 20


def test_a_run_is_whole_without_its_pictures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> None:
        raise ValueError("a tree too deep")

    monkeypatch.setattr("shapegen.images.vae.VAE.encode", refused)
    output = run("train", TINY / "vae.yaml", *SHORT, "train.pictures_every=0", "--out", tmp_path)
    assert "no pictures: a tree too deep" in output
    assert (tmp_path / "last.safetensors").is_file()


def test_samples_are_pictures_unless_asked_otherwise(trained: Path, tmp_path: Path) -> None:
    run("sample", trained, "-n", 3, "--seed", 5, "--out", tmp_path / "a")
    names = [
        file["name"] for file in json.loads((tmp_path / "a/manifest.json").read_text())["files"]
    ]
    assert names == ["0000.png", "0001.png", "0002.png"]
    assert (tmp_path / "a" / "contact.png").exists()
    images = shapegen.read(tmp_path / "a")
    assert isinstance(images, Images)
    assert images.pixels.shape == (3, 1, 8, 8)
    run("sample", trained, "-n", 3, "--seed", 5, "--out", tmp_path / "b", "--format", "npz")
    again = shapegen.read(tmp_path / "b" / "samples.npz")
    assert isinstance(again, Images)
    assert torch.equal(again.pixels, images.pixels)


def test_reconstructions_and_walks(trained: Path, data: Path, tmp_path: Path) -> None:
    run("reconstruct", trained, data, "-n", 4, "--out", tmp_path / "a")
    assert (tmp_path / "a" / "pairs.png").exists()
    ends = (f"{data}:0", f"{data}:7")
    run("interpolate", trained, *ends, "--steps", 5, "--animate", "--out", tmp_path / "b")
    assert len(shapegen.read(tmp_path / "b")) == 5
    assert (tmp_path / "b" / "animation.gif").stat().st_size > 0
    run("edit", "arithmetic", trained, f"{data}:0", f"{data}:1", 3, "--out", tmp_path / "c")
    assert len(shapegen.read(tmp_path / "c")) == 1


def test_evaluation_names_floor_and_baseline(trained: Path, tmp_path: Path) -> None:
    table = run("evaluate", trained, "--json", tmp_path / "a.json")
    assert "pca gaussian" in table
    found = json.loads((tmp_path / "a.json").read_text())
    assert found["settings"]["reference"] == 20
    assert 0 <= found["metrics"]["1nna-l2"] <= 1
    assert found["reconstruction"]["baseline"]["squared error"] > 0
    assert found["reconstruction"]["model"]["squared error"] > 0
    assert found["model"]


def test_data_are_described_and_checked(data: Path, tmp_path: Path) -> None:
    assert "8 x 8, grey" in run("data", "info", data)
    assert "sound, images: 30 shapes" in run("data", "check", data)
    folder = tmp_path / "pictures"
    shapegen.read(data)[:3].write(folder)
    assert "sound, images: 3 shapes" in run("data", "check", folder)
    assert "digits" in run("data", "list")
    (tmp_path / "x-images-idx3-ubyte").write_bytes(b"\0\0\x08\x03")
    bad = invoke("data", "check", tmp_path / "x-images-idx3-ubyte")
    assert bad.exit_code == 2
    assert "begins with 0x00000803" in bad.output


def test_mistakes_are_one_line(trained: Path, data: Path, tmp_path: Path) -> None:
    run("data", "make", "furniture-images", "-n", 2, "--out", tmp_path / "f.npz")
    cases = [
        (("reconstruct", trained, tmp_path / "f.npz", "--out", tmp_path / "x"), "got 3 x 32 x 32"),
        (("data", "make", "digits", "-n", 2000, "--out", tmp_path / "d.npz"), "there are 1797"),
        (("data", "info", data, "--tree", 0), "holds images, which have no hierarchy"),
        (("sample", trained, "-n", 1, "--out", tmp_path / "y", "--format", "glb"), "written as"),
    ]
    for words, message in cases:
        done = invoke(*words)
        assert done.exit_code == 2, done.output
        assert message in done.output
        assert len(done.output.strip().splitlines()) == 1


def test_images_are_measured_in_a_network_that_is_named(
    trained: Path, data: Path, tmp_path: Path
) -> None:
    file = tmp_path / "figures.json"
    run("evaluate", trained, "--data", data, "--train", data, "-n", 12, "--json", file)
    found = json.loads(file.read_text())
    assert {"frechet", "kernel", "precision"} <= set(found["metrics"]) & set(found["floor"])
    name = found["settings"]["features"]["extractor"]
    shown = run("compare", data, data, "--train", data, "--json", file)
    found = json.loads(file.read_text())
    assert found["settings"]["features"]["extractor"] == name
    assert found["metrics"]["frechet"] == pytest.approx(0, abs=1e-6)
    assert "shapegen image-features 1" in " ".join(shown.split())
    for words in (
        ("compare", data, data, "--features", tmp_path / "nowhere.pth"),
        ("evaluate", trained, "--data", data, "--train", data, "--features", tmp_path / "no.pth"),
    ):
        done = invoke(*words)
        assert done.exit_code == 2, done.output
        assert "no Inception weights at" in done.output
        assert len(done.output.strip().splitlines()) == 1


def test_principal_components_of_a_plane() -> None:
    from shapegen.metrics.image_figures import PcaImages

    rng = torch.Generator().manual_seed(0)
    basis = torch.randn(2, 1, 3, 3, generator=rng) / 10
    pixels = torch.einsum("nk,kchw->nchw", torch.rand(50, 2, generator=rng), basis)
    pca = PcaImages(pixels, 2)
    torch.testing.assert_close(pca.reconstruct(pixels), pixels, atol=1e-5, rtol=0)
    drawn = pca.sample(4000, rng=rng).flatten(1)
    np.testing.assert_allclose(drawn.mean(0), pixels.flatten(1).mean(0), atol=0.005)
    np.testing.assert_allclose(drawn.T.cov(), pixels.flatten(1).T.cov(), atol=3e-4)
