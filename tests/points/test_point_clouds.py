"""The container of point clouds: what it takes, gives, writes and refuses."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import shapegen
from shapegen.points.point_clouds import PointCloud, PointClouds
from shapegen.scene import Points


def clouds(count: int = 3, size: int = 10) -> PointClouds:
    rng = torch.Generator().manual_seed(0)
    points = torch.rand(count, size, 3, generator=rng)
    return PointClouds(points, [f"shape-{number}" for number in range(count)])


def test_points_are_float32_whatever_they_were() -> None:
    half = np.ones((2, 9, 3), np.float16)
    assert PointClouds(half).points.dtype is torch.float32
    assert PointClouds(half).names == ("", "")
    assert shapegen.PointClouds is PointClouds


def test_a_number_gives_one_cloud_and_anything_else_a_batch() -> None:
    batch = clouds()
    one = batch[-1]
    assert isinstance(one, PointCloud)
    assert (len(one), one.name) == (10, "shape-2")
    picks: list[Any] = [[2, 1, 0], torch.tensor([2, 1, 0]), np.arange(3)[::-1]]
    for pick in picks:
        chosen = batch[pick]
        assert isinstance(chosen, PointClouds)
        assert chosen.names == ("shape-2", "shape-1", "shape-0")
        torch.testing.assert_close(chosen.points, batch.points.flip(0))
    assert batch[1:].names == ("shape-1", "shape-2")
    assert len(batch[:0]) == len(batch[[]]) == 0
    assert [cloud.name for cloud in batch] == list(batch.names)


def test_batches_of_one_join_to_the_batch() -> None:
    batch = clouds()
    joined = PointClouds.join([batch[:1], batch[1:]])
    assert joined.names == batch.names
    torch.testing.assert_close(joined.points, batch.points)


@pytest.mark.parametrize(
    "form",
    [
        lambda batch: batch,
        lambda batch: batch.points,
        lambda batch: batch.points.numpy(),
        list,
        lambda batch: [cloud.points.numpy() for cloud in batch],
        lambda batch: [batch[:1], batch[1:]],
    ],
)
def test_every_kind_of_clouds_is_taken(form: Callable[[PointClouds], Any]) -> None:
    batch = clouds()
    torch.testing.assert_close(PointClouds.of(form(batch)).points, batch.points)


@pytest.mark.parametrize(
    ("points", "message"),
    [
        (np.zeros((4, 3)), r"points must be \(batch, points, 3\); got \(4, 3\)"),
        (np.zeros((4, 5, 2)), r"points must be \(batch, points, 3\); got \(4, 5, 2\)"),
        (np.zeros((4, 0, 3)), r"got \(4, 0, 3\)"),
        (np.full((2, 9, 3), np.nan), "points must be finite; cloud 0 has NaN or infinity"),
    ],
)
def test_what_is_no_cloud_is_refused(points: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        PointClouds(points)


def test_other_mistakes_are_refused_in_one_line() -> None:
    with pytest.raises(ValueError, match=r"names must be one a shape \(3\) or none; got 1"):
        PointClouds(clouds().points, ["alone"])
    with pytest.raises(ValueError, match="equally many points; got 10, 11"):
        PointClouds.join([clouds(size=10), clouds(size=11)])
    with pytest.raises(ValueError, match="at least one point cloud is needed; got none"):
        PointClouds.of([])
    with pytest.raises(TypeError, match="point clouds are needed; one is str"):
        PointClouds.of(["chair"])
    with pytest.raises(ValueError, match=r"a cloud must be \(points, 3\); got \(3,\)"):
        PointCloud(torch.zeros(3))


def test_one_cloud_stays_where_it_is_and_several_stand_side_by_side() -> None:
    batch = clouds(count=4)
    (node,) = batch[:1].to_scene().nodes
    assert isinstance(node.primitive, Points)
    np.testing.assert_allclose(node.primitive.positions, batch.points[0].numpy())
    boxes = []
    for node in batch.to_scene().nodes:
        assert isinstance(node.primitive, Points)
        boxes.append((node.primitive.positions.min(0), node.primitive.positions.max(0)))
        assert node.primitive.positions[:, 1].min() == pytest.approx(0.0, abs=1e-12)
    for number, (low, high) in enumerate(boxes):
        for other_low, other_high in boxes[:number]:
            apart = (low > other_high) | (other_low > high)
            assert apart[[0, 2]].any()


def test_files_hold_the_points(tmp_path: Path) -> None:
    batch = clouds()
    batch.write(tmp_path / "a.npz")
    with np.load(tmp_path / "a.npz") as arrays:
        np.testing.assert_array_equal(arrays["points"], batch.points.numpy())
        assert arrays["ids"].tolist() == list(batch.names)
    batch.write(tmp_path / "a.npy")
    np.testing.assert_array_equal(np.load(tmp_path / "a.npy"), batch.points.numpy())
    batch[1].write(tmp_path / "a.xyz")
    lines = np.loadtxt(tmp_path / "a.xyz", dtype=np.float32)
    np.testing.assert_array_equal(lines, batch.points[1].numpy())
    for extension in ("glb", "obj", "ply", "png"):
        batch.write(tmp_path / f"a.{extension}")
    (tmp_path / "folder").mkdir()
    batch.write(tmp_path / "folder")
    assert sorted(path.name for path in (tmp_path / "folder").iterdir()) == [
        f"{number:04d}.npz" for number in range(3)
    ]


def test_what_cannot_be_written_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"\.xyz holds one cloud; got 3"):
        clouds().write(tmp_path / "a.xyz")
    with pytest.raises(ValueError, match=r"written as .*or into a folder; got \.json"):
        clouds().write(tmp_path / "a.json")
    with pytest.raises(ValueError, match="at least one point cloud is needed"):
        clouds()[:0].write(tmp_path / "a.npz")
    assert not list(tmp_path.iterdir())
