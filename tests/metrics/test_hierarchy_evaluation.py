"""A StructureNet's table of figures: what it holds, and that it tells good from bad."""

import json

import pytest
import torch

from shapegen import metrics
from shapegen.core.seeding import seeded
from shapegen.data.furniture import furniture, vocabulary
from shapegen.metrics.tables import evaluation_table
from shapegen.structures.part_tree import PartTrees
from shapegen.structures.structurenet import StructureNet, StructureNetConfig


@pytest.fixture(scope="module")
def model() -> StructureNet:
    with seeded(0):
        return StructureNet(
            StructureNetConfig(
                labels=vocabulary("table"), feature_dim=24, hidden_dim=24, prior="normal"
            )
        ).eval()


@pytest.fixture(scope="module")
def sets() -> tuple[PartTrees, PartTrees]:
    return furniture(12, category="table", seed=1), furniture(6, category="table", seed=9)


def test_everything_is_measured(model: StructureNet, sets: tuple[PartTrees, PartTrees]) -> None:
    train, test = sets
    result = metrics.evaluate(model, train, test, draws=2, n=4)
    assert json.loads(json.dumps(result)) == result
    for name in ("coverage", "mmd", "1nna", "coverage_boxes", "mmd_boxes"):
        assert name in result["metrics"]
        assert name in result["floor"]
        assert name in result["baseline"]
    for name in ("mmd_structure", "quality_structure", "frechet"):
        assert result["metrics"][name] > result["floor"][name]
        assert result["baseline"][name] >= 0
    # Noise on the leaves leaves the labels alone.
    jittered, floor = result["baseline"]["quality_structure"], result["floor"]["quality_structure"]
    assert jittered == pytest.approx(floor, abs=0.2)
    assert result["truth"]["gt_binary_diff"] < 0.05
    assert result["settings"]["features"]["fitted_to"] == 12
    assert result["settings"]["samples"] == 4
    assert result["settings"]["reconstructed"] == 6
    # An untrained model is worse than the nearest training shape, and than training shapes.
    assert result["metrics"]["node_f1"] < result["retrieval"]["node_f1"]
    assert result["metrics"]["leaf_chamfer"] > result["retrieval"]["leaf_chamfer"]
    assert result["metrics"]["mmd"] > result["floor"]["mmd"]
    assert result["validity"]["data"]["valid"] == 1.0
    assert evaluation_table(result).row_count > 30


def test_figures_along_the_true_trees_are_counted(
    model: StructureNet, sets: tuple[PartTrees, PartTrees]
) -> None:
    from shapegen.metrics.hierarchy_evaluation import led

    found = led(model, sets[1])
    with torch.no_grad():
        model.decoder.leaf_classifier["mlp2"].bias.add_(1e6)
        always = led(model, sets[1])
        model.decoder.leaf_classifier["mlp2"].bias.sub_(1e6)
    leaves = sum(int(tree.is_leaf.sum()) for tree in sets[1])
    nodes = sum(map(len, sets[1]))
    assert always["led_leaf_f1"] == pytest.approx(2 * leaves / (leaves + nodes))
    assert always["led_exists_f1"] == found["led_exists_f1"]
    assert 0 <= found["led_semantic_accuracy"] < 0.5
