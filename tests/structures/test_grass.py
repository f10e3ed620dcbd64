"""The level-wise code against the plain recursion, on random trees: values and gradients."""

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from shapegen.structures import symmetry
from shapegen.structures.grass import GRASS, GRASSConfig, corner_error
from shapegen.structures.grass_decoding import Limits, decode_free, exact_types, fold_classes
from shapegen.structures.grass_networks import Branch
from shapegen.structures.merge_batch import MergeData
from shapegen.structures.merge_expansion import to_part_tree
from shapegen.structures.merge_tree import ADJ, BOX, SYM, MergeTree
from shapegen.structures.part_tree import PartTrees

SIZES = {"feature_dim": 6, "hidden_dim": 9}
SETTINGS = {
    "official": GRASSConfig.official(**SIZES),
    "ours": GRASSConfig(**SIZES, components=2, max_folds=5, labels=("a", "b"), kl_weight=0.3),
}


def random_tree(rng: np.random.Generator, depth: int) -> MergeTree:
    """Post-order by recursion; ADJ pops its left child first, so it comes last."""
    boxes, syms, labels = [], [], []

    def grow(depth: int) -> list[int]:
        kind = BOX if depth == 0 else int(rng.choice([BOX, ADJ, ADJ, SYM]))
        if kind == BOX:
            boxes.append(rng.normal(size=12))
            labels.append("ab"[int(rng.integers(2))])
            return [BOX]
        if kind == ADJ:
            return [*grow(depth - 1), *grow(depth - 1), ADJ]
        below = grow(depth - 1)
        type_ = float(rng.integers(-1, 2))
        folds = 1 / int(rng.integers(2, 6)) if type_ == -1 else 0.0
        syms.append([type_, *rng.normal(size=6), folds])
        return [*below, SYM]

    ops = grow(depth)
    return MergeTree(np.array(ops), np.array(boxes), np.array(syms).reshape(-1, 8), tuple(labels))


@pytest.fixture
def trees() -> list[MergeTree]:
    rng = np.random.default_rng(3)
    return [MergeTree(np.array([BOX]), rng.normal(size=(1, 12)), np.zeros((0, 8)), ("a",))] + [
        random_tree(rng, depth) for depth in (1, 2, 3, 5, 6, 6, 4)
    ]


def build(setting: str) -> GRASS:
    torch.manual_seed(1)
    model = GRASS(SETTINGS[setting]).double()
    with torch.no_grad():  # far from symmetric: a swapped child must show
        for parameter in model.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return model


def prepared(model: GRASS, trees: list[MergeTree]) -> MergeData:
    numbers = [{"a": 0, "b": 1}[name] for tree in trees for name in tree.labels]
    labels = np.array(numbers) if model.config.labels else None
    data = MergeData(trees, labels=labels)
    data._boxes, data._syms = data._boxes.double(), data._syms.double()
    return data


def branch(
    net: nn.Module, x: Tensor, z: Tensor | None, activation: Callable[[Tensor], Tensor]
) -> Tensor:
    if not isinstance(net, Branch):
        return net(x)
    hidden = net.hidden(x)
    if net.context is not None:
        hidden = hidden + net.context(z)
    return net.out(activation(hidden))


