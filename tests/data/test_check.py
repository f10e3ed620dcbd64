"""What the check says of sound files, of wrong ones, and of thousands of damaged ones."""

from __future__ import annotations

import gzip
import json
import struct
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trimesh

from shapegen import checkpoint, registry
from shapegen.data.check import MAX_PROBLEMS, check
from shapegen.data.files import read
from shapegen.points.point_clouds import PointClouds
from shapegen.structures.files import write_part_trees
from shapegen.structures.grass_files import write_grass
from shapegen.structures.vocabulary import Vocabulary, vocabulary_of
from tests.hand_made import UNIT, stools

BOX_ROW = [0.0, 0, 0, 1, 1, 1, *UNIT]
CONFIG = """model:
  name: grass
data:
  name: furniture
  count: 8
train:
  epochs: 1
"""


def put(path: Path, value: Any) -> Path:
    path.write_text(value if isinstance(value, str) else json.dumps(value))
    return path


def node(identity: int, **more: Any) -> dict[str, Any]:
    return {"id": identity, "label": "a", "box": BOX_ROW, **more}


def make_mesh(path: Path) -> None:
    trimesh.util.concatenate(
        [
            trimesh.creation.box((1, 2, 3)),
            trimesh.creation.icosphere(1).apply_translation((5, 0, 0)),
        ]
    ).export(path)


def make_checkpoint(path: Path) -> None:
    checkpoint.save(registry.build("grass"), path)


def make_grass_folder(path: Path) -> None:
    write_grass(stools(), path)


MAKERS: dict[str, Callable[[Path], object]] = {
    **dict.fromkeys(
        ["a.json", "a.json.gz", "a.jsonl", "a.jsonl.gz", "a.npz", "a.mat", "a.glb"],
        lambda path: write_part_trees(stools(), path),
    ),
    "grass.npz": make_grass_folder,
    "box_data.mat": make_grass_folder,
    "points.npz": lambda path: np.savez_compressed(path, points=np.eye(9)[None, :, :3]),
    "points.npy": lambda path: np.save(path, np.eye(9)[:, :3]),
    "points.txt": lambda path: np.savetxt(path, np.eye(9)[:, :3]),
    "points.ply": lambda path: PointClouds(np.eye(9)[None, :, :3]).write(path),
    **dict.fromkeys(["m.glb", "m.obj", "m.ply", "m.stl"], make_mesh),
    "labels.txt": lambda path: vocabulary_of(stools()).write(path),
    "run.yaml": lambda path: path.write_text(CONFIG),
    "model.safetensors": make_checkpoint,
}


@pytest.mark.parametrize("name", MAKERS)
def test_a_sound_file_is_sound(tmp_path: Path, name: str) -> None:
    MAKERS[name](tmp_path / name)
    report = check(tmp_path / name)
    assert report.problems == ()
    assert report.ok
    assert report.kind != "unknown"
    assert str(report).startswith(f"{tmp_path / name}: sound, {report.kind}")


def test_the_counts_are_right(tmp_path: Path) -> None:
    trees = stools()
    write_part_trees(trees, tmp_path / "a.jsonl")
    report = check(tmp_path / "a.jsonl")
    assert report.counts == {
        "shapes": 2,
        "nodes": sum(map(len, trees)),
        "relations": sum(len(tree.edges) for tree in trees),
    }


def wrong_mat(folder: Path) -> Path:
    make_grass_folder(folder)
    (folder / "sym_data.mat").unlink()
    return folder


