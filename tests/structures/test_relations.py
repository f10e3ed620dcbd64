"""Gaps, motions, symmetric groups and relations: against brute force, by hand and under noise."""

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import lsq_linear

from shapegen.core import boxes as box_algebra
from shapegen.structures.contact import gap, gaps, set_gap
from shapegen.structures.groups import GroupFinder
from shapegen.structures.motion import corner_distances, inverse, mapped, matching, motion
from shapegen.structures.part_tree import PartTree, Relation, RelationKind
from shapegen.structures.relations import (
    detect_relations,
    leaf_boxes,
    relation_groups,
    residual,
    residuals,
)

Array = NDArray[np.float64]

ADJ, REF = RelationKind.ADJ, RelationKind.REF_SYM
TRANS, ROT = RelationKind.TRANS_SYM, RelationKind.ROT_SYM


def box(
    centre: Sequence[float],
    lengths: Sequence[float],
    x: Sequence[float] = (1, 0, 0),
    y: Sequence[float] = (0, 1, 0),
) -> Array:
    return np.array([*centre, *lengths, *x, *y], dtype=np.float64)


def random_boxes(n: int, size: float, seed: int) -> Array:
    draws = np.random.RandomState(seed).normal(size=(n, 12))
    draws[:, 3:6] = np.abs(draws[:, 3:6]) * size
    return draws


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


# Gaps


@pytest.mark.parametrize("size", [0.3, 1.0, 3.0])
def test_gap_is_the_least_distance_of_two_solid_boxes(size: float) -> None:
    boxes = random_boxes(40, size, seed=1)
    boxes[::5, 6:] = [1, 0, 0, 0, 1, 0]  # pairs with parallel axes
    boxes[::7, 3] = 0  # plates without thickness
    pairs = np.array([(i, j) for i in range(0, 40, 3) for j in range(1, 40, 4) if i != j])
    half = box_algebra.half_axes(boxes)
    expected = []
    for i, j in pairs:
        # A point of each box, c + sum u_k h_k with |u_k| <= 1: bounded least squares, exactly.
        matrix = np.concatenate([half[i], -half[j]]).T
        target = boxes[j, :3] - boxes[i, :3]
        solution = lsq_linear(matrix, target, bounds=(-1, 1), method="bvls", tol=1e-14)
        expected.append(np.linalg.norm(matrix @ solution.x - target))
    np.testing.assert_allclose(gaps(boxes, pairs), expected, atol=1e-9)
    assert 0 < np.mean(np.array(expected) > 1e-9) < 1 or size == 0.3


def test_gaps_that_can_be_said_by_hand() -> None:
    cube = box((0, 0, 0), (2, 2, 2))
    assert gap(cube, box((2, 0, 0), (2, 2, 2))) == 0.0  # face on face
    assert gap(cube, box((5, 0, 0), (2, 2, 2))) == pytest.approx(3)
    assert gap(cube, box((3, 3, 3), (2, 2, 2))) == pytest.approx(np.sqrt(3))  # corner to corner
    s = np.sqrt(0.5)
    edge_on = box((3, 0, 0), (2, 2, 2), (s, s, 0), (-s, s, 0))
    assert gap(cube, edge_on) == pytest.approx(2 - np.sqrt(2))  # edge to face
    # Two crossing bars: edge to edge, with no corner anywhere near.
    along_x = box((0, 0, 0), (10, 1, 1), (1, 0, 0), (0, s, s))
    along_z = box((0, 2, 0), (1, 1, 10), (s, s, 0), (-s, s, 0))
    assert gap(along_x, along_z) == pytest.approx(2 - np.sqrt(2))
    assert gap(cube, box((0, 0, 0), (0.1, 0.1, 0.1))) == 0.0  # inside
    assert set_gap([cube], [box((9, 0, 0), (2, 2, 2)), box((3, 0, 0), (2, 2, 2))]) == 1.0


