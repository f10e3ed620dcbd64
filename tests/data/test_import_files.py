"""What `shapegen data import` leaves beside the shapes."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import trimesh
from typer.testing import CliRunner, Result

import shapegen
from shapegen.cli import app
from shapegen.core.boxes import bounds
from shapegen.data.check import check
from shapegen.data.furniture import furniture
from shapegen.data.id_lists import SplitRule, read_ids, write_ids
from shapegen.data.import_files import write_import
from shapegen.data.importing import import_folder
from shapegen.structures.partnet_writing import write_partnet
from shapegen.structures.vocabulary import Vocabulary, read_vocabulary, vocabulary_of

COUNT = 30


def run(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture
def hier(tmp_path: Path) -> Path:
    """A folder of StructureNet's layout."""
    folder = tmp_path / "chair_hier"
    folder.mkdir()
    for number, tree in enumerate(furniture(COUNT, category="chair", seed=4)):
        write_partnet([replace(tree, name=str(100 + number))], folder / f"{100 + number}.json")
    return folder


def test_everything_lies_beside_the_shapes_and_is_sound(hier: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    report = write_import(import_folder(hier), hier, out / "chairs.npz", rule=SplitRule(seed=2))
    names = sorted(path.name for path in out.iterdir())
    assert names == [
        "chairs.labels.txt",
        "chairs.npz",
        "chairs.report.json",
        "chairs.test.txt",
        "chairs.train.txt",
        "chairs.val.txt",
    ]
    assert all(check(out / name).ok for name in names)
    trees = shapegen.read(out / "chairs.npz")
    assert read_vocabulary(out / "chairs.labels.txt") == vocabulary_of(trees)
    parts = [shapegen.read(out / f"chairs.{name}.txt") for name in ("train", "val", "test")]
    assert sum(map(len, parts)) == COUNT
    assert {t.name for part in parts for t in part} == {str(100 + n) for n in range(COUNT)}
    told = json.loads((out / "chairs.report.json").read_text())
    assert told["counts"]["shapes"] == COUNT
    assert told["counts"]["nodes"] == sum(map(len, trees))
    assert told["counts"]["REF_SYM"] == sum(
        edge.kind == "REF_SYM" for tree in trees for edge in tree.edges
    )
    assert [entry["id"] for entry in told["shapes"]] == [tree.name for tree in trees]
    assert told["shapes"][3]["source"] == "103.json"
    assert told["split"]["train"] == len(parts[0]) == len(report.splits["train"])
    # The shapes' folder is still read as shapes alone.
    assert len(shapegen.read(out)) == COUNT


def test_more_files_leave_the_split_as_it_was(hier: Path, tmp_path: Path) -> None:
    def lists() -> dict[str, set[str]]:
        found = write_import(import_folder(hier), hier, tmp_path / "a.jsonl.gz")
        return {name: set(ids) for name, ids in found.splits.items()}

    before = lists()
    for number, tree in enumerate(furniture(9, category="chair", seed=9)):
        write_partnet([tree], hier / f"{number}-new.json")
    after = lists()
    assert sum(map(len, after.values())) == COUNT + 9
    assert all(before[name] <= after[name] for name in before)


def test_split_files_of_the_folder_hold(hier: Path, tmp_path: Path) -> None:
    write_ids(hier / "train.txt", ["101", "105", "103", "999"])
    write_ids(hier / "test.txt", ["102"])
    write_ids(hier / "val_few.txt", ["110"])
    write_ids(hier / "train_few.txt", ["103", "101"])
    done = run("data", "import", hier, "--out", tmp_path / "a.jsonl.gz")
    assert done.exit_code == 0, done.output
    assert read_ids(tmp_path / "a.train.txt") == ("101", "103", "105")
    assert read_ids(tmp_path / "a.test.txt") == ("102",)
    assert not (tmp_path / "a.val.txt").exists()
    assert "26 shapes are on no list" in done.stdout
    assert "1 ids of the folder's train list have no shape" in done.stdout
    done = run("data", "import", hier, "--subset", "few", "--out", tmp_path / "b.jsonl.gz")
    assert done.exit_code == 0, done.output
    assert [t.name for t in shapegen.read(tmp_path / "b.jsonl.gz")] == ["101", "103", "110"]
    assert read_ids(tmp_path / "b.val.txt") == ("110",)
    done = run("data", "import", hier, "--subset", "many", "--out", tmp_path / "c.jsonl.gz")
    assert done.exit_code == 2
    assert "must be one of 'few'; got 'many'" in done.stderr


def test_shapes_with_unknown_labels_are_left_out(hier: Path, tmp_path: Path) -> None:
    odd = furniture(1, category="lamp", seed=0)[0]
    write_partnet([odd], hier / "200.json")
    words = vocabulary_of(list(import_folder(hier).trees)[:COUNT])
    words.write(tmp_path / "Chair.txt")
    done = run(
        "data", "import", hier, "--labels", tmp_path / "Chair.txt", "--out", tmp_path / "a.npz"
    )
    assert done.exit_code == 0, done.output
    (line,) = done.stderr.splitlines()
    assert line.startswith("left out: 200.json: ")
    assert "unknown label 'lamp'" in line
    assert len(shapegen.read(tmp_path / "a.npz")) == COUNT
    assert read_vocabulary(tmp_path / "a.labels.txt") == words
    told = json.loads((tmp_path / "a.report.json").read_text())
    assert [each["source"] for each in told["rejects"]] == ["200.json"]
    Vocabulary(("sofa",)).write(tmp_path / "Sofa.txt")
    done = run(
        "data", "import", hier, "--labels", tmp_path / "Sofa.txt", "--out", tmp_path / "b.npz"
    )
    assert done.exit_code == 2
    assert "unknown label 'chair'; the nearest known one is 'sofa' (and 30 more)" in done.stderr
    assert not (tmp_path / "b.npz").exists()


def test_labels_that_make_no_table_are_noted(tmp_path: Path) -> None:
    value = {"id": 0, "label": "big chair", "box": [0, 0, 0, 1, 1, 1, 1, 0, 0, 0, 1, 0]}
    (tmp_path / "in.json").write_text(json.dumps(value))
    done = run("data", "import", tmp_path / "in.json", "--out", tmp_path / "a.npz")
    assert done.exit_code == 0, done.output
    assert "no table of labels (a label is words" in done.stdout
    assert not (tmp_path / "a.labels.txt").exists()


def test_units_are_set_by_the_diagonal(tmp_path: Path) -> None:
    folder = tmp_path / "mm"
    folder.mkdir()
    for number, scale in enumerate((1.0, 1000.0)):
        mesh = trimesh.creation.box((scale, 2 * scale, 2 * scale))
        mesh.apply_translation((scale, 0, 0))
        mesh.export(folder / f"{number}.stl")
    out = tmp_path / "a.npz"
    assert run("data", "import", folder, "--out", out, "--diagonal", 2).exit_code == 0
    for tree in shapegen.read(out):
        low, high = bounds(tree.boxes())
        np.testing.assert_allclose(low, -high, atol=1e-9)
        np.testing.assert_allclose(high - low, np.array([1, 2, 2]) * 2 / 3, atol=1e-6)
    done = run("data", "import", folder, "--out", out, "--diagonal", 0)
    assert done.exit_code == 2
    assert "the diagonal must be positive" in done.stderr


def test_equal_names_get_ids_of_their_own(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    for place in ("chair.stl", "chair.ply", "sub/chair.stl"):
        (folder / place).parent.mkdir(parents=True, exist_ok=True)
        trimesh.creation.box((1, 2, 3)).export(folder / place)
    furniture(2, seed=0).write(folder / "two.glb")
    found = import_folder(folder)
    assert [tree.name for tree in found.trees] == [
        "chair",
        "chair-2",
        "sub/chair",
        "two/chair-0-0",
        "two/table-0-0",
    ]
    assert found.sources[:2] == ("chair.ply", "chair.stl")
    report = write_import(found, folder, tmp_path / "out.jsonl")
    assert report.counts["copies of another shape"] == 2


def test_shares_are_options(hier: Path, tmp_path: Path) -> None:
    done = run(
        "data", "import", hier, "--out", tmp_path / "a.npz", "--val", 0, "--test", 0.5,
        "--split-seed", 5,
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    assert not (tmp_path / "a.val.txt").exists()
    assert 5 <= len(read_ids(tmp_path / "a.test.txt")) <= 25
    done = run("data", "import", hier, "--out", tmp_path / "a.npz", "--val", 1.5)
    assert done.exit_code == 2
    assert "val must be a share from 0, below 1; got 1.5" in done.stderr


def bad(node: dict[str, object]) -> dict[str, object]:
    box = [0, 0, 0, 1, 1, 1, 1, 0, 0, 0, 1, 0]
    leaf = {"label": "leg", "box": box}
    children = [{"id": 1, **leaf}, {"id": 2, **leaf}]
    return {"id": 0, "label": "chair", "box": box, "children": children, **node}


@pytest.mark.parametrize(
    ("edge", "said"),
    [
        ({"type": "ADJ", "part_a": 0, "part_b": 2}, "positions among the 2 children; got 0 and 2"),
        ({"type": "ADJ", "part_a": -1, "part_b": 1}, "among the 2 children; got -1 and 1"),
        ({"type": "REF_SYM", "params": [0, 1, 0]}, "REF_SYM takes 6 numbers as 'params'"),
        ({"type": "TRANS_SYM"}, "TRANS_SYM takes 3 numbers as 'params'; got []"),
        ({"type": "ROT_SYM", "params": [0.0] * 8}, "ROT_SYM takes 7 numbers as 'params'"),
        ({"type": "ADJ", "params": [1.0]}, "ADJ takes 0 numbers as 'params'"),
    ],
)
def test_bad_relations_are_one_line(
    hier: Path, tmp_path: Path, edge: dict[str, object], said: str
) -> None:
    value = bad({"edges": [{"part_a": 0, "part_b": 1, **edge}]})
    (hier / "bad.json").write_text(json.dumps(value))
    done = run("data", "import", hier, "--out", tmp_path / "a.npz")
    assert done.exit_code == 0, done.output
    (line,) = done.stderr.splitlines()
    assert said in line
    assert "bad.json: root: edges[0]" in line
    # Alone it is refused.
    done = run("data", "import", hier / "bad.json", "--out", tmp_path / "b.npz")
    assert done.exit_code == 2
    assert said in done.stderr
    assert not (tmp_path / "b.npz").exists()
