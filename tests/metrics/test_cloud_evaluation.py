"""``evaluate`` of models of point clouds: what is measured, beside what, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from shapegen.data.catalog import make
from shapegen.metrics import evaluate, evaluate_clouds
from shapegen.metrics.cloud_distances import chamfer_pairs
from shapegen.metrics.cloud_figures import METRICS
from shapegen.metrics.tables import evaluation_table
from shapegen.points.point_clouds import PointClouds


def data(count: int, start: int = 0) -> PointClouds:
    made = make("furniture-table-points", count=count, start=start, points=64)
    assert isinstance(made, PointClouds)
    return made


class Copier:
    """Draws training shapes, and rebuilds a shape beside where it was."""

    def __init__(self, train: PointClouds) -> None:
        self.train = train

    def sample(self, n: int, *, rng: torch.Generator | None = None) -> PointClouds:
        """Any of the training shapes."""
        return self.train[torch.randperm(len(self.train), generator=rng)[:n]]

    def reconstruct(self, shapes: Any, *, rng: torch.Generator | None = None) -> PointClouds:
        """The shapes, moved."""
        return PointClouds(PointClouds.of(shapes).points + 0.1)


class Sampler:
    """A model that can only sample, with a figure of its own."""

    def __init__(self, train: PointClouds) -> None:
        self.train = train

    def sample(self, n: int, *, rng: torch.Generator | None = None) -> PointClouds:
        """Noise with more points than the data."""
        return PointClouds(torch.randn(n, 100, 3, generator=rng))

    def figures(self, shapes: Any, *, rng: torch.Generator | None = None) -> dict[str, float]:
        """A likelihood, say."""
        return {"nll": float(len(shapes))}


def test_a_copier_is_as_good_as_the_floor_and_is_found_out() -> None:
    train, test = data(24), data(12, start=24)
    result = evaluate(Copier(train), train, test, seed=3)
    assert tuple(result["metrics"]) == METRICS
    assert result["metrics"] == pytest.approx(result["floor"])  # the same draw of the same shapes
    assert result["memorisation"]["ratio"] < 0.8
    settings = result["settings"]
    assert (settings["samples"], settings["reference"], settings["points"]) == (12, 12, 64)
    assert (settings["draws"], settings["train"], settings["reconstructed"]) == (1, 24, 12)
    rebuilt = result["reconstruction"]["model"]
    moved = chamfer_pairs(test.points + 0.1, test.points)
    assert rebuilt["rec-cd"] == pytest.approx(float(moved.mean()), rel=1e-5)
    assert rebuilt["rec-cd 95 % from"] < rebuilt["rec-cd"] < rebuilt["rec-cd to"]
    assert rebuilt["rec-emd-64"] <= 0.1 * 3**0.5 + 1e-6
    assert result["reconstruction"]["baseline"].keys() == rebuilt.keys()
    assert result["reconstruction"]["floor"] == {}
    assert json.loads(json.dumps(result)) == result
    assert evaluation_table(result).row_count > 12
    assert evaluate(Copier(train), train, test, seed=3) == result


def test_what_a_model_lacks_is_left_out_and_its_own_figures_are_there(tmp_path: Path) -> None:
    train, test = data(8), data(6, start=8)
    result = evaluate_clouds(Sampler(train), train, test, points=32, draws=2, n=5)
    assert result["model"] == {"nll": 6.0}
    train.write(tmp_path / "train.npz")
    test.write(tmp_path / "test.npz")
    paths = (str(tmp_path / "train.npz"), str(tmp_path / "test.npz"))
    assert evaluate_clouds(Sampler(train), *paths, points=32, n=5)["model"] == {"nll": 6.0}
    assert result["reconstruction"]["model"] == {}
    # There are 64 points: the other 32 of a shape say what two samplings differ by.
    floor = chamfer_pairs(test.points[:, 32:], test.points[:, :32]).mean()
    assert result["reconstruction"]["floor"]["rec-cd"] == pytest.approx(float(floor))
    assert result["settings"]["points"] == 32
    assert result["settings"]["samples"] == result["settings"]["reference"] == 5
    assert result["metrics"]["1nna-cd"] > result["floor"]["1nna-cd"]
    assert evaluation_table(result).row_count > 12


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (torch.ones(4, 3), r"must be point clouds, .*; got Tensor \(4, 3\)"),
        (np.ones((2, 9, 2)), r"must be point clouds, .*; got ndarray \(2, 9, 2\)"),
        (torch.full((4, 9, 3), torch.nan), "points must be finite; cloud 0 has NaN"),
        (torch.full((4, 9, 3), torch.inf), "points must be finite; cloud 0 has NaN or infinity"),
        (torch.ones(0, 9, 3), "must hold at least one cloud; got none"),
        ([torch.rand(9, 3), torch.rand(10, 3)], "must have equally many points; got 9, 10"),
        ([torch.rand(9, 3), torch.rand(9, 2)], r"points must be .*; got \(1, 9, 2\)"),
        ([], "must be point clouds, .*; got list"),
    ],
)
def test_bad_clouds_are_refused_on_either_side(bad: Any, message: str) -> None:
    good = data(6)
    for train, test, side in ((bad, good, "train"), (good, bad, "test")):
        with pytest.raises((TypeError, ValueError), match=f"^{side}:? .*{message}") as caught:
            evaluate_clouds(Copier(good), train, test)
        assert "\n" not in str(caught.value)


def test_bad_input_is_refused() -> None:
    train, test = data(6), data(4, start=6)
    with pytest.raises(TypeError, match="samples point clouds is needed; got object"):
        evaluate(object(), train, test)
    with pytest.raises(TypeError, match=r"train must be point clouds.*got PartTrees"):
        evaluate(Copier(train), make("furniture-tables", count=2), test)
    for wrong in ({"draws": 0}, {"n": 1}, {"n": 5}):
        with pytest.raises(ValueError, match="draws must be at least 1 and n 2 to 4"):
            evaluate_clouds(Copier(train), train, test, **wrong)
    with pytest.raises(
        TypeError, match="models of point clouds on clouds; got Copier and PartTre"
    ):
        evaluate(Copier(train), train, make("furniture-tables", count=2))