def test_gaps_beyond_the_horizon_are_lower_bounds() -> None:
    boxes = random_boxes(30, 0.3, seed=2)
    exact, quick = gaps(boxes), gaps(boxes, beyond=0.5)
    near = exact <= 0.5
    np.testing.assert_array_equal(quick[near], exact[near])
    assert (quick[~near] > 0.5).all()
    assert (quick <= exact + 1e-12).all()


def test_bad_gaps_are_refused() -> None:
    with pytest.raises(ValueError, match=r"\(m, 2\)"):
        gaps(np.zeros((2, 12)), [0, 1])
    with pytest.raises(ValueError, match="finite"):
        gaps(np.full((2, 12), np.nan))
    with pytest.raises(ValueError, match="both sets need a box"):
        set_gap(np.zeros((0, 12)), np.zeros((1, 12)))


# Motions


def test_corner_distance_is_the_best_of_48_matchings() -> None:
    a, b = random_boxes(20, 1.0, seed=3), random_boxes(20, 1.0, seed=4)
    brute = []
    for first, second in zip(a, b, strict=True):
        corners = box_algebra.corners(first[None])[0]
        half = box_algebra.half_axes(second[None])[0]
        options = []
        for axes in [(0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)]:
            for signs in box_algebra.CORNER_SIGNS:
                other = second[:3] + box_algebra.CORNER_SIGNS @ (half[list(axes)] * signs[:, None])
                options.append(np.sqrt(((corners - other) ** 2).sum(1).mean()))
        brute.append(min(options))
    np.testing.assert_allclose(corner_distances(a, b), brute, atol=1e-9)


@pytest.mark.parametrize(
    ("kind", "params"),
    [
        (TRANS, (0.3, -1.0, 2.0)),
        (REF, (0.1, 0.2, 0.3, 0.6, 0.8, 0.0)),
        (ROT, (0.1, 0.2, 0.3, 0.0, 0.6, 0.8, 1.1)),
    ],
)
def test_motions_move_corners_as_points_and_have_inverses(
    kind: RelationKind, params: tuple[float, ...]
) -> None:
    boxes = random_boxes(5, 1.0, seed=5)
    matrix, offset = motion(kind, params)
    moved = mapped(boxes, kind, params)
    expected = box_algebra.corners(boxes) @ matrix.T + offset
    for corners, points in zip(box_algebra.corners(moved), expected, strict=True):
        distance = np.linalg.norm(corners[:, None] - points, axis=2)
        np.testing.assert_allclose(distance.min(1), 0, atol=1e-12)
    np.testing.assert_allclose(mapped(moved, kind, inverse(kind, params)), boxes, atol=1e-12)


def test_a_rotation_follows_the_right_hand() -> None:
    matrix, _ = motion(ROT, (0, 0, 0, 0, 1, 0, np.pi / 2))
    np.testing.assert_allclose(matrix @ [0, 0, 1], [1, 0, 0], atol=1e-12)


def test_bad_motions_are_refused() -> None:
    with pytest.raises(ValueError, match="maps no points"):
        motion(ADJ, ())
    with pytest.raises(ValueError, match="takes 6 parameters"):
        motion(REF, (1.0,))
    with pytest.raises(ValueError, match="longer than 0"):
        motion(REF, (0.0,) * 6)
    with pytest.raises(ValueError, match="equal size; got 1 and 2"):
        matching(random_boxes(1, 1, 0), random_boxes(2, 1, 0))


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


# Noise


def noisy(tree: PartTree, rng: np.random.RandomState, *, noise: float, own_axes: bool) -> PartTree:
    """Every centre and length moved by Gaussian noise.

    Standard deviation: ``noise`` times the part's diagonal, on every coordinate alike; or, with
    ``own_axes``, times the part's length along each of its own axes.
    """
    sides = tree.box[:, 3:6]
    frame = box_algebra.axes(tree.box)
    scale = sides if own_axes else np.linalg.norm(sides, axis=1, keepdims=True)
    boxes = tree.box.copy()
    place = noise * scale * rng.normal(size=sides.shape)
    boxes[:, :3] += np.einsum("nk,nkj->nj", place, frame)
    boxes[:, 3:6] = np.abs(sides + noise * scale * rng.normal(size=sides.shape))
    return dataclasses.replace(tree, box=boxes)


