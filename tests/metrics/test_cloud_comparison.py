"""``compare`` of point clouds: its schema, its figures, its laws and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import shapegen
from shapegen.data.catalog import make
from shapegen.metrics import compare, compare_clouds, sets
from shapegen.metrics.cloud_baselines import PcaClouds, tree_order
from shapegen.metrics.cloud_comparison import is_clouds
from shapegen.metrics.cloud_distances import chamfer_matrix, emd_matrix
from shapegen.metrics.cloud_figures import METRICS, NAMES
from shapegen.metrics.draws import bootstrap_interval
from shapegen.metrics.tables import comparison_table
from shapegen.points.normalisation import fit_box
from shapegen.points.point_clouds import PointClouds


def blobs(count: int, seed: int, points: int = 24) -> Tensor:
    """Clouds of different sizes."""
    rng = torch.Generator().manual_seed(seed)
    size = 0.2 + 0.3 * torch.rand(count, 1, 3, generator=rng)
    return size * torch.randn(count, points, 3, generator=rng)


@pytest.mark.parametrize("preset", ["pointflow", "lion-normbox"])
@pytest.mark.parametrize("sizes", [(8, 8), (9, 6)])
def test_figures_are_those_of_matrices(sizes: tuple[int, int], preset: str) -> None:
    ours, theirs = blobs(sizes[0], 0), blobs(sizes[1], 1)
    found = compare(ours, theirs, metrics=NAMES, preset=preset)["metrics"]
    if preset == "lion-normbox":
        ours, theirs = fit_box(ours), fit_box(theirs)
    matrices: dict[str, Any] = {
        "cd": chamfer_matrix,
        "cd-unsquared": lambda *clouds: chamfer_matrix(*clouds, squared=False),
        "emd": emd_matrix,
    }
    for name, matrix in matrices.items():
        across, inside, reference = matrix(ours, theirs), matrix(ours), matrix(theirs)
        sample, other = sets.told_apart(inside, across, reference)
        expected = {
            f"mmd-{name}": across.min(0).mean(),
            f"mmd-{name}-sample": across.min(1).mean(),
            f"cov-{name}": len(set(across.argmin(1).tolist())) / sizes[1],
            f"1nna-{name}-sample": sample.mean(),
            f"1nna-{name}-reference": other.mean(),
            # Of the union, as in the paper: halves count by their sizes.
            f"1nna-{name}": (sample.sum() + other.sum()) / sum(sizes),
        }
        for key, value in expected.items():
            assert found[key] == pytest.approx(value), key
    assert 0 <= found["jsd"] <= 1


def test_the_schema(tmp_path: Path) -> None:
    result = compare(blobs(6, 0), blobs(6, 1), train=blobs(9, 2), draws=2, seed=4)
    settings = result["settings"]
    assert tuple(result["metrics"]) == METRICS
    assert result["floor"].keys() == result["baseline"].keys() == result["metrics"].keys()
    assert settings == {
        "samples": 6,
        "reference": 6,
        "points": 24,
        "normalisation": "none",
        "distance": "cd: chamfer, squared, sum of both means",
        "emd": None,
        "preset": "pointflow",
        "seed": 4,
        "draws": 2,
        "train": 9,
        "baseline": "pca_gaussian",
    }
    for name, (low, high) in result["intervals"].items():
        assert low <= result["metrics"][name] <= high
    assert result["intervals"].keys() == result["metrics"].keys() - {"jsd"}
    assert result["memorisation"].keys() == {
        "ratio",
        "nearest_train",
        "nearest_held_out",
        "shapes",
    }
    assert json.loads(json.dumps(result)) == result
    assert comparison_table(result).row_count > len(METRICS)
    again = compare(blobs(6, 0), blobs(6, 1), train=blobs(9, 2), draws=2, seed=4)
    assert again == result


def test_settings_name_what_was_measured() -> None:
    one, two = blobs(4, 0), blobs(4, 1)
    settings = compare_clouds(
        one, two, metrics=["mmd-emd"], preset="lion-normbox", emd="sinkhorn", points=10
    )["settings"]
    assert settings["emd"] == "sinkhorn"
    assert settings["normalisation"] == "bounding box"
    assert settings["points"] == 10
    assert settings["distance"].startswith("emd: earth mover's, not squared")
    only = compare(one, two, metrics=["jsd"])
    assert list(only["metrics"]) == ["jsd"]
    assert only["settings"]["distance"] is None


def test_a_set_against_itself() -> None:
    clouds = blobs(10, 0)
    found = compare(clouds, clouds)["metrics"]
    assert found["mmd-cd"] == found["mmd-cd-sample"] == pytest.approx(0.0, abs=1e-12)
    assert found["cov-cd"] == 1.0
    # Every shape's nearest is its own copy in the other set.
    assert found["1nna-cd"] == 0.0
    assert found["jsd"] == 0.0


def test_halves_of_one_set_cannot_be_told_apart() -> None:
    found = compare(blobs(120, 0, points=8), blobs(120, 1, points=8), metrics=["1nna-cd"])
    assert abs(found["metrics"]["1nna-cd"] - 0.5) < 0.1
    low, high = found["intervals"]["1nna-cd"]
    assert low < 0.5 < high
    other = compare(blobs(40, 0), 4 * blobs(40, 1), metrics=["1nna-cd", "cov-cd"])["metrics"]
    assert other["1nna-cd"] > 0.9


def test_copies_of_the_training_set_are_found_out() -> None:
    train, held_out = blobs(12, 2), blobs(12, 1)
    copies = compare(train, held_out, train=train, draws=1)["memorisation"]
    assert copies["ratio"] == pytest.approx(0.0, abs=1e-12)
    new = compare(blobs(12, 0), held_out, train=train, draws=1)["memorisation"]
    assert 0.5 < new["ratio"] < 2.0
    with pytest.raises(ValueError, match="must be equally many"):
        sets.memorisation(np.ones((3, 4)), np.ones((3, 5)))


def test_paths_clouds_and_arrays_give_the_same(tmp_path: Path) -> None:
    ours, theirs = blobs(4, 0), blobs(4, 1)
    expected = compare(ours, theirs)["metrics"]
    PointClouds(ours).write(tmp_path / "a.npz")
    (tmp_path / "b").mkdir()
    PointClouds(theirs).write(tmp_path / "b")
    assert compare(tmp_path / "a.npz", str(tmp_path / "b"))["metrics"] == expected
    assert compare(PointClouds(ours), list(theirs.numpy()))["metrics"] == expected
    # More points than the other set has are left out.
    longer = torch.cat([theirs, torch.full((4, 9, 3), 7.0)], dim=1)
    found = compare(ours, longer)
    assert found["metrics"] == expected
    assert found["settings"]["points"] == 24


def test_what_is_a_cloud() -> None:
    clouds = PointClouds(blobs(2, 0))
    for yes in (clouds, clouds[0], [clouds[0]], clouds.points, [np.ones((9, 3))]):
        assert is_clouds(yes)
    for no in (make("furniture-chairs", count=1), [np.ones((9, 12))], np.ones((9, 3)), [], None):
        assert not is_clouds(no)


def test_mistakes_are_refused() -> None:
    clouds = blobs(3, 0)
    trees = make("furniture-chairs", count=2)
    with pytest.raises(ValueError, match=r"metrics must be some of .*got \('fid',\)"):
        compare(clouds, clouds, metrics=["fid"])
    with pytest.raises(ValueError, match=r"preset must be one of .*'lion-normbox'.*got 'lion'"):
        compare(clouds, clouds, preset="lion")
    with pytest.raises(ValueError, match="preset 'structures' measures part trees"):
        compare(clouds, clouds, preset="structures")
    with pytest.raises(ValueError, match="preset 'pointflow' measures point clouds"):
        compare(trees, trees, preset="pointflow")
    with pytest.raises(TypeError, match=r"reference must be point clouds.*got PartTrees"):
        compare(clouds, trees)
    with pytest.raises(ValueError, match="samples must hold at least one cloud"):
        compare_clouds(clouds[:0], clouds)
    with pytest.raises(ValueError, match="points must be 1 to 24, which all sets have; got 25"):
        compare_clouds(clouds, clouds, points=25)
    with pytest.raises(ValueError, match=r"emd must be one of .*got 'auction'"):
        compare_clouds(clouds, clouds, emd="auction")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="cloud 0 has no extent"):
        compare(torch.ones(2, 9, 3), clouds, preset="lion-normbox")


def test_the_baseline_knows_the_components(rng: torch.Generator) -> None:
    # Clouds that differ by one number, and so have one component.
    base = torch.randn(16, 3, generator=rng)
    amount = torch.linspace(0.5, 1.5, 30)[:, None, None]
    clouds = amount * base
    pca = PcaClouds(clouds)
    assert pca.gaussian.spread.shape == (1,)
    torch.testing.assert_close(pca.reconstruct(clouds), tree_order(clouds), atol=1e-4, rtol=0)
    drawn = pca.sample(500, rng=rng)
    scale = (drawn / tree_order(base[None])).flatten(1).median(1).values
    assert float(scale.std()) == pytest.approx(float(amount.std()), rel=0.1)
    with pytest.raises(ValueError, match="at least 2 shapes; got 1"):
        PcaClouds(clouds[:1])


def test_the_order_of_a_tree_is_that_of_halves(rng: torch.Generator) -> None:
    clouds = torch.randn(2, 16, 3, generator=rng)
    ordered = tree_order(clouds)
    shuffled = clouds[:, torch.randperm(16, generator=rng)]
    torch.testing.assert_close(tree_order(shuffled), ordered)
    assert (ordered[:, :8, 0].amax(1) <= ordered[:, 8:, 0].amin(1)).all()
    assert (ordered[:, :4, 1].amax(1) <= ordered[:, 4:8, 1].amin(1)).all()
    with pytest.raises(ValueError, match="power of two; got 12"):
        tree_order(clouds[:, :12])


def test_intervals_have_their_level(rng: torch.Generator) -> None:
    hits = 0
    for seed in range(200):
        values = np.random.default_rng(seed).normal(size=40)
        low, high = bootstrap_interval(values, rng=rng)
        hits += low <= 0.0 <= high
    assert 0.88 <= hits / 200 <= 0.99
    with pytest.raises(ValueError, match=r"items must be \(n,\) with n >= 1"):
        bootstrap_interval([])


def test_it_is_found_at_the_top() -> None:
    assert shapegen.metrics.compare_clouds is compare_clouds
