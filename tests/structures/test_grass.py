"""The level-wise code against the plain recursion, on random trees: values and gradients."""

import dataclasses

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from shapegen.structures import symmetry
from shapegen.structures.grass import GRASS, GRASSConfig, corner_error
from shapegen.structures.grass_decoding import Limits, decode_free, exact_types, fold_classes
from shapegen.structures.merge_expansion import to_part_tree
from shapegen.structures.merge_tree import BOX, MergeTree
from shapegen.structures.part_tree import PartTrees
from tests.structures.grass_recursion import (
    SETTINGS,
    SIZES,
    build,
    prepared,
    random_tree,
    recursive_decode,
    recursive_losses,
    terminating_codes,
)


@pytest.fixture
def trees() -> list[MergeTree]:
    rng = np.random.default_rng(3)
    return [MergeTree(np.array([BOX]), rng.normal(size=(1, 12)), np.zeros((0, 8)), ("a",))] + [
        random_tree(rng, depth) for depth in (1, 2, 3, 5, 6, 6, 4)
    ]


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
