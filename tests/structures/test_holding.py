"""Fitting parts to what is held: held boxes stay bit for bit, and nothing is forced on them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from shapegen.structures.contact import gap
from shapegen.structures.holding import Draft, fitted, joined
from shapegen.structures.motion import corner_distances, mapped
from shapegen.structures.part_tree import PartTree, Relation, RelationKind
from shapegen.structures.stability import connected

REF, TRANS, ADJ = RelationKind.REF_SYM, RelationKind.TRANS_SYM, RelationKind.ADJ
X = (0.0, 0.0, 0.0, 1.0, 0.0, 0.0)


def cuboid(x: float, y: float, z: float, *lengths: float) -> list[float]:
    return [x, y, z, *lengths, 1, 0, 0, 0, 1, 0]


def shape(boxes: list[list[float]], *edges: Relation) -> PartTree:
    """Parts below a root."""
    count = len(boxes)
    root = cuboid(0, 0, 0, 2, 2, 2)
    label = ("s", *["s/p"] * count)
    return PartTree(np.array([root, *boxes]), np.array([-1] + [0] * count), label, edges)


def draft(tree: PartTree, *held: int, **changes: Any) -> Draft:
    mask = np.zeros(len(tree), dtype=bool)
    mask[list(held)] = True
    loose = ~tree.is_leaf & ~mask
    return replace(Draft(tree, mask, loose, np.ones(len(tree.edges), dtype=bool)), **changes)


def test_what_is_held_stays_and_its_image_follows() -> None:
    tree = shape(
        [cuboid(-1, 0, 0.123456789, 0.2, 1, 0.3), cuboid(0.9, 0.05, 0, 0.25, 0.9, 0.2)],
        Relation(REF, 1, 2, X),
    )
    result = fitted([draft(tree, 1)])[0]
    np.testing.assert_array_equal(result.box[1], tree.box[1])
    image = mapped(result.box[[1]], REF, result.edges[0].params)
    assert corner_distances(image, result.box[[2]])[0] < 1e-6
    assert np.abs(result.box[2, 3:6] - [0.2, 1, 0.3]).max() < 1e-6


def test_held_boxes_keep_what_they_miss_of_one_another() -> None:
    stated = Relation(REF, 1, 2, X, dist=0.25)
    tree = shape([cuboid(-1, 0, 0, 0.2, 1, 0.3), cuboid(0.9, 0.05, 0, 0.25, 0.9, 0.2)], stated)
    result = fitted([draft(tree, 1, 2)])[0]
    np.testing.assert_array_equal(result.box[1:], tree.box[1:])
    assert result.edges == (stated,)


def test_a_part_that_two_held_ones_contradict_follows_one() -> None:
    boxes = [
        cuboid(-1, 0, 0, 0.2, 1, 0.2),
        cuboid(0, 0.02, 0, 0.2, 0.9, 0.2),
        cuboid(1, 0, 0, 0.2, 0.8, 0.2),
    ]
    step = (1.0, 0.0, 0.0)
    tree = shape(boxes, Relation(TRANS, 1, 2, step), Relation(TRANS, 2, 3, step))
    result = fitted([draft(tree, 1, 3)])[0]
    np.testing.assert_array_equal(result.box[[1, 3]], tree.box[[1, 3]])
    assert len(result.edges) == 1
    assert result.box[2, 4] == pytest.approx(1.0 if result.edges[0].a == 1 else 0.8)


def test_an_implausible_symmetry_is_left_out() -> None:
    tree = shape(
        [cuboid(-1, 0, 0, 0.2, 1, 0.2), cuboid(1, 0, 0, 1.5, 0.1, 2)], Relation(REF, 1, 2, X)
    )
    result = fitted([draft(tree, 1)])[0]
    np.testing.assert_array_equal(result.box[2], tree.box[2])
    assert not result.edges


def test_contacts_close_from_any_distance_between_any_leaves() -> None:
    tree = shape([cuboid(0, -1, 0, 1, 0.2, 1), cuboid(0, 3, 0, 0.2, 1, 0.2)])
    contacts = np.array([[1, 2]])
    result = fitted([draft(tree, 1, contacts=contacts)])[0]
    assert gap(result.box[1], result.box[2]) <= 1e-6
    np.testing.assert_array_equal(result.box[1], tree.box[1])


def test_inner_boxes_close_where_they_are_loose_only() -> None:
    tree = PartTree(
        np.array([cuboid(0, 0, 0, 4, 4, 4), cuboid(0, 0, 0, 1, 1, 1)]),
        np.array([-1, 0]),
        ("s", "s/p"),
    )
    np.testing.assert_allclose(fitted([draft(tree)])[0].box[0, 3:6], 1)
    tight = draft(tree, loose=np.zeros(2, dtype=bool))
    np.testing.assert_array_equal(fitted([tight])[0].box, tree.box)


def test_images_of_a_held_inner_part_have_its_box() -> None:
    box = [
        cuboid(0, 0, 0, 3, 1, 1),
        cuboid(-1, 0, 0, 0.6, 0.6, 0.6),
        cuboid(-1, 0, 0, 0.5, 0.5, 0.5),
        cuboid(1, 0, 0, 0.5, 0.5, 0.5),
        cuboid(1, 0, 0, 0.5, 0.5, 0.5),
    ]
    tree = PartTree(
        np.array(box),
        np.array([-1, 0, 1, 0, 3]),
        ("s", "s/p", "s/p/q", "s/p", "s/p/q"),
        (Relation(REF, 1, 3, X),),
    )
    result = fitted([draft(tree, 1, 2)])[0]
    np.testing.assert_allclose(result.box[3, 3:6], 0.6)
    np.testing.assert_allclose(result.box[4, 3:6], 0.5)
    assert len(result.edges) == 1


def test_many_shapes_at_once_are_as_one_by_one() -> None:
    first = shape(
        [cuboid(-1, 0, 0, 0.2, 1, 0.3), cuboid(0.9, 0, 0, 0.2, 0.9, 0.2)], Relation(REF, 1, 2, X)
    )
    second = shape([cuboid(0, 0, 0, 1, 1, 1), cuboid(0, 1, 0, 1, 0.5, 1)], Relation(ADJ, 1, 2))
    drafts = [draft(first, 1), draft(second, 1), draft(first, 2)]
    for alone, together in zip(drafts, fitted(drafts), strict=True):
        np.testing.assert_allclose(fitted([alone])[0].box, together.box, atol=1e-9)
    assert fitted([]) == []


def test_pieces_are_joined_to_what_is_held() -> None:
    boxes = [cuboid(0, 0, 0, 1, 1, 1), cuboid(0, 2, 0, 1, 1, 1), cuboid(3, 0, 0, 1, 1, 1)]
    tree = shape(boxes)
    result = joined([draft(tree, 1)])[0]
    assert connected(result.boxes())
    np.testing.assert_array_equal(result.box[1], tree.box[1])
    assert not connected(fitted([draft(tree, 1)])[0].boxes())
    # What is held altogether stays in pieces.
    np.testing.assert_array_equal(joined([draft(tree, 1, 2, 3)])[0].boxes(), tree.boxes())