def linked(edges: Iterable[Relation]) -> Callable[[int], int]:
    """For every node a number of the symmetric group that the relations put it into."""
    root: dict[int, int] = {}

    def find(node: int) -> int:
        while root.setdefault(node, node) != node:
            node = root[node]
        return node

    for edge in edges:
        if edge.kind is not ADJ:
            root[find(edge.b)] = find(edge.a)
    return find


def score(
    trees: Sequence[PartTree], seed: int, *, noise: float, own_axes: bool
) -> tuple[float, float]:
    """Shares of listed relations recovered and of detected ones invented.

    Recovered: an ADJ between the same parts; a symmetry whose two parts are in one detected group
    (its relations lead from one to the other; four equal legs may be a ring or two pairs).
    Invented: an ADJ of parts whose gap in the exact shape is more than the noise (``noise`` times
    the parts' diagonals, root mean square); a symmetry of parts that are in no group together
    and, in the exact shape, not images of one another either.
    """
    rng = np.random.RandomState(seed)
    listed = recovered = detected = invented = 0
    for tree in trees:
        found = detect_relations(noisy(tree, rng, noise=noise, own_axes=own_axes))
        true_group, found_group = linked(tree.edges), linked(found.edges)
        contacts = {frozenset((e.a, e.b)) for e in found.edges if e.kind is ADJ}
        true_contacts = {frozenset((e.a, e.b)) for e in tree.edges if e.kind is ADJ}
        listed += len(tree.edges)
        detected += len(found.edges)
        for edge in tree.edges:
            if edge.kind is ADJ:
                recovered += frozenset((edge.a, edge.b)) in contacts
            else:
                recovered += found_group(edge.a) == found_group(edge.b)
        leaves = leaf_boxes(tree)
        size = box_algebra.diagonals(tree.box)
        for edge in found.edges:
            if edge.kind is ADJ:
                if frozenset((edge.a, edge.b)) not in true_contacts:
                    allowed = noise * np.sqrt(0.5 * (size[edge.a] ** 2 + size[edge.b] ** 2))
                    invented += set_gap(leaves[edge.a], leaves[edge.b]) > allowed
            elif true_group(edge.a) != true_group(edge.b):
                pair = tree.box[[edge.a, edge.b]]
                invented += not GroupFinder(pair, tolerance=1e-4).find()
    return recovered / listed, invented / detected


@pytest.fixture(scope="module")
def shapes() -> list[PartTree]:
    furniture = pytest.importorskip("shapegen.data.furniture")
    return list(furniture.furniture(100, seed=7))


def test_exact_shapes(shapes: list[PartTree]) -> None:
    recovered, invented = score(shapes, 0, noise=0.0, own_axes=False)
    assert recovered >= 0.98
    assert invented <= 0.02


def test_one_percent_noise_along_every_axis(shapes: list[PartTree]) -> None:
    recovered, invented = score(shapes, 0, noise=0.01, own_axes=True)
    assert recovered >= 0.975  # .985 and .007 on larger sets; this one has some 3000 relations
    assert invented <= 0.02


def test_one_percent_noise_of_the_diagonal(shapes: list[PartTree]) -> None:
    # Much harder: as large as many bars are thick and many slots are wide. .982 and .025 on
    # larger sets; what is invented are contacts across slots of 1 to 2 % of the parts' size.
    recovered, invented = score(shapes, 0, noise=0.01, own_axes=False)
    assert recovered >= 0.97
    assert invented <= 0.05
