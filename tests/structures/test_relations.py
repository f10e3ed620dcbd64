"""Symmetric groups and relations of siblings: made by hand, in any order and place."""

import dataclasses
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from shapegen.core import boxes as box_algebra
from shapegen.structures.groups import GroupFinder
from shapegen.structures.motion import corner_distances, mapped
from shapegen.structures.part_tree import PartTree, Relation, RelationKind
from shapegen.structures.relations import (
    detect_relations,
    relation_groups,
    residual,
    residuals,
)
from tests.hand_made import box

Array = NDArray[np.float64]

ADJ, REF = RelationKind.ADJ, RelationKind.REF_SYM
TRANS, ROT = RelationKind.TRANS_SYM, RelationKind.ROT_SYM


def tree_of(*boxes: Array, labels: list[str] | None = None) -> PartTree:
    """A root with these boxes as children."""
    low, high = box_algebra.bounds(np.stack(boxes))
    root = box(0.5 * (low + high), high - low)
    names = labels or ["part"] * len(boxes)
    return PartTree(
        np.stack([root, *boxes]),
        np.array([-1] + [0] * len(boxes)),
        ("shape", *(f"shape/{name}" for name in names)),
    )


# Groups


def groups_of(*boxes: Array, **options: Any) -> set[tuple[RelationKind, frozenset[int]]]:
    return {
        (group.kind, frozenset(group.members))
        for group in GroupFinder(np.stack(boxes), **options).find()
    }


def test_a_mirror_pair_and_what_is_none() -> None:
    left, right = box((-1, 0, 0), (0.2, 1, 0.1)), box((1, 0, 0), (0.2, 1, 0.1))
    assert groups_of(left, right) == {(REF, frozenset({0, 1}))}
    assert groups_of(left, box((1, 0, 0), (0.2, 1.1, 0.1))) == set()
    (group,) = GroupFinder(np.stack([left, right])).find()
    assert group.params == (0, 0, 0, 1, 0, 0)


def test_two_tilted_bars_are_mirrored_or_shifted() -> None:
    tilt = 0.3
    y = (np.sin(tilt), np.cos(tilt), 0)
    x = (np.cos(tilt), -np.sin(tilt), 0)
    mirrored = ((np.cos(tilt), np.sin(tilt), 0), (-np.sin(tilt), np.cos(tilt), 0))
    bar = box((-1, 0, 0), (0.1, 1, 0.1), x, y)
    assert groups_of(bar, box((1, 0, 0), (0.1, 1, 0.1), *mirrored)) == {(REF, frozenset({0, 1}))}
    assert groups_of(bar, box((1, 0, 0), (0.1, 1, 0.1), x, y)) == {(TRANS, frozenset({0, 1}))}


@pytest.mark.parametrize("count", [3, 4, 7])
def test_a_row_of_equal_steps(count: int) -> None:
    slats = [box((0.3 * n, 0.1 * n, 0), (0.1, 1, 0.05)) for n in range(count)]
    order = np.random.RandomState(count).permutation(count)
    (group,) = GroupFinder(np.stack(slats)[order]).find()
    assert group.kind is TRANS
    places = [int(order[member]) for member in group.members]
    assert places in (list(range(count)), list(range(count))[::-1])
    np.testing.assert_allclose(np.abs(group.params), [0.3, 0.1, 0.0], atol=1e-12)
    np.testing.assert_allclose(group.power(2), 2 * np.array(group.params))


@pytest.mark.parametrize("count", [3, 4, 5, 8])
@pytest.mark.parametrize("axis", [(0.0, 1.0, 0.0), (0.6, 0.8, 0.0)])
def test_a_ring_of_equal_angles(count: int, axis: tuple[float, float, float]) -> None:
    spoke = box((1, 0.2, 0.3), (1.0, 0.1, 0.2))
    params = [(0.3, 0, 0.1, *axis, 2 * np.pi * n / count) for n in range(count)]
    ring = np.concatenate([mapped(spoke[None], ROT, turn) for turn in params])
    ring = ring[np.random.RandomState(count).permutation(count)]
    (group,) = GroupFinder(ring).find()
    assert group.kind is ROT
    assert len(group.members) == count
    assert group.params[6] == pytest.approx(2 * np.pi / count)
    for times, member in enumerate(group.members):
        image = mapped(ring[[group.members[0]]], ROT, group.power(times))
        assert corner_distances(image, ring[[member]])[0] < 1e-6  # a root of rounding


def test_slabs_through_one_centre_are_a_ring() -> None:
    slab = box((0, 0, 0), (1, 0.1, 0.4))
    ring = [mapped(slab[None], ROT, (0, 0, 0, 0, 1, 0, 2 * np.pi * n / 5))[0] for n in range(5)]
    assert groups_of(*ring) == {(ROT, frozenset(range(5)))}


def test_four_legs_are_two_pairs_left_to_right() -> None:
    legs = [box((x, 0, z), (0.1, 1, 0.1)) for z in (-1, 1) for x in (-1, 1)]
    assert groups_of(*legs) == {(REF, frozenset({0, 1})), (REF, frozenset({2, 3}))}
    # Facing +x, left-right is z.
    assert groups_of(*legs, side=2) == {(REF, frozenset({0, 2})), (REF, frozenset({1, 3}))}


def test_contents_decide_between_a_mirror_and_a_shift() -> None:
    left, right = box((-1, 0, 0), (1, 1, 1)), box((1, 0, 0), (1, 1, 1))
    body = np.stack([left, box((-1.4, 0, 0), (0.1, 0.1, 0.1))])
    mirrored = mapped(body, REF, (0, 0, 0, 1, 0, 0))
    shifted = mapped(body, TRANS, (2, 0, 0))
    boxes = np.stack([left, right])
    for twin, kind in ((mirrored, REF), (shifted, TRANS)):
        (group,) = GroupFinder(boxes, contents=[body, twin[::-1]]).find()
        assert group.kind is kind
    assert GroupFinder(boxes, contents=[body, twin[:1]]).find() == []


