"""Relations hold after the projection, and boxes change as little and as lawfully as promised."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from shapegen.core import boxes as box_algebra
from shapegen.data.furniture import furniture
from shapegen.metrics.hierarchies import leaf_chamfers
from shapegen.structures.motion import mapped, matching, rotation
from shapegen.structures.part_tree import (
    PARAMETER_COUNTS,
    PartTree,
    PartTrees,
    Relation,
    RelationKind,
)
from shapegen.structures.partnet_json import read_partnet
from shapegen.structures.projection import MOST_MOVE, refine_relations
from shapegen.structures.projection_report import relation_report
from shapegen.structures.projection_solver import REACH, project_boxes
from shapegen.structures.projection_trees import Hierarchies
from shapegen.structures.relations import leaf_boxes, residuals
from shapegen.structures.stability import shape_diagonal
from tests.hand_made import box, chair

Array = NDArray[np.float64]

ADJ, REF = RelationKind.ADJ, RelationKind.REF_SYM
TRANS, ROT = RelationKind.TRANS_SYM, RelationKind.ROT_SYM


def diagonal(tree: PartTree) -> float:
    return shape_diagonal(tree.boxes())


def noisy(tree: PartTree, share: float, seed: int) -> PartTree:
    """Noise on centres and lengths, a share of the diagonal, and on orientations, of 2 radians."""
    rng = np.random.RandomState(seed)
    boxes, size = tree.box.copy(), share * diagonal(tree)
    boxes[:, :3] += size * rng.normal(size=(len(tree), 3))
    boxes[:, 3:6] = np.maximum(
        boxes[:, 3:6] + size * rng.normal(size=(len(tree), 3)), 0.003 * diagonal(tree)
    )
    for row, turn in enumerate(2 * share * rng.normal(size=(len(tree), 3))):
        angle = float(np.linalg.norm(turn))
        matrix = rotation(turn / angle, angle)
        boxes[row, 6:9], boxes[row, 9:] = matrix @ boxes[row, 6:9], matrix @ boxes[row, 9:]
    return dataclasses.replace(tree, box=boxes)


def noisy_furniture(count: int, share: float, seed: int = 0) -> list[PartTree]:
    return [noisy(tree, share, number) for number, tree in enumerate(furniture(count, seed=seed))]


def with_spurious(tree: PartTree, count: int, seed: int) -> PartTree:
    """More relations between random siblings, symmetries with the parameters of their boxes."""
    rng = np.random.RandomState(seed)
    families = [below for below in tree.children if len(below) > 1]
    edges = list(tree.edges)
    for _ in range(count):
        below = families[rng.randint(len(families))]
        a, b = (int(node) for node in rng.choice(below, 2, replace=False))
        way = tree.box[b, :3] - tree.box[a, :3]
        middle = 0.5 * (tree.box[b, :3] + tree.box[a, :3])
        kind = (ADJ, REF, TRANS)[rng.randint(3)]
        params = {ADJ: (), TRANS: tuple(way), REF: (*middle, *way)}[kind]
        edges.append(Relation(kind, a, b, params))
    return dataclasses.replace(tree, edges=tuple(edges))


def leaf_difference(a: PartTree, b: PartTree) -> float:
    """Largest difference of coordinates of corners, in diagonals."""
    ours, theirs = box_algebra.corners(a.boxes()), box_algebra.corners(b.boxes())
    return float(np.abs(ours - theirs).max()) / diagonal(a)


def apart(a: Array, b: Array) -> float:
    """Largest distance of a box's corner from the nearest one of its partner's."""
    ours, theirs = box_algebra.corners(a), box_algebra.corners(b)
    distance = np.linalg.norm(ours[:, :, None] - theirs[:, None], axis=3)
    return float(max(distance.min(2).max(), distance.min(1).max()))


def pair(relation: Relation, *parts: Array) -> PartTree:
    low, high = box_algebra.bounds(np.stack(parts))
    boxes = [box(0.5 * (low + high), high - low), *parts]
    parent = np.array([-1] + [0] * len(parts))
    label = ("thing", *["thing/part"] * len(parts))
    return PartTree(np.stack(boxes), parent, label, (relation,))


@pytest.mark.parametrize("share", [0.01, 0.03])
def test_relations_of_noisy_furniture_hold_afterwards(share: float) -> None:
    true = furniture(40, seed=5)
    before = [noisy(tree, share, number) for number, tree in enumerate(true)]
    after, reports = refine_relations(before, keep_dropped=True)
    old, new = relation_report(before).means(), relation_report(after).means()
    assert new["violation"] < 0.01 * old["violation"]
    assert new["closed"] >= 0.99 > 0.9 > old["closed"]
    assert new["standing"] >= old["standing"]
    assert new["connected"] >= old["connected"]
    dropped = sum(len(report.dropped) for report in reports)
    assert dropped <= 0.05 * sum(len(tree.edges) for tree in before)
    # Nearer to the shapes without noise, by less than the noise.
    sizes = np.array([diagonal(tree) for tree in true])
    missed, left = leaf_chamfers(before, true), leaf_chamfers(list(after), true)
    assert left.mean() < missed.mean()
    assert (leaf_chamfers(list(after), before) / sizes).max() < 0.03
    assert max(report.move for report in reports) < 0.15


def test_what_is_listed_holds_by_the_measure_of_relations() -> None:
    before = [with_spurious(t, 3, n) for n, t in enumerate(noisy_furniture(25, 0.02, seed=9))]
    after, reports = refine_relations(before)
    for tree, own, report in zip(before, after, reports, strict=True):
        assert residuals(own).max() <= 2e-6 * diagonal(own)
        assert report.kept == len(own.edges)
        assert len(own.edges) + len(report.dropped) == len(tree.edges)
        assert own.label == tree.label
        assert (own.parent == tree.parent).all()


def test_wrong_relations_do_not_ruin_shapes() -> None:
    true = furniture(30, seed=2)
    clean = [noisy(tree, 0.02, number) for number, tree in enumerate(true)]
    wrong = [with_spurious(t, max(1, len(t.edges) // 10), n) for n, t in enumerate(clean)]
    sizes = np.array([diagonal(tree) for tree in true])
    rest = [leaf_chamfers(list(refine_relations(t).trees), true) / sizes for t in (clean, wrong)]
    assert rest[1].mean() < 1.1 * rest[0].mean()
    assert rest[1].mean() < (leaf_chamfers(wrong, true) / sizes).mean()


def test_data_of_partnet(data_path: Path) -> None:
    true = read_partnet(data_path / "partnet_boxes" / "chair_val.jsonl.gz")[:60]
    before = [noisy(tree, 0.02, number) for number, tree in enumerate(true)]
    after, _ = refine_relations(before, keep_dropped=True)
    old, new = relation_report(before).means(), relation_report(after).means()
    assert new["violation"] < 0.1 * old["violation"]
    assert new["closed"] >= 0.95
    assert new["standing"] >= old["standing"]


def test_exact_shapes_stay_as_they_are() -> None:
    true = furniture(50, seed=7)
    after, reports = refine_relations(true)
    for tree, own, report in zip(true, after, reports, strict=True):
        assert np.abs(box_algebra.corners(own.box) - box_algebra.corners(tree.box)).max() < 1e-6
        assert not report.dropped
        assert len(own.edges) == len(tree.edges)


def test_once_is_as_good_as_twice() -> None:
    once, _ = refine_relations(noisy_furniture(40, 0.02))
    twice, reports = refine_relations(once)
    assert max(leaf_difference(a, b) for a, b in zip(once, twice, strict=True)) < 1e-6
    assert not any(report.dropped for report in reports)


@pytest.mark.parametrize("mirror", [1.0, -1.0])
def test_moving_and_scaling_commute_with_it(mirror: float) -> None:
    before = noisy_furniture(20, 0.02, seed=4)
    turn = rotation(np.array([1.0, 2.0, -2.0]) / 3, 0.8) @ np.diag([mirror, 1, 1])
    by = {"rotation": turn, "scale": 3.0, "translation": (1.0, -5.0, 2.0)}
    moved, _ = refine_relations([tree.transformed(**by) for tree in before])  # type: ignore[arg-type]
    for own, other in zip(refine_relations(before).trees, moved, strict=True):
        expected = own.transformed(**by)  # type: ignore[arg-type]
        assert apart(expected.boxes(), other.boxes()) < 1e-6 * diagonal(other)


def test_a_batch_is_its_shapes_one_by_one() -> None:
    before = noisy_furniture(15, 0.02, seed=6)
    together, reports = refine_relations(before)
    for tree, own, report in zip(before, together, reports, strict=True):
        alone, (other,) = refine_relations([tree])
        assert leaf_difference(alone[0], own) < 1e-9
        assert (other.kept, other.reach) == (report.kept, report.reach)


def below(tree: PartTree, node: int) -> list[object]:
    """The labelled tree at and below a node, whatever the order of siblings."""
    return [tree.label[node], sorted((below(tree, n) for n in tree.children[node]), key=str)]


def test_whole_subtrees_become_images() -> None:
    alike = images = 0
    for tree in refine_relations(noisy_furniture(40, 0.01, seed=11)).trees:
        leaves = leaf_boxes(tree)
        for edge in tree.edges:
            equal = str(below(tree, edge.a)) == str(below(tree, edge.b))
            if edge.kind is not ADJ and len(leaves[edge.a]) > 1 and equal:
                image = mapped(leaves[edge.a], edge.kind, edge.params)
                target = leaves[edge.b][matching(image, leaves[edge.b])]
                alike += 1
                images += apart(image, target) < 1e-6 * diagonal(tree)
    assert images == alike > 20


def test_inner_boxes_are_tight_around_their_leaves() -> None:
    for tree in refine_relations(noisy_furniture(10, 0.02)).trees:
        leaves, frames = leaf_boxes(tree), box_algebra.axes(tree.box)
        paired = {node for edge in tree.edges if edge.params for node in (edge.a, edge.b)}
        for node in np.flatnonzero(~tree.is_leaf):
            points = box_algebra.corners(leaves[node]) - tree.box[node, :3]
            reach = np.abs(points.reshape(-1, 3) @ frames[node].T).max(0)
            # A pair of other contents has the box that holds the images of both.
            assert (reach <= 0.5 * tree.box[node, 3:6] + 1e-9).all()
            if node not in paired:
                np.testing.assert_allclose(reach, 0.5 * tree.box[node, 3:6], atol=1e-9)


def test_a_gap_is_closed_by_the_least_change() -> None:
    """Cubes of side 1 and 2 and a gap of .05: faces give way as their areas, 1 to 4."""
    small, large = box((0, 0, 0), (1, 1, 1)), box((1.55, 0, 0), (2, 2, 2))
    tree = refine_relations([pair(Relation(ADJ, 1, 2), small, large)]).trees[0]
    ends = tree.box[1, 0] + 0.5 * tree.box[1, 3], tree.box[2, 0] - 0.5 * tree.box[2, 3]
    assert ends[0] == pytest.approx(0.5 + 0.05 * 4 / 5, abs=1e-5)
    assert ends[1] == pytest.approx(ends[0], abs=1e-5)
    np.testing.assert_allclose(tree.box[1, 0] - 0.5 * tree.box[1, 3], -0.5, atol=1e-9)
    np.testing.assert_allclose(tree.box[:, 4:6][1:], [[1, 1], [2, 2]], atol=1e-9)


def test_heavier_parts_change_less() -> None:
    boxes = box((-1, 0, 0), (0.2, 1, 0.2)), box((1, 0.1, 0), (0.2, 1.1, 0.2))
    tree = pair(Relation(REF, 1, 2, (0, 0, 0, 1, 0, 0)), *boxes)
    after = refine_relations([tree], weights=[np.array([1, 1e9, 1])]).trees[0]
    np.testing.assert_allclose(after.box[1], tree.box[1], atol=1e-6)
    assert after.box[2, 4] == pytest.approx(1.0, abs=1e-6)
    even = refine_relations([tree]).trees[0]
    np.testing.assert_allclose(even.box[1:, 4], 1.05, atol=1e-9)


@pytest.mark.parametrize("tries", [0, 1])
def test_contradictory_relations_are_dropped(tries: int) -> None:
    """A tilted bar is shifted, or mirrored; both at once it cannot be."""
    tilt = rotation(np.array([0.0, 0, 1.0]), 0.1)
    bars = [box((x, 0, 0), (0.1, 1, 0.1), list(tilt[:, 0]), list(tilt[:, 1])) for x in (-0.5, 0.5)]
    edges = [Relation(TRANS, 1, 2, (1, 0, 0)), Relation(REF, 1, 2, (0, 0, 0, 1, 0, 0))]
    tree = dataclasses.replace(pair(edges[0], *bars), edges=tuple(edges[:: 1 - 2 * tries]))
    after, (report,) = refine_relations([tree])
    assert [edge.kind for edge in after[0].edges] == [TRANS]
    assert [edge.kind for edge in report.dropped] == [REF]
    assert leaf_difference(after[0], tree) < 1e-9


def test_implausible_relations_are_dropped() -> None:
    far = pair(Relation(ADJ, 1, 2), box((0, 0, 0), (1, 1, 1)), box((2, 0, 0), (1, 1, 1)))
    unlike = pair(
        Relation(TRANS, 1, 2, (2, 0, 0)), box((0, 0, 0), (1, 1, 1)), box((2, 0, 0), (0.2, 2, 1))
    )
    after, reports = refine_relations([far, unlike])
    assert [len(tree.edges) for tree in after] == [0, 0]
    assert [report.dropped for report in reports] == [far.edges, unlike.edges]
    assert max(report.move for report in reports) == 0


def test_the_bound_on_moves_holds() -> None:
    before = noisy_furniture(20, 0.03, seed=1)
    free, bound = refine_relations(before), refine_relations(before, most=0.02)
    assert max(report.move for report in free.reports) > 0.02
    assert max(report.move for report in bound.reports) <= 0.02
    assert min(report.reach for report in bound.reports) < REACH


def batch_of(trees: Sequence[PartTree]) -> tuple[torch.Tensor, Hierarchies]:
    boxes = box_algebra.orthonormalised(np.concatenate([tree.box for tree in trees]))
    return torch.from_numpy(boxes).requires_grad_(), Hierarchies.of(trees)


def test_gradients_agree_with_differences(rng: torch.Generator) -> None:
    boxes, flat = batch_of(noisy_furniture(5, 0.01, seed=8))
    probe = torch.randn(boxes.shape, generator=rng, dtype=torch.float64)
    (project_boxes(boxes, flat).box * probe).sum().backward()
    assert boxes.grad is not None
    assert bool(torch.isfinite(boxes.grad).all())
    # Of a step that is too large to leave decisions alone, few directions would agree.
    agreed, step = 0, 1e-6
    for _ in range(12):
        way = torch.randn(boxes.shape, generator=rng, dtype=torch.float64)
        with torch.no_grad():
            ends = [
                (project_boxes(boxes + s * way, flat).box * probe).sum() for s in (step, -step)
            ]
        slope = float((ends[0] - ends[1]) / (2 * step))
        agreed += slope == pytest.approx(float((boxes.grad * way).sum()), rel=1e-3, abs=1e-3)
    assert agreed >= 11


def test_shapes_can_be_learned_through_it() -> None:
    """Descent on boxes brings the projected ones to a target that has the relations."""
    target = chair()
    boxes, flat = batch_of([noisy(target, 0.01, 0)])
    wanted = torch.from_numpy(box_algebra.corners(target.box[target.is_leaf]).mean(1))
    optimiser = torch.optim.Adam([boxes], lr=2e-3)
    losses = []
    for _ in range(60):
        optimiser.zero_grad()
        centres = project_boxes(boxes, flat).box[torch.from_numpy(target.is_leaf), :3]
        loss = ((centres - wanted) ** 2).sum()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.05 * losses[0]


def test_shapes_without_relations_and_single_boxes_stay() -> None:
    one = PartTree(box((0, 0, 0), (1, 2, 3))[None], np.array([-1]), ("thing",))
    bare = dataclasses.replace(chair(), edges=())
    after, reports = refine_relations(PartTrees([one, bare]))
    np.testing.assert_allclose(after[0].box, one.box)
    np.testing.assert_allclose(after[1].boxes(), bare.boxes())
    assert [report.kept for report in reports] == [0, 0]
    assert len(refine_relations([]).trees) == 0


def test_degenerate_boxes_give_finite_shapes() -> None:
    tree = chair()
    boxes = tree.box.copy()
    boxes[3:6, 3:6] = 0
    boxes[8, 6:] = 0
    boxes[9, :3] = boxes[10, :3]
    after, _ = refine_relations([dataclasses.replace(tree, box=boxes)])
    assert np.isfinite(after[0].box).all()


def nonsense(rng: np.random.RandomState) -> PartTree:
    """Random boxes, flat ones too, under random parents, with random relations."""
    count = rng.randint(2, 30)
    parent = [-1, *(rng.randint(max(0, n - 6), n) for n in range(1, count))]
    boxes = rng.normal(size=(count, 12))
    boxes[:, 3:6] = np.abs(boxes[:, 3:6]) * rng.choice([1, 0.1, 0], size=(count, 3))
    kinds, edges = list(PARAMETER_COUNTS.items()), []
    for _ in range(40):
        a, b = rng.randint(count, size=2)
        kind, length = kinds[rng.randint(4)]
        if a != b and parent[a] == parent[b]:
            params = tuple(rng.normal(size=length) * rng.choice([0, 1]))
            edges.append(Relation(kind, int(a), int(b), params))
    labels = tuple(f"part{rng.randint(2)}" for _ in parent)
    return PartTree(boxes, np.array(parent), labels, tuple(edges))


@pytest.mark.parametrize("reach", [0.1, 3.0])
def test_nonsense_stays_within_the_bound(reach: float) -> None:
    rng = np.random.RandomState(0)
    trees = [nonsense(rng) for _ in range(60)]
    after, reports = refine_relations(trees, reach=reach)
    assert max(report.move for report in reports) <= MOST_MOVE
    for tree in after:
        assert np.isfinite(tree.box).all()
        assert (residuals(tree) <= 2e-6 * diagonal(tree)).all()


def test_bad_input_is_refused() -> None:
    tree = chair()
    for bad in ({"reach": -0.1}, {"most": 0.0}, {"batch": 0}, {"reach": float("nan")}):
        with pytest.raises(ValueError, match="reach must be >= 0"):
            refine_relations([tree], **bad)
    with pytest.raises(ValueError, match="one a node"):
        refine_relations([tree], weights=[np.ones(3)])
    with pytest.raises(ValueError, match="positive and finite"):
        refine_relations([tree], weights=[np.zeros(len(tree))])
    boxes, flat = batch_of([tree])
    with pytest.raises(ValueError, match="one finite box a node"):
        project_boxes(boxes[1:], flat)
    with pytest.raises(ValueError, match="one finite box a node"):
        project_boxes(boxes * torch.nan, flat)
    with pytest.raises(ValueError, match="weight"):
        project_boxes(boxes, flat, weight=torch.zeros(len(boxes)))
    with pytest.raises(ValueError, match="at least one shape"):
        relation_report([])
