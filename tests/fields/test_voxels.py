"""Voxels: the container, the surface of full cells, and files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import trimesh

import shapegen
from shapegen.base import Shapes
from shapegen.fields.voxel_surface import INSET, largest_piece, pieces, voxel_surface
from shapegen.fields.voxels import VoxelGrid, Voxels
from shapegen.formats import read_mesh

CHECKERS = np.indices((4, 4, 4)).sum(0) % 2 == 0


def random_cells(*shape: int, share: float = 0.4, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random(shape) < share


def solid(occupancy: np.ndarray, extent: float = 1.0) -> trimesh.Trimesh:
    """What a program that merges equal vertices makes of a surface."""
    mesh = voxel_surface(occupancy, extent)
    return trimesh.Trimesh(mesh.vertices, mesh.faces, process=True)


# The container ------------------------------------------------------------------------------


def test_a_batch_is_indexed_like_all_shapes() -> None:
    cells = random_cells(4, 3, 5, 6)
    voxels = Voxels(cells, 3.0, ["a", "b", "c", "d"])
    assert isinstance(voxels, Shapes)
    assert len(voxels) == 4
    assert voxels.cell == 0.5
    one = voxels[2]
    assert isinstance(one, VoxelGrid)
    assert (one.name, one.extent) == ("c", 3.0)
    assert np.array_equal(one.occupancy, cells[2])
    for part in (voxels[1:3], voxels[[1, 2]], voxels[torch.tensor([1, 2])]):
        assert part.names == ("b", "c")
        assert np.array_equal(part.occupancy, cells[1:3])
    again = Voxels.of([voxels[0], voxels[1:]])
    assert again.names == voxels.names
    assert torch.equal(again.occupancy, voxels.occupancy)
    assert [each.name for each in voxels] == ["a", "b", "c", "d"]


def test_numbers_above_one_half_are_full() -> None:
    voxels = Voxels(np.array([0, 0.5, 0.51, 1]).reshape(1, 1, 2, 2))
    assert voxels.occupancy.flatten().tolist() == [False, False, True, True]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Voxels(np.zeros((2, 3, 3))), r"occupancy must be \(batch, d, h, w\); got"),
        (lambda: Voxels(np.full((1, 2, 2, 2), 1.5)), "occupancy must be in 0 to 1; got 1.5 to"),
        (lambda: Voxels(np.full((1, 2, 2, 2), np.nan)), "occupancy must be in 0 to 1; got nan"),
        (lambda: Voxels(np.zeros((1, 2, 2, 2)), 0.0), "extent must be positive and finite; got 0"),
        (lambda: Voxels(np.zeros((1, 2, 2, 2)), names=["a", "b"]), r"one a shape \(1\) or none"),
        (
            lambda: Voxels.join([Voxels(np.zeros((1, 2, 2, 2))), Voxels(np.zeros((1, 4, 4, 4)))]),
            "one size and extent; got 2 x 2 x 2 of 1, 4 x 4 x 4 of 1",
        ),
        (lambda: Voxels.of([]), "at least one grid of voxels is needed; got none"),
        (lambda: Voxels(np.zeros((0, 2, 2, 2))).to_scene(), "at least one shape; got none"),
    ],
)
def test_what_is_no_voxels(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


# The surface --------------------------------------------------------------------------------


def test_a_cell_is_a_cube_in_its_place() -> None:
    cells = np.zeros((2, 4, 8), dtype=bool)
    cells[1, 3, 0] = True
    mesh = voxel_surface(cells, 4.0)
    assert len(mesh.vertices) == 8
    assert len(mesh.faces) == 12
    # Left, at the top, in front; the middle of the grid is the origin.
    np.testing.assert_allclose(mesh.vertices.min(0), [-2, 0.5, 0])
    np.testing.assert_allclose(mesh.vertices.max(0), [-1.5, 1, 0.5])
    assert solid(cells, 4.0).volume == pytest.approx(0.125)


def test_faces_are_those_between_full_and_empty_cells() -> None:
    cells = random_cells(5, 4, 3, share=0.15, seed=1)
    padded = np.pad(cells, 1).astype(int)
    expected = sum(np.abs(np.diff(padded, axis=axis)).sum() for axis in range(3))
    flat = [voxel_surface(cells, 5.0)]
    area = sum(trimesh.Trimesh(mesh.vertices, mesh.faces).area for mesh in flat)
    assert area == pytest.approx(expected, rel=2 * INSET)
    bar = np.ones((1, 1, 3), dtype=bool)
    assert solid(bar, 3.0).area == pytest.approx(14)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_surfaces_are_watertight(share: float, seed: int) -> None:
    cells = random_cells(6, 5, 7, share=share, seed=seed)
    found = solid(cells, 7.0)
    assert found.is_watertight
    assert found.is_winding_consistent
    # Middles of edges that two cells share move inside: the volume is a little less.
    assert cells.sum() * (1 - INSET) <= found.volume <= cells.sum()


def test_cells_that_touch_along_edges_stay_apart() -> None:
    found = solid(CHECKERS, 4.0)
    assert found.is_watertight
    assert found.volume == pytest.approx(CHECKERS.sum(), rel=INSET)
    two = np.zeros((2, 2, 1), dtype=bool)
    two[0, 0], two[1, 1] = True, True
    assert len(solid(two).split(only_watertight=True)) == 2
    # Two of the 16 corners are shared; four faces are fans; the edge's middle is two.
    assert len(voxel_surface(two).vertices) == 14 + 4 + 2


def test_no_full_cell_is_an_empty_mesh() -> None:
    mesh = voxel_surface(np.zeros((2, 2, 2), dtype=bool))
    assert mesh.vertices.shape == (0, 3)
    assert mesh.faces.shape == (0, 3)


def test_the_largest_piece_is_of_cells_that_share_faces() -> None:
    cells = np.zeros((3, 3, 3), dtype=bool)
    cells[0, 0, :2] = cells[1, 1, 0] = cells[2, 2, 2] = True
    assert pieces(cells)[1] == 3
    kept = largest_piece(cells)
    assert np.argwhere(kept).tolist() == [[0, 0, 0], [0, 0, 1]]
    assert not largest_piece(np.zeros((2, 2, 2), dtype=bool)).any()


# Files --------------------------------------------------------------------------------------


def test_archives_come_back(tmp_path: Path) -> None:
    voxels = Voxels(random_cells(3, 4, 5, 6), 2.5, ["one", "two", "three"])
    voxels.write(tmp_path / "all.npz")
    found = shapegen.read(tmp_path / "all.npz")
    assert isinstance(found, Voxels)
    assert torch.equal(found.occupancy, voxels.occupancy)
    assert (found.extent, found.names) == (2.5, voxels.names)
    voxels.write(tmp_path / "single")
    assert sorted(path.name for path in (tmp_path / "single").iterdir()) == [
        "0000.npz",
        "0001.npz",
        "0002.npz",
    ]
    again = shapegen.read(tmp_path / "single")
    assert isinstance(again, Voxels)
    assert torch.equal(again.occupancy, voxels.occupancy)


def test_foreign_archives_are_read(tmp_path: Path) -> None:
    cells = random_cells(4, 4, 4)
    np.savez(tmp_path / "one.npz", occupancy=cells.astype(np.float32))
    found = shapegen.read(tmp_path / "one.npz")
    assert isinstance(found, Voxels)
    assert np.array_equal(found.occupancy[0], cells)
    assert (found.extent, found.names) == (1.0, ("one",))
    np.savez(tmp_path / "bad.npz", occupancy=3 * np.ones((1, 2, 2, 2)))
    with pytest.raises(ValueError, match=r"bad.npz: occupancy must be in 0 to 1; got 3 to 3"):
        shapegen.read(tmp_path / "bad.npz")


@pytest.mark.parametrize("extension", ["glb", "obj", "ply", "stl"])
def test_meshes_are_the_surface(tmp_path: Path, extension: str) -> None:
    grid = Voxels(random_cells(1, 5, 5, 5), 5.0)[0]
    grid.write(tmp_path / f"grid.{extension}")
    mesh = read_mesh(tmp_path / f"grid.{extension}")
    found = trimesh.Trimesh(mesh.vertices, mesh.faces)
    found.merge_vertices()
    assert found.is_watertight
    assert found.volume == pytest.approx(int(grid.occupancy.sum()), rel=INSET)
    np.testing.assert_allclose(mesh.vertices.min(0), grid.mesh().vertices.min(0), atol=1e-5)


def test_shapes_stand_side_by_side_on_the_ground(tmp_path: Path) -> None:
    cells = random_cells(3, 4, 4, 4)
    cells[1] = False
    scene = Voxels(cells, names=["a", "", "c"]).to_scene()
    assert [node.name for node in scene.nodes] == ["voxels_1", "voxels_2", "voxels_3"]
    assert scene.nodes[1].primitive is None
    assert scene.nodes[2].extras["name"] == "c"
    for node in (scene.nodes[0], scene.nodes[2]):
        assert node.primitive.vertices[:, 1].min() == pytest.approx(0)
    with pytest.raises(ValueError, match=r"written as \.npz, \.glb"):
        Voxels(cells).write(tmp_path / "a.xyz")
