"""Metrics of point clouds against the recorded ones of PointFlow's authors."""

from __future__ import annotations

import json
import os
from fnmatch import fnmatch
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import load_file

from shapegen.metrics import sets
from shapegen.metrics.cloud_comparison import compare_clouds
from shapegen.metrics.cloud_distances import (
    chamfer_matrix,
    chamfer_pairs,
    emd_matrix,
    emd_pairs,
)
from shapegen.metrics.occupancy import jsd, occupancy, occupancy_entropy, sphere_nodes

Array = NDArray[np.float64]
MATRICES = {"cd": partial(chamfer_matrix, method="trees"), "emd_exact": emd_matrix}
PAIRED = {"paired_cd": chamfer_pairs, "paired_emd_exact": emd_pairs}
PRECISION = {"f64": 1e-9, "f32": 1e-5}
"""Largest difference of a distance, as the fixture's notes say."""
EXACT = 1e-6
"""Of shares of few shapes, whose denominators the authors lengthen by 1e-10, and of the JSD."""


def folders() -> list[Path]:
    """All fixtures of PointFlow that hold metrics."""
    default = Path(__file__).resolve().parents[3] / "shared" / "parity"
    root = Path(os.environ.get("SHAPEGEN_PARITY", default))
    return sorted(path.parent for path in root.glob("pointflow*/metrics.safetensors"))


@pytest.fixture(scope="module", params=folders() or [None], ids=lambda path: path and path.name)
def fixture(request: pytest.FixtureRequest, parity_path: Path) -> Fixture:
    if request.param is None:
        pytest.skip(f"{parity_path} holds no pointflow*/metrics.safetensors")
    return Fixture(request.param)


class Fixture:
    """The clouds and what was recorded of them; ``seen`` gathers the names that were compared."""

    def __init__(self, folder: Path) -> None:
        self.tensors: dict[str, NDArray[Any]] = load_file(folder / "metrics.safetensors")
        loaded = json.loads((folder / "metrics.json").read_text())
        self.numbers: dict[str, Any] = loaded["results"]
        metadata = json.loads((folder / "metadata.json").read_text())
        self.left_out: list[str] = metadata.get("not_compared", [])
        self.reference, self.sample = self.tensors["ref_pcs"], self.tensors["sample_pcs"]

    @cached_property
    def matrices(self) -> dict[str, Array]:
        """Ours, by the names of the recorded ones: rows are reference clouds."""
        found = {}
        for name, matrix in MATRICES.items():
            found[f"{name}_rr"] = matrix(self.reference)
            found[f"{name}_rs"] = matrix(self.reference, self.sample)
            found[f"{name}_ss"] = matrix(self.sample)
        for name, pairs in PAIRED.items():
            found[name] = pairs(self.sample, self.reference)
        return found

    def of(self, name: str) -> tuple[Array, Array, Array]:
        """Distances inside the samples, of samples to references, inside the references."""
        return (
            self.matrices[f"{name}_ss"],
            self.matrices[f"{name}_rs"].T,
            self.matrices[f"{name}_rr"],
        )


def test_every_distance(fixture: Fixture) -> None:
    compared = 0
    for name, recorded in fixture.tensors.items():
        ours, _, precision = name.rpartition(".")
        if ours in fixture.matrices:
            found = fixture.matrices[ours]
            np.testing.assert_allclose(found, recorded, atol=PRECISION[precision], rtol=0)
            compared += 1
    assert compared == 2 * len(fixture.matrices)


def test_every_count_of_the_grid(fixture: Fixture) -> None:
    for name, clouds in (("ref", fixture.reference), ("sample", fixture.sample)):
        counts = occupancy(clouds).sum(0)
        np.testing.assert_array_equal(counts, fixture.tensors[f"grid_counters.{name}"])
    assert len(sphere_nodes(28)) == fixture.numbers["grid_cells_28_in_sphere"]


def test_every_tensor_is_compared(fixture: Fixture) -> None:
    known = {f"{name}.{precision}" for name in fixture.matrices for precision in PRECISION}
    known |= {"ref_pcs", "sample_pcs", "grid_counters.ref", "grid_counters.sample"}
    rest = {
        name
        for name in fixture.tensors.keys() - known
        if not any(fnmatch(name, pattern) for pattern in fixture.left_out)
    }
    assert rest == set()


