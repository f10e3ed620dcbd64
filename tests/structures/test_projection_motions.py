"""Planes, axes and steps that several relations share, and rings read off their members."""

import dataclasses
from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from shapegen.core import boxes as box_algebra
from shapegen.structures.motion import corner_distances, inverse, mapped
from shapegen.structures.part_tree import PartTree, Relation, RelationKind
from shapegen.structures.projection import refine_relations
from shapegen.structures.relations import residuals
from shapegen.structures.stability import shape_diagonal
from tests.hand_made import box

Array = NDArray[np.float64]

ADJ, REF = RelationKind.ADJ, RelationKind.REF_SYM
TRANS, ROT = RelationKind.TRANS_SYM, RelationKind.ROT_SYM
ACROSS = (0.0, 0, 0, 1, 0, 0)
ALONG = (0.0, 0, 0, 0, 0, 1)


def siblings(parts: Sequence[Array], edges: Sequence[Relation]) -> PartTree:
    """Parts 1, 2, ... below a root."""
    low, high = box_algebra.bounds(np.stack(parts))
    root = box(0.5 * (low + high), high - low)
    parent = np.array([-1] + [0] * len(parts))
    return PartTree(np.stack([root, *parts]), parent, ("t", *["t/p"] * len(parts)), tuple(edges))


def shaken(tree: PartTree, size: float, seed: int = 0) -> PartTree:
    """Centres, lengths and directions with noise."""
    boxes = tree.box.copy()
    boxes[1:] += size * np.random.RandomState(seed).normal(size=boxes[1:].shape)
    return dataclasses.replace(tree, box=boxes)


def turned(angle: float) -> tuple[float, ...]:
    return (0.0, 0, 0, 0, 1, 0, angle)


def ring(part: Array, count: int) -> list[Array]:
    turns = [turned(2 * np.pi * n / count) for n in range(count)]
    return [part, *(mapped(part[None], ROT, turn)[0] for turn in turns[1:])]


def legs() -> PartTree:
    parts = [box((x, -0.5, z), (0.1, 1, 0.1)) for z in (0.4, -0.4) for x in (0.6, -0.6)]
    edges = [
        Relation(REF, 1, 2, ACROSS),
        Relation(REF, 3, 4, ACROSS),
        Relation(REF, 1, 3, ALONG),
        Relation(REF, 2, 4, ALONG),
    ]
    return siblings(parts, edges)


@pytest.mark.parametrize("seed", range(4))
def test_four_legs_get_two_perpendicular_planes(seed: int) -> None:
    after, (report,) = refine_relations([shaken(legs(), 0.01, seed)])
    assert not report.dropped
    assert residuals(after[0]).max() < 1e-6
    normals = np.array([edge.params[3:] for edge in after[0].edges])
    points = np.array([edge.params[:3] for edge in after[0].edges])
    along = np.abs(normals @ normals.T)
    expected = np.kron(np.eye(2), np.ones((2, 2)))
    np.testing.assert_allclose(along, expected, atol=1e-6)
    for first, second in ((0, 1), (2, 3)):
        assert abs((points[first] - points[second]) @ normals[first]) < 1e-6


def test_planes_that_differ_stay_apart() -> None:
    """Exact pairs about two planes that are near one another are not brought together."""
    pairs = [(0.5, 0.0), (0.3, 0.02)]
    parts = [
        box((middle + side * x, height, 0), (0.1, 0.1, 0.1))
        for height, (x, middle) in enumerate(pairs)
        for side in (1, -1)
    ]
    edges = [Relation(REF, 1, 2, ACROSS), Relation(REF, 3, 4, (0.02, *ACROSS[1:]))]
    tree = siblings(parts, edges)
    np.testing.assert_allclose(refine_relations([tree]).trees[0].box, tree.box, atol=1e-9)


def test_it_does_not_matter_which_part_comes_first() -> None:
    bars = [box((x, 0, 0), (0.05, 1, 0.1)) for x in (0.0, 0.2, 0.5)]
    row = siblings(bars, [Relation(TRANS, 1, n, (x, 0, 0)) for n, x in ((2, 0.2), (3, 0.5))])
    star = ring(box((0.5, 0, 0), (1, 0.1, 0.2)), 5)
    turns = [Relation(ROT, 1, n + 1, turned(2 * np.pi * n / 5)) for n in range(1, 5)]
    for tree in (shaken(row, 0.01), shaken(siblings(star, turns), 0.01)):
        back = tuple(
            Relation(edge.kind, edge.b, edge.a, inverse(edge.kind, edge.params))
            for edge in tree.edges
        )
        there, here = refine_relations([tree, dataclasses.replace(tree, edges=back)]).trees
        np.testing.assert_allclose(there.box, here.box, atol=1e-9)
        assert len(here.edges) == len(there.edges) == len(tree.edges)
        assert residuals(here).max() < 1e-6


