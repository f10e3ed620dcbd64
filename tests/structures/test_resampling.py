"""Resampling: what is fixed stays to the last bit, and the rest fits."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from shapegen.data.furniture import furniture
from shapegen.structures.part_tree import PartTree, PartTrees, RelationKind
from shapegen.structures.relations import residuals
from shapegen.structures.resampling import fixed_roots, resample
from shapegen.structures.stability import shape_diagonal
from shapegen.structures.subtrees import below, mask_below
from shapegen.structures.validity import validity
from tests.structures.shelf import Shelf


@pytest.fixture(scope="module")
def chairs() -> PartTrees:
    return furniture(16, category="chair", seed=4)


@pytest.fixture(scope="module")
def model(chairs: PartTrees) -> Shelf:
    return Shelf(chairs)


def nodes(tree: PartTree, word: str) -> list[int]:
    return [node for node, label in enumerate(tree.label) if label.endswith(f"/{word}")]


def places(tree: PartTree) -> dict[int, int]:
    """Node numbers by instance ids."""
    return {int(own): node for node, own in enumerate(tree.instance)}


def links(tree: PartTree, inside: set[int]) -> list[tuple[int, int, RelationKind]]:
    """Relations of parts with these instance ids."""
    ends = [(int(tree.instance[e.a]), int(tree.instance[e.b]), e.kind) for e in tree.edges]
    return sorted(end for end in ends if end[0] in inside and end[1] in inside)


@pytest.mark.parametrize("word", ["chair_base", "chair_seat", "chair_back", "leg", "chair_arm"])
def test_fixed_parts_stay_to_the_last_bit_and_all_is_valid(
    chairs: PartTrees, model: Shelf, word: str, rng: torch.Generator
) -> None:
    for tree in [tree for tree in chairs if nodes(tree, word)][:2]:
        found = resample(model, tree, nodes(tree, word), 2, rng=rng)
        held = np.flatnonzero(mask_below(tree, nodes(tree, word)))
        ids = set(tree.instance[held].tolist())
        assert all(found.valid)
        for result in found.trees:
            assert validity(result).valid
            assert len(set(result.instance.tolist())) == len(result)
            own = [places(result)[int(tree.instance[node])] for node in held]
            np.testing.assert_array_equal(result.box[own], tree.box[held])
            assert [result.label[a] for a in own] == [tree.label[b] for b in held]
            assert links(result, ids) == links(tree, ids)
            assert (residuals(result) <= 0.02 * shape_diagonal(result.boxes())).all()


def test_the_rest_varies(chairs: PartTrees, model: Shelf, rng: torch.Generator) -> None:
    found = resample(model, chairs[0], nodes(chairs[0], "chair_seat"), 6, rng=rng).trees
    free = [
        tuple(label for label in tree.label if "seat" not in label) for tree in [chairs[0], *found]
    ]
    assert len(set(free)) >= 4
    assert not any(len(set(places(tree)) & set(places(chairs[0]))) == len(tree) for tree in found)


def test_without_strength_the_shape_comes_back(chairs: PartTrees, model: Shelf) -> None:
    for tree in chairs[:3]:
        result = resample(model, tree, nodes(tree, "chair_back"), strength=0.0).trees[0]
        assert result.label == tree.label
        np.testing.assert_allclose(result.boxes(), tree.boxes(), atol=1e-6)


def test_images_of_a_fixed_part_are_its_images(
    chairs: PartTrees, model: Shelf, rng: torch.Generator
) -> None:
    tree = next(t for t in chairs if len(nodes(t, "chair_arm")) == 2)
    left, _ = nodes(tree, "chair_arm")
    box = tree.box.copy()
    box[below(tree, left), 4] *= 1.3
    lone = replace(tree, box=box)
    # The shelf has arms of other shapes only.
    shelf = Shelf([t for t in chairs if t.name != tree.name] + [lone])
    for result in resample(shelf, lone, [left], 3, rng=rng).trees:
        own = places(result)[int(lone.instance[left])]
        mirrors = [e for e in result.edges if own in (e.a, e.b) and e.kind == "REF_SYM"]
        assert len(mirrors) == 1
        other = mirrors[0].a + mirrors[0].b - own
        assert len(below(result, other)) == len(below(lone, left))
        assert residuals(replace(result, edges=tuple(mirrors)))[0] < 1e-6


def test_a_part_that_no_decoded_shape_has_is_added(
    chairs: PartTrees, rng: torch.Generator
) -> None:
    armed = next(t for t in chairs if nodes(t, "chair_arm"))
    plain = [t for t in chairs if not nodes(t, "chair_arm")]
    arm = nodes(armed, "chair_arm")[0]
    post = below(armed, arm)[-1]
    # The encoder looks the name up: the armed chair decodes to an armless one.
    shelf = Shelf([replace(plain[0], name=armed.name), *plain[1:]])
    found = resample(shelf, armed, [post], 2, rng=rng)
    for result, valid in zip(found.trees, found.valid, strict=True):
        own = places(result)[int(armed.instance[post])]
        assert result.label[own] == armed.label[post]
        assert result.label[result.parent[own]] == armed.label[arm]
        np.testing.assert_array_equal(result.box[own], armed.box[post])
        assert valid


def test_a_seed_gives_the_same(chairs: PartTrees, model: Shelf) -> None:
    first, second, other = (
        resample(model, chairs[1], [1], 3, rng=torch.Generator().manual_seed(seed)).trees
        for seed in (1, 1, 2)
    )
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a.box, b.box)
    assert any(
        a.box.shape != b.box.shape or (a.box != b.box).any()
        for a, b in zip(first, other, strict=True)
    )


def test_the_front_stays(chairs: PartTrees, model: Shelf) -> None:
    turned = chairs[2].facing("+x")
    result = resample(model, turned, [1], rng=torch.Generator().manual_seed(0)).trees[0]
    assert result.front == "+x"
    own = places(result)[int(turned.instance[1])]
    np.testing.assert_array_equal(result.box[own], turned.box[1])


def test_fixed_nodes_are_joined_to_the_topmost(chairs: PartTrees) -> None:
    tree = chairs[0]
    base = nodes(tree, "chair_base")[0]
    rows = below(tree, base)
    assert fixed_roots(tree, [rows[-1], base]) == [base]
    assert fixed_roots(tree, tree.children[base]) == [base]
    lone = tree.children[base][0]
    assert fixed_roots(tree, [lone]) == [lone]


def test_bad_requests_are_refused(chairs: PartTrees, model: Shelf) -> None:
    tree = chairs[0]
    with pytest.raises(ValueError, match="no parts are fixed"):
        resample(model, tree, [])
    with pytest.raises(ValueError, match=rf"from 1 to {len(tree) - 1}; got 99"):
        resample(model, tree, [1, 99])
    with pytest.raises(ValueError, match="the root is fixed"):
        resample(model, tree, [0])
    with pytest.raises(ValueError, match="all parts are fixed"):
        resample(model, tree, tree.children[0])
    with pytest.raises(ValueError, match=r"strength in 0\.\.1; got 1, 1\.5"):
        resample(model, tree, [1], strength=1.5)
    with pytest.raises(ValueError, match="n must be at least 1"):
        resample(model, tree, [1], 0)
    beds = Shelf([replace(each, name=tree.name) for each in furniture(1, category="bed")])
    with pytest.raises(ValueError, match="did not decode enough shapes"):
        resample(beds, tree, [1])


def test_relations_of_fixed_parts_are_the_shapes_own(
    chairs: PartTrees, model: Shelf, rng: torch.Generator
) -> None:
    tree = chairs[0]
    seat = next(node for node in nodes(tree, "chair_seat"))
    told = replace(tree, edges=tuple(replace(edge, dist=0.125) for edge in tree.edges))
    found = resample(model, told, [seat, 1], rng=rng).trees[0]
    kept = [edge for edge in tree.edges if {edge.a, edge.b} == {seat, 1} or edge.a > seat]
    assert kept
    assert {edge.dist for edge in found.edges} == {None, 0.125}
