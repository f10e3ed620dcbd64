"""Merge hierarchies of plain boxes: nothing is lost, known hierarchies are found again."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from shapegen.structures import symmetry
from shapegen.structures.groups import GroupFinder
from shapegen.structures.merge_tree import BOX, SYM, MergeTree
from shapegen.structures.merging import infer_merge_tree, to_part_tree
from shapegen.structures.motion import corner_distances, mapped, set_distance
from shapegen.structures.part_tree import RelationKind
from tests.hand_made import box, chair

Array = NDArray[np.float64]


def test_a_hierarchy_for_plain_boxes() -> None:
    boxes = chair().boxes()
    merge = infer_merge_tree(boxes[np.random.RandomState(0).permutation(len(boxes))])
    assert set_distance(to_part_tree(merge).boxes(), boxes) < 1e-6
    # All legs are one part, and so are the upright posts; the slats are a row.
    assert len(merge.boxes) == 6
    assert sorted(merge.syms[:, 0]) == [0, 1, 1]


def test_a_lone_box_and_bad_boxes() -> None:
    assert infer_merge_tree(box((0, 0, 0), (1, 1, 1))[None]).ops.tolist() == [BOX]
    with pytest.raises(ValueError, match="no boxes"):
        infer_merge_tree(np.empty((0, 12)))
    with pytest.raises(ValueError, match="finite"):
        infer_merge_tree(np.full((1, 12), np.nan))
    with pytest.raises(ValueError, match=r"\(n, 12\)"):
        infer_merge_tree(np.zeros((2, 3)))


@pytest.mark.parametrize("seed", range(5))
def test_inference_loses_no_box(seed: int) -> None:
    rng = np.random.RandomState(seed)
    boxes = rng.normal(size=(9, 12))
    boxes[:, 3:6] = 0.1 + np.abs(boxes[:, 3:6])
    boxes = np.concatenate([boxes, mapped(boxes[:4], RelationKind.REF_SYM, (0, 0, 0, 1, 0, 0))])
    merge = infer_merge_tree(boxes)
    assert len(merge.syms) >= 1
    assert set_distance(to_part_tree(merge).boxes(), boxes) < 0.02


class Orbits:
    """The boxes of an expanded merge tree, and which are copies of one another.

    Attributes:
        boxes: All boxes ``(n, 12)``.
        orbits: The rows of every box that has copies, and of these.
        groups: The rows that belong to one SYM node: all its generator's boxes and their copies.
    """

    def __init__(self, merge: MergeTree, *, official: bool) -> None:
        children = merge.children()
        number = {int(n): i for i, n in enumerate(np.flatnonzero(merge.ops == BOX))}
        vector = {int(n): i for i, n in enumerate(np.flatnonzero(merge.ops == SYM))}
        owner = np.full(len(merge.boxes), -1)
        stack = [(len(merge) - 1, -1)]
        while stack:
            node, active = stack.pop()
            if merge.ops[node] == BOX:
                owner[number[node]] = active
            below = vector[node] if merge.ops[node] == SYM else active
            stack.extend((child, below) for child in children[node])
        vectors = np.concatenate([merge.syms, np.full((1, 8), symmetry.NONE)])[owner]
        self.boxes, source = symmetry.expand(merge.boxes, vectors, official=official)
        rows = [np.flatnonzero(source == n) for n in range(len(owner))]
        self.orbits = [set(row.tolist()) for row in rows if len(row) > 1]
        self.groups = []
        for sym in range(len(merge.syms)):
            own = [rows[n] for n in np.flatnonzero(owner == sym)]
            # A SYM that makes no copies, as the authors' code reads it, is no group.
            if own and all(len(row) > 1 for row in own):
                self.groups.append(set(np.concatenate(own).tolist()))


def nearest(boxes: Array, among: Array) -> Array:
    """Row of ``among`` that lies closest to every box."""
    distance = [
        corner_distances(np.repeat(one[None], len(among), 0), among).argmin() for one in boxes
    ]
    return np.array(distance)


@pytest.mark.slow
def test_the_symmetric_groups_of_grass_chairs_are_found_again(data_path: Path) -> None:
    arrays = np.load(data_path / "grass" / "grass_chairs.npz")
    rng = np.random.RandomState(0)
    groups = found_groups = orbits = found_orbits = 0
    for number in rng.permutation(len(arrays["ops"]))[:200]:
        ops = arrays["ops"][number]
        ops = ops[ops >= 0]
        boxes = arrays["boxes"][number][: (ops == BOX).sum()]
        truth = Orbits(
            MergeTree(ops, boxes, arrays["syms"][number][: (ops == SYM).sum()]), official=True
        )
        shuffled = rng.permutation(len(truth.boxes))
        inferred = Orbits(infer_merge_tree(truth.boxes[shuffled]), official=False)
        rows = shuffled[nearest(inferred.boxes, truth.boxes[shuffled])]
        assert sorted(rows.tolist()) == list(range(len(truth.boxes)))
        mine = [{int(rows[n]) for n in group} for group in inferred.groups]
        copies = [{int(rows[n]) for n in orbit} for orbit in inferred.orbits]
        groups += len(truth.groups)
        found_groups += sum(group in mine for group in truth.groups)
        orbits += len(truth.orbits)
        found_orbits += sum(orbit in copies for orbit in truth.orbits)
    # On all 2000 chairs: .912 of the groups as whole sets, .999 of the boxes with their copies.
    # What differs is which mirror pairs stand under one SYM and which under two.
    assert found_groups / groups >= 0.90
    assert found_orbits / orbits >= 0.99


def test_noise_within_the_tolerance_still_groups() -> None:
    rng = np.random.RandomState(0)
    boxes = chair().boxes()
    boxes[:, :6] += 0.002 * rng.normal(size=(len(boxes), 6))
    merge = infer_merge_tree(boxes, tolerance=0.01)
    assert len(merge.boxes) <= 7
    assert len(GroupFinder(boxes).find()) >= 4