def truncated(maker: Callable[[Path], object], path: Path) -> Path:
    maker(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return path


def deep(count: int) -> str:
    head = '{"id":%d,"label":"a","box":' + json.dumps(BOX_ROW) + ',"children":['
    return "".join(head % k for k in range(count)) + "{}" + "]}" * count


def changed_npz(path: Path, **changes: Any) -> Path:
    make_grass_folder(path)
    with np.load(path) as data:
        np.savez(path, **{**data, **changes})
    return path


def corrupted_checkpoint(path: Path) -> Path:
    make_checkpoint(path)
    data = bytearray(path.read_bytes())
    data[-5] ^= 1
    path.write_bytes(data)
    return path


def two_sizes(folder: Path) -> Path:
    np.save(folder / "a.npy", np.eye(9)[:, :3])
    np.save(folder / "b.npy", np.eye(10)[:, :3])
    return folder


WRONG: dict[str, tuple[Callable[[Path], Path], str]] = {
    "missing": (lambda d: d / "no.json", "no such file or folder"),
    "empty folder": (lambda d: d, "holds no file of a kind that is read"),
    "unknown kind": (lambda d: put(d / "a.docx", ""), "files of this kind are not read"),
    "truncated mat": (lambda d: truncated(make_grass_folder, d / "a.mat"), "damaged or cut off"),
    "truncated npz": (lambda d: truncated(MAKERS["a.npz"], d / "a.npz"), "damaged or cut off"),
    "truncated gz": (lambda d: truncated(MAKERS["a.json.gz"], d / "a.json.gz"), "cut off"),
    "truncated json": (lambda d: truncated(MAKERS["a.json"], d / "a.json"), "not valid JSON"),
    "truncated checkpoint": (
        lambda d: truncated(make_checkpoint, d / "a.safetensors"),
        "truncated or damaged",
    ),
    "cycle by id": (
        lambda d: put(d / "a.json", node(0, children=[node(1, children=[node(0)])])),
        "root/children[0]/children[0]: id 0 is also that of root, which contains it: a cycle",
    ),
    "10,000 deep": (lambda d: put(d / "a.json", deep(10_000)), "nested too deeply; at most 64"),
    "NaN box": (
        lambda d: put(d / "a.json", node(0, box=[float("nan"), *BOX_ROW[1:]])),
        "root: a box must be finite",
    ),
    "GRASS shapes": (
        lambda d: changed_npz(d / "a.npz", boxes=np.zeros((2, 30, 11))),
        "boxes must be an array (2, any, 12)",
    ),
    "GRASS NaN": (
        lambda d: changed_npz(d / "a.npz", boxes=np.full((2, 30, 12), np.nan)),
        "shape 0: box 0: a box must be finite",
    ),
    "GRASS file missing": (wrong_mat, "no such file or folder"),
    "points": (
        lambda d: changed_npz(d / "a.npz", points=np.zeros((2, 3))) and points(d),
        "at least one shape of 8 points is needed; got (1, 2, 3)",
    ),
    "points NaN": (
        lambda d: points(d, np.full((1, 9, 3), np.nan)),
        "points must be finite; shape 0 has NaN or infinity",
    ),
    "arrays NaN": (
        lambda d: points(d, np.full((1, 2), np.nan), name="other"),
        "other[0, 0] is not finite",
    ),
    "clouds of two sizes": (two_sizes, "got 9 in 1 files, 10 in 1 files"),
    "pickled objects": (lambda d: pickled(d / "a.npz"), "holds Python objects"),
    "config key": (
        lambda d: put(d / "a.yaml", CONFIG.replace("epochs", "epoch")),
        "did you mean `train.epochs`?",
    ),
    "config model": (lambda d: put(d / "a.yaml", CONFIG.replace("grass", "gras")), "`grass`"),
    "config syntax": (lambda d: put(d / "a.yaml", "a: [1"), "a.yaml"),
    "config bomb": (lambda d: put(d / "a.yaml", yaml_bomb()), "aliases; at most"),
    "corrupted checkpoint": (
        lambda d: corrupted_checkpoint(d / "a.safetensors"),
        "its digest is not that of its tensors",
    ),
    "mesh": (lambda d: put(d / "a.glb", "glTF"), "too few for a GLB"),
    "label table": (lambda d: put(d / "a.txt", "1 chair\n"), "line 1"),
    "manifest": (lambda d: put(d / "manifest.json", "{}"), "not a manifest"),
}


def points(folder: Path, values: Any = None, name: str = "points") -> Path:
    np.savez(folder / "p.npz", **{name: np.zeros((2, 3)) if values is None else values})
    return folder / "p.npz"


def pickled(path: Path) -> Path:
    np.savez(path, boxes=np.array([{}], dtype=object))
    return path


def yaml_bomb() -> str:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{k}: &a{k} [{', '.join([f'*a{k - 1}'] * 12)}]" for k in range(1, 12)]
    return "\n".join(lines)


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_said_in_one_line(tmp_path: Path, case: str) -> None:
    make, message = WRONG[case]
    path = make(tmp_path)
    report = check(path)
    assert not report.ok
    assert any(message in line for line in report.problems), report.problems
    assert all("\n" not in line for line in report.problems)
    assert f"{path}: not sound, {report.kind}" in str(report)


def test_tensors_of_another_program_are_told_from_checkpoints(tmp_path: Path) -> None:
    from safetensors.numpy import save_file

    save_file({"a": np.zeros(3, dtype=np.float32)}, tmp_path / "a.safetensors")
    report = check(tmp_path / "a.safetensors")
    assert (report.ok, report.kind) == (True, "tensors")
    assert "not written by shapegen; see `shapegen convert`" in report.notes[0]
    save_file({"a": np.full(3, np.nan, dtype=np.float32)}, tmp_path / "a.safetensors")
    assert "a holds NaN or infinity" in check(tmp_path / "a.safetensors").problems[0]


def test_an_unknown_label_is_named(tmp_path: Path) -> None:
    trees = stools()
    write_part_trees(trees, tmp_path / "a.jsonl")
    assert check(tmp_path / "a.jsonl", vocabulary=vocabulary_of(trees)).ok
    report = check(tmp_path / "a.jsonl", vocabulary=Vocabulary(("shape", "shape/part")))
    assert len(report.problems) == 2
    assert "unknown label 'shape/group'; the nearest known one is" in report.problems[0]


def test_repairs_and_copies_are_noted(tmp_path: Path) -> None:
    flat = node(0, box=[0.0, 0, 0, 1, 1, 0, *UNIT])
    lines = [json.dumps({"id": str(k), "root": flat}) for k in range(3)]
    report = check(put(tmp_path / "a.jsonl", "\n".join(lines)))
    assert report.ok
    assert "3 zero side (mended); 3 boxes" in report.notes[0]
    assert "2 shapes have the boxes of another one" in report.notes[1]


def test_problems_are_listed_up_to_a_limit(tmp_path: Path) -> None:
    path = put(tmp_path / "a.jsonl", "{\n" * 50)
    report = check(path)
    assert len(report.problems) == MAX_PROBLEMS + 1
    assert report.problems[-1] == "and 30 more problems"


def test_a_folder_is_checked_file_by_file(tmp_path: Path) -> None:
    write_part_trees(stools(), tmp_path)
    put(tmp_path / "b.yaml", "a: [1")
    report = check(tmp_path)
    assert report.counts["files"] == 3
    assert report.counts["shapes"] == 2
    assert len(report.problems) == 1
    assert report.kind == "folder of 1 configuration, 2 part trees"


def test_a_manifest_vouches_for_its_files(tmp_path: Path) -> None:
    import hashlib

    write_part_trees(stools(), tmp_path)
    names = ["0000.json", "0001.json", "0002.json"]
    digests = [
        hashlib.sha256((tmp_path / name).read_bytes()).hexdigest() for name in names[:1]
    ] + ["0", "0"]
    files = [{"name": n, "sha256": d} for n, d in zip(names, digests, strict=True)]
    report = check(put(tmp_path / "manifest.json", {"files": files}))
    assert len(report.problems) == 2
    assert "0001.json: not the file that the manifest lists" in report.problems[0]
    assert "lists '0002.json', which is not there" in report.problems[1]


def damaged(data: bytes, rng: np.random.Generator, trials: int) -> Iterator[bytes]:
    for cut in np.linspace(0, len(data) - 1, trials // 2).astype(int):
        yield data[:cut]
    for trial in range(trials // 2):
        broken = bytearray(data)
        # Near the beginning too, where sizes stand.
        reach = len(data) if trial % 2 else min(len(data), 400)
        for place in rng.integers(reach, size=1 + trial % 5):
            broken[place] = rng.integers(256)
        yield bytes(broken)


@pytest.mark.parametrize("name", MAKERS)
def test_no_damage_leads_to_anything_but_a_line(tmp_path: Path, name: str) -> None:
    whole = tmp_path / "whole" / name
    whole.parent.mkdir()
    MAKERS[name](whole)
    broken = tmp_path / "broken" / name
    broken.parent.mkdir()
    for other in whole.parent.iterdir():
        (broken.parent / other.name).write_bytes(other.read_bytes())
    started = time.perf_counter()
    for data in damaged(whole.read_bytes(), np.random.default_rng(0), trials=60):
        broken.write_bytes(data)
        report = check(broken)
        for line in report.problems:
            assert "\n" not in line
            assert "cannot be read (" not in line  # the net below the readers caught something
        if name.endswith((".txt", ".yaml", ".safetensors")):
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                read(broken)
            except (ValueError, OSError) as error:
                assert "\n" not in str(error)  # noqa: PT017
    assert time.perf_counter() - started < 60


def test_bombs_are_not_unpacked(tmp_path: Path) -> None:
    with gzip.open(tmp_path / "a.json.gz", "wb", compresslevel=9) as file:
        for _ in range(200):
            file.write(b"[" * 2**19)
    started = time.perf_counter()
    report = check(tmp_path / "a.json.gz")
    assert not report.ok
    assert "more than 67108864 bytes" in report.problems[0]
    assert time.perf_counter() - started < 10


def glb(nodes: list[dict[str, Any]], count: int = 3) -> bytes:
    """A GLB of one triangle (``count`` vertices are declared) on the given nodes."""
    corners = np.eye(3, dtype="<f4").tobytes()
    document = {
        "asset": {"version": "2.0"},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": nodes,
        "meshes": [{"primitives": [{"attributes": {"POSITION": 0}}]}],
        "accessors": [
            {"componentType": 5126, "count": count, "type": "VEC3"}
            | ({"bufferView": 0} if count == 3 else {})
        ],
        "bufferViews": [{"buffer": 0, "byteLength": 36}],
        "buffers": [{"byteLength": 36}],
    }
    text = json.dumps(document).encode()
    text += b" " * (-len(text) % 4)
    body = struct.pack("<I4s", len(text), b"JSON") + text
    body += struct.pack("<I4s", 36, b"BIN\0") + corners
    return struct.pack("<4sII", b"glTF", 2, 12 + len(body)) + body


CHAIN = [*({"children": [k + 1]} for k in range(3000)), {"mesh": 0}]


@pytest.mark.parametrize(
    ("nodes", "count", "message"),
    [
        ([{"mesh": 0}], 3, ""),
        ([{"mesh": 0}], 10**9, "2000000000 vertices and corners; at most 20000000"),
        ([{"mesh": 0}] * 20_000, 3, "20000 nodes; at most 10000"),
        (CHAIN, 3, "nested too deeply; at most 128 levels"),
        ([{"mesh": 0, "children": [1]}, {"children": [0]}], 3, "its nodes form a cycle"),
        ([{"mesh": 0, "children": [1, 1]}, {}], 3, "node 1 stands under two nodes"),
        ([{"mesh": -1}], 3, "its JSON is not glTF 2.0"),
        ([{"mesh": 5}], 3, "its JSON is not glTF 2.0"),
    ],
)
def test_a_mesh_that_declares_too_much_is_not_built(
    tmp_path: Path, nodes: list[dict[str, Any]], count: int, message: str
) -> None:
    (tmp_path / "a.glb").write_bytes(glb(nodes, count))
    started = time.perf_counter()
    report = check(tmp_path / "a.glb")
    assert time.perf_counter() - started < 5
    assert report.ok == (not message)
    assert message in str(report)


def test_the_published_files_are_sound(data_path: Path) -> None:
    for name in (
        "partnet_boxes/chair_val.jsonl.gz",
        "partnet_boxes/part_semantics/Chair.txt",
        "grass/mat_sample",
        "points/chair_pc_val.npz",
    ):
        report = check(data_path / name)
        assert report.ok, str(report)
