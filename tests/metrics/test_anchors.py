"""The published anchors on GRASS's chairs, where the data is at hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from shapegen.metrics import baselines
from shapegen.metrics.boxes import distance_matrix, nearest
from shapegen.metrics.comparison import SetMetrics, mean_of_draws
from shapegen.metrics.reconstruction import matched, structure
from shapegen.metrics.splits import families, family_split, random_split
from shapegen.structures.merge_tree import BOX, SYM, MergeTree

Array = NDArray[np.float64]
Index = NDArray[np.int64]


@pytest.fixture(scope="module")
def merges(data_path: Path) -> list[MergeTree]:
    path = data_path / "grass" / "grass_chairs.npz"
    if not path.is_file():
        pytest.skip(f"no {path}")
    arrays = np.load(path)
    trees = []
    for ops, boxes, syms in zip(arrays["ops"], arrays["boxes"], arrays["syms"], strict=True):
        ops = ops[ops >= 0].astype(np.int64)
        trees.append(MergeTree(ops, boxes[: (ops == BOX).sum()], syms[: (ops == SYM).sum()]))
    return trees


@pytest.fixture(scope="module")
def shapes(merges: list[MergeTree]) -> list[Array]:
    return baselines.expanded(merges)


@pytest.fixture(scope="module")
def split(merges: list[MergeTree]) -> tuple[Index, Index]:
    return random_split(len(merges))


def test_generation_baselines(
    merges: list[MergeTree], shapes: list[Array], split: tuple[Index, Index]
) -> None:
    """Anchors are of 2000 + 460 chairs; here 1540 + 460, means of 3 draws."""
    train, test = split
    measure = SetMetrics([shapes[i] for i in test])
    pca = baselines.PcaGaussian([merges[i] for i in train])
    known = [merges[i] for i in train]

    def floor(rng: torch.Generator) -> dict[str, float]:
        return measure([shapes[train[i]] for i in baselines.draw(460, len(train), rng=rng)])

    anchors = {
        "floor": (floor, (0.485, 0.049, 0.048, 0.513)),
        "pca": (lambda rng: measure(pca.sample(460, rng=rng)), (0.426, 0.086, 0.083, 0.736)),
        "jitter": (
            lambda rng: measure(baselines.jitter(known, 460, rng=rng)),
            (0.504, 0.074, 0.079, 0.529),
        ),
    }
    for make, expected in anchors.values():
        found = mean_of_draws(make, 3, 0)
        # Another split and fewer chairs: 3 sd of a draw each, .01 for the distances.
        assert found["coverage"] == pytest.approx(expected[0], abs=0.05)
        assert found["mmd"] == pytest.approx(expected[1], abs=0.01)
        assert found["quality"] == pytest.approx(expected[2], abs=0.01)
        assert found["1nna"] == pytest.approx(expected[3], abs=0.06)


def test_retrieval(
    merges: list[MergeTree], shapes: list[Array], split: tuple[Index, Index]
) -> None:
    train, test = split
    found, distance = nearest([shapes[i] for i in test], [shapes[i] for i in train])
    assert np.median(distance) == pytest.approx(0.018, abs=0.005)
    figures = matched([(shapes[train[a]], shapes[b]) for a, b in zip(found, test, strict=True)])
    assert figures["matched_rmse"] == pytest.approx(0.027, abs=0.005)
    assert figures["box_set_distance"] == pytest.approx(0.025, abs=0.005)
    assert figures["count_equal_share"] == pytest.approx(0.98, abs=0.02)
    figures = structure([(merges[train[a]], merges[b]) for a, b in zip(found, test, strict=True)])
    assert figures["op_sequence_exact_share"] == pytest.approx(0.983, abs=0.01)
    rows = np.arange(0, 460, 23)
    some = [shapes[test[i]] for i in rows]
    whole = distance_matrix(some, [shapes[i] for i in train])
    np.testing.assert_array_equal(distance[rows], whole.min(1))


@pytest.mark.slow
def test_families(shapes: list[Array]) -> None:
    """About 134 families in all 2460 chairs; whole ones are held out."""
    family = families(shapes)
    assert 110 < family.max() + 1 < 150
    train, test = family_split(shapes, seed=0)
    assert not set(family[train]) & set(family[test])
    assert 460 <= len(test) < 460 + np.bincount(family).max()
    found, distance = nearest([shapes[i] for i in test], [shapes[i] for i in train])
    assert distance.min() >= 0.1
    figures = matched([(shapes[train[a]], shapes[b]) for a, b in zip(found, test, strict=True)])
    assert figures["matched_rmse"] == pytest.approx(0.167, abs=0.02)
