"""Voxels of part trees: the inside of boxes by plain arithmetic, thin parts, and the frame."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from shapegen.config import DataConfig
from shapegen.data.catalog import make
from shapegen.data.furniture import furniture
from shapegen.data.voxel_sets import as_voxels, boxes_occupancy, voxelise_part_trees
from shapegen.fields.voxel_surface import pieces
from shapegen.fields.voxels import Voxels
from shapegen.structures.part_tree import PartTrees
from shapegen.train import load_data


def turned(centre: list[float], lengths: list[float], seed: int) -> np.ndarray:
    """A box at a random angle."""
    frame = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))[0]
    return np.concatenate([centre, lengths, frame[0], frame[1]])


def upright(centre: list[float], lengths: list[float]) -> np.ndarray:
    return np.array([*centre, *lengths, 1, 0, 0, 0, 1, 0], dtype=float)


def middles(size: int) -> np.ndarray:
    """``(size, size, size, 3)``: x, y, z of the cells along z, y, x."""
    z, y, x = np.meshgrid(*[(np.arange(size) + 0.5) / size - 0.5] * 3, indexing="ij")
    return np.stack([x, y, z], axis=-1)


@pytest.mark.parametrize("seed", range(3))
def test_cells_are_full_whose_middles_are_in_a_box(seed: int) -> None:
    boxes = np.stack(
        [
            turned([0.1, -0.2, 0.05], [0.5, 0.3, 0.35], seed),
            turned([-0.3, 0.3, -0.3], [0.4, 0.6, 0.3], seed + 10),
        ]
    )
    expected = np.zeros((12, 12, 12), dtype=bool)
    for place in np.ndindex(12, 12, 12):
        for box in boxes:
            x, y = box[6:9], box[9:12]
            local = (middles(12)[place] - box[:3]) @ np.stack([x, y, np.cross(x, y)]).T
            expected[place] |= bool((np.abs(local) <= box[3:6] / 2).all())
    assert expected.any()
    assert np.array_equal(boxes_occupancy(boxes, 12), expected)


def test_axes_are_z_then_y_then_x() -> None:
    full = boxes_occupancy(upright([0.375, -0.375, 0.125], [0.25, 0.25, 0.25])[None], 8)
    found = np.argwhere(full)
    assert found.min(0).tolist() == [4, 0, 6]
    assert found.max(0).tolist() == [5, 1, 7]


@pytest.mark.parametrize("height", [-0.25, -0.2499, -0.1875, -0.13, 0.0])
def test_a_thin_board_is_one_cell_thick_wherever_it_lies(height: float) -> None:
    full = boxes_occupancy(upright([0, height, 0], [0.5, 0.001, 0.5])[None], 8)
    assert full.any((0, 2)).sum() == 1
    assert full.sum() == 16


@pytest.mark.parametrize("seed", range(6))
def test_a_thin_plate_at_an_angle_has_no_hole(seed: int) -> None:
    """A plate through the whole grid parts its two sides: no path through faces leads across."""
    full = boxes_occupancy(turned([0.02, 0.01, -0.03], [9, 9, 1e-4], seed)[None], 16)
    assert full.any()
    labels, count = pieces(~full)
    assert count == 2
    plate = turned([0.02, 0.01, -0.03], [9, 9, 1e-4], seed)
    side = (middles(16) - plate[:3]) @ np.cross(plate[6:9], plate[9:12]) > 0
    assert len({*labels[side & ~full]}) == len({*labels[~side & ~full]}) == 1


def test_shapes_are_fitted_into_the_cube() -> None:
    trees = furniture(6, seed=3)
    voxels = voxelise_part_trees(trees, 24)
    assert voxels.names == tuple(tree.name for tree in trees)
    assert voxels.extent == 1.0
    for tree, grid in zip(trees, voxels.occupancy, strict=True):
        found = np.argwhere(grid.numpy())
        low, high = found.min(0), found.max(0)
        assert (high - low + 1).max() == 22
        assert np.abs(low + high - 23).max() <= 1
        bounds = np.ptp(tree.facing("+z").to_scene().bounds(), axis=0)[::-1]
        wanted = 22 * bounds / bounds.max()
        assert np.abs(high - low + 1 - wanted).max() < 1.5


def test_chairs_hold_together() -> None:
    voxels = make("furniture-chair-voxels", count=100)
    assert isinstance(voxels, Voxels)
    assert voxels.occupancy.shape == (100, 32, 32, 32)
    single = [pieces(grid.numpy())[1] == 1 for grid in voxels.occupancy]
    assert np.mean(single) > 0.9


def test_the_same_seed_gives_the_same() -> None:
    whole = make("furniture-voxels", count=5, voxels=12)
    rest = make("furniture-voxels", count=3, start=2, voxels=12)
    assert torch.equal(whole.occupancy[2:], rest.occupancy)


def test_runs_take_part_trees_as_voxels(tmp_path: Path) -> None:
    trees = furniture(6, category="chair")
    trees.write(tmp_path / "chairs.npz")
    data = load_data(DataConfig(path=str(tmp_path / "chairs.npz"), voxels=12, holdout=2))
    expected = voxelise_part_trees(trees, 12)
    assert sorted([*data.train.names, *data.holdout.names]) == sorted(expected.names)
    for own in (*data.train, *data.holdout):
        number = expected.names.index(own.name)
        assert torch.equal(own.occupancy, expected.occupancy[number])
    for name in ("furniture-chairs", "furniture-chair-voxels"):
        made = load_data(DataConfig(name=name, count=6, voxels=12)).train
        assert torch.equal(made.occupancy, expected.occupancy)


def test_mistakes(tmp_path: Path) -> None:
    trees = furniture(1)
    with pytest.raises(ValueError, match="at least 4 cells a side; got 3"):
        voxelise_part_trees(trees, 3)
    with pytest.raises(ValueError, match="at least one part tree is needed; got none"):
        voxelise_part_trees(PartTrees([]))
    flat = PartTrees([replace(trees[0], box=0 * trees[0].box, merge=None)])
    with pytest.raises(ValueError, match="a shape needs an extent to be voxelised"):
        voxelise_part_trees(flat)
    with pytest.raises(ValueError, match="8 x 8 x 8 cells are needed; got 4 x 4 x 4"):
        as_voxels(np.zeros((1, 4, 4, 4)), 8)
    with pytest.raises(ValueError, match="voxels must be at least 4 a side; got 2"):
        DataConfig(name="furniture", count=3, voxels=2)
    with pytest.raises(ValueError, match="points and voxels exclude each other"):
        DataConfig(name="furniture", count=3, voxels=8, points=64)
