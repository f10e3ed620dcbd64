"""Binary differences: against a plain count, edge by edge, and on real shapes."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from shapegen.data.furniture import furniture
from shapegen.metrics.chamfer import surface_points
from shapegen.metrics.relation_errors import relation_errors
from shapegen.structures.box_points import quaternion_boxes
from shapegen.structures.correspondence import correspond
from shapegen.structures.files import read_part_trees
from shapegen.structures.part_tree import PartTree, PartTrees, Relation, RelationKind
from tests.structures import structurenet_recursion as recursion
from tests.structures.structurenet_cases import random_tree


def shaken(trees: PartTrees, scale: float) -> PartTrees:
    stream = np.random.default_rng(0)
    return PartTrees(
        [
            replace(
                tree,
                box=tree.box
                + np.pad(scale * stream.normal(size=(len(tree), 6)), ((0, 0), (0, 6))),
            )
            for tree in trees
        ]
    )


def plain(tree: PartTree, a: int, b: int, kind: RelationKind) -> float:
    one, other = (surface_points(tree.box[[node]], 500) for node in (a, b))
    if kind is not RelationKind.ADJ:
        boxes = quaternion_boxes(torch.from_numpy(tree.box[[a, b]]))
        move = recursion.symmetry(kind, boxes[0], boxes[1], official=False)
        one = move(torch.from_numpy(one)).numpy()
    apart = np.linalg.norm(one[:, None] - other, axis=2)
    if kind is RelationKind.ADJ:
        return 0.5 * float(apart.min() + apart.min())
    return 0.5 * float(apart.min(0).mean() + apart.min(1).mean())


def test_errors_are_those_of_every_relation_by_itself() -> None:
    true = PartTrees([random_tree(seed, widest=3, deepest=2) for seed in (2, 3, 5)])
    ours = shaken(true[[1, 1, 0]], 0.05)
    found = relation_errors(ours, true)
    match = correspond(ours, true)
    for number, (mine, theirs) in enumerate(zip(ours, true, strict=True)):
        own = [plain(mine, e.a, e.b, e.kind) for e in mine.edges]
        first = match.true_start[number]
        partner = match.predicted[first : first + len(theirs)] - match.predicted_start[number]
        wanted = [
            plain(mine, partner[e.a], partner[e.b], e.kind)
            for e in theirs.edges
            if min(partner[e.a], partner[e.b]) >= 0
        ]
        for value, each in ((found.predicted[number], own), (found.true[number], wanted)):
            assert value == pytest.approx(np.mean(each)) if each else np.isnan(value)
    assert np.isfinite(found.true).sum() >= 2
    assert found.means()["pred_binary_diff"] == pytest.approx(np.nanmean(found.predicted))
    assert found.means()["gt_binary_diff"] == pytest.approx(np.nanmean(found.true))


def test_relations_of_missing_parts_are_left_out() -> None:
    box = np.tile([0.0, 0, 0, 1, 1, 1, 1, 0, 0, 0, 1, 0], (4, 1))
    box[:, 0] = [0, 0, 1, 5]
    labels = ("t", "t/a", "t/b", "t/c")
    whole = PartTree(
        box,
        np.array([-1, 0, 0, 0]),
        labels,
        (Relation(RelationKind.ADJ, 1, 2), Relation(RelationKind.ADJ, 2, 3)),
    )
    less = PartTree(box[:3], np.array([-1, 0, 0]), labels[:3])
    found = relation_errors([less, whole], [whole, less])
    # Touching faces; the part three lengths off counts where it is predicted.
    assert found.true[0] < 0.06
    assert np.isnan(found.predicted[0])
    assert found.predicted[1] == pytest.approx((found.true[0] + 3) / 2, abs=0.05)
    assert np.isnan(found.true[1])
    nothing = relation_errors([less], [less]).means()
    assert np.isnan(list(nothing.values())).all()
    with pytest.raises(ValueError, match="as many"):
        relation_errors([less], [less, less])


def test_shaken_shapes_keep_their_relations_less_and_less() -> None:
    shapes = furniture(20, seed=2)
    errors = [relation_errors(shaken(shapes, s), shapes).means() for s in (0, 0.02, 0.05, 0.1)]
    for name in errors[0]:
        assert (np.diff([each[name] for each in errors]) > 0).all()


def test_the_relations_of_real_shapes_hold(data_path: Path) -> None:
    path = data_path / "partnet_boxes" / "chair_val.jsonl.gz"
    if not path.is_file():
        pytest.skip(f"no {path}")
    shapes = read_part_trees(path)[:60]
    itself = relation_errors(shapes, shapes)
    np.testing.assert_array_equal(itself.predicted, itself.true)
    # The spacing of 500 points on a part of a chair is about this.
    assert itself.means()["gt_binary_diff"] < 0.015
    for error, other in zip(
        itself.means().values(),
        relation_errors(shaken(shapes, 0.1), shapes).means().values(),
        strict=True,
    ):
        assert other > 2 * error
