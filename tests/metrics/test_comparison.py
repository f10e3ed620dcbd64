"""``compare``: its schema, what it takes, and that its figures are those of the parts."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import shapegen
from shapegen.core import boxes as box_algebra
from shapegen.metrics import compare
from shapegen.metrics.boxes import distance_matrix
from shapegen.metrics.chamfer import chamfer_matrix
from shapegen.metrics.comparison import METRICS, SetMetrics, box_sets, official_reading
from shapegen.metrics.sets import coverage, diversity, mmd, one_nna, quality
from shapegen.metrics.tables import comparison_table
from shapegen.structures.merge_tree import ADJ, BOX, SYM, MergeTree
from shapegen.structures.part_tree import PartTree, PartTrees

Array = NDArray[np.float64]


def shapes(count: int, seed: int) -> list[Array]:
    stream = np.random.default_rng(seed)
    kinds = [np.random.default_rng(9).normal(size=(n, 12)) for n in (2, 3, 5)]
    return [
        kinds[i] + 0.2 * stream.normal(size=kinds[i].shape)
        for i in stream.integers(0, 3, count).tolist()
    ]


def part_trees(boxes: list[Array], *, merge: bool = False) -> PartTrees:
    trees = []
    for leaves in boxes:
        count = len(leaves)
        ops = np.array([BOX] + [BOX, ADJ] * (count - 1))
        tree = PartTree(
            np.concatenate([leaves[:1], leaves]),
            np.array([-1] + [0] * count),
            ("thing",) + ("thing/part",) * count,
            merge=MergeTree(ops, leaves, np.zeros((0, 8))) if merge else None,
        )
        trees.append(tree)
    return PartTrees(trees)


def test_it_is_found_at_the_top() -> None:
    assert shapegen.metrics.compare is compare


@pytest.mark.parametrize("distance", ["boxes", "chamfer"])
@pytest.mark.parametrize("sizes", [(12, 12), (15, 9), (7, 12)])
def test_figures_are_those_of_whole_matrices(sizes: tuple[int, int], distance: Any) -> None:
    g, r = shapes(sizes[0], 0), shapes(sizes[1], 1)
    matrix = distance_matrix if distance == "boxes" else chamfer_matrix
    gg, gr, rr = matrix(g), matrix(g, r), matrix(r)
    found = compare(g, r, distance=distance)["metrics"]
    assert tuple(found) == METRICS
    assert found["coverage"] == coverage(gr)
    assert found["mmd"] == pytest.approx(mmd(gr))
    assert found["quality"] == pytest.approx(quality(gr))
    assert found["1nna"] == one_nna(gg, gr, rr)
    assert found["diversity"] == pytest.approx(diversity(gg))


def test_schema() -> None:
    result = compare(shapes(6, 2), shapes(5, 3))
    assert list(result) == ["metrics", "floor", "baseline", "settings"]
    assert result["floor"] == result["baseline"] == {}
    wanted = {"samples", "reference", "points", "normalisation", "distance", "emd", "seed"}
    assert wanted | {"draws"} <= set(result["settings"])
    assert (result["settings"]["samples"], result["settings"]["reference"]) == (6, 5)
    json.dumps(result, allow_nan=False)


def test_floor_and_baseline_stand_beside_the_figures() -> None:
    g, r, train = shapes(20, 4), shapes(20, 5), shapes(60, 6)
    result = compare(g, r, train=train, seed=3)
    assert result["settings"]["baseline"] == "jitter"
    assert set(result["floor"]) == set(result["baseline"]) == set(METRICS)
    assert result == compare(g, r, train=train, seed=3)
    assert result["floor"] != compare(g, r, train=train, seed=4)["floor"]
    # All of a training set of the samples' size is the only floor.
    whole = compare(g, r, train=train[:20])["floor"]
    assert whole["mmd"] == pytest.approx(compare(train[:20], r)["metrics"]["mmd"])
    with_merges = compare(g, r, train=part_trees(train, merge=True))
    assert with_merges["settings"]["baseline"] == "pca_gaussian"
    assert with_merges["floor"]["mmd"] == pytest.approx(result["floor"]["mmd"], rel=0.2)


def test_part_trees_arrays_and_files_are_the_same(tmp_path: Path) -> None:
    g, r = shapes(6, 7), shapes(6, 8)
    expected = compare(g, r)["metrics"]
    assert compare(part_trees(g), tuple(part_trees(r)))["metrics"] == expected
    turned = [tree.facing("+x") for tree in part_trees(g)]
    for name, value in compare(turned, r)["metrics"].items():
        assert value == pytest.approx(expected[name], abs=1e-9)
    path = tmp_path / "boxes.jsonl"
    lines = [json.dumps({"id": str(i), "boxes": boxes.tolist()}) for i, boxes in enumerate(g)]
    path.write_text("\n".join(lines) + "\n")
    assert compare(path, r)["metrics"] == expected
    assert compare(str(path), path)["metrics"]["mmd"] == 0.0


def test_files_of_part_trees_are_read(tmp_path: Path) -> None:
    boxes = [box_algebra.orthonormalised(one) for one in shapes(4, 9)]
    path = tmp_path / "shapes.npz"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # sides above 2 are noted
        part_trees(boxes).write(path)
        assert compare(path, boxes)["metrics"]["mmd"] < 1e-6


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"metrics": ("coverage", "fid")}, ValueError, "metrics must be some of"),
        ({"metrics": ()}, ValueError, "metrics must be some of"),
        ({"distance": "emd"}, ValueError, "distance must be 'boxes' or 'chamfer'"),
        ({"preset": "pointflow"}, ValueError, "measures point clouds"),
        ({"preset": "best"}, ValueError, "preset must be one of"),
        ({"samples": []}, ValueError, "samples must hold at least one"),
        ({"reference": [np.zeros((0, 12))]}, ValueError, "reference .* shape 0 has no boxes"),
        ({"samples": [np.full((1, 12), np.inf)]}, ValueError, "not finite"),
        ({"samples": np.zeros((3, 12))}, TypeError, "got ndarray"),
        ({"samples": 3}, TypeError, "got int"),
        ({"samples": [np.zeros((2, 5))]}, TypeError, "one is ndarray"),
        ({"samples": [shapes(1, 0)[0]]}, ValueError, "diversity needs at least 2"),
        ({"train": [], "draws": 1}, ValueError, "train must hold"),
        ({"train": shapes(3, 0), "draws": 0}, ValueError, "draws must be"),
    ],
)
def test_bad_input_is_refused(
    change: dict[str, Any], error: type[Exception], message: str
) -> None:
    arguments: dict[str, Any] = {"samples": shapes(3, 1), "reference": shapes(3, 2)} | change
    with pytest.raises(error, match=message):
        compare(arguments.pop("samples"), arguments.pop("reference"), **arguments)


def test_bad_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "boxes.jsonl"
    path.write_text('{"id": "a", "boxes": [[0,0,0,1,1,1,1,0,0,0,1,0]]}\n{"id": "b"}\n')
    with pytest.raises(ValueError, match="line 2"):
        compare(path, shapes(2, 0))
    with pytest.raises(FileNotFoundError):
        compare(tmp_path / "nothing.npz", shapes(2, 0))


def test_asked_metrics_come_alone_and_agree() -> None:
    g, r = shapes(8, 10), shapes(8, 11)
    every = compare(g, r)["metrics"]
    for name in METRICS:
        assert compare(g, r, metrics=(name,))["metrics"] == {name: every[name]}


def test_one_reference_serves_many_sets() -> None:
    measure = SetMetrics(shapes(9, 12))
    first = measure(shapes(9, 13))
    measure(shapes(5, 14))
    assert measure(shapes(9, 13)) == first


def test_the_reading_of_symmetries_is_told_by_the_shapes() -> None:
    boxes = np.random.default_rng(15).normal(size=(2, 12))
    boxes[:, :3] = [[0, 0, 0], [0, 0, 0.6]]
    row = np.array([[0.0, 0, 0, 0.5, 0, 0, 1.25, 0]])
    tree = MergeTree(np.array([BOX, BOX, ADJ, SYM]), boxes, row)
    # Official: 2 and 1 copies; ours, from the mean: 2 and 2.
    assert official_reading([tree], [np.zeros((5, 12))])
    assert not official_reading([tree], [np.zeros((6, 12))])


def test_table_holds_every_figure() -> None:
    g, r = shapes(6, 16), shapes(6, 17)
    table = comparison_table(compare(g, r, train=shapes(12, 18)))
    assert [column.header for column in table.columns] == ["figure", "samples", "floor", "jitter"]
    assert list(table.columns[0].cells)[1:] == list(METRICS)
    plain = comparison_table(compare(g, r))
    assert len(plain.columns) == 2


def test_boxes_of_trees_are_their_leaves() -> None:
    boxes = shapes(3, 19)
    for found, expected in zip(box_sets(part_trees(boxes)), boxes, strict=True):
        np.testing.assert_array_equal(found, expected)
