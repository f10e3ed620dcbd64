"""The same part has the same id along a walk."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from shapegen.data.furniture import furniture
from shapegen.structures.correspondence import same_structure, tracked
from shapegen.structures.part_tree import PartTree
from shapegen.structures.subtrees import grafted, mask_below, pruned
from tests.structures.test_structurenet import mirrored_order


def moved(tree: PartTree, step: int) -> PartTree:
    """The shape a little larger, with ids that say nothing."""
    return replace(
        tree.transformed(scale=1 + 0.02 * step), instance=np.arange(len(tree)) + 100 * step
    )


def boxes_by_id(tree: PartTree) -> dict[int, list[float]]:
    return {int(own): box.tolist() for own, box in zip(tree.instance, tree.box, strict=True)}


def test_ids_stay_however_siblings_are_ordered() -> None:
    for tree in furniture(6, seed=2):
        steps = [moved(tree, 0), mirrored_order(moved(tree, 1)), moved(tree, 2)]
        walk = tracked(steps)
        np.testing.assert_array_equal(walk[0].instance, tree.instance)
        np.testing.assert_array_equal(walk[2].instance, tree.instance)
        wanted = boxes_by_id(replace(moved(tree, 1), instance=tree.instance))
        assert boxes_by_id(walk[1]) == wanted


def test_ids_that_ended_do_not_come_back() -> None:
    tree = furniture(1, category="chair", seed=0)[0]
    # The largest ids of all.
    arm = tree.children[0][-1]
    gone = mask_below(tree, [arm])
    walk = tracked([tree, pruned(tree, ~gone), tree])
    np.testing.assert_array_equal(walk[1].instance, tree.instance[~gone])
    np.testing.assert_array_equal(walk[2].instance[~gone], tree.instance[~gone])
    fresh = walk[2].instance[gone]
    assert len(set(fresh.tolist())) == len(fresh)
    assert (fresh > tree.instance.max()).all()


def test_short_walks_stay() -> None:
    tree = furniture(1)[0]
    assert tracked([tree])[0] is tree
    assert len(tracked([])) == 0


def test_structures_are_equal_whatever_the_order() -> None:
    trees = furniture(8, category="chair", seed=1)
    for tree in trees:
        assert same_structure(tree, mirrored_order(tree))
        leaf = len(tree) - 1
        assert not same_structure(tree, pruned(tree, np.arange(len(tree)) != leaf))
        other = replace(tree, label=(*tree.label[:-1], f"{tree.label[-1]}x"))
        assert not same_structure(tree, other)
    twice = grafted(trees[0], {}, [(0, trees[0])]).tree
    assert not same_structure(twice, trees[0])
