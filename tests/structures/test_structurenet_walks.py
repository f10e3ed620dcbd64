"""Walks of StructureNet: persistent parts, and structure that stays between equal ends."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from shapegen.base import Walker
from shapegen.structures import structurenet_walks
from shapegen.structures.correspondence import same_structure
from shapegen.structures.part_tree import PartTrees
from shapegen.structures.projection import refine_relations
from shapegen.structures.structurenet import StructureNet
from shapegen.structures.structurenet_walks import decoded_along, structure_walk
from shapegen.structures.subtrees import mask_below, pruned
from tests.structures.structurenet_cases import small


@pytest.fixture(scope="module")
def model() -> StructureNet:
    # Boxes alone say which part is which.
    return small(match_labels=0.0, match_exists=0.0).float()


@pytest.fixture(scope="module")
def codes(model: StructureNet) -> Tensor:
    """Codes of shapes with several parts."""
    z = 2 * torch.randn(30, model.latent_dim, generator=torch.Generator().manual_seed(1))
    rows = [row for row, tree in enumerate(model.decode(z)) if 4 <= len(tree) <= 40]
    assert len(rows) >= 4
    return z[rows]


def test_decoding_along_its_own_structure_is_decoding(model: StructureNet, codes: Tensor) -> None:
    free = model.decode(codes)
    along = decoded_along(model, codes, list(free))
    for a, b in zip(free, along, strict=True):
        assert a.label == b.label
        np.testing.assert_allclose(b.box, a.box, atol=1e-5)
        assert [(e.a, e.b, e.kind) for e in a.edges] == [(e.a, e.b, e.kind) for e in b.edges]
    assert len(decoded_along(model, codes[:0], [])) == 0


def test_decoding_along_another_structure_gives_that(model: StructureNet, codes: Tensor) -> None:
    guide = model.decode(codes)[0]
    result = decoded_along(model, codes[1:2], [guide])[0]
    assert same_structure(result, guide)
    assert np.abs(result.box - guide.box).max() > 1e-3


def test_between_equal_ends_the_structure_stays(
    model: StructureNet, codes: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = model.decode

    def torn(z: Tensor, **_: Any) -> PartTrees:
        """The second step lacks its last part."""
        trees = list(honest(z))
        leaf = len(trees[1]) - 1
        trees[1] = pruned(trees[1], ~mask_below(trees[1], [leaf]))
        return PartTrees(trees)

    monkeypatch.setattr(model, "decode", torn)
    path = codes[:1].repeat(4, 1)
    walk = structure_walk(model, path)
    for tree in walk:
        assert same_structure(tree, walk[0])
        np.testing.assert_array_equal(tree.instance, walk[0].instance)
    # Other ends: what is between them is left as it is.
    other = next(
        row for row in range(1, len(codes)) if len(honest(codes[row : row + 1])[0]) != len(walk[0])
    )
    path = torch.cat([codes[:1], codes[:1], codes[other : other + 1]])
    assert len(structure_walk(model, path)[1]) == len(walk[0]) - 1


def test_interpolate_walks(
    model: StructureNet, codes: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert isinstance(model, Walker)
    walk = model.interpolate(codes[0], codes[1], 5)
    for before, after in itertools.pairwise(walk):
        assert before.instance[0] == after.instance[0] == 0
        assert len(set(after.instance.tolist())) == len(after)
    plain = model.decode(codes[[0]])[0]
    np.testing.assert_allclose(walk[0].box, plain.box, atol=1e-4)
    asked = []
    monkeypatch.setattr(
        structurenet_walks, "tracked", lambda trees: asked.append(len(trees)) or PartTrees(trees)
    )
    model.interpolate(codes[0], codes[1], 3)
    assert asked == [3]


def test_projected_models_project_along(codes: Tensor) -> None:
    plain = small(match_labels=0.0, match_exists=0.0).float()
    projected = small(match_labels=0.0, match_exists=0.0, project=True).float()
    guides = list(plain.decode(codes))
    wanted = refine_relations(decoded_along(plain, codes, guides)).trees
    for a, b in zip(wanted, decoded_along(projected, codes, guides), strict=True):
        np.testing.assert_array_equal(a.box, b.box)
