"""The batched model against the plain recursion: values, gradients, decoded shapes."""

from dataclasses import replace
from typing import Any

import pytest
import torch

from shapegen.structures.box_points import quaternion_boxes
from shapegen.structures.part_tree import PartTree, PartTrees
from shapegen.structures.structurenet import StructureNet
from shapegen.structures.structurenet_decoding import DecodedStructures, StructureLimits
from tests.structures.structurenet_cases import (
    KINDS,
    OFFICIAL,
    SETTINGS,
    alone,
    chain,
    random_tree,
    small,
    star,
)
from tests.structures.structurenet_recursion import Recursion

CASES: dict[str, list[PartTree]] = {
    "random": [*(random_tree(seed) for seed in range(1, 5)), alone()],
    "nothing but roots": [alone(), alone()],
    "no relations": [star(3), chain(2), chain(9)],
    "all relations of as many children as can be": [star(4, *KINDS)],
}


def assert_equal(model: StructureNet, trees: PartTrees) -> None:
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
        # The oracle's own gradients move by 3e-7 when its codes move by a rounding.
        torch.testing.assert_close(
            ours, other, rtol=1e-6, atol=1e-6, msg=lambda m, n=name: f"{n}: {m}"
        )


@pytest.mark.parametrize("setting", list(SETTINGS))
def test_values_and_gradients_in_every_setting(setting: str) -> None:
    assert_equal(small(**SETTINGS[setting]), PartTrees(CASES["random"]))


@pytest.mark.parametrize("setting", ["ours", "official"])
@pytest.mark.parametrize("case", list(CASES)[1:])
def test_values_and_gradients_of_every_kind_of_tree(setting: str, case: str) -> None:
    assert_equal(small(**SETTINGS[setting]), PartTrees(CASES[case]))


@pytest.mark.parametrize("setting", list(SETTINGS))
def test_free_decoding_equals_the_recursion(setting: str, rng: torch.Generator) -> None:
    model = small(**SETTINGS[setting])
    codes = 3 * torch.randn(24, model.latent_dim, generator=rng, dtype=torch.float64)
    with torch.no_grad():  # as many parts with children as without, as many of each category
        latents = model.decoder.root_latents(codes)
        model.decoder.child_decoder.mlp_exists.bias += 0.5
        model.decoder.leaf_classifier["mlp2"].bias -= model.decoder.leaf_logits(latents).mean()
        model.decoder.root_classifier.bias -= model.decoder.root_classifier(latents).mean(0)
    decoded = assert_decoded(model, codes, least=41)
    assert len(decoded.shape) > 45
    categories = set(decoded.label[decoded.parent < 0].tolist())
    assert categories == set(model.table.roots.tolist())


def test_levels_with_fewer_children_than_parents(rng: torch.Generator) -> None:
    """Most inner nodes have no child; those that have one relate it to itself."""
    model = small(**OFFICIAL)
    codes = 3 * torch.randn(24, model.latent_dim, generator=rng, dtype=torch.float64)
    child_decoder = model.decoder.child_decoder
    with torch.no_grad():
        exists = child_decoder(model.decoder.root_latents(codes)).exists.flatten()
        child_decoder.mlp_exists.bias -= exists.topk(7).values[-2:].mean()
        child_decoder.mlp_edge_exists.bias += 100
        model.decoder.leaf_classifier["mlp2"].bias -= 100
    decoded = assert_decoded(model, codes, least=10)
    parents = decoded.shape[decoded.parent[decoded.parent >= 0]]
    # A child's parent is further on among the parents than there are children.
    assert parents.max() >= len(parents)


def assert_decoded(model: StructureNet, codes: torch.Tensor, *, least: int) -> DecodedStructures:
    """That codes decode as the recursion says, to at least so many nodes and relations."""
    limits = StructureLimits(depth=2, nodes=10000)
    decoded = model.decode_structures(codes, limits=limits)
    plain = Recursion(model)
    with torch.no_grad():
        expected = [plain.decode(code, limits.depth) for code in codes]
    row = 0
    edges: list[tuple[int, ...]] = []

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
    assert [tuple(edge) for edge in decoded.edges.tolist()] == edges
    assert min(row, len(edges)) >= least
    return decoded