def test_groups_move_with_the_boxes() -> None:
    boxes = [box((0.3 * n, 0, 0), (0.1, 1, 0.05)) for n in range(4)]
    boxes += [box((x, 2, 0), (0.4, 0.1, 0.1)) for x in (-1, 1.5)]
    angle = 0.4
    turn = np.array(
        [[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]]
    )
    moved = box_algebra.transformed(boxes, rotation=turn, scale=3.0, translation=(1, 2, 3))
    assert groups_of(*moved) == groups_of(*boxes) != set()


def test_a_tolerance_must_be_positive() -> None:
    with pytest.raises(ValueError, match="must be positive; got 0"):
        GroupFinder(np.zeros((1, 12)), tolerance=0)


# Trees


def stool() -> PartTree:
    seat = box((0, 0, 0), (2, 0.2, 2))
    legs = [box((x, -1.1, z), (0.2, 2, 0.2)) for z in (-0.9, 0.9) for x in (-0.9, 0.9)]
    return tree_of(seat, *legs, labels=["seat", *["leg"] * 4])


def test_a_stool_has_two_mirror_pairs_and_four_contacts() -> None:
    tree = detect_relations(stool())
    found = {(edge.kind, frozenset({edge.a, edge.b})) for edge in tree.edges}
    expected = {(REF, frozenset({2, 3})), (REF, frozenset({4, 5}))}
    expected |= {(ADJ, frozenset({1, leg})) for leg in (2, 3, 4, 5)}
    assert found == expected
    np.testing.assert_allclose(residuals(tree), 0, atol=1e-12)


def test_detection_does_not_depend_on_order_or_place() -> None:
    tree = stool()
    order = np.array([0, 4, 2, 5, 1, 3])
    shuffled = PartTree(tree.box[order], tree.parent, tuple(tree.label[n] for n in order))
    back = {int(old): new for new, old in enumerate(order)}
    plain, mixed = detect_relations(tree).edges, detect_relations(shuffled).edges
    named = {(edge.kind, frozenset({back[edge.a], back[edge.b]})) for edge in plain}
    assert named == {(edge.kind, frozenset({edge.a, edge.b})) for edge in mixed}
    moved = detect_relations(tree.transformed(scale=0.01, translation=(5, 6, 7)))
    assert [edge.kind for edge in moved.edges] == [edge.kind for edge in plain]
    np.testing.assert_allclose(residuals(moved), 0, atol=1e-9)


def test_parts_of_other_labels_are_no_twins_unless_asked() -> None:
    tree = tree_of(
        box((-1, 0, 0), (1, 1, 1)), box((2, 0, 0), (1, 1, 1)), labels=["door", "drawer"]
    )
    assert detect_relations(tree).edges == ()
    (edge,) = detect_relations(tree, same_label=False).edges
    assert edge.kind is REF


def test_contacts_are_between_leaves_not_between_inner_boxes() -> None:
    # Two frames whose boxes overlap, though nothing in them touches.
    boxes = np.stack(
        [
            box((0, 0, 0), (4, 4, 4)),
            box((0, 0, 0), (3, 3, 3)),
            box((-1.4, 0, 0), (0.2, 3, 3)),
            box((1.4, 0, 0), (0.2, 3, 3)),
            box((0, 0, 0), (1, 1, 1)),
        ]
    )
    labels = ("s", "s/frame", "s/frame/side", "s/frame/side", "s/core")
    tree = PartTree(boxes, np.array([-1, 0, 1, 1, 0]), labels)
    assert [edge.kind for edge in detect_relations(tree).edges] == [REF]
    gap_to_core = residual(Relation(ADJ, 1, 4), tree)
    assert gap_to_core == pytest.approx(0.8)
    assert residual(Relation(ADJ, 1, 4), tree.box) == 0.0


def test_residual_is_the_distance_from_exact() -> None:
    pair = np.stack([box((-1, 0, 0), (1, 2, 3)), box((1.3, 0.4, 0), (1, 2, 3))])
    assert residual(Relation(TRANS, 0, 1, (2.3, 0.4, 0.0)), pair) == pytest.approx(0)
    assert residual(Relation(TRANS, 0, 1, (2.0, 0.0, 0.0)), pair) == pytest.approx(0.5)
    assert residual(Relation(REF, 0, 1, (0, 0, 0, 1, 0, 0)), pair) == pytest.approx(0.5)
    assert residual(Relation(ADJ, 0, 1), pair) == pytest.approx(1.3)
    with pytest.raises(ValueError, match=r"boxes 0\.\.1; got 0, 5"):
        residual(Relation(ADJ, 0, 5), pair)


def test_relation_groups_join_chains_and_drop_what_the_boxes_deny() -> None:
    slats = [box((0.3 * n, 0, 0), (0.1, 1, 0.05)) for n in range(4)]
    tree = tree_of(*slats, box((5, 0, 0), (1, 1, 1)))
    chain = [Relation(TRANS, n, n + 1, (0.3, 0.0, 0.0)) for n in (1, 2, 3)]
    wrong = Relation(REF, 1, 5, (0, 0, 0, 1, 0, 0))
    (group,) = relation_groups(dataclasses.replace(tree, edges=(*chain, wrong)))
    assert (group.kind, group.members) == (TRANS, (1, 2, 3, 4))
