"""``evaluate`` on models whose figures are known: one that remembers, one that fails."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import shapegen
from shapegen.metrics import evaluate
from shapegen.metrics.comparison import METRICS
from shapegen.metrics.evaluation import CODES
from shapegen.metrics.tables import evaluation_table
from shapegen.structures.merge_tree import ADJ, BOX, SYM, MergeTree
from shapegen.structures.part_tree import PartTree, PartTrees

MIRROR = np.array([[1.0, 1, 0, 0, 0, 0, 0, 0]])


def shapes(count: int, seed: int) -> PartTrees:
    """A mirrored pair of boxes, and in every third shape one more box."""
    stream = np.random.default_rng(seed)
    trees = []
    for number in range(count):
        more = number % 3 == 0
        boxes = np.zeros((1 + more, 12))
        boxes[:, :6] = stream.uniform(0.5, 1.0, (1 + more, 6))
        boxes[:, [6, 10]] = 1.0
        ops = [BOX, SYM, BOX, ADJ] if more else [BOX, SYM]
        merge = MergeTree(np.array(ops), boxes, MIRROR)
        copy = boxes[:1] * np.where(np.arange(12) == 0, -1.0, 1.0)
        copy[:, 6] = -1.0
        leaves = np.concatenate([boxes[1:], boxes[:1], copy])
        count_ = len(leaves)
        trees.append(
            PartTree(
                np.concatenate([leaves[:1], leaves]),
                np.array([-1] + [0] * count_),
                ("thing",) + ("thing/part",) * count_,
                merge=merge,
            )
        )
    return PartTrees(trees)


class Memory:
    """Codes are numbers of remembered shapes; the fails are of codes that did not end."""

    def __init__(self, known: PartTrees, fails: set[int] | None = None, offset: int = 0) -> None:
        self.known, self.fails, self.offset = list(known), fails or set(), offset

    def encode(self, shapes: Any) -> Tensor:
        numbers = [next(i for i, k in enumerate(self.known) if k is one) for one in shapes]
        return torch.tensor(numbers, dtype=torch.float64)[:, None]

    def sample_latent(self, n: int, *, rng: torch.Generator | None = None) -> Tensor:
        return torch.randint(self.offset, len(self.known), (n, 1), generator=rng).double()

    def decode_trees(self, z: Tensor) -> Any:
        return SimpleNamespace(complete=np.array([int(i) not in self.fails for i in z[:, 0]]))

    def decode(self, z: Tensor) -> PartTrees:
        assert not any(int(i) in self.fails for i in z[:, 0]), "a cut tree may not even be finite"
        return PartTrees([self.known[int(i)] for i in z[:, 0]])


@pytest.fixture(scope="module")
def data() -> tuple[PartTrees, PartTrees]:
    return shapes(60, 0), shapes(30, 1)


def test_it_is_found_at_the_top() -> None:
    assert shapegen.metrics.evaluate is evaluate


def test_a_model_that_remembers_is_as_good_as_the_data(data: tuple[PartTrees, PartTrees]) -> None:
    train, test = data
    model = Memory(PartTrees([*test, *train]), offset=len(test))
    result = evaluate(model, train, test, draws=2)
    found = result["metrics"]
    assert found["finite_share"] == found["reconstructed_share"] == 1.0
    assert found["op_sequence_exact_share"] == found["node_ancestor_share"] == 1.0
    assert found["matched_rmse"] == found["symmetry_error"] == found["box_set_distance"] == 0.0
    # It draws from the training set, with repetition: somewhat worse than the floor.
    assert found["mmd"] == pytest.approx(result["floor"]["mmd"], rel=0.3)
    assert found["quality"] == pytest.approx(result["floor"]["quality"], rel=0.3)
    assert result["retrieval"]["op_sequence_exact_share"] == 1.0
    assert result["retrieval"]["matched_rmse"] > 0
    assert result["settings"]["baseline"] == "pca_gaussian"
    assert result["jitter"]["mmd"] > 0
    assert result["validity"]["samples"]["finite"] == result["validity"]["data"]["finite"] == 1.0
    assert result["structures"]["data"]["mean_boxes"] == pytest.approx(2 + 1 / 3)
    assert result["structures"]["samples"]["known_op_sequence_share"] == 1.0
    assert result["structures"]["samples"]["distinct_op_sequences"] == 2.0


def test_schema(data: tuple[PartTrees, PartTrees]) -> None:
    train, test = data
    model = Memory(PartTrees([*test, *train]))
    result = evaluate(model, train, test, draws=1, n=10)
    assert {"metrics", "floor", "baseline", "settings"} <= set(result)
    assert set(METRICS) == set(result["floor"]) == set(result["baseline"])
    assert set(METRICS) < set(result["metrics"])
    assert result["settings"]["samples"] == 10
    assert result["settings"]["codes"] == CODES
    json.dumps(result, allow_nan=False)
    assert evaluate(model, train, test, draws=1, n=10) == result
    assert evaluate(model, train, test, draws=1, n=10, seed=1)["metrics"] != result["metrics"]


def test_what_did_not_end_is_not_a_sample(data: tuple[PartTrees, PartTrees]) -> None:
    train, test = data
    known = PartTrees([*test, *train])
    model = Memory(known, fails=set(range(0, 90, 2)))
    result = evaluate(model, train, test, draws=1)
    assert result["metrics"]["finite_share"] == pytest.approx(0.5, abs=0.05)
    assert result["metrics"]["reconstructed_share"] == 0.5
    assert result["metrics"]["op_sequence_exact_share"] == 0.5
    assert result["metrics"]["matched_rmse"] == 0.0
    assert result["validity"]["samples"]["finite"] < 0.8
    # A model from which nothing comes has no figures, but does not fail.
    nothing = evaluate(Memory(known, fails=set(range(90))), train, test, draws=1)
    assert nothing["metrics"]["finite_share"] == 0.0
    assert nothing["metrics"]["coverage"] is None
    assert nothing["metrics"]["matched_rmse"] is None
    json.dumps(nothing, allow_nan=False)


def test_too_large_trees_are_invalid(data: tuple[PartTrees, PartTrees]) -> None:
    train, test = data
    long = MergeTree(np.array([BOX] + [BOX, ADJ] * 50), np.ones((51, 12)), np.zeros((0, 8)))
    tree = PartTree(np.ones((1, 12)), np.array([-1]), ("thing",), merge=long)
    model = Memory(PartTrees([*test, tree, *train]), offset=len(test))
    share = evaluate(model, train, test, draws=1, n=10)["metrics"]["finite_share"]
    assert 0.95 < share < 1.0


def test_bad_input_is_refused(data: tuple[PartTrees, PartTrees]) -> None:
    train, test = data
    model = Memory(train)
    with pytest.raises(ValueError, match="test must hold at least one"):
        evaluate(model, train, PartTrees([]))
    with pytest.raises(ValueError, match="train must hold at least one"):
        evaluate(model, PartTrees([]), test)
    with pytest.raises(ValueError, match="n must be at least 2"):
        evaluate(model, train, test, n=1)
    with pytest.raises(TypeError, match=r"such as grass, .*; got object and PartTrees"):
        evaluate(object(), train, test)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="draws must be at least 1"):
        evaluate(model, train, test, draws=0)


def test_table_has_a_row_a_figure_and_a_column_a_rival(
    data: tuple[PartTrees, PartTrees],
) -> None:
    train, test = data
    result = evaluate(Memory(PartTrees([*test, *train])), train, test, draws=1, n=10)
    table = evaluation_table(result)
    assert [column.header for column in table.columns] == [
        "figure",
        "model",
        "floor",
        "pca gaussian",
        "jitter",
        "retrieval",
        "data",
    ]
    rows = list(table.columns[0].cells)
    assert set(result["metrics"]) <= set(rows)
    cells = dict(zip(rows, table.columns[5].cells, strict=True))
    assert cells["matched_rmse"] == f"{result['retrieval']['matched_rmse']:.3f}"
