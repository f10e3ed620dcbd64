"""Moving and swapping parts: partners follow, what touched still touches, the rest stays."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest

from shapegen.core import boxes as box_algebra
from shapegen.data.furniture import furniture
from shapegen.structures.contact import gap
from shapegen.structures.editing import move, swap
from shapegen.structures.motion import corner_distances, mapped, rotation
from shapegen.structures.part_tree import PartTree, PartTrees, Relation, RelationKind
from shapegen.structures.relations import residuals
from shapegen.structures.stability import shape_diagonal
from shapegen.structures.subtrees import below
from shapegen.structures.validity import validity

REF, ADJ = RelationKind.REF_SYM, RelationKind.ADJ
PLANE = (0.0, 0.0, 0.0, 1.0, 0.0, 0.0)
TOP, FRONT, LEFT, RIGHT, LAMP = 1, 2, 3, 4, 5


def cuboid(x: float, y: float, z: float, *lengths: float) -> list[float]:
    return [x, y, z, *lengths, 1, 0, 0, 0, 1, 0]


def table() -> PartTree:
    """A top on two mirrored legs, a rail between them, and a lamp on the top."""
    box = [
        cuboid(0, 0.75, 0, 2, 1.5, 1),
        cuboid(0, 1.05, 0, 2, 0.1, 1),
        cuboid(0, 0.3, 0, 1.5, 0.1, 0.1),
        cuboid(-0.8, 0.5, 0, 0.1, 1, 0.8),
        cuboid(0.8, 0.5, 0, 0.1, 1, 0.8),
        cuboid(0.5, 1.3, 0, 0.1, 0.4, 0.1),
    ]
    names = ("top", "rail", "leg", "leg", "lamp")
    edges = [Relation(REF, LEFT, RIGHT, PLANE)]
    edges += [Relation(ADJ, TOP, other) for other in (LEFT, RIGHT, LAMP)]
    edges += [Relation(ADJ, FRONT, other) for other in (LEFT, RIGHT)]
    label = ("table", *(f"table/{name}" for name in names))
    return PartTree(np.array(box), np.array([-1, 0, 0, 0, 0, 0]), label, tuple(edges))


@pytest.fixture(scope="module")
def shapes() -> PartTrees:
    return furniture(6, seed=7)


def touching(tree: PartTree, a: int, b: int) -> bool:
    return gap(tree.box[a], tree.box[b]) <= 1e-6


def test_a_move_by_nothing_changes_nothing(shapes: PartTrees) -> None:
    for tree in shapes:
        for node in range(1, len(tree), 5):
            same = move(tree, node)
            np.testing.assert_array_equal(same.box, tree.box)
            assert same.edges == tree.edges


def test_a_mirrored_part_takes_its_partner_along() -> None:
    result = move(
        table(), LEFT, translation=(-0.1, 0.0, 0.2), rotation=rotation(np.eye(3)[1], 0.2)
    )
    image = mapped(result.box[[LEFT]], REF, PLANE)
    np.testing.assert_allclose(
        np.sort(box_algebra.corners(image)[0], axis=0),
        np.sort(box_algebra.corners(result.box[[RIGHT]])[0], axis=0),
        atol=1e-12,
    )
    np.testing.assert_allclose(result.box[LEFT, :3], [-0.9, 0.5, 0.2], atol=1e-12)
    assert Relation(REF, LEFT, RIGHT, PLANE) in result.edges


def test_what_touched_still_touches_and_the_rest_stays() -> None:
    before = table()
    result = move(before, TOP, translation=(0.0, 0.4, 0.0))
    np.testing.assert_allclose(result.box[TOP], before.box[TOP] + 0.4 * np.eye(12)[1])
    assert all(touching(result, TOP, other) for other in (LEFT, RIGHT, LAMP))
    assert all(touching(result, FRONT, other) for other in (LEFT, RIGHT))
    # The legs are stretched upwards; the rail does not feel it.
    np.testing.assert_array_equal(result.box[FRONT], before.box[FRONT])
    for leg in (LEFT, RIGHT):
        assert result.box[leg, 4] > before.box[leg, 4]
        assert result.box[leg, 1] + result.box[leg, 4] / 2 == pytest.approx(1.4, abs=1e-5)
    assert residuals(result) == pytest.approx(0, abs=1e-5)
    low, high = box_algebra.bounds(result.boxes())
    np.testing.assert_allclose(result.box[0, 4], high[1] - low[1])


def test_parts_go_to_a_box_or_are_stretched_along_their_own_axes() -> None:
    tilted = replace(table(), box=table().transformed(rotation=rotation(np.eye(3)[0], 0.3)).box)
    tall = move(tilted, LAMP, scale=(1.0, 2.0, 1.0))
    np.testing.assert_allclose(tall.box[LAMP, 3:6], [0.1, 0.8, 0.1])
    np.testing.assert_allclose(tall.box[LAMP, 6:], tilted.box[LAMP, 6:])
    target = np.array(cuboid(0.4, 1.4, 0.1, 0.2, 0.5, 0.3))
    np.testing.assert_array_equal(move(table(), LAMP, box=target).box[LAMP], target)


def test_parts_inside_go_along_and_so_do_those_of_twins(shapes: PartTrees) -> None:
    tree = next(t for t in furniture(30, category="chair", seed=0) if "chair/chair_arm" in t.label)
    left, right = (node for node, label in enumerate(tree.label) if label == "chair/chair_arm")
    inner = left + 1
    result = move(tree, inner, scale=(1.2, 1.0, 1.0))
    assert result.box[inner, 3] == pytest.approx(1.2 * tree.box[inner, 3])
    assert result.box[right + 1, 3] == pytest.approx(1.2 * tree.box[right + 1, 3])
    whole = move(tree, left, translation=(0.0, 0.05, 0.0))
    for arm in (left, right):
        rows = below(tree, arm)
        np.testing.assert_allclose(whole.box[rows, :3], tree.box[rows, :3] + [0, 0.05, 0])


def test_moves_leave_relations_that_hold(shapes: PartTrees) -> None:
    rng = np.random.default_rng(0)
    for tree in shapes:
        node = int(rng.integers(1, len(tree)))
        result = move(tree, node, translation=rng.normal(size=3) * 0.05)
        found = validity(result)
        assert found.connected
        assert found.symmetric
        assert residuals(result).max(initial=0) <= 0.02 * shape_diagonal(result.boxes())


def test_swap_with_itself_changes_nothing_but_ids(shapes: PartTrees) -> None:
    for tree in shapes:
        for node in range(1, len(tree), 8):
            same = swap(tree, node, tree, node)
            assert same.label == tree.label
            # Images may name their axes otherwise.
            assert corner_distances(same.box, tree.box).max() <= 1e-6
            assert {(e.a, e.b, e.kind) for e in same.edges} == {
                (e.a, e.b, e.kind) for e in tree.edges
            }
            changed = same.instance != tree.instance
            assert changed[below(tree, node)].all()
            assert len(set(same.instance.tolist())) == len(same)


def test_one_leg_replaces_both(shapes: PartTrees) -> None:
    legged = table()
    other = replace(legged, box=legged.box * [*[1.0] * 3, 3.0, 1.0, 0.5, *[1.0] * 6])
    lone = swap(legged, LEFT, other, LEFT, partners=False)
    np.testing.assert_array_equal(lone.box[RIGHT], legged.box[RIGHT])
    post = PartTree(
        np.array(
            [cuboid(0, 0, 0, 1, 2, 1), cuboid(0, 0.5, 0, 0.2, 1, 1), cuboid(0, -0.5, 0, 1, 1, 1)]
        ),
        np.array([-1, 0, 0]),
        ("table/leg", "table/leg/post", "table/leg/foot"),
    )
    donor = PartTree(
        np.concatenate([legged.box[:1], post.box]),
        np.array([-1, 0, 1, 1]),
        ("table", *post.label),
    )
    both = swap(legged, LEFT, donor, 1)
    assert both.label.count("table/leg/post") == 2
    first, second = (node for node, label in enumerate(both.label) if label == "table/leg/foot")
    image = mapped(both.box[[first]], REF, PLANE)
    np.testing.assert_allclose(image[0, :6], both.box[second, :6], atol=1e-9)
    assert validity(both).valid
    assert swap(legged, LEFT, donor, 1, partners=False).label.count("table/leg/post") == 1


def test_a_swapped_part_fills_the_box_or_keeps_its_proportions() -> None:
    donor = replace(table(), box=table().transformed(scale=0.5).box)
    donor = replace(donor, box=donor.box * [*[1.0] * 3, 1.0, 2.0, 1.0, *[1.0] * 6])
    filled = swap(table(), LAMP, donor, LAMP)
    np.testing.assert_allclose(filled.box[LAMP], table().box[LAMP], atol=1e-6)
    slender = swap(table(), LAMP, donor, LAMP, keep_proportions=True)
    lengths = slender.box[LAMP, 3:6]
    np.testing.assert_allclose(lengths, [0.05, 0.4, 0.05], atol=1e-6)
    assert touching(slender, TOP, LAMP)
    np.testing.assert_array_equal(slender.box[TOP], table().box[TOP])


def test_what_the_old_part_touched_the_new_one_does(shapes: PartTrees) -> None:
    chairs = furniture(6, category="chair", seed=2)
    for tree, donor in itertools.pairwise(chairs):
        seat = tree.label.index("chair/chair_seat")
        result = swap(tree, seat, donor, donor.label.index("chair/chair_seat"))
        assert validity(result).connected
        own = result.label.index("chair/chair_seat")
        beside = [e for e in result.edges if e.kind is ADJ and own in (e.a, e.b)]
        known = [e for e in tree.edges if e.kind is ADJ and seat in (e.a, e.b)]
        assert len(beside) == len(known)
        back, old = (t.label.index("chair/chair_back") for t in (result, tree))
        np.testing.assert_array_equal(result.box[back], tree.box[old])


def test_bad_edits_are_refused() -> None:
    tree = table()
    with pytest.raises(ValueError, match="nodes must be from 1 to 5; got 6"):
        move(tree, 6)
    with pytest.raises(ValueError, match="the root is the whole shape; name a part to move"):
        move(tree, 0)
    with pytest.raises(ValueError, match="scale must be positive"):
        move(tree, LAMP, scale=(1.0, 0.0, 1.0))
    with pytest.raises(ValueError, match="rotation must be a rotation matrix"):
        move(tree, LAMP, rotation=np.diag([1.0, 1.0, -1.0]))
    with pytest.raises(ValueError, match="three finite numbers"):
        move(tree, LAMP, translation=(0.0, np.nan, 0.0))
    with pytest.raises(ValueError, match="name a part to take"):
        swap(tree, LAMP, tree, 0)
    deep = replace(tree, label=(*tree.label[:5], "table/top/lamp"))
    with pytest.raises(ValueError, match="'table/leg' cannot be replaced by a 'table/top/lamp'"):
        swap(tree, LEFT, deep, LAMP)