def recursive_losses(model: GRASS, tree: MergeTree, eps: Tensor) -> dict[str, Tensor]:
    """One tree, one node at a time, straight from the paper."""
    config, encoder, decoder = model.config, model.encoder, model.decoder
    act = encoder.activation
    children = tree.children()
    rows = {kind: np.cumsum(tree.ops == kind) - 1 for kind in (BOX, SYM)}
    box = torch.from_numpy(tree.boxes.astype(np.float32)).double()
    sym = torch.from_numpy(tree.syms.astype(np.float32)).double()

    def encode(node: int) -> Tensor:
        if tree.ops[node] == BOX:
            return act(branch(encoder.box, box[rows[BOX][node]], None, act))
        below = [encode(child) for child in children[node]]
        if tree.ops[node] == ADJ:
            return act(branch(encoder.adj, torch.cat(below), None, act))
        return act(branch(encoder.sym, torch.cat([*below, sym[rows[SYM][node]]]), None, act))

    hidden = act(encoder.root(encode(len(tree) - 1)))
    mean, logvar = encoder.mean(hidden), encoder.logvar(hidden)
    z = mean + torch.exp(logvar / 2) * eps
    losses = {name: torch.zeros((), dtype=torch.float64) for name in ("box", "sym", "kind")}
    losses["folds"] = losses["label"] = losses["box"]
    bound = torch.tanh if config.bounded else (lambda x: x)
    f = config.feature_dim

    def decode(node: int, feature: Tensor) -> None:
        kind = int(tree.ops[node])
        logits = branch(decoder.kind, feature, z, act)
        losses["kind"] = losses["kind"] - config.kind_weight * logits.log_softmax(0)[kind]
        if kind == ADJ:
            out = act(branch(decoder.adj, feature, z, act))
            decode(children[node][0], out[:f])
            decode(children[node][1], out[f:])
        elif kind == SYM:
            out, true = branch(decoder.sym, feature, z, act), sym[rows[SYM][node]]
            error = (bound(out[f : f + 8]) - true).square().mean()
            losses["sym"] = losses["sym"] + config.sym_weight * error
            if config.max_folds:
                number = {1.0: 0, 0.0: 1, -1.0: round(1 / max(float(true[7]), 1e-6))}[
                    float(true[0])
                ]
                losses["folds"] = (
                    losses["folds"] - config.kind_weight * out[f + 8 :].log_softmax(0)[number]
                )
            decode(children[node][0], act(out[:f]))
        else:
            out, true = branch(decoder.box, feature, z, act), box[rows[BOX][node]]
            found = bound(out[:12])
            error = (
                corner_error(found[None], true[None])[0]
                if config.box_loss == "corners"
                else (found - true).square().mean()
            )
            losses["box"] = losses["box"] + config.box_weight * error
            if config.labels:
                number = config.labels.index(tree.labels[rows[BOX][node]])
                losses["label"] = (
                    losses["label"] - config.label_weight * out[12:].log_softmax(0)[number]
                )

    decode(len(tree) - 1, act(branch(decoder.root, z, None, act)))
    losses["kl"] = 0.5 * (mean.square() + logvar.exp() - 1 - logvar).sum()
    return losses


@pytest.mark.parametrize("setting", SETTINGS)
def test_levels_equal_the_recursion_in_values_and_gradients(
    setting: str, trees: list[MergeTree]
) -> None:
    model = build(setting)
    eps = torch.randn(len(trees), SIZES["feature_dim"], dtype=torch.float64)
    slow = [recursive_losses(model, tree, noise) for tree, noise in zip(trees, eps, strict=True)]
    sum(sum(losses.values()) for losses in slow).backward()
    wanted = {name: p.grad.clone() for name, p in model.named_parameters()}

    model.zero_grad()
    batch = prepared(model, trees)[torch.arange(len(trees))]
    posterior = model.encoder(batch)
    z = posterior.mean + torch.exp(posterior.logvar / 2) * eps
    fast = model.losses(batch, z) | {"kl": posterior.kl_standard()}
    torch.stack([term.sum() for term in fast.values()]).sum().backward()
    for name, values in fast.items():
        torch.testing.assert_close(values, torch.stack([losses[name] for losses in slow]))
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(parameter.grad, wanted[name], msg=lambda t, n=name: f"{n}: {t}")


@pytest.mark.parametrize("setting", SETTINGS)
def test_a_batch_is_its_trees_in_any_order(setting: str, trees: list[MergeTree]) -> None:
    model = build(setting)
    data = prepared(model, trees)
    together = model.encoder(data[torch.arange(len(trees))]).mean
    order = torch.tensor([4, 0, 7, 2])
    torch.testing.assert_close(model.encoder(data[order]).mean, together[order])


