"""What viewers show of a walk: times, explosion, levels, colours, hidden parts."""

from __future__ import annotations

import time

import numpy as np
import pytest

from shapegen.core import boxes as box_algebra
from shapegen.formats.walks import walk_of
from shapegen.scene import Boxes, Node, Points, Scene
from shapegen.view.arrangement import UNRELATED, Arranger


def box(x: float, size: float = 1.0) -> list[float]:
    return [x, 0, 0, size, size, size, 1, 0, 0, 0, 1, 0]


def frame(step: int) -> Scene:
    """A root of two groups: two boxes in one, a cloud and a box that comes in the other."""
    nodes = [
        Node("all", extras={"instance": 0, "box": box(0, 9)}),
        Node("left", 0, extras={"instance": 1, "box": box(-2, 4)}),
        Node("a", 1, Boxes([box(-3 + step)]), (1, 0, 0), {"instance": 2}),
        Node("b", 1, Boxes([box(-1)]), (0, 0, 1), {"instance": 3}),
        Node("right", 0, extras={"instance": 4}),
        Node("cloud", 4, Points(np.eye(3) + 2), (0, 1, 0), {"instance": 5}),
    ]
    if step:
        nodes.append(Node("late", 4, Boxes([box(4, 2)]), (0, 1, 0), {"instance": 6}))
    return Scene(tuple(nodes))


@pytest.fixture
def arranger() -> Arranger:
    return Arranger(walk_of([frame(0), frame(1)]))


def test_between_frames_parts_move_and_grow(arranger: Arranger) -> None:
    for share in (0.0, 0.25, 1.0):
        found = arranger.at(share)
        assert found.centers[2, 0] == pytest.approx(-3 + share)
        assert found.sizes[6, 0] == pytest.approx(2 * share)
        assert found.shown.tolist() == [False, False, True, True, False, False, share > 0]
        ((number, primitive, offset),) = found.others
        assert number == 5
        assert isinstance(primitive, Points)
        np.testing.assert_array_equal(offset, [0, 0, 0])


def test_parts_go_away_from_the_middle_of_their_group(arranger: Arranger) -> None:
    found = arranger.at(0, explode=0.5)
    # a: half its way from its group's middle, -3 to -2, and half the group's from the root's.
    assert found.centers[2, 0] == pytest.approx(-3 - 0.5 - 1.0)
    assert found.centers[3, 0] == pytest.approx(-1 + 0.5 - 1.0)
    ((_, _, offset),) = found.others
    # The group without a box lies where its parts do.
    middle = (np.eye(3) + 2).mean(0)
    np.testing.assert_allclose(offset, 0.5 * middle)


def test_levels_show_groups_as_boxes_or_in_one_colour(arranger: Arranger) -> None:
    found = arranger.at(1, level=1)
    assert found.shown.tolist() == [False, True, False, False, False, False, True]
    np.testing.assert_array_equal(found.sizes[1], [4, 4, 4])
    np.testing.assert_allclose(found.colors[1], [0.5, 0, 0.5])
    assert found.owners[[5, 6]].tolist() == [4, 4]
    top = arranger.at(1, level=0)
    assert top.shown.tolist() == [True] + [False] * 6
    assert top.others == ()
    # A group moves as one: its parts have its offset.
    apart = arranger.at(1, level=1, explode=1.0)
    ((_, _, offset),) = apart.others
    np.testing.assert_allclose(apart.centers[6] - [4, 0, 0], offset)


def test_hidden_parts_take_what_is_below_along(arranger: Arranger) -> None:
    assert arranger.at(1, hidden={1}).shown.tolist() == [False] * 6 + [True]
    assert arranger.at(1, hidden={4}).others == ()


def test_colours_tell_instances_and_levels_apart(arranger: Arranger) -> None:
    instance = arranger.at(coloring="instance").colors
    assert len(np.unique(np.round(instance, 3), axis=0)) == len(instance)
    level = arranger.at(coloring="level").colors
    assert len(np.unique(level, axis=0)) == 3
    np.testing.assert_array_equal(level[2], level[3])


def test_parts_that_a_symmetry_relates_have_one_colour() -> None:
    edges = [{"kind": "ROT_SYM", "a": "a", "b": "b"}, {"kind": "ADJ", "a": "b", "b": "c"}]
    parts = [Node(name, 0, Boxes([box(n)])) for n, name in enumerate("abc")]
    scene = Scene((Node("all", extras={"relations": edges}), *parts))
    a, b, c = Arranger(walk_of([scene])).at(coloring="relation").colors[1:]
    np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(c, UNRELATED)
    assert np.ptp(a) > 0.3  # a colour, and not the grey of the rest


def test_a_scene_of_a_time_is_that_of_the_frame(arranger: Arranger) -> None:
    for step in (0, 1):
        found, expected = arranger.scene(step), frame(step)
        assert [n.name for n in found.nodes] == [n.name for n in expected.nodes]
        assert [n.parent for n in found.nodes] == [n.parent for n in expected.nodes]
        np.testing.assert_allclose(found.bounds(), expected.bounds(), atol=1e-12)
    rows = box_algebra.orthonormalised(np.random.default_rng(0).normal(size=(20, 12)))
    turned = Arranger(walk_of([Scene((Node("a", primitive=Boxes(row[None])),)) for row in rows]))
    for step, row in enumerate(rows):
        (box_,) = turned.scene(step).nodes[0].primitive.boxes  # type: ignore[union-attr]
        corners, own = box_algebra.corners([box_])[0], box_algebra.corners([row])[0]
        assert np.linalg.norm(corners[:, None] - own, axis=2).min(1).max() < 1e-9
    assert len(arranger.scene(0.5)) == 7


def test_what_is_not_there_is_refused(arranger: Arranger) -> None:
    with pytest.raises(ValueError, match="from 0 to 1 frames; got 2"):
        arranger.at(2)
    with pytest.raises(ValueError, match="semantics, instance, level, relation"):
        arranger.at(coloring="weight")  # type: ignore[arg-type]


def test_a_thousand_parts_are_quick_to_move() -> None:
    rows = box_algebra.orthonormalised(np.random.default_rng(0).normal(size=(1000, 12)))
    nodes = [Node("all"), *(Node(f"p{n}", 0, Boxes(row[None])) for n, row in enumerate(rows))]
    arranger = Arranger(walk_of([Scene(tuple(nodes))] * 2))
    start = time.process_time()
    for step in range(10):
        arranger.at(0.1 * step, explode=0.1 * step)
    # Twenty a second are promised for moving all of it; this is a part of that.
    assert (time.process_time() - start) / 10 < 0.025