def ours(fixture: Fixture) -> dict[str, Any]:
    """Every number of the fixture, computed by us."""
    found: dict[str, Any] = {
        "JSD.res28": jsd(fixture.sample, fixture.reference),
        "JSD.res16": jsd(fixture.sample, fixture.reference, 16),
        "entropy_of_occupancy_grid.sample.28": occupancy_entropy(fixture.sample),
        "grid_cells_28_in_sphere": len(sphere_nodes()),
        "min_1nn_margin_cd": margin(*fixture.of("cd")),
        "min_1nn_margin_emd": margin(*fixture.of("emd_exact")),
    }
    results: dict[str, float] = {}
    tables: dict[str, Any] = {}
    for short, name in (("CD", "cd"), ("EMD", "emd_exact")):
        inside, across, reference = fixture.of(name)
        false, true = sets.told_apart(inside, across, reference)
        results |= {
            f"lgan_mmd-{short}": sets.mmd(across),
            f"lgan_cov-{short}": sets.coverage(across),
            f"lgan_mmd_smp-{short}": sets.quality(across),
            f"1-NN-{short}-acc_t": true.mean(),
            f"1-NN-{short}-acc_f": false.mean(),
            f"1-NN-{short}-acc": np.concatenate([true, false]).mean(),
        }
        right, wrong = true.sum(), (~false).sum()
        tables[f"knn_{short.lower()}_all"] = {
            "tp": right,
            "fp": wrong,
            "fn": (~true).sum(),
            "tn": false.sum(),
            "precision": right / max(right + wrong, 1),
            "recall": true.mean(),
            "acc_t": true.mean(),
            "acc_f": false.mean(),
            "acc": np.concatenate([true, false]).mean(),
        }
    paired = {
        "MMD-CD": fixture.matrices["paired_cd"].mean(),
        "MMD-EMD": fixture.matrices["paired_emd_exact"].mean(),
    }
    for precision in PRECISION:
        found[precision] = results
        found[f"{precision}.JSD"] = found["JSD.res28"]
        found[f"{precision}.recon_EMD_CD(paired)"] = paired
        found |= {f"{precision}.{name}": table for name, table in tables.items()}
    return found


def margin(inside: Array, across: Array, reference: Array) -> float:
    """Least difference between a shape's nearest and its second nearest of the union."""
    union = np.block([[inside, across], [across.T, reference]])
    np.fill_diagonal(union, np.inf)
    nearest = np.sort(union, axis=1)[:, :2]
    return float(np.diff(nearest, axis=1).min())


def test_every_number(fixture: Fixture) -> None:
    found = ours(fixture)
    assert found.keys() == fixture.numbers.keys()
    for name, recorded in fixture.numbers.items():
        if isinstance(recorded, dict):
            assert found[name].keys() == recorded.keys()
            for key, value in recorded.items():
                distance = "mmd" in key.lower()
                tolerance = PRECISION[name[:3]] if distance else EXACT
                assert found[name][key] == pytest.approx(value, abs=tolerance), (name, key)
        else:
            assert found[name] == pytest.approx(recorded, abs=EXACT), name


def test_compare_gives_the_recorded_figures_by_its_own_names(fixture: Fixture) -> None:
    metrics = ("mmd-cd", "mmd-cd-sample", "cov-cd", "1nna-cd", "1nna-cd-sample")
    metrics += ("1nna-cd-reference", "mmd-emd", "cov-emd", "1nna-emd", "jsd")
    found = compare_clouds(fixture.sample, fixture.reference, metrics=metrics)["metrics"]
    recorded = fixture.numbers["f64"] | {"jsd": fixture.numbers["f64.JSD"]}
    names = ("lgan_mmd-CD", "lgan_mmd_smp-CD", "lgan_cov-CD", "1-NN-CD-acc", "1-NN-CD-acc_f")
    names += ("1-NN-CD-acc_t", "lgan_mmd-EMD", "lgan_cov-EMD", "1-NN-EMD-acc", "jsd")
    for name, theirs in zip(metrics, names, strict=True):
        assert found[name] == pytest.approx(recorded[theirs], abs=EXACT), name
