"""Files of clouds: every kind gives its points back, and bad ones are refused in one line."""

from __future__ import annotations

import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import shapegen
from shapegen.data.catalog import make
from shapegen.points.files import point_cloud_files, read_point_clouds
from shapegen.points.point_clouds import PointClouds
from shapegen.points.shapenet import SYNSETS, read_pc15k
from shapegen.structures.part_tree import PartTrees


def clouds(count: int = 3, size: int = 10, seed: int = 0) -> PointClouds:
    rng = torch.Generator().manual_seed(seed)
    points = torch.randn(count, size, 3, generator=rng)
    return PointClouds(points, [f"shape-{number}" for number in range(count)])


@pytest.mark.parametrize("extension", ["npz", "npy", "glb"])
def test_batches_come_back(tmp_path: Path, extension: str) -> None:
    batch = clouds()
    path = tmp_path / f"some.{extension}"
    batch.write(path)
    back = shapegen.read(path)
    assert isinstance(back, PointClouds)
    expected = batch.points.numpy()
    if extension == "glb":  # there they stand side by side
        expected = expected - expected.mean(1, keepdims=True)
        back = PointClouds(back.points - back.points.mean(1, keepdim=True), back.names)
    np.testing.assert_allclose(back.points.numpy(), expected, atol=1e-6)
    assert back.names == (batch.names if extension == "npz" else ("some/0", "some/1", "some/2"))


@pytest.mark.parametrize("extension", ["npz", "npy", "glb", "ply", "xyz"])
def test_single_clouds_and_folders_of_them_come_back(tmp_path: Path, extension: str) -> None:
    batch = clouds()
    for number in (1, 0):
        batch[number].write(tmp_path / f"{number:04d}.{extension}")
    (tmp_path / "manifest.json").write_text("{}")
    back = shapegen.read(tmp_path)
    assert isinstance(back, PointClouds)
    torch.testing.assert_close(back.points, batch.points[:2], atol=1e-6, rtol=0)
    one = shapegen.read(tmp_path / f"0000.{extension}")
    torch.testing.assert_close(one.points, batch.points[:1], atol=1e-6, rtol=0)


def test_half_floats_doubles_and_other_columns_are_taken(tmp_path: Path) -> None:
    points = clouds().points.numpy()
    np.savez(
        tmp_path / "half.npz", points=points.astype(np.float16), ids=np.array(["a", "b", "c"])
    )
    half = read_point_clouds(tmp_path / "half.npz")
    assert half.names == ("a", "b", "c")
    np.testing.assert_array_equal(half.points.numpy(), points.astype(np.float16))
    np.save(tmp_path / "one.npy", points[0].astype(np.float64))
    assert read_point_clouds(tmp_path / "one.npy").points.shape == (1, 10, 3)
    rows = np.concatenate([points[0], np.ones((10, 3))], axis=1)
    text = "\n".join(["# x y z nx ny nz", *(", ".join(map(repr, r)) for r in rows.tolist())])
    (tmp_path / "table.txt").write_text(text)
    table = shapegen.read(tmp_path / "table.txt")
    np.testing.assert_allclose(table.points[0].numpy(), points[0], atol=1e-6)


def test_a_ply_of_other_programs_is_read(tmp_path: Path) -> None:
    points = clouds().points[0]
    head = [
        "ply",
        "format ascii 1.0",
        "element vertex 10",
        *(f"property float {a}" for a in "xyz"),
    ]
    rows = [" ".join(f"{value:.9g}" for value in row) for row in points.tolist()]
    (tmp_path / "a.ply").write_text("\n".join([*head, "end_header", *rows, ""]))
    back = shapegen.read(tmp_path / "a.ply")
    torch.testing.assert_close(back.points[0], points, atol=1e-6, rtol=0)


def test_what_a_file_holds_says_of_which_kind_it_is(tmp_path: Path) -> None:
    trees = make("furniture-chairs", count=2)
    for extension in ("npz", "jsonl", "glb", "ply"):
        path = tmp_path / f"trees.{extension}"
        trees.write(path)
        assert isinstance(shapegen.read(path), PartTrees)
        assert point_cloud_files(path) == []
    both = tmp_path / "both"
    both.mkdir()
    clouds().write(both / "samples.npz")
    assert isinstance(shapegen.read(both), PointClouds)
    trees[0].write(both / "0000.json")
    assert isinstance(shapegen.read(both), PartTrees)


def test_hdf5_is_read_by_h5py_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "some.h5"
    path.write_bytes(b"\x89HDF")
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(ValueError, match="h5py, which is missing: pip install h5py"):
        shapegen.read(path)
    monkeypatch.setitem(sys.modules, "h5py", _stand_in(clouds().points.numpy()))
    back = shapegen.read(path)
    torch.testing.assert_close(back.points, clouds().points)
    assert back.names == ("some/0", "some/1", "some/2")


