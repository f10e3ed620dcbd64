"""The batched model against the plain recursion, and what must hold of any StructureNet."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

import shapegen
from shapegen.core.seeding import seeded
from shapegen.data.furniture import furniture
from shapegen.structures.box_points import quaternion_boxes
from shapegen.structures.part_tree import PartTree, PartTrees, Relation, RelationKind
from shapegen.structures.relations import residuals
from shapegen.structures.stability import shape_diagonal
from shapegen.structures.structurenet import StructureNet, StructureNetConfig
from shapegen.structures.structurenet_decoding import StructureLimits
from tests.structures.structurenet_recursion import Recursion

LABELS = (
    "thing",
    "thing/a",
    "thing/b",
    "thing/a/c",
    "thing/b/c",
    "thing/a/c/d",
    "other",
    "other/e",
)
KINDS = (RelationKind.ADJ, RelationKind.REF_SYM, RelationKind.TRANS_SYM, RelationKind.ROT_SYM)
COUNTS = {"ADJ": 0, "REF_SYM": 6, "TRANS_SYM": 3, "ROT_SYM": 7}


def random_box(rng: np.random.Generator) -> np.ndarray:
    axes = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    return np.concatenate([rng.normal(size=3) / 2, rng.uniform(0.1, 1, 3), axes[0], axes[1]])


def random_tree(seed: int, *, widest: int = 4, deepest: int = 3) -> PartTree:
    """A tree whose labels go down the table, with relations of every kind."""
    rng = np.random.default_rng(seed)
    parent, label, edges = [-1], ["thing"], []

    def grow(node: int, depth: int) -> None:
        below = [name for name in LABELS if name.rpartition("/")[0] == label[node]]
        if not below or depth == deepest or (depth and rng.random() < 0.3):
            return
        children = []
        for _ in range(int(rng.integers(1, widest + 1))):
            children.append(len(parent))
            parent.append(node)
            label.append(str(rng.choice(below)))
            grow(children[-1], depth + 1)
        for place, a in enumerate(children):
            for b in children[:place]:
                for kind in KINDS:
                    if rng.random() < 0.25:
                        values = tuple(rng.normal(size=COUNTS[kind]).tolist())
                        edges.append(Relation(kind, a, b, values))

    grow(0, 0)
    box = np.stack([random_box(rng) for _ in parent])
    return PartTree(box, np.array(parent), tuple(label), tuple(edges))


def small(**changes: Any) -> StructureNet:
    config = StructureNetConfig(
        labels=LABELS,
        feature_dim=12,
        hidden_dim=12,
        max_children=4,
        components=2,
        prior_rank=2,
        limits=StructureLimits(depth=5, nodes=10000),
    )
    with seeded(0):
        model = StructureNet(replace(config, **changes)).double()
    # Untrained networks hardly differ from node to node.
    with torch.no_grad():
        for value in model.parameters():
            value.mul_(2.5)
    return model


OFFICIAL = {
    "compat": "official",
    "activation": "relu",
    "context": False,
    "bounded": True,
    "match_labels": 0.0,
    "match_exists": 0.0,
}
SETTINGS: dict[str, dict[str, Any]] = {
    "ours": {},
    "official": OFFICIAL,
    "sums, three passes": OFFICIAL
    | {"node_pool": "sum", "edge_pool": "sum", "encoder_passes": 3, "decoder_passes": 3},
    "averages, no passes": OFFICIAL
    | {"node_pool": "avg", "edge_pool": "max", "encoder_passes": 0, "decoder_passes": 0},
}


@pytest.fixture(params=list(SETTINGS), scope="module")
def model(request: pytest.FixtureRequest) -> StructureNet:
    return small(**SETTINGS[request.param])


@pytest.fixture(scope="module")
def trees() -> PartTrees:
    alone = replace(random_tree(0, deepest=0), label=("other",))
    return PartTrees([*(random_tree(seed) for seed in range(1, 5)), alone])


def test_values_and_gradients_equal_the_recursion(model: StructureNet, trees: PartTrees) -> None:
    batch = model.prepare(trees).all
    batch = replace(batch, box=batch.box.double())
    posterior = model.posterior(batch)
    features = model.encoder.root_features(
        batch, quaternion_boxes(batch.box), batch.label + 1, model.kind_number[batch.edge_kind]
    )
    found = model.raw_losses(batch, posterior.mean)
    names = [name for name, _ in model.named_parameters()]
    total = torch.stack([value.sum() for value in found.values()]).sum()
    gradients = torch.autograd.grad(total, list(model.parameters()), allow_unused=True)
    plain = Recursion(model)
    expected = []
    for number, tree in enumerate(trees):
        rows = torch.nonzero(batch.shape == number)[:, 0]
        boxes = quaternion_boxes(batch.box[rows[batch.node[rows].argsort()]])
        feature = plain.encode(tree, boxes)
        torch.testing.assert_close(features[number], feature)
        z = model.encoder.posterior(feature[None]).mean[0]
        expected.append(plain.losses(tree, boxes, z))
    for name, values in found.items():
        torch.testing.assert_close(
            values, torch.stack([each[name] for each in expected]), msg=name
        )
    total = torch.stack([value for each in expected for value in each.values()]).sum()
    theirs = torch.autograd.grad(total, list(model.parameters()), allow_unused=True)
    for name, ours, other in zip(names, gradients, theirs, strict=True):
        other = torch.zeros_like(ours) if other is None and ours is not None else other
        torch.testing.assert_close(ours, other, msg=lambda m, n=name: f"{n}: {m}")


@pytest.mark.parametrize("setting", ["ours", "official"])
def test_free_decoding_equals_the_recursion(setting: str, rng: torch.Generator) -> None:
    model = small(**SETTINGS[setting] | {"labels": LABELS[:6]})
    codes = 3 * torch.randn(12, model.latent_dim, generator=rng, dtype=torch.float64)
    limits = StructureLimits(depth=3, nodes=10000)
    decoded = model.decode_structures(codes, limits=limits)
    assert len(decoded.shape) > 40
    plain = Recursion(model)
    with torch.no_grad():
        expected = [plain.decode(code, limits.depth) for code in codes]
    row = 0
    edges = []

    def visit(node: Any, parent: int, shape: int) -> int:
        nonlocal row
        own, row = row, row + 1
        assert (decoded.shape[own], decoded.parent[own]) == (shape, parent)
        assert decoded.label[own] == node["label"]
        ours = quaternion_boxes(torch.from_numpy(decoded.box[own : own + 1]))[0]
        sign = torch.sign(ours[6:] @ node["box"][6:])  # q and -q are one rotation
        ours = torch.cat([ours[:6], sign * ours[6:]])
        torch.testing.assert_close(ours, node["box"], atol=1e-9, rtol=0)
        place = len(edges)
        below = [visit(child, own, shape) for child in node["children"]]
        edges[place:place] = [(below[a], below[b], k) for a, b, k in node.get("edges", [])]
        return own

    for shape, root in enumerate(expected):
        visit(root, -1, shape)
    assert row == len(decoded.shape)
    if setting == "official":
        assert [tuple(edge) for edge in decoded.edges.tolist()] == edges
    else:
        pairs = {tuple(sorted(edge[:2])) for edge in decoded.edges.tolist()}
        assert len(pairs) > 5
        assert all(a < b for a, b, _ in decoded.edges.tolist())
        # Where both directions were likely, so is their mean; where neither was, it is not.
        both = {(a, b, k) for a, b, k in edges if (b, a, k) in set(edges) and a < b}
        neither = {tuple(edge) for edge in decoded.edges.tolist()} - set(edges)
        assert both <= {tuple(edge) for edge in decoded.edges.tolist()}
        assert not {(a, b, k) for a, b, k in neither if (b, a, k) not in set(edges)}


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
    from shapegen.structures.structurenet import stretched

    shapes = furniture(3, category="table", seed=1)
    model_batch = small(labels=("table",)).table
    assert len(model_batch) == 2
    from shapegen.structures.tree_batch import TreeBatch

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
