"""Bad input: one clear line on stderr, exit code 2, nothing half-written."""

from __future__ import annotations

import gzip
import json
import os
import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

import shapegen
from shapegen.cli import app
from shapegen.data.furniture import furniture


def refused(*words: object) -> str:
    """The line that a command says when it refuses its input."""
    done = CliRunner().invoke(app, [str(word) for word in words])
    assert done.exit_code == 2, (done.exit_code, done.output, done.exception)
    lines = done.stderr.splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("shapegen: ")
    return lines[0]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("mistakes")


@pytest.fixture(scope="module")
def model(place: Path) -> Path:
    """A checkpoint of an untrained model."""
    torch.manual_seed(0)
    built = shapegen.build("grass", feature_dim=8, hidden_dim=12, prior="normal")
    shapegen.save(built, place / "model.safetensors")
    return place / "model.safetensors"


@pytest.fixture(scope="module")
def chairs(place: Path) -> Path:
    furniture(3, category="chair", seed=0).write(place / "chairs.npz")
    return place / "chairs.npz"


def truncated(source: Path, target: Path) -> Path:
    content = source.read_bytes()
    target.write_bytes(content[: len(content) // 2])
    return target


def node(number: int, *children: object) -> dict[str, object]:
    box = [0, 0, 0, 1, 1, 1, 1, 0, 0, 0, 1, 0]
    plain: dict[str, object] = {"id": number, "label": "part", "box": box}
    return plain | ({"children": list(children)} if children else {})


def nan_boxes(place: Path, _: Path) -> Path:
    root = node(0, node(1), node(2))
    root["children"][0]["box"][0] = float("nan")  # type: ignore[index]
    (place / "nan.json").write_text(json.dumps(root))
    return place / "nan.json"


def cycle(place: Path, _: Path) -> Path:
    (place / "cycle.json").write_text(json.dumps(node(0, node(1, node(0)))))
    return place / "cycle.json"


def deep(place: Path, _: Path) -> Path:
    text = '{"id": 0, "label": "a", "children": [' * 10_000 + "]}" * 10_000
    (place / "deep.json").write_text(text)
    return place / "deep.json"


def wrong_shapes(place: Path, _: Path) -> Path:
    np.savez(
        place / "wrong.npz",
        boxes=np.zeros((2, 3, 11)),
        ops=np.zeros((2, 3)),
        syms=np.zeros((2, 1, 8)),
    )
    return place / "wrong.npz"


def truncated_npz(place: Path, chairs: Path) -> Path:
    return truncated(chairs, place / "cut.npz")


def truncated_gz(place: Path, _: Path) -> Path:
    lines = "\n".join(json.dumps({"id": str(i), "root": node(0, node(1))}) for i in range(50))
    (place / "whole.jsonl.gz").write_bytes(gzip.compress(lines.encode()))
    return truncated(place / "whole.jsonl.gz", place / "cut.jsonl.gz")


def missing(place: Path, _: Path) -> Path:
    return place / "no-such-file.npz"


def empty(place: Path, _: Path) -> Path:
    (place / "empty.json").write_text("")
    return place / "empty.json"


def text(place: Path, _: Path) -> Path:
    (place / "notes.docx").write_text("dear diary")
    return place / "notes.docx"


BAD_FILES = [
    nan_boxes, cycle, deep, wrong_shapes, truncated_npz, truncated_gz, missing, empty, text
]  # fmt: skip


@pytest.mark.parametrize("make", BAD_FILES, ids=lambda make: make.__name__)
def test_files_that_are_not_sound(
    make: Callable[[Path, Path], Path], place: Path, chairs: Path, model: Path, tmp_path: Path
) -> None:
    path = make(place, chairs)
    assert path.name in refused("data", "check", path)
    if make is nan_boxes:
        return  # shapes are read and repaired or refused by the reader's own rules
    for words in (
        ("reconstruct", model, path, "--out", tmp_path / "out"),
        ("compare", path, chairs),
        ("view", path, "--out", tmp_path / "view.png"),
        ("mesh", path, "--out", tmp_path / "mesh.ply"),
        ("data", "info", path),
        ("data", "import", path, "--out", tmp_path / "new.npz"),
    ):
        refused(*words)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_with_nothing_to_import(tmp_path: Path) -> None:
    for name in ("a.glb", "b.glb"):
        (tmp_path / name).write_bytes(b"glTF")
    words = ("data", "import", tmp_path, "--out", tmp_path / "new.npz")
    said = refused(*words)
    assert "a.glb" in said
    assert "(and 1 more)" in said
    assert "up must be" in refused(*words, "--up", "x")
    assert not (tmp_path / "new.npz").exists()


def test_truncated_mat(data_path: Path, tmp_path: Path) -> None:
    for name in ("box_data.mat", "op_data.mat", "sym_data.mat"):
        truncated(data_path / "grass" / "mat_sample" / name, tmp_path / name)
    refused("data", "check", tmp_path)


def test_an_unknown_label(chairs: Path, tmp_path: Path) -> None:
    table = tmp_path / "labels.txt"
    table.write_text("1 chair subcomponents\n2 chair/leg leaf\n")
    assert "label" in refused("data", "check", chairs, "--labels", table)


MODEL = "{name: grass, feature_dim: 8, hidden_dim: 12, prior: normal}"


@pytest.mark.parametrize(
    ("config", "said"),
    [
        (f"model: {MODEL}\ndata: {{name: furniture, count: 4}}\ntrain: {{epoch: 3}}", "epochs"),
        ("model: {name: gras}\ndata: {name: furniture, count: 4}", "grass"),
        (f"model: {MODEL}\ndata: {{name: furnitur, count: 4}}", "furniture"),
        (f"model: {MODEL}\ndata: {{path: nowhere.npz}}", "nowhere.npz"),
        (f"model: {MODEL}\ndata: {{path: '${{NO_SUCH_FOLDER}}/x.npz'}}", "NO_SUCH_FOLDER"),
        (f"model: {MODEL}\ndata: {{name: furniture, count: many}}", "count"),
        ("model: [", "config.yaml"),
    ],
)
def test_configurations(config: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(config)
    assert said in refused("train", tmp_path / "config.yaml", "--out", tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_more_components_than_shapes(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(
        "model: {name: grass, feature_dim: 8, hidden_dim: 12, prior_rank: 4, components: 5}\n"
        "data: {name: furniture, count: 4}\ntrain: {epochs: 1000000}"
    )
    said = refused("train", tmp_path / "config.yaml", "--out", tmp_path / "run")
    assert "5 components" in said


def edged(**edge: object) -> dict[str, object]:
    root = node(0, node(1), node(2))
    return root | {"edges": [{"part_a": 0, "part_b": 1, **edge}]}


HIERARCHIES: dict[str, tuple[dict[str, object], str]] = {
    "too many children": (
        node(0, *map(node, range(1, 5))),
        "shape '0' has a part with 4 children; the model has 3 slots",
    ),
    "an unknown label": (
        node(0, node(1), node(2) | {"label": "wheel"}),
        "node 2: unknown label 'part/wheel'; the nearest known one is 'part'",
    ),
    "an edge that points outside": (
        edged(type="ADJ", part_b=2),
        "edges[0]: 'part_a' and 'part_b' must be positions among the 2 children; got 0 and 2",
    ),
    "parameters that do not match": (
        edged(type="ROT_SYM", params=[0, 0, 0, 0, 1, 0]),
        "edges[0]: ROT_SYM takes 7 numbers as 'params'; got [0, 0, 0, 0, 1, 0]",
    ),
}


@pytest.mark.parametrize("case", HIERARCHIES)
def test_hierarchies_that_a_model_cannot_learn(case: str, tmp_path: Path) -> None:
    root, said = HIERARCHIES[case]
    (tmp_path / "0.json").write_text(json.dumps(root))
    (tmp_path / "labels.txt").write_text("1 part subcomponents\n2 part/part leaf\n")
    (tmp_path / "config.yaml").write_text(
        "model: {name: structurenet, feature_dim: 8, hidden_dim: 8, max_children: 3, "
        f"label_files: ['{tmp_path}/labels.txt'], components: 1}}\n"
        f"data: {{path: '{tmp_path}/0.json'}}\ntrain: {{epochs: 1}}"
    )
    assert said in refused("train", tmp_path / "config.yaml", "--out", tmp_path / "run")
    assert list(tmp_path.glob("run/*.safetensors")) == []
    if case != "too many children":
        words = ("--labels", tmp_path / "labels.txt")
        assert said in refused("data", "check", tmp_path / "0.json", *words)
        out = ("--out", tmp_path / "new.npz")
        assert said in refused("data", "import", tmp_path / "0.json", *words, *out)
        assert not (tmp_path / "new.npz").exists()


def test_overrides(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(
        f"model: {MODEL}\ndata: {{name: furniture, count: 4}}\ntrain: {{epochs: 1}}"
    )
    words = ("train", tmp_path / "config.yaml", "--out", tmp_path / "run")
    assert "learning_rate" in refused(*words, "train.learning_rat=1e-4")
    assert "epochs" in refused(*words, "train.epochs=some")
    refused(*words, "epochs")
    refused(*words, "--device", "tpu")


def test_a_run_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(
        f"model: {MODEL}\ndata: {{name: furniture, count: 4}}\n"
        "train: {epochs: 1, tensorboard: false}"
    )
    words = ("train", tmp_path / "config.yaml", "--out", tmp_path / "run", "--device", "cpu")
    assert CliRunner().invoke(app, [str(word) for word in words]).exit_code == 0
    before = (tmp_path / "run" / "last.safetensors").read_bytes()
    assert "resume" in refused(*words)
    assert (tmp_path / "run" / "last.safetensors").read_bytes() == before


def test_checkpoints(place: Path, model: Path, tmp_path: Path) -> None:
    out = ("--out", tmp_path / "out")
    assert "no-such-model" in refused("sample", "no-such-model", *out)
    refused("sample", truncated(model, tmp_path / "cut.safetensors"), *out)
    noise = bytearray(model.read_bytes())
    noise[8:40] = bytes(32)
    (tmp_path / "noise.safetensors").write_bytes(noise)
    refused("sample", tmp_path / "noise.safetensors", *out)
    refused("sample", tmp_path, *out)
    assert not (tmp_path / "out").exists()


def test_convert_refuses_what_it_cannot_read(model: Path, tmp_path: Path) -> None:
    out = ("--out", tmp_path / "out.safetensors")
    assert "grass" in refused("convert", model, "--model", "gras", *out)
    refused("convert", tmp_path / "nothing", "--model", "grass", *out)
    refused("convert", model, "--model", "grass", *out)
    assert not (tmp_path / "out.safetensors").exists()


def test_options(model: Path, chairs: Path, tmp_path: Path) -> None:
    out = ("--out", tmp_path / "out")
    assert "glb" in refused("sample", model, *out, "--format", "fbx")
    refused("sample", model, *out, "-n", 0)
    refused("sample", model, *out, "--seed", -1)
    refused("sample", model)
    refused("sampel", model)
    refused("sample", model, *out, "--colour", "red")
    refused("sample", model, *out, "--device", "tpu")
    assert "at least 2" in refused("interpolate", model, "1", "2", "--steps", 1, *out)
    assert "numbered from 0" in refused("interpolate", model, "1", f"{chairs}:9", *out)
    assert "image, open3d, web" in refused("view", chairs, "--backend", "vulkan")
    assert "chamfer" in refused("compare", chairs, chairs, "--distance", "hausdorff")
    refused("mesh", chairs, "--index", 9, *out)
    refused("mesh", chairs, "--out", tmp_path / "mesh.docx")
    refused("data", "make", "furnitur", *out)
    assert list(tmp_path.iterdir()) == []


def test_folders_that_cannot_be_written(model: Path, chairs: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    for out in (tmp_path / "file", tmp_path / "file" / "below"):
        line = refused("sample", model, "-n", 1, "--out", out)
        assert str(tmp_path / "file") in line
        refused("interpolate", model, "1", "2", "--out", out)
        refused("reconstruct", model, chairs, "--out", out)
    refused("data", "import", chairs, "--out", tmp_path / "file" / "new.npz")
    refused("view", chairs, "--out", tmp_path / "file" / "view.png")
    assert (tmp_path / "file").read_text() == "in the way"
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser writes everywhere")
def test_a_folder_without_permission(model: Path, tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o500)
    assert "ermission" in refused("sample", model, "-n", 1, "--out", closed / "out")


@contextmanager
def full_disk(size: int) -> Iterator[None]:
    """No file can grow beyond ``size`` bytes: writing fails half-way as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("format", ["glb", "obj", "ply", "stl", "json", "npz", "png"])
def test_a_full_disk_leaves_nothing(model: Path, tmp_path: Path, format: str) -> None:
    with full_disk(300):
        refused("sample", model, "-n", 2, "--format", format, "--out", tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_leaves_an_old_folder_as_it_was(model: Path, tmp_path: Path) -> None:
    words = ("sample", model, "-n", 2, "--out", tmp_path / "out")
    assert CliRunner().invoke(app, [str(word) for word in words]).exit_code == 0
    before = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    with full_disk(300):
        refused(*words, "--seed", 5)
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == before
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_full_disk_in_other_verbs(model: Path, chairs: Path, tmp_path: Path) -> None:
    with full_disk(300):
        refused("data", "import", chairs, "--out", tmp_path / "new.npz")
        refused("view", chairs, "--out", tmp_path / "view.png")
        refused("mesh", chairs, "--out", tmp_path / "mesh.ply")
        refused("reconstruct", model, chairs, "--out", tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_debug_shows_where(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["data", "info", str(tmp_path / "none.npz"), "--debug"])
    assert isinstance(done.exception, FileNotFoundError)


def test_a_failure_that_is_nobodys_input_is_exit_code_1(
    chairs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("out of\nmemory")

    monkeypatch.setattr("shapegen.metrics.compare", broken)
    done = CliRunner().invoke(app, ["compare", str(chairs), str(chairs)])
    assert done.exit_code == 1
    assert done.stderr == (
        "shapegen: failed with RuntimeError: out of memory (--debug shows where)\n"
    )