def test_a_ring_closes_its_gaps_alike() -> None:
    """Four boards in a square, each one's end .05 from the next one's side."""
    boards = ring(box((0, 0, 0.5), (0.85, 0.3, 0.05)), 4)
    edges = [Relation(ROT, 1, n + 1, turned(np.pi / 2 * n)) for n in (1, 2, 3)]
    edges += [Relation(ADJ, n, n % 4 + 1) for n in (1, 2, 3, 4)]
    after, (report,) = refine_relations([siblings(boards, edges)])
    assert not report.dropped
    assert residuals(after[0]).max() < 1e-6
    for turn, board in enumerate(after[0].box[1:]):
        image = mapped(after[0].box[[1]], ROT, turned(np.pi / 2 * turn))
        assert corner_distances(image, board[None])[0] < 1e-6
    # Both ends grow, and the inner side towards them: together by the gap.
    grown = after[0].box[1, 3:6] - [0.85, 0.3, 0.05]
    assert 0.5 * grown[0] + grown[2] == pytest.approx(0.05, abs=1e-5)
    assert grown[1] == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("wrong", ["angle", "axis"])
def test_rings_are_read_off_their_members(wrong: str) -> None:
    """Parameters estimated from single pairs are wrong where boxes look alike."""
    star = ring(box((0.5, 0, 0), (0.1, 1, 0.1)), 5)
    params = {"angle": turned(np.pi / 2), "axis": (0.0, 0, 0, 0, 0.6, 0.8, 2 * np.pi / 5)}[wrong]
    edges = [
        Relation(ROT, 1, n, params if n == 3 else turned(0.4 * np.pi * (n - 1)))
        for n in (2, 3, 4, 5)
    ]
    tree = siblings(star, edges)
    after, (report,) = refine_relations([tree])
    assert not report.dropped
    np.testing.assert_allclose(
        box_algebra.corners(after[0].boxes()), box_algebra.corners(tree.boxes()), atol=1e-9
    )
    assert residuals(after[0]).max() < 1e-6


@pytest.mark.parametrize("seed", range(3))
def test_crossed_bars_are_mirrored_though_concentric(seed: int) -> None:
    slope = np.array([0.6, 0.8, 0.0])
    bars = [
        box((0, 0, 0), (1, 0.05, 0.05), list(slope * (side, 1, 1)), [-0.8, side * 0.6, 0])
        for side in (1, -1)
    ]
    after, (report,) = refine_relations(
        [shaken(siblings(bars, [Relation(REF, 1, 2, ACROSS)]), 0.01, seed)]
    )
    assert not report.dropped
    assert report.move < 0.04
    # An X has two mirrors.
    assert np.abs(after[0].edges[0].params[3:5]).max() > 0.99


def test_parts_of_other_contents_get_equal_boxes() -> None:
    """Two mirrored drawers, one with a front of two boards: their boxes hold either's leaves."""
    boxes = [
        box((0, 0, 0), (1.7, 0.4, 0.1)),
        *[box((0.6, 0, 0), (0.5, 0.4, 0.1))] * 2,
        box((-0.6, 0, 0), (0.46, 0.44, 0.1)),
        *(box((-0.6, y, 0), (0.46, 0.21, 0.1)) for y in (0.115, -0.115)),
    ]
    board = "t/drawer/board"
    tree = PartTree(
        np.stack(boxes),
        np.array([-1, 0, 1, 0, 3, 3]),
        ("t", "t/drawer", board, "t/drawer", board, board),
        (Relation(REF, 1, 3, ACROSS),),
    )
    after, (report,) = refine_relations([tree])
    assert not report.dropped
    assert residuals(after[0]).max() < 1e-6 * shape_diagonal(tree.box)
    np.testing.assert_allclose(after[0].boxes(), tree.boxes(), atol=1e-9)
    np.testing.assert_allclose(after[0].box[[1, 3], 3:6], [[0.5, 0.44, 0.1]] * 2, atol=1e-6)
