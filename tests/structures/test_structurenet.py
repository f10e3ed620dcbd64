"""What must hold of any StructureNet; test_structurenet_recursion.py says what it computes."""

from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest
import torch

import shapegen
from shapegen.core.seeding import seeded
from shapegen.data.furniture import furniture
from shapegen.structures.part_tree import PartTree, PartTrees, RelationKind
from shapegen.structures.relations import residuals
from shapegen.structures.stability import shape_diagonal
from shapegen.structures.stretching import stretched
from shapegen.structures.structurenet import (
    LossWeights,
    StructureNet,
    StructureNetConfig,
)
from shapegen.structures.structurenet_decoding import StructureLimits
from shapegen.structures.tree_batch import TreeBatch
from tests.monte_carlo import kl_by_draws
from tests.structures.structurenet_cases import KINDS, LABELS, alone, random_tree, small


@pytest.fixture(scope="module")
def trees() -> PartTrees:
    return PartTrees([*(random_tree(seed) for seed in range(1, 5)), alone()])


def test_the_order_of_siblings_does_not_matter(trees: PartTrees) -> None:
    model = small().float()
    for tree in trees:
        torch.testing.assert_close(
            model.encode([tree]), model.encode([mirrored_order(tree)]), atol=1e-5, rtol=0
        )


def mirrored_order(tree: PartTree) -> PartTree:
    """The same tree with the children of every node the other way round."""
    order: list[int] = []

    def visit(node: int) -> None:
        order.append(node)
        for child in reversed(tree.children[node]):
            visit(child)

    visit(0)
    place = np.argsort(order)
    parent = tree.parent[order]
    return PartTree(
        box=tree.box[order],
        parent=np.where(parent >= 0, place[parent], -1),
        label=tuple(tree.label[node] for node in order),
        edges=tuple(replace(e, a=int(place[e.a]), b=int(place[e.b])) for e in tree.edges),
    )


def test_a_batch_is_its_shapes_one_by_one(trees: PartTrees) -> None:
    model = small().float()
    data = model.prepare(trees)
    codes = model.posteriors(data).mean
    whole = model.losses(data.all, codes)
    for number in range(len(trees)):
        one = model.losses(data[torch.tensor([number])], codes[number : number + 1])
        for name, value in one.items():
            torch.testing.assert_close(value[0], whole[name][number])
    together = model.decode(codes)
    for number, tree in enumerate(together):
        alone = model.decode(codes[number : number + 1])[0]
        np.testing.assert_allclose(alone.box, tree.box, atol=1e-5)
        assert alone.edges == tree.edges or len(alone.edges) == len(tree.edges)


def test_the_default_weights_are_the_authors() -> None:
    assert LossWeights() == LossWeights(
        box=20.0,
        anchor=10.0,
        leaf=1.0,
        exists=1.0,
        semantic=0.1,
        edge_exists=1.0,
        sym=1.0,
        adj=1.0,
        kl=2 * 0.05,  # theirs has no half
    )


def test_the_objective_is_the_weighted_losses_and_the_divergence(trees: PartTrees) -> None:
    weights = LossWeights(*np.arange(0.5, 5, 0.5).tolist())
    model = small(weights=weights).float()
    batch = model.prepare(trees).all
    (objective,) = model.objectives(rng=torch.Generator().manual_seed(7))
    loss, logged = objective.loss(batch, 0)
    posterior = model.posterior(batch)
    code = posterior.rsample(rng=torch.Generator().manual_seed(7))
    raw = model.raw_losses(batch, code) | {"kl": posterior.kl_standard()}
    assert set(raw) == {field.name for field in fields(LossWeights)} == set(logged)
    for name, value in raw.items():
        torch.testing.assert_close(logged[name], getattr(weights, name) * value.mean())
    torch.testing.assert_close(loss, torch.stack(list(logged.values())).sum())


def test_what_the_objective_charges_for_codes_is_the_divergence_of_their_draws(
    trees: PartTrees,
) -> None:
    model = small(weights=LossWeights(kl=0.5)).float()
    batch = model.prepare(trees).all
    loss, logged = model.objectives(rng=torch.Generator().manual_seed(7))[0].loss(batch, 0)
    expected, error = kl_by_draws(model.posterior(batch))
    assert expected > 50 * error
    rest = sum(value.item() for name, value in logged.items() if name != "kl")
    assert loss.item() - rest == pytest.approx(0.5 * expected, abs=2.5 * error)


def test_training_lowers_the_loss() -> None:
    shapes = furniture(4, category="chair", seed=3)
    labels = sorted({name for tree in shapes for name in tree.label})
    with seeded(0):
        model = StructureNet(
            StructureNetConfig(
                labels=tuple(with_parents(labels)), feature_dim=64, hidden_dim=64, prior="normal"
            )
        )
    (objective,) = model.objectives(rng=torch.Generator().manual_seed(0))
    batch = model.prepare(shapes).all
    optimizer = torch.optim.Adam(model.parameters(), 3e-3)
    first = None
    for step in range(100):
        loss, _ = objective.loss(batch, step)
        first = first or loss.item()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.2 * first


def with_parents(labels: list[str]) -> list[str]:
    words = [name.split("/") for name in labels]
    return sorted({"/".join(name[:k]) for name in words for k in range(1, len(name) + 1)})


