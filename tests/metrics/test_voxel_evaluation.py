"""Figures of voxels: the distance by hand, sets against themselves, and a model's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from shapegen import metrics
from shapegen.core.seeding import seeded
from shapegen.data.catalog import make
from shapegen.fields.voxelgan import VoxelGAN, VoxelGANConfig
from shapegen.fields.voxels import Voxels
from shapegen.metrics.tables import comparison_table, evaluation_table
from shapegen.metrics.voxel_comparison import iou_distances, validity


@pytest.fixture(scope="module")
def chairs() -> Voxels:
    found = make("furniture-chair-voxels", count=60, voxels=8)
    assert isinstance(found, Voxels)
    return found


def test_the_distance_is_one_minus_the_common_share(chairs: Voxels) -> None:
    cells = chairs.occupancy[:7]
    found = iou_distances(cells[:3], cells)
    assert found.shape == (3, 7)
    for i in range(3):
        for j in range(7):
            both, either = (cells[i] & cells[j]).sum(), (cells[i] | cells[j]).sum()
            assert found[i, j] == pytest.approx(1 - float(both) / float(either))
    assert np.array_equal(np.diag(found), [0, 0, 0])
    empty = torch.zeros(1, 8, 8, 8, dtype=torch.bool)
    assert iou_distances(empty, empty) == 0
    assert iou_distances(empty, cells[:1]) == 1


def test_pieces_are_counted() -> None:
    cells = torch.zeros(2, 4, 4, 4, dtype=torch.bool)
    cells[0, 0, 0, :3] = cells[0, 2, 2, 2] = True
    cells[1] = True
    assert validity(cells) == {
        "full share": (4 / 64 + 1) / 2,
        "pieces": 1.5,
        "connected share": 0.5,
        "largest piece": 0.875,
    }


def test_a_set_against_itself(chairs: Voxels, tmp_path: Path) -> None:
    for name, part in (("a", chairs[:20]), ("b", chairs[20:40])):
        part.write(tmp_path / f"{name}.npz")
    same = metrics.compare(tmp_path / "a.npz", chairs[:20])["metrics"]
    assert (same["mmd-iou"], same["cov-iou"], same["1nna-iou"]) == (0, 1, 0)
    result = metrics.compare(tmp_path / "a.npz", tmp_path / "b.npz", train=chairs[40:])
    assert result["floor"].keys() == result["baseline"].keys() == same.keys()
    assert 0 < result["metrics"]["mmd-iou"] < 0.8
    # Chairs stand for chairs, better than Gaussian noise along their components does.
    assert result["floor"]["mmd-iou-sample"] < result["baseline"]["mmd-iou-sample"]
    assert result["settings"]["cells"] == [8, 8, 8]
    assert comparison_table(result).row_count > 10


def test_an_untrained_model_is_told_apart(chairs: Voxels) -> None:
    with seeded(0):
        model = VoxelGAN(VoxelGANConfig(size=8, noise_dim=4, hidden=(4, 4))).eval()
    result = metrics.evaluate(model, chairs[:40], chairs[40:], n=15, draws=2)
    assert result["metrics"]["1nna-iou"] > 0.9
    assert result["floor"]["1nna-iou"] < 0.8
    assert result["validity"]["data"]["full share"] > 0.05
    assert result["validity"]["samples"] != result["validity"]["data"]
    assert result["settings"]["samples"] == result["settings"]["reference"] == 15
    assert result["settings"]["draws"] == 2
    assert evaluation_table(result).row_count > 10


def test_mistakes(chairs: Voxels) -> None:
    with pytest.raises(ValueError, match="equally many cells; got 4 x 4 x 4, 8 x 8 x 8"):
        metrics.compare(Voxels(np.ones((2, 4, 4, 4))), chairs)
    with pytest.raises(ValueError, match="voxels have neither presets"):
        metrics.compare(chairs, chairs, preset="pointflow")
    with pytest.raises(TypeError, match="a model that samples voxels is needed; got int"):
        metrics.evaluate(3, chairs, chairs)
    with pytest.raises(ValueError, match="n 2 to 60, the held-out shapes; got 1 and 61"):
        metrics.evaluate(VoxelGAN(VoxelGANConfig(size=8, hidden=(4,))), chairs, chairs, n=61)