def _stand_in(points: Any) -> types.ModuleType:
    """A module with as much of h5py as is called."""

    class Dataset:
        nbytes = points.nbytes

        def __getitem__(self, key: object) -> Any:
            return points

    class File(dict[str, Dataset]):
        def __init__(self, path: Path, mode: str) -> None:
            super().__init__(data=Dataset())

        def __enter__(self) -> File:
            return self

        def __exit__(self, *_: object) -> None: ...

    module = types.ModuleType("h5py")
    module.File = File  # type: ignore[attr-defined]
    return module


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.ones((4, 5, 2)), r"points must be \(shapes, points, 3\) or \(points, 3\) numbers"),
        (np.ones((2, 7, 3)), r"at least one shape of 8 points is needed; got \(2, 7, 3\)"),
        (np.ones((0, 9, 3)), r"at least one shape of 8 points"),
        (np.ones((2, 9, 3)), "needs an extent; all points of shape 0 are at one place"),
        (np.array([["a"] * 3] * 9), "numbers; got"),
    ],
)
def test_bad_arrays_are_refused(tmp_path: Path, array: Any, message: str) -> None:
    path = tmp_path / "bad.npy"
    np.save(path, array)
    with pytest.raises(ValueError, match=message) as error:
        shapegen.read(path)
    assert str(error.value).startswith(str(path))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e300])
def test_numbers_that_are_not_finite_are_refused(tmp_path: Path, value: float) -> None:
    points = clouds().points.double().numpy()
    points[1, 4, 2] = value
    np.savez(tmp_path / "bad.npz", points=points)
    with pytest.raises(ValueError, match="finite; shape 1 has NaN or infinity"):
        shapegen.read(tmp_path / "bad.npz")


def test_shapes_of_different_sizes_are_refused_with_both_files(tmp_path: Path) -> None:
    clouds(1, 10).write(tmp_path / "a.npy")
    clouds(1, 11).write(tmp_path / "b.npy")
    with pytest.raises(ValueError, match=r"equally many points; got 10 in .*a\.npy, 11 in .*b"):
        shapegen.read(tmp_path)


def test_other_bad_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="holds no point clouds"):
        read_point_clouds(tmp_path / "empty")
    (tmp_path / "words.xyz").write_text("one two three\n" * 9)
    with pytest.raises(ValueError, match="not a table of numbers, a point a line"):
        shapegen.read(tmp_path / "words.xyz")
    (tmp_path / "pairs.xyz").write_text("1 2\n" * 9)
    with pytest.raises(ValueError, match="must begin with x, y, z; got 2 numbers"):
        shapegen.read(tmp_path / "pairs.xyz")
    (tmp_path / "cut.npy").write_bytes(b"\x93NUMPY\x01\x00")
    with pytest.raises(ValueError, match="not a NumPy array, damaged or cut off"):
        shapegen.read(tmp_path / "cut.npy")
    np.savez(tmp_path / "ids.npz", points=clouds().points.numpy(), ids=np.array(["a"]))
    with pytest.raises(ValueError, match=r"ids must be one a shape \(3\); got \(1,\)"):
        shapegen.read(tmp_path / "ids.npz")
    with pytest.raises(FileNotFoundError, match=r"no such file or folder: .*none\.npy"):
        shapegen.read(tmp_path / "none.npy")


@pytest.fixture
def shapenet(tmp_path: Path) -> Path:
    root = tmp_path / "ShapeNetCore.v2.PC15k"
    stream = np.random.default_rng(0)
    for split, names in (("train", "ba"), ("val", "c")):
        folder = root / SYNSETS["chair"] / split
        folder.mkdir(parents=True)
        for name in names:
            np.save(folder / f"{name}.npy", stream.normal(size=(15000, 3)).astype(np.float32))
    return root


def test_shapenet_folders_give_the_points_of_their_split(shapenet: Path) -> None:
    folder = shapenet / SYNSETS["chair"]
    first = np.load(folder / "train" / "a.npy")
    train = read_pc15k(shapenet, "chair", "train")
    assert train.names == ("03001627/a", "03001627/b")
    np.testing.assert_array_equal(train.points[0].numpy(), first[:10000])
    test = read_pc15k(shapenet, "03001627", "train", part="test")
    np.testing.assert_array_equal(test.points[0].numpy(), first[-5000:])
    held_out = shapegen.read(shapenet / "chair" / "val")
    last = np.load(folder / "val" / "c.npy")[-5000:]
    np.testing.assert_array_equal(held_out.points[0].numpy(), last)
    assert shapegen.read(folder / "train").points.shape == (2, 10000, 3)


def test_wrong_shapenet_folders_are_refused(shapenet: Path) -> None:
    with pytest.raises(ValueError, match=r"category must be one of airplane, .*; got 'wing'"):
        read_pc15k(shapenet, "wing", "train")
    with pytest.raises(ValueError, match="split must be one of train, val, test; got 'dev'"):
        read_pc15k(shapenet, "chair", "dev")
    with pytest.raises(FileNotFoundError, match=r"no such folder: .*02691156"):
        read_pc15k(shapenet, "airplane", "train")
    np.save(shapenet / SYNSETS["chair"] / "val" / "d.npy", np.arange(6144.0).reshape(2048, 3))
    with pytest.raises(ValueError, match=r"d\.npy: a shape has 15000 points; got \(2048, 3\)"):
        shapegen.read(shapenet / "chair" / "val")
