from __future__ import annotations

from collections import Counter
from itertools import combinations

import numpy as np
import pytest

from shapegen.core import boxes as box_algebra
from shapegen.data.furniture import CATEGORIES, furniture, vocabulary
from shapegen.structures.part_tree import PartTree, PartTrees, RelationKind

COUNT = 200
PER_CATEGORY = pytest.mark.parametrize("category", CATEGORIES)


@pytest.fixture(scope="module")
def shapes() -> dict[str, PartTrees]:
    return {category: furniture(COUNT, category=category, seed=11) for category in CATEGORIES}


def separation(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The widest gap (k,) between boxes (k, 12) along any of the 15 separating directions."""
    axes_a, axes_b = box_algebra.axes(a), box_algebra.axes(b)
    crosses = np.cross(axes_a[:, :, None], axes_b[:, None]).reshape(-1, 9, 3)
    lines = np.concatenate([axes_a, axes_b, crosses], axis=1)
    length = np.linalg.norm(lines, axis=2, keepdims=True)
    lines = np.where(length > 1e-6, lines / np.maximum(length, 1e-6), axes_a[:, :1])
    reach = sum(
        np.abs(np.einsum("kld,kad->kla", lines, box_algebra.half_axes(x))).sum(2) for x in (a, b)
    )
    distance = np.abs(np.einsum("kld,kd->kl", lines, b[:, :3] - a[:, :3]))
    return (distance - reach).max(1)


def touches(tree: PartTree) -> np.ndarray:
    """Which leaves (n, n), by node number, touch."""
    leaves = np.flatnonzero(tree.is_leaf)
    first, second = np.triu_indices(len(leaves), 1)
    first, second = leaves[first], leaves[second]
    touch = np.zeros((len(tree), len(tree)), dtype=bool)
    touch[first, second] = separation(tree.box[first], tree.box[second]) < 1e-6
    return touch | touch.T


def leaves_below(tree: PartTree) -> list[list[int]]:
    below: list[list[int]] = [[n] if leaf else [] for n, leaf in enumerate(tree.is_leaf)]
    for node in range(len(tree) - 1, 0, -1):
        below[tree.parent[node]] += below[node]
    return below


def mapped(points: np.ndarray, kind: RelationKind, params: tuple[float, ...]) -> np.ndarray:
    values = np.array(params)
    if kind is RelationKind.TRANS_SYM:
        return points + values
    centre, direction = values[:3], values[3:6]
    assert np.linalg.norm(direction) == pytest.approx(1.0, abs=1e-9)
    offset = points - centre
    along = (offset @ direction)[:, None] * direction
    if kind is RelationKind.REF_SYM:
        return points - 2 * along
    cos, sin = np.cos(values[6]), np.sin(values[6])
    return centre + along + cos * (offset - along) + sin * np.cross(direction, offset)


def same_box(points: np.ndarray, others: np.ndarray) -> bool:
    """Whether two sets of eight corners are equal, in any order."""
    gaps = np.linalg.norm(points[:, None] - others[None], axis=2)
    return bool(gaps.min(1).max() < 1e-6 and gaps.min(0).max() < 1e-6)


@PER_CATEGORY
def test_symmetries_map_a_part_and_all_below_it_onto_its_copy(
    shapes: dict[str, PartTrees], category: str
) -> None:
    for tree in shapes[category]:
        children, corners = tree.children, box_algebra.corners(tree.box)
        for edge in tree.edges:
            if edge.kind is RelationKind.ADJ:
                continue
            stack = [(edge.a, edge.b)]
            while stack:
                a, b = stack.pop()
                assert tree.label[a] == tree.label[b]
                assert same_box(mapped(corners[a], edge.kind, edge.params), corners[b]), (
                    f"{tree.name}: {edge} fails at {tree.label[a]}"
                )
                stack += zip(children[a], children[b], strict=True)


@PER_CATEGORY
def test_a_plane_is_given_by_the_middle_of_the_two_centres(
    shapes: dict[str, PartTrees], category: str
) -> None:
    for tree in shapes[category]:
        for edge in tree.edges:
            if edge.kind is RelationKind.REF_SYM:
                middle = 0.5 * (tree.box[edge.a, :3] + tree.box[edge.b, :3])
                np.testing.assert_allclose(edge.params[:3], middle, atol=1e-9)


@PER_CATEGORY
def test_siblings_are_adjacent_where_leaves_below_them_touch(
    shapes: dict[str, PartTrees], category: str
) -> None:
    for tree in shapes[category][:150]:
        touch, below = touches(tree), leaves_below(tree)
        listed = {(e.a, e.b) for e in tree.edges if e.kind is RelationKind.ADJ}
        found = {
            pair
            for siblings in tree.children
            for pair in combinations(siblings, 2)
            if touch[np.ix_(below[pair[0]], below[pair[1]])].any()
        }
        assert listed == found, tree.name


@PER_CATEGORY
def test_a_shape_is_in_one_piece(shapes: dict[str, PartTrees], category: str) -> None:
    for tree in shapes[category]:
        touch, leaves = touches(tree), set(np.flatnonzero(tree.is_leaf).tolist())
        reached, front = set(), {min(leaves)}
        while front:
            reached |= front
            front = set(np.flatnonzero(touch[list(front)].any(0)).tolist()) - reached
        assert reached == leaves, f"{tree.name}: {[tree.label[n] for n in leaves - reached]}"


@PER_CATEGORY
def test_the_parts_of_the_root_hang_together(shapes: dict[str, PartTrees], category: str) -> None:
    for tree in shapes[category]:
        parts = set(tree.children[0])
        near: dict[int, set[int]] = {part: set() for part in parts}
        for edge in tree.edges:
            if edge.kind is RelationKind.ADJ and edge.a in parts:
                near[edge.a].add(edge.b)
                near[edge.b].add(edge.a)
        reached, front = set(), {min(parts)}
        while front:
            reached |= front
            front = set().union(*(near[part] for part in front)) - reached
        assert reached == parts, f"{tree.name}: {[tree.label[n] for n in parts - reached]}"


@PER_CATEGORY
def test_boxes_are_sound_and_inner_ones_tight(shapes: dict[str, PartTrees], category: str) -> None:
    for tree in shapes[category]:
        assert (tree.box[:, 3:6] > 1e-4).all()
        frame = box_algebra.axes(tree.box)
        np.testing.assert_allclose(frame[:, :2].reshape(-1, 6), tree.box[:, 6:], atol=1e-9)
        corners, below = box_algebra.corners(tree.box), leaves_below(tree)
        for node in np.flatnonzero(~tree.is_leaf):
            # In the inner box's own frame its leaves fill exactly its bounds.
            local = (corners[below[node]].reshape(-1, 3) - tree.box[node, :3]) @ frame[node].T
            half = 0.5 * tree.box[node, 3:6]
            np.testing.assert_allclose(local.max(0), half, atol=1e-6, err_msg=tree.name)
            np.testing.assert_allclose(local.min(0), -half, atol=1e-6, err_msg=tree.name)
        assert tree.box[0].tolist()[6:] == [1, 0, 0, 0, 1, 0]
        np.testing.assert_allclose(tree.box[0, :3], 0, atol=1e-9)
        assert np.linalg.norm(tree.box[0, 3:6]) == pytest.approx(2.0)


@PER_CATEGORY
def test_a_shape_stands_on_the_floor(shapes: dict[str, PartTrees], category: str) -> None:
    for tree in shapes[category]:
        corners = box_algebra.corners(tree.boxes()).reshape(-1, 3)
        floor = corners[corners[:, 1] < corners[:, 1].min() + 1e-6]
        weight = np.prod(tree.boxes()[:, 3:6], axis=1)
        centre = (tree.boxes()[:, :3] * weight[:, None]).sum(0) / weight.sum()
        # The bounds of the feet are wider than their hull, and 2 cm of 1 m are granted.
        low, high = floor[:, [0, 2]].min(0) - 0.04, floor[:, [0, 2]].max(0) + 0.04
        assert ((centre[[0, 2]] > low) & (centre[[0, 2]] < high)).all(), tree.name


@PER_CATEGORY
def test_labels_extend_the_parents_and_are_in_the_vocabulary(category: str) -> None:
    labels = vocabulary(category)
    assert len(set(labels)) == len(labels)
    assert labels[0] == category
    assert all(label.rpartition("/")[0] in labels[:n] for n, label in enumerate(labels) if n)
    inner = {label.rpartition("/")[0] for label in labels}
    seen = set()
    for tree in furniture(3000, category=category, seed=5):
        seen.update(tree.label)
        leaf = tree.is_leaf
        for node, label in enumerate(tree.label):
            above = tree.label[tree.parent[node]] + "/" if node else ""
            assert label == above + label.rpartition("/")[2]
            assert leaf[node] == (label not in inner)
    assert seen == set(labels)


@PER_CATEGORY
def test_nodes_have_few_children(shapes: dict[str, PartTrees], category: str) -> None:
    assert max(len(c) for tree in shapes[category] for c in tree.children) <= 10
    counts = [int(tree.is_leaf.sum()) for tree in shapes[category]]
    assert 4 <= np.median(counts) <= 24


def signature(tree: PartTree) -> tuple[object, ...]:
    """The hierarchy of labels, the order of siblings forgotten."""
    children = tree.children
    parts: dict[int, tuple[object, ...]] = {}
    for node in range(len(tree) - 1, -1, -1):
        parts[node] = (
            tree.label[node],
            tuple(sorted(map(repr, (parts[c] for c in children[node])))),
        )
    return parts[0]


@PER_CATEGORY
def test_a_thousand_shapes_have_many_structures(category: str) -> None:
    trees = furniture(1000, category=category)
    assert len({signature(tree) for tree in trees}) >= 300


def test_all_kinds_of_relations_occur(shapes: dict[str, PartTrees]) -> None:
    mixed = Counter(edge.kind for tree in furniture(200) for edge in tree.edges)
    chairs = Counter(edge.kind for tree in shapes["chair"] for edge in tree.edges)
    for kind in RelationKind:
        assert mixed[kind] > 20
        assert chairs[kind] > 20


@pytest.mark.parametrize("category", [None, *CATEGORIES])
def test_a_shape_depends_on_seed_and_number_alone(category: str | None) -> None:
    many = furniture(23, category=category, seed=7)
    part = furniture(6, category=category, seed=7, start=11)
    for tree, other in zip(many[11:17], part, strict=True):
        assert tree.name == other.name
        assert tree.label == other.label
        assert tree.edges == other.edges
        np.testing.assert_array_equal(tree.box, other.box)
    assert any(
        len(a) != len(b) or not np.allclose(a.box, b.box)
        for a, b in zip(many, furniture(23, category=category, seed=8), strict=True)
    )


def test_global_random_numbers_are_left_alone() -> None:
    before = np.random.get_state()[1].tolist()  # noqa: NPY002
    furniture(5)
    assert np.random.get_state()[1].tolist() == before  # noqa: NPY002


def test_a_mixed_set_runs_through_the_categories() -> None:
    trees = furniture(11, seed=3)
    assert [tree.label[0] for tree in trees] == [*CATEGORIES, *CATEGORIES, CATEGORIES[0]]
    alone = furniture(2, category=CATEGORIES[1], seed=3)[1]
    np.testing.assert_array_equal(trees[1 + len(CATEGORIES)].box, alone.box)


def test_shapes_differ_and_none_occurs_twice() -> None:
    trees = furniture(500, category="chair")
    assert len({tree.box.tobytes() for tree in trees}) == 500


def test_a_chair_looks_to_the_front() -> None:
    for tree in furniture(100, category="chair"):
        backs = [n for n, label in enumerate(tree.label) if label == "chair/chair_back"]
        seats = [n for n, label in enumerate(tree.label) if label == "chair/chair_seat"]
        assert tree.box[backs[0], 2] < tree.box[seats[0], 2]
        assert tree.box[backs[0], 1] > tree.box[seats[0], 1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n": 0}, "at least 1; got 0"),
        ({"n": 1, "start": -1}, "start must be at least 0; got -1"),
        ({"n": 1, "seed": -1}, "seed must be"),
        ({"n": 1, "category": "chairs"}, r"got 'chairs' \(nearest: chair\)"),
    ],
)
def test_bad_arguments_are_refused(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        furniture(**arguments)  # type: ignore[arg-type]