def recursive_decode(model: GRASS, z: Tensor) -> MergeTree:
    """The authors' stack decoder, one node at a time."""
    decoder, act, f = model.decoder, model.decoder.activation, model.config.feature_dim
    bound = torch.tanh if model.config.bounded else (lambda x: x)
    boxes, syms, labels = [], [], []

    def grow(feature: Tensor) -> list[int]:
        kind = int(branch(decoder.kind, feature, z, act).argmax())
        if kind == ADJ:
            out = act(branch(decoder.adj, feature, z, act))
            return [*grow(out[f:]), *grow(out[:f]), ADJ]
        if kind == SYM:
            out = branch(decoder.sym, feature, z, act)
            below = grow(act(out[:f]))
            syms.append(exact_types(bound(out[None, f : f + 8]), out[None, f + 8 :])[0].numpy())
            return [*below, SYM]
        out = branch(decoder.box, feature, z, act)
        boxes.append(bound(out[:12]).numpy())
        if model.config.labels:
            labels.append(model.config.labels[int(out[12:].argmax())])
        return [BOX]

    with torch.no_grad():
        ops = grow(act(branch(decoder.root, z, None, act)))
    return MergeTree(np.array(ops), np.array(boxes), np.array(syms).reshape(-1, 8), tuple(labels))


def terminating_codes(model: GRASS, count: int) -> Tensor:
    z = torch.randn(4000, model.latent_dim, dtype=torch.float64)
    decoded = decode_free(model.decoder, z, Limits(depth=12, nodes=60))
    sizes = np.bincount(decoded.shape)
    rows = np.flatnonzero(decoded.complete & (sizes > 3))[:count]
    assert len(rows) == count
    return z[torch.from_numpy(rows)]


@pytest.mark.parametrize("setting", SETTINGS)
def test_breadth_first_decoding_equals_the_recursion(setting: str) -> None:
    model = build(setting)
    z = terminating_codes(model, 12)
    trees = model.decode_trees(z).merge_trees(model.config.labels)
    for code, tree in zip(z, trees, strict=True):
        wanted = recursive_decode(model, code)
        np.testing.assert_array_equal(tree.ops, wanted.ops)
        np.testing.assert_allclose(tree.boxes, wanted.boxes, atol=1e-12)
        np.testing.assert_allclose(tree.syms, wanted.syms, atol=1e-12)
        assert tree.labels == wanted.labels
    assert {len(tree) for tree in trees} != {1}
    assert any(len(tree.syms) for tree in trees)


@pytest.mark.parametrize("official", [True, False])
def test_expanded_boxes_are_those_of_the_part_trees(official: bool) -> None:
    model = build("official")
    decoded = model.decode_trees(terminating_codes(model, 12))
    flat = decoded.expanded(official=official)
    for tree, boxes in zip(decoded.merge_trees(), flat, strict=True):
        leaves = to_part_tree(tree, official=official).boxes()
        order = np.lexsort(np.round(leaves[:, :3], 9).T), np.lexsort(np.round(boxes[:, :3], 9).T)
        np.testing.assert_allclose(leaves[order[0], :3], boxes[order[1], :3], atol=1e-9)
        np.testing.assert_allclose(
            np.sort(leaves[:, 3:6], None), np.sort(boxes[:, 3:6], None), atol=1e-9
        )


def test_limits_close_a_decoder_that_would_never_stop() -> None:
    model = build("official")
    with torch.no_grad():
        model.decoder.kind.out.bias.copy_(torch.tensor([0.0, 100.0, 0.0]))  # always ADJ
    z = torch.randn(3, model.latent_dim, dtype=torch.float64)
    for limits, nodes in ((Limits(depth=4, nodes=1000), 31), (Limits(depth=30, nodes=40), 31)):
        decoded = decode_free(model.decoder, z, limits)
        assert not decoded.complete.any()
        trees = decoded.merge_trees()
        assert [len(tree) for tree in trees] == [nodes] * 3
        assert all((tree.ops == BOX).sum() == 16 for tree in trees)


