"""The verb translate, and what the other verbs do with pairs of images."""

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
from shapegen.images.pairs import ImagePairs

TINY = Path(__file__).resolve().parents[1] / "configs" / "tiny"
SHORT = ("data.count=40", "data.holdout=12", "train.epochs=1", "train.tensorboard=false")


def invoke(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


def run(*words: object) -> str:
    done = invoke(*words)
    assert done.exit_code == 0, done.output
    return done.output


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("runs")
    for name in ("pix2pix", "cyclegan"):
        run("train", TINY / f"{name}.yaml", *SHORT, "--out", folder / name)
    return {name: folder / name for name in ("pix2pix", "cyclegan")}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("data") / "pairs.npz"
    run("data", "make", "digits-edges", "-n", 5, "--out", path)
    return path


def test_a_run_leaves_translations(runs: dict[str, Path]) -> None:
    for path in runs.values():
        assert {each.name for each in path.glob("*.png")} == {"samples.png", "translations.png"}
        assert np.asarray(Image.open(path / "translations.png")).std() > 5


def test_images_are_translated_each_by_its_own_seed(
    runs: dict[str, Path], data: Path, tmp_path: Path
) -> None:
    run("translate", runs["pix2pix"], data, "--seed", 5, "--out", tmp_path / "a")
    manifest = json.loads((tmp_path / "a" / "manifest.json").read_text())
    assert [file["name"] for file in manifest["files"]] == [f"000{i}.png" for i in range(5)]
    assert np.asarray(Image.open(tmp_path / "a" / "pairs.png")).std() > 5
    assert len(shapegen.read(tmp_path / "a")) == 5
    run("translate", runs["pix2pix"], data, "-n", 2, "--seed", 5, "--out", tmp_path / "b")
    for name in ("0000.png", "0001.png"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    pairs = shapegen.read(data)
    assert isinstance(pairs, ImagePairs)
    rng = torch.Generator().manual_seed(5)
    expected = shapegen.load(runs["pix2pix"]).translate(pairs.source[:1], rng=rng)
    found = shapegen.read(tmp_path / "a" / "0000.png")
    torch.testing.assert_close(found.pixels, expected.pixels, atol=0.5 / 127, rtol=0)


def test_a_model_of_two_kinds_goes_both_ways(
    runs: dict[str, Path], data: Path, tmp_path: Path
) -> None:
    pairs, model = shapegen.read(data), shapegen.load(runs["cyclegan"])
    for words, side, to in ((("--to", "a"), "target", "a"), ((), "source", "b")):
        run("translate", runs["cyclegan"], data, *words, "-f", "npz", "--out", tmp_path / to)
        found = shapegen.read(tmp_path / to / "samples.npz")
        assert isinstance(found, Images)
        expected = model.translate(getattr(pairs, side), to=to)
        torch.testing.assert_close(found.pixels, expected.pixels, atol=1 / 127, rtol=0)


@pytest.mark.parametrize("name", ["pix2pix", "cyclegan"])
def test_evaluation_of_translations(runs: dict[str, Path], name: str, tmp_path: Path) -> None:
    table = run("evaluate", runs[name], "--json", tmp_path / "a.json")
    assert "nearest source" in table
    found = json.loads((tmp_path / "a.json").read_text())
    assert found["settings"]["reference"] == 6
    assert 0 <= found["metrics"]["1nna-l2"] <= 1
    assert found["reconstruction"]["model"]["L1"] > 0
    assert ("paired to B" in found["model"]) is (name == "cyclegan")


def test_pairs_are_described_and_checked(data: Path, tmp_path: Path) -> None:
    assert "16 x 16, grey" in run("data", "info", data)
    assert "sound, pairs of images: 5 shapes" in run("data", "check", data)
    shapegen.read(data).write(tmp_path / "folder")
    assert "sound, pairs of images: 5 shapes" in run("data", "check", tmp_path / "folder")
    (tmp_path / "folder" / "A" / "0003.png").unlink()
    assert "sound, two sets of images: 5 shapes" in run("data", "check", tmp_path / "folder")
    assert "4, 16 x 16, grey" in run("data", "info", tmp_path / "folder")


def test_mistakes_are_one_line(runs: dict[str, Path], data: Path, tmp_path: Path) -> None:
    run("data", "make", "furniture", "-n", 1, "--out", tmp_path / "trees.npz")
    run("data", "make", "digits", "-n", 2, "--out", tmp_path / "small.npz")
    run("train", TINY / "autoencoder.yaml", *SHORT, "data.validation=2", "--out", tmp_path / "ae")
    shapegen.read(data).write(tmp_path / "folder")
    (tmp_path / "folder" / "A" / "0003.png").unlink()
    pair, out = runs["pix2pix"], ("--out", tmp_path / "x")
    unpaired = (f"data.path={tmp_path / 'folder'}", "data.name=null", "data.count=null")
    cases = [
        (("translate", pair, data, "--to", "a", *out), "pix2pix translates one way only"),
        (("translate", runs["cyclegan"], data, "--to", "c", *out), "to a or b; got 'c'"),
        (("translate", tmp_path / "ae", data, *out), "autoencoder cannot translate images"),
        (("translate", pair, tmp_path / "trees.npz", *out), "no images to translate but PartTr"),
        (("translate", pair, tmp_path / "small.npz", *out), "got 1 x 8 x 8"),
        (("translate", pair, tmp_path / "none.npz", *out), "none.npz"),
        (("translate", pair, data, "-f", "glb", *out), "written as png or npz; got 'glb'"),
        (
            ("train", TINY / "pix2pix.yaml", *unpaired, "data.holdout=0", *out),
            "got two sets: 4 images in A and 5 in B; only one of them has 0003",
        ),
    ]
    for words, message in cases:
        done = invoke(*words)
        assert done.exit_code == 2, done.output
        assert message in done.output
        assert len(done.output.strip().splitlines()) == 1
        assert not (tmp_path / "x" / "manifest.json").exists()
