"""Clouds of part trees and of meshes: on the surface, evenly, and repeatable."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from shapegen.data.catalog import make
from shapegen.data.point_sets import as_clouds, read_clouds, sample_mesh, sample_part_trees
from shapegen.points.point_clouds import PointClouds
from shapegen.scene import Mesh, Node, Scene
from shapegen.structures.part_tree import PartTree, PartTrees


def box(*size: float, front: str = "+z") -> PartTree:
    numbers = np.array([[0, 0, 0, *size, 1, 0, 0, 0, 1, 0]], dtype=float)
    return PartTree(numbers, np.array([-1]), ("box",), name="box", front=front)


def test_points_of_a_box_lie_on_it_in_the_toolkits_frame() -> None:
    clouds = sample_part_trees([box(1, 2, 4, front="+x")], 500)
    points = clouds.points[0].numpy()
    # Front +x is turned to +z: x and z change places.
    reach = np.abs(points) / np.array([2.0, 1.0, 0.5])
    np.testing.assert_allclose(reach.max(1), 1.0, atol=1e-6)
    assert clouds.names == ("box",)


def test_a_shape_has_the_same_points_whatever_is_beside_it() -> None:
    trees = make("furniture-chairs", count=3)
    assert isinstance(trees, PartTrees)
    all_three, last = (
        sample_part_trees(trees, 32, seed=1),
        sample_part_trees(trees[2:], 32, seed=1),
    )
    torch.testing.assert_close(all_three.points[2], last.points[0])
    other = sample_part_trees(trees, 32, seed=2)
    assert not torch.equal(all_three.points, other.points)


def test_the_catalog_makes_clouds() -> None:
    chairs = make("furniture-chair-points", count=4, points=64)
    assert isinstance(chairs, PointClouds)
    assert chairs.points.shape == (4, 64, 3)
    later = make("furniture-chair-points", count=2, start=2, points=64)
    torch.testing.assert_close(later.points, chairs.points[2:])  # type: ignore[union-attr]


def test_points_of_a_mesh_are_even_by_area(tmp_path: Path, rng: torch.Generator) -> None:
    # Two triangles, one of three times the other's area, in the planes z = 0 and z = 1.
    corners = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1], [3, 0, 1], [0, 1, 1.0]])
    faces = np.arange(6).reshape(2, 3)
    from shapegen.formats import write_scene

    write_scene(Scene((Node("two", primitive=Mesh(corners, faces)),)), tmp_path / "two.obj")
    cloud = sample_mesh(tmp_path / "two.obj", 4000, rng=rng)
    x, y, z = cloud.points.T
    assert abs(float((z == 1).float().mean()) - 0.75) < 0.03
    assert float((x / (1 + 2 * z) + y).max()) <= 1 + 1e-5
    assert abs(float(y.mean()) - 1 / 3) < 0.02
    turned = sample_mesh(tmp_path / "two.obj", 100, rng=rng, up="z")
    assert set(turned.points[:, 1].tolist()) == {0.0, 1.0}


def test_any_file_is_read_as_clouds(tmp_path: Path) -> None:
    trees = make("furniture-tables", count=3)
    trees.write(tmp_path / "trees.jsonl")
    expected = as_clouds(trees, 40, seed=5)
    read = read_clouds(tmp_path / "trees.jsonl", 40, seed=5)
    torch.testing.assert_close(read.points, expected.points, atol=1e-5, rtol=0)
    for number in range(3):
        trees[number].write(tmp_path / "meshes" / "more" / f"{number}.stl")
    meshes = read_clouds(tmp_path / "meshes", 40)
    assert meshes.names == ("more/0", "more/1", "more/2")
    assert meshes.points.shape == (3, 40, 3)
    expected.write(tmp_path / "clouds.npz")
    thinned = read_clouds(tmp_path / "clouds.npz", 20)
    assert thinned.points.shape == (3, 20, 3)
    assert {tuple(p) for p in thinned.points[0].tolist()} <= {
        tuple(p) for p in expected.points[0].tolist()
    }


def test_bad_input_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="points must be at least 8 a shape; got 7"):
        as_clouds(make("furniture-chairs", count=1), 7)
    with pytest.raises(ValueError, match="at most 64; got 65"):
        as_clouds(make("furniture-chair-points", count=1, points=64), 65)
    with pytest.raises(ValueError, match="at least one part tree is needed"):
        sample_part_trees([], 64)
    with pytest.raises(FileNotFoundError, match="no such file or folder"):
        read_clouds(tmp_path / "none", 64)
    (tmp_path / "flat.obj").write_text("v 0 0 0\nv 1 0 0\nv 2 0 0\nf 1 2 3\n")
    with pytest.raises(ValueError, match="its triangles have no area"):
        sample_mesh(tmp_path / "flat.obj", 64)