def test_exact_types_and_fold_classes_are_inverse() -> None:
    syms = torch.zeros(4, 8)
    syms[:, 0] = torch.tensor([1.0, 0.0, -1.0, -1.0])
    syms[2:, 7] = torch.tensor([1 / 3, 1 / 5])
    classes = fold_classes(syms)
    assert classes.tolist() == [0, 1, 3, 5]
    noisy = syms + 0.4
    logits = functional.one_hot(classes, 6).float()
    torch.testing.assert_close(exact_types(noisy, logits)[:, [0, 7]], syms[:, [0, 7]])
    torch.testing.assert_close(exact_types(noisy, logits)[:, 1:7], noisy[:, 1:7])


def test_preparation_changes_no_shape(trees: list[MergeTree]) -> None:
    """Canonical boxes and symmetries expand to the same boxes."""
    model = GRASS(GRASSConfig(**SIZES, components=2))
    shapes = PartTrees([to_part_tree(tree) for tree in trees])
    data = model.prepare(shapes)
    boxes, syms = data._boxes.double().numpy(), data._syms.double().numpy()
    for tree in trees:
        b, boxes = boxes[: len(tree.boxes)], boxes[len(tree.boxes) :]
        s, syms = syms[: len(tree.syms)], syms[len(tree.syms) :]
        same = MergeTree(tree.ops, b, s)
        wanted, found = to_part_tree(tree).boxes(), to_part_tree(same).boxes()
        assert len(wanted) == len(found)
        np.testing.assert_allclose(np.sort(found[:, :3], 0), np.sort(wanted[:, :3], 0), atol=1e-4)


def test_corner_error_is_the_mean_over_corners(rng: torch.Generator) -> None:
    from shapegen.core.boxes import corners

    a, b = torch.randn(2, 5, 12, generator=rng, dtype=torch.float64)
    a[:, 3:6], b[:, 3:6] = a[:, 3:6].abs(), b[:, 3:6].abs()
    slow = ((corners(a.numpy()) - corners(b.numpy())) ** 2).sum(2).mean(1)
    np.testing.assert_allclose(corner_error(a, b).numpy(), slow)


def test_official_reading_leaves_doubtful_symmetries_alone() -> None:
    box = np.array([[1.0, 0, 0, 1, 1, 1, 1, 0, 0, 0, 1, 0]])
    sym = np.array([[0.7, 1.0, 0, 0, 0, 0, 0, 0]])
    assert len(symmetry.expand(box, sym, official=True)[0]) == 1
    assert len(symmetry.expand(box, sym)[0]) == 2


@pytest.mark.parametrize(
    ("codes", "message"),
    [
        (torch.zeros(2, 5), r"must be \(n, 6\)"),
        (torch.zeros(0, 6), r"must be \(n, 6\)"),
        (torch.full((1, 6), float("nan")), "finite"),
    ],
)
def test_bad_codes_are_refused(codes: Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build("official").decode(codes)


def test_unknown_labels_and_no_shapes_are_refused() -> None:
    model = GRASS(GRASSConfig(**SIZES, components=2, labels=("leg",)))
    tree = MergeTree(np.array([BOX]), np.ones((1, 12)), np.zeros((0, 8)), ("seat",))
    with pytest.raises(ValueError, match="unknown part label 'seat'"):
        model.prepare(PartTrees([to_part_tree(tree)]))
    with pytest.raises(ValueError, match="at least one"):
        model.prepare(PartTrees([]))


def test_bad_settings_are_refused() -> None:
    with pytest.raises(ValueError, match="feature_dim must be at least 1"):
        GRASSConfig(feature_dim=0)
    with pytest.raises(ValueError, match="max_folds"):
        dataclasses.replace(GRASSConfig(), max_folds=1)
