"""Every verb of the command line, in this process, on a model that was trained for seconds."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import trimesh
from PIL import Image
from typer.testing import CliRunner, Result

import shapegen
from shapegen.checkpoint import shipped
from shapegen.cli import app

ROOT = Path(__file__).resolve().parents[1]

CONFIG = """
model: {name: grass, feature_dim: 24, hidden_dim: 48, components: 2}
data: {name: furniture-chairs, count: 24, seed: 3, holdout: 8, validation: 4}
train: {epochs: 40, batch_size: 12, learning_rate: 3.0e-3, save_every: 20, tensorboard: false}
"""


def run(*words: object) -> Result:
    """A command that succeeds."""
    done = CliRunner().invoke(app, [str(word) for word in words])
    assert done.exit_code == 0, done.output
    return done


def digests(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cli")


@pytest.fixture(scope="module")
def model(place: Path) -> Path:
    """The folder of a trained run."""
    config = place / "config.yaml"
    config.write_text(CONFIG)
    run("train", config, "train.epochs=30", "--out", place / "run", "--device", "cpu")
    return place / "run"


@pytest.fixture(scope="module")
def chairs(place: Path) -> Path:
    """Six chairs in a file."""
    run("data", "make", "furniture-chairs", "-n", 6, "--seed", 5, "--out", place / "chairs.npz")
    return place / "chairs.npz"


def test_train_leaves_a_whole_run(model: Path) -> None:
    names = {path.name for path in model.iterdir()}
    assert {"config.yaml", "best.safetensors", "last.safetensors", "log.jsonl"} <= names
    steps = [json.loads(line)["step"] for line in (model / "log.jsonl").read_text().splitlines()]
    assert max(steps) == 30  # 12 shapes, 12 a step


def test_train_goes_on_where_it_stopped(place: Path, tmp_path: Path) -> None:
    config = place / "config.yaml"
    config.write_text(CONFIG)
    words = ("train", config, "train.epochs=4", "train.save_every=2", "--device", "cpu", "--out")
    run(*words, tmp_path / "run")
    done = run(*words, tmp_path / "run", "--resume")
    assert "finished after 4 epochs" in done.stdout


def test_sample_writes_files_manifest_and_picture(model: Path, tmp_path: Path) -> None:
    run("sample", model, "-n", 3, "--seed", 7, "--out", tmp_path / "a")
    manifest = json.loads((tmp_path / "a" / "manifest.json").read_text())
    assert {"model", "seed", "count", "shapegen", "files"} <= manifest.keys()
    assert (manifest["seed"], manifest["count"]) == (7, 3)
    assert [file["name"] for file in manifest["files"]] == ["0000.glb", "0001.glb", "0002.glb"]
    for file in manifest["files"]:
        content = (tmp_path / "a" / file["name"]).read_bytes()
        assert content[:4] == b"glTF"
        assert hashlib.sha256(content).hexdigest() == file["sha256"]
    with Image.open(tmp_path / "a" / "contact.png") as picture:
        assert np.ptp(np.asarray(picture)) > 100  # something is drawn


def test_the_same_seed_gives_the_same_bytes(model: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        run("sample", model, "-n", 2, "--seed", 1, "--out", tmp_path / name)
    run("sample", model, "-n", 2, "--seed", 2, "--out", tmp_path / "c")
    assert digests(tmp_path / "a") == digests(tmp_path / "b")
    assert digests(tmp_path / "a")["0000.glb"] != digests(tmp_path / "c")["0000.glb"]


def test_a_sample_depends_on_its_own_seed_alone(model: Path, tmp_path: Path) -> None:
    run("sample", model, "-n", 4, "--out", tmp_path / "four", "--format", "json")
    run("sample", model, "-n", 2, "--out", tmp_path / "two", "--format", "json")
    four, two = digests(tmp_path / "four"), digests(tmp_path / "two")
    assert [four[name] for name in ("0000.json", "0001.json")] == [
        two[name] for name in ("0000.json", "0001.json")
    ]
    seed = json.loads((tmp_path / "four" / "manifest.json").read_text())["files"][3]["seed"]
    run("sample", model, "-n", 1, "--seed", seed, "--out", tmp_path / "one", "--format", "json")
    assert digests(tmp_path / "one")["0000.json"] == four["0003.json"]


@pytest.mark.parametrize("extension", ["obj", "ply", "stl", "json", "npz", "png"])
def test_sample_writes_every_format(model: Path, tmp_path: Path, extension: str) -> None:
    run("sample", model, "-n", 2, "--out", tmp_path / "out", "--format", extension)
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert {f"0000.{extension}", f"0001.{extension}", "manifest.json", "contact.png"} <= names
    if extension == "json":
        lines = (tmp_path / "out" / "samples.jsonl").read_text().splitlines()
        assert len([json.loads(line)["root"] for line in lines]) == 2
    if extension in ("json", "npz"):
        back = shapegen.read(tmp_path / "out" / f"0001.{extension}")
        assert len(back) == 1


def test_a_second_run_leaves_nothing_of_the_first(model: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run("sample", model, "-n", 3, "--out", out)
    (out / "mine.txt").write_text("kept")
    run("sample", model, "-n", 1, "--out", out, "--format", "ply")
    assert {path.name for path in out.iterdir()} == {
        "0000.ply",
        "contact.png",
        "manifest.json",
        "mine.txt",
    }


def test_reconstruct(model: Path, chairs: Path, tmp_path: Path) -> None:
    run("reconstruct", model, chairs, "-n", 2, "--out", tmp_path / "out", "--format", "json")
    assert len(shapegen.read(tmp_path / "out")) == 2
    with Image.open(tmp_path / "out" / "pairs.png") as picture:
        assert picture.height > picture.width / 4


def test_interpolate_between_seeds_and_shapes(model: Path, chairs: Path, tmp_path: Path) -> None:
    words = ("--steps", 3, "--animate", "--format", "npz", "--out", tmp_path / "out")
    run("interpolate", model, "4", f"{chairs}:2", *words)
    assert len(list((tmp_path / "out").glob("*.npz"))) == 3
    with Image.open(tmp_path / "out" / "animation.gif") as animation:
        assert animation.n_frames >= 3
    run("sample", model, "-n", 1, "--seed", 4, "--format", "npz", "--out", tmp_path / "end")
    first = shapegen.read(tmp_path / "out" / "0000.npz")[0]
    np.testing.assert_allclose(
        first.boxes(), shapegen.read(tmp_path / "end" / "0000.npz")[0].boxes(), atol=1e-5
    )


def test_evaluate_uses_what_the_run_held_out(model: Path, tmp_path: Path) -> None:
    words = ("--draws", 1, "--json", tmp_path / "figures.json", "--device", "cpu")
    done = run("evaluate", model, *words)
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert {"metrics", "floor", "baseline", "settings"} <= figures.keys()
    assert figures["settings"]["reference"] == 8
    assert figures["settings"]["train"] == 12
    assert "coverage" in figures["metrics"]
    assert "coverage" in done.stdout


def test_evaluate_takes_other_data(model: Path, chairs: Path) -> None:
    done = run("evaluate", model, "--data", chairs, "--train", chairs, "--draws", 1, "--json", "-")
    assert json.loads(done.stdout)["settings"]["reference"] == 6


def test_compare(chairs: Path, tmp_path: Path) -> None:
    done = run("compare", chairs, chairs, "--json", "-")
    figures = json.loads(done.stdout)
    assert figures["metrics"]["coverage"] == 1
    assert figures["metrics"]["mmd"] == pytest.approx(0, abs=1e-6)
    assert "coverage" in run("compare", chairs, chairs).stdout


def test_mesh_of_a_file_and_of_a_model(model: Path, chairs: Path, tmp_path: Path) -> None:
    run("mesh", chairs, "--index", 1, "--out", tmp_path / "a.ply")
    assert (tmp_path / "a.ply").read_bytes().startswith(b"ply")
    run("mesh", model, "--seed", 3, "--out", tmp_path / "b.glb")
    assert (tmp_path / "b.glb").read_bytes().startswith(b"glTF")


def test_view_as_a_picture_and_as_a_page(chairs: Path, tmp_path: Path) -> None:
    run("view", chairs, "--out", tmp_path / "view.png")
    with Image.open(tmp_path / "view.png") as picture:
        assert np.ptp(np.asarray(picture)) > 100
    run("view", chairs, "--html", tmp_path / "page.html")
    assert "by semantics" in (tmp_path / "page.html").read_text()


def test_data_verbs(chairs: Path, tmp_path: Path) -> None:
    assert "furniture-chairs" in run("data", "list").stdout
    assert re.search(r"shapes +6", run("data", "info", chairs).stdout)
    assert "chair" in run("data", "info", chairs, "--tree", 2).stdout
    assert "sound" in run("data", "check", chairs).stdout
    run("data", "import", chairs, "--out", tmp_path / "chairs.jsonl.gz")
    back = shapegen.read(tmp_path / "chairs.jsonl.gz")
    assert [len(tree) for tree in back] == [len(tree) for tree in shapegen.read(chairs)]


def test_a_folder_of_meshes_is_imported_without_its_rejects(tmp_path: Path) -> None:
    folder = tmp_path / "meshes"
    (folder / "sub").mkdir(parents=True)
    for name, height in (("a.stl", 1), ("sub/b.ply", 2)):
        trimesh.creation.box((1, 1, height)).export(folder / name)
    (folder / "cut.glb").write_bytes(b"glTF")
    (folder / "none.obj").write_text("v 0 0 0\n")
    done = run("data", "import", folder, "--up", "z", "--out", tmp_path / "all.npz")
    lines = done.stderr.splitlines()
    assert [line.startswith("left out: ") for line in lines] == [True, True]
    assert "cut.glb" in lines[0]
    assert "none.obj" in lines[1]
    heights = [tree.box[0, 4] for tree in shapegen.read(tmp_path / "all.npz")]
    np.testing.assert_allclose(heights, [1, 2], atol=1e-6)


def test_data_info_of_a_model(model: Path) -> None:
    assert re.search(r"model +grass", run("data", "info", model).stdout)


def test_convert_changes_options_of_a_run(model: Path, tmp_path: Path) -> None:
    changes = ("--set", "settle=true", "--set", "limits.nodes=7")
    out = tmp_path / "changed.safetensors"
    run("convert", model, "--model", "grass", *changes, "--out", out)
    before, after = shapegen.load(model).config, shapegen.load(out).config
    assert after == replace(before, settle=True, limits=replace(before.limits, nodes=7))


def test_convert(tmp_path: Path) -> None:
    import torch

    from shapegen.interop.grass import split_official
    from shapegen.structures.grass import GRASS, GRASSConfig

    torch.manual_seed(0)
    model = GRASS(GRASSConfig.official(feature_dim=8, hidden_dim=12))
    official = split_official(model.state_dict())
    # The original has two biases here, which act as their sum.
    official["encoder.sym_encoder.right.bias"] *= 0
    for part in ("encoder", "decoder"):
        names = [name for name in official if name.startswith(part)]
        state = {name.removeprefix(f"{part}."): official[name] for name in names}
        torch.save(state, tmp_path / f"{part}.pt")
    run("convert", tmp_path, "--model", "grass", "--out", tmp_path / "ours.safetensors")
    loaded = shapegen.load(tmp_path / "ours.safetensors")
    for name, value in model.state_dict().items():
        torch.testing.assert_close(loaded.state_dict()[name], value, rtol=0, atol=0)


def test_doctor_and_version() -> None:
    assert "torch" in run("doctor").stdout
    assert run("--version").stdout == f"shapegen {shapegen.__version__}\n"


def test_no_arguments_show_the_verbs() -> None:
    assert "reconstruct" in run().stdout


def test_demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shapegen.cli.pages.COUNT", 4)
    monkeypatch.setattr("shapegen.cli.pages.STEPS", 5)
    run("demo", "--out", tmp_path / "demo")
    page = (tmp_path / "demo" / "index.html").read_text()
    # Structures first, pictures of fields last.
    assert page.index("grass-furniture: ") < page.index("graf-furniture: ")
    targets = re.findall(r'(?:src|href)="([^"#:]+)"', page)
    assert targets
    assert [name for name in targets if not (tmp_path / "demo" / name).exists()] == []
    assert len(list((tmp_path / "demo").rglob("*.glb"))) == len(shipped()) * (4 + 5)
    assert list((tmp_path / "demo").rglob("*.gif"))
