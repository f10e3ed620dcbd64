"""What could be a thing and what could not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from shapegen.metrics.validity import validity_shares
from shapegen.structures.part_tree import PartTree, Relation, RelationKind
from shapegen.structures.stability import connected, standing
from shapegen.structures.validity import validity

Array = NDArray[np.float64]


def box(centre: tuple[float, ...], lengths: tuple[float, ...]) -> list[float]:
    return [*centre, *lengths, 1, 0, 0, 0, 1, 0]


def stool(gap: float = 0.0) -> Array:
    """A seat on four legs that end ``gap`` below it; diagonal 1.73."""
    legs = [box((x, 0.45 - gap, z), (0.1, 0.9, 0.1)) for x in (-0.4, 0.4) for z in (-0.4, 0.4)]
    return np.array([box((0, 0.95, 0), (1, 0.1, 1)), *legs])


def tree(leaves: Array, *relations: Relation) -> PartTree:
    root = box((0, 0.5, 0), (1, 1, 1))
    count = len(leaves)
    return PartTree(
        np.concatenate([[root], leaves]),
        np.array([-1] + [0] * count),
        ("stool",) + ("stool/part",) * count,
        relations,
    )


MIRROR = Relation(RelationKind.REF_SYM, 2, 4, (0, 0, 0, 1, 0, 0))


def test_a_stool_is_valid() -> None:
    result = validity(tree(stool(), MIRROR))
    assert result.valid
    assert not validity(tree(stool(), MIRROR), complete=False).finite
    assert not validity(None).valid


@pytest.mark.parametrize(("share", "expected"), [(0.0, True), (0.019, True), (0.021, False)])
def test_gaps_up_to_two_hundredths_of_the_diagonal_connect(share: float, expected: bool) -> None:
    gap = 0.03
    for _ in range(20):  # the diagonal grows with the gap
        gap = share * np.sqrt(1 + 1 + (1 + gap) ** 2)
    assert connected(stool(gap)) is expected


def test_a_chain_connects_and_one_loose_part_does_not() -> None:
    chain = np.array([box((i, 0, 0), (1, 0.2, 0.2)) for i in (0, 2, 1, 4, 3)])
    assert connected(chain)
    assert not connected(chain[[0, 1, 3]])
    assert connected(chain[:1])


def test_a_relation_must_hold_to_two_hundredths_of_the_diagonal() -> None:
    leaves = stool()
    diagonal = np.sqrt(3.0)
    assert validity(tree(leaves, MIRROR)).symmetric
    for share, expected in ((0.019, True), (0.021, False)):
        moved = leaves.copy()
        moved[3, 2] += share * diagonal  # along the mirror, inside the bounds
        assert validity(tree(moved, MIRROR)).symmetric is expected
        assert validity(tree(moved)).symmetric, "without a relation there is nothing to break"
    touching = Relation(RelationKind.ADJ, 1, 2)
    assert validity(tree(leaves, touching)).adjacent
    loose = validity(tree(stool(0.1), touching))
    assert (loose.adjacent, loose.symmetric) == (False, True)


def test_the_centre_of_mass_must_lie_over_the_feet() -> None:
    leaves = stool()
    assert standing(leaves)
    assert standing(leaves[:1])
    legs_of_one_side = leaves[[0, 1, 2]]
    assert not standing(legs_of_one_side)
    # Three legs carry; the centre moves a little to the two.
    assert standing(leaves[:4])
    # The legs that are short by more than 2 % do not reach the ground.
    short = leaves.copy()
    short[3:, 4] -= 0.1
    short[3:, 1] += 0.05
    assert not standing(short)
    short = leaves.copy()
    short[3:, 4] -= 0.03
    short[3:, 1] += 0.015
    assert standing(short)


def test_mass_counts_by_volume() -> None:
    pole = box((0, 0.5, 0), (0.2, 1, 0.2))
    arm = box((0.6, 0.9, 0), (1, 0.1, 0.1))
    heavy = box((1.1, 0.9, 0), (1, 1, 1))
    assert standing([pole, box((0.15, 0.9, 0), (0.1, 0.1, 0.1))])
    assert not standing([pole, arm, heavy])


def test_a_leaning_leg_stands_on_its_cut_with_the_ground() -> None:
    """A beam on one edge touches the ground with the whole wedge below 2 %, not only its edge."""
    angle = np.radians(1.0)
    direction = [np.cos(angle), np.sin(angle), 0]
    beam = np.array([[0, 0, 0, 2, 0.02, 1, *direction, -np.sin(angle), np.cos(angle), 0]])
    assert standing(beam)  # rises by .035 over its length; .045 is allowed
    steep = np.radians(20.0)
    beam[0, 6:] = [np.cos(steep), np.sin(steep), 0, -np.sin(steep), np.cos(steep), 0]
    assert not standing(beam)


def test_plates_without_volume_are_judged_too() -> None:
    flat = stool()
    flat[:, 3] = 0.0
    assert standing(flat[:1])
    assert not validity(tree(flat)).finite  # a size must be above 0


def test_nothing_depends_on_place_turn_or_scale() -> None:
    leaves = stool(0.02)
    shape = tree(leaves, MIRROR)
    turn = np.array([[0.6, 0, 0.8], [0, 1, 0], [-0.8, 0, 0.6]])
    moved = shape.transformed(rotation=turn, scale=7.0, translation=(3, -5, 2))
    assert validity(moved) == validity(shape)


def test_shares() -> None:
    good, loose = tree(stool()), tree(stool(0.2))
    shares = validity_shares([good, loose, None, good], complete=[True, True, True, False])
    assert shares == {
        "finite": 0.5,
        "connected": 0.5,
        "symmetric": 0.75,
        "standing": 0.75,
        "valid": 0.25,
        "adjacent": 0.75,
    }
    with pytest.raises(ValueError, match="at least one"):
        validity_shares([])


def test_a_negative_size_is_not_finite() -> None:
    shape = tree(stool())
    boxes = shape.box.copy()
    boxes[2, 3] *= -1
    result = validity(replace(shape, box=boxes))
    assert not result.finite
    assert result.connected