def test_stretching_keeps_straight_boxes_and_the_codes_shape(rng: torch.Generator) -> None:
    shapes = furniture(3, category="table", seed=1)
    batch = TreeBatch.from_trees(shapes)
    moved = stretched(batch, 0.2, rng=rng)
    straight = (batch.box[:, 6:].abs() > 0.999).any(1) & (batch.box[:, 6] > 0.999)
    straight &= batch.box[:, 10] > 0.999
    ratio = moved.box[straight, 3:6] / batch.box[straight, 3:6]
    for shape in range(3):
        own = ratio[batch.shape[straight] == shape]
        torch.testing.assert_close(own, own[:1].expand_as(own))
        assert (own[0] - 1).abs().max() < 0.2 + 1e-6
        assert (own[0] - 1).abs().max() > 0.005
    torch.testing.assert_close(moved.box[:, 6:9].norm(dim=1), torch.ones(len(moved.box)))


def test_a_plain_autoencoder_has_no_divergence(trees: PartTrees) -> None:
    model = small(variational=False).float()
    (objective,) = model.objectives()
    assert objective.name == "ae"
    _, terms = objective.loss(model.prepare(trees).all, 0)
    assert "kl" not in terms


def test_saved_and_loaded_it_is_the_same(tmp_path: Any, trees: PartTrees) -> None:
    model = small().float()
    model.calibrate(model.prepare(trees), rng=torch.Generator().manual_seed(0))
    shapegen.save(model, tmp_path / "a.safetensors")
    again = shapegen.load(tmp_path / "a.safetensors")
    assert again.config == model.config
    torch.testing.assert_close(again.encode(trees), model.encode(trees))
    drawn = [each.sample(3, rng=torch.Generator().manual_seed(1)) for each in (model, again)]
    np.testing.assert_array_equal(drawn[0][2].box, drawn[1][2].box)


@pytest.mark.parametrize("prior", ["normal", "mixture"])
def test_the_temperature_scales_the_priors_draws(prior: Any) -> None:
    """An unfitted mixture is of equal Gaussians about 0, as the normal prior is."""
    spread = [
        StructureNet(replace(small().config, prior=prior, temperature=temperature))
        .sample_latent(400, rng=torch.Generator().manual_seed(0))
        .std()
        for temperature in (1.0, 0.25)
    ]
    torch.testing.assert_close(spread[1], 0.25 * spread[0])
    with pytest.raises(ValueError, match="temperature must be above 0; got 0"):
        StructureNetConfig(temperature=0.0)


def test_limits_close_a_decoder_that_does_not_end(rng: torch.Generator) -> None:
    model = small(labels=LABELS[:6])
    with torch.no_grad():
        model.decoder.leaf_classifier["mlp2"].bias.fill_(-1e6)
        model.decoder.child_decoder.mlp_exists.bias.fill_(1e6)
    z = torch.randn(3, model.latent_dim, generator=rng, dtype=torch.float64)
    decoded = model.decode_structures(z, limits=StructureLimits(depth=20, nodes=6))
    assert not decoded.complete.any()
    assert np.bincount(decoded.shape).max() <= 6
    shallow = model.decode_structures(z, limits=StructureLimits(depth=1, nodes=100))
    assert not shallow.complete.any()
    assert (np.bincount(shallow.shape) == 5).all()


def test_bad_input_is_refused_in_one_line(trees: PartTrees) -> None:
    model = small().float()
    cases = {
        "at least one": [],
        "slots": [random_tree(3, widest=9)],
        "unknown label": [replace(trees[4], label=("table",))],
    }
    assert max(map(len, cases["slots"][0].children)) > 4
    for words, shapes in cases.items():
        with pytest.raises(ValueError, match=words) as caught:
            model.encode(shapes)
        assert "\n" not in str(caught.value)
    with pytest.raises(ValueError, match="relation ROT_SYM"):
        small(edge_kinds=KINDS[:3]).prepare([tree for tree in trees if has_rotation(tree)])
    with pytest.raises(ValueError, match="codes must be"):
        model.decode(torch.zeros(2, 5))
    with pytest.raises(ValueError, match="finite"):
        model.decode(torch.full((1, 12), torch.nan))
    for changes, words in (
        ({"feature_dim": 0}, "feature_dim"),
        ({"encoder_passes": -1}, "encoder_passes"),
        ({"edge_kinds": (RelationKind.ADJ, RelationKind.ADJ)}, "differ"),
        ({"compat": "official", "hidden_dim": 8}, "equal to hidden_dim"),
    ):
        with pytest.raises(ValueError, match=words):
            replace(model.config, **changes)


def has_rotation(tree: PartTree) -> bool:
    return any(edge.kind is RelationKind.ROT_SYM for edge in tree.edges)


def test_projected_shapes_keep_their_relations() -> None:
    plain, projected = small(), small(project=True)
    codes = 2 * torch.randn(6, 12, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    worst = [
        max(
            float(residuals(tree)[rows].max(initial=0.0)) / shape_diagonal(tree.boxes())
            for tree in model.decode(codes)
            for rows in [[edge.kind is not RelationKind.ADJ for edge in tree.edges]]
        )
        for model in (plain, projected)
    ]
    assert worst[0] > 0.01
    assert worst[1] < 1e-6
