"""Mangled files of procedural furniture come back as what they were; broken ones are named."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import shapegen
from shapegen.cli import app
from shapegen.data.furniture import furniture
from shapegen.data.importing import import_folder
from tests.data.mangled_files import Score, add, mangle

COUNT = 20


def test_boxes_contacts_and_symmetries_are_recovered(tmp_path: Path) -> None:
    rng = np.random.default_rng(7)
    score = Score()
    for up in ("y", "z"):
        folder = tmp_path / up
        folder.mkdir()
        shapes = furniture(COUNT // 2, seed=7, start=COUNT // 2 * (up == "z"))
        truth = {}
        for number, tree in enumerate(shapes):
            name = f"{up}{number}"
            path = folder / f"{name}.{'obj' if number % 4 == 3 else 'glb'}"
            truth[name] = mangle(tree, path, rng, z_up=up == "z")
        found = import_folder(folder, up="y" if up == "y" else "z")
        assert not found.rejects
        assert {tree.name for tree in found.trees} == truth.keys()
        for tree in found.trees:
            add(score, truth[tree.name], tree)
    right, found_contacts, true_contacts = score.contacts
    right_pairs, relations, true_pairs, holding = score.symmetries
    assert score.boxes[0] == score.boxes[1], score.missed
    assert right >= 0.99 * max(found_contacts, true_contacts), score.missed
    assert right_pairs >= 0.95 * true_pairs, score.missed
    assert holding == relations, score.missed
    # Legs of a table that is a rectangle may be paired along it as well as across it.
    assert score.recovered >= 0.75 * score.files, score.missed


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def without_faces(path: Path) -> None:
    lines = path.read_text().splitlines()
    path.write_text("\n".join(line for line in lines if not line.startswith("f ")) + "\n")


def with_nan(path: Path) -> None:
    text = path.read_text()
    start = text.index("\nv ") + 3
    path.write_text(text[:start] + "nan" + text[text.index(" ", start) :])


def with_nan_bytes(path: Path) -> None:
    data = bytearray(path.read_bytes())
    start = data.rindex(np.float32(0.5).tobytes())
    data[start : start + 4] = np.float32(np.nan).tobytes()
    path.write_bytes(data)


BROKEN: dict[str, tuple[Callable[[Path], object], str]] = {
    "cut.glb": (cut, "cut off"),
    "empty.glb": (lambda path: path.write_bytes(b""), "0 bytes"),
    "empty.obj": (lambda path: path.write_bytes(b""), "0 bytes"),
    "garbage.glb": (
        lambda path: path.write_bytes(np.random.default_rng(0).bytes(5000)),
        "not a binary glTF 2.0 file",
    ),
    "garbage.obj": (
        lambda path: path.write_bytes(np.random.default_rng(0).bytes(5000)),
        "garbage.obj",
    ),
    "garbage.stl": (lambda path: path.write_bytes(b"solid what\n" * 9), "garbage.stl"),
    "nan.obj": (with_nan, "a vertex is not finite"),
    "nan.glb": (with_nan_bytes, "not finite"),
    "points.obj": (without_faces, "no triangles"),
    "text.ply": (lambda path: path.write_text("ply\nformat what\n"), "text.ply"),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sound files in a subfolder, and broken ones."""
    path = tmp_path_factory.mktemp("files")
    rng = np.random.default_rng(1)
    (path / "sound").mkdir()
    for number, tree in enumerate(furniture(12, seed=1)):
        extension = "obj" if number % 3 == 0 else "glb"
        mangle(tree, path / "sound" / f"{number:02d}.{extension}", rng, z_up=False)
    for name, (spoil, _) in BROKEN.items():
        tree = furniture(1, seed=2)[0]
        target = path / name
        if target.suffix in (".glb", ".obj"):
            mangle(tree, target, rng, z_up=False)
        spoil(target)
    return path


def test_broken_files_are_named_with_the_reason(folder: Path) -> None:
    found = import_folder(folder)
    assert len(found.trees) == 12
    assert sorted(failure.source for failure in found.failures) == sorted(BROKEN)
    for failure in found.failures:
        assert BROKEN[failure.source][1] in failure.reason, failure
        assert failure.source in failure.reason
        assert "\n" not in failure.reason


def test_the_verb_reports_what_it_left_out(folder: Path, tmp_path: Path) -> None:
    done = CliRunner().invoke(
        app, ["data", "import", str(folder), "--out", str(tmp_path / "all.jsonl.gz")]
    )
    assert done.exit_code == 0, done.output
    lines = done.stderr.splitlines()
    assert len(lines) == len(BROKEN) + ("repaired" in done.stderr)
    for name in BROKEN:
        assert sum(name in line and line.startswith("left out: ") for line in lines) == 1
    assert "12 shapes in" in done.stdout
    assert f"{len(BROKEN)} left out" in done.stdout
    back = shapegen.read(tmp_path / "all.jsonl.gz")
    assert [tree.name for tree in back] == [f"sound/{number:02d}" for number in range(12)]
    ids = [each for split in ("train", "val", "test") for each in _ids(tmp_path, split)]
    assert sorted(ids) == [tree.name for tree in back]


def _ids(folder: Path, split: str) -> list[str]:
    path = folder / f"all.{split}.txt"
    return path.read_text().splitlines() if path.exists() else []
