"""The state of the viewers: what every control changes in what is drawn, without a window."""

from __future__ import annotations

import numpy as np
import pytest

from shapegen.core import boxes as box_algebra
from shapegen.scene import Boxes, Image, Node, Scene
from shapegen.view.arrangement import UNRELATED
from shapegen.view.keys import KEYS, help_text, press
from shapegen.view.latents import Latents
from shapegen.view.pieces import Piece, box_mesh, labels, pieces
from shapegen.view.relations import RELATION_COLORS, relation_color, relation_lines
from shapegen.view.state import FPS, ViewerState
from tests.view.test_arrangement import box, frame


def related() -> Scene:
    """Two parts that mirror each other in a group, a third one that touches one of them."""
    mirrored = [{"kind": "REF_SYM", "a": "left", "b": "right"}]
    touching = [{"kind": "ADJ", "a": "left", "b": "top"}]
    return Scene(
        (
            Node("all", extras={"instance": 0, "relations": mirrored + touching}),
            Node("left", 0, Boxes([box(-1)]), extras={"instance": 1, "label": "side"}),
            Node("right", 0, Boxes([box(1)]), extras={"instance": 2}),
            Node("top", 0, Boxes([box(3)]), extras={"instance": 3}),
            Node("free", 0, Boxes([box(5)]), extras={"instance": 4}),
        )
    )


@pytest.fixture
def state() -> ViewerState:
    return ViewerState([[frame(0), frame(1)], [related()]], names=["walk", "related"])


def test_what_is_chosen_starts_whole_at_its_deepest_level(state: ViewerState) -> None:
    assert (state.shown, state.last, state.level) == ([0], 1, 2)
    state.set_time(0.5)
    state.set_level(0)
    state.hide(2)
    state.choose(-1)
    assert (state.shown, state.last, state.level, state.time) == ([1], 0, 1, 0.0)
    state.choose(2)  # around
    assert state.shape == 0
    assert state.level == 2
    assert not state.is_hidden(2)


def test_values_stay_within_their_ends(state: ViewerState) -> None:
    for act, ends in (
        (state.set_time, ("time", 0.0, 1.0)),
        (state.set_explode, ("explode", 0.0, 2.0)),
        (state.set_level, ("level", 0, 2)),
    ):
        name, low, high = ends
        act(-9)  # type: ignore[operator]
        assert getattr(state, name) == low
        act(9)  # type: ignore[operator]
        assert getattr(state, name) == high


def test_controls_change_what_is_drawn(state: ViewerState) -> None:
    def places() -> np.ndarray:
        (picture,) = state.pictures()
        return box_mesh(picture.arrangement).vertices.reshape(-1, 8, 3).mean(1)[:, 0]

    np.testing.assert_allclose(places(), [-3, -1])
    state.set_explode(0.5)
    np.testing.assert_allclose(places(), [-4.5, -1.5])
    state.set_explode(0)
    state.set_time(1)
    np.testing.assert_allclose(places(), [-2, -1, 4])
    state.hide(1)
    np.testing.assert_allclose(places(), [4])
    state.hide(1, False)
    state.set_level(1)
    np.testing.assert_allclose(places(), [-2, 4])
    (picture,) = state.pictures()
    # At the level of its group the cloud has the group's colour, and does not answer to its name.
    (piece,) = pieces(picture.arranger, picture.arrangement, own_colors=True)
    assert piece.shade is not None
    assert [text for text, _ in labels(picture.arranger, picture.arrangement)] == ["left", "right"]


def test_all_boxes_are_one_mesh_in_the_parts_colours(state: ViewerState) -> None:
    (picture,) = state.pictures()
    mesh = box_mesh(picture.arrangement)
    expected, _ = box_algebra.mesh([box(-3), box(-1)])
    np.testing.assert_allclose(
        np.sort(mesh.vertices.reshape(2, 8, 3), axis=1),
        np.sort(expected.reshape(2, 8, 3), axis=1),
        atol=1e-12,
    )
    assert mesh.face_colors is not None
    np.testing.assert_array_equal(mesh.face_colors, [[1, 0, 0]] * 12 + [[0, 0, 1]] * 12)


def test_pieces_that_only_move_look_the_same(state: ViewerState) -> None:
    def piece() -> Piece:
        (picture,) = state.pictures()
        own = state.coloring == "semantics"
        (found,) = pieces(picture.arranger, picture.arrangement, own_colors=own)
        return found

    before = piece()
    state.set_explode(1.0)
    after = piece()
    assert after.looks_like(before)
    assert np.linalg.norm(after.offset - before.offset) > 0.5
    state.coloring = "level"
    painted = piece()
    assert not painted.looks_like(before)
    assert len(np.unique(painted.cloud().colors, axis=0)) == 1
    assert piece().looks_like(painted)
    state.coloring = "instance"
    assert not piece().looks_like(painted)


def test_relations_colour_parts_and_join_those_that_are_there(state: ViewerState) -> None:
    state.choose(1)
    state.coloring = "relation"
    (picture,) = state.pictures()
    colors = picture.arrangement.colors[1:]
    # Of one group are the mirror images, not what touches one of them.
    np.testing.assert_array_equal(colors[0], colors[1])
    np.testing.assert_allclose(colors[2:], [UNRELATED] * 2)
    assert not np.allclose(colors[0], UNRELATED)
    found = picture.arranger.relations()

    def ends() -> list[list[float]]:
        (picture,) = state.pictures()
        there = picture.arrangement.there
        lines, _ = relation_lines(found, picture.arrangement.centers, there)
        return lines[..., 0].tolist()

    assert ends() == [[-1, 1], [-1, 3]]
    state.hide(2)
    assert ends() == [[-1, 3]]
    state.set_level(0)
    assert ends() == []
    assert relation_color("touches") not in RELATION_COLORS.values()


def test_compared_shapes_stand_apart_and_change_together(state: ViewerState) -> None:
    state.set_compare(True)
    assert state.shown == [0, 1]
    assert state.last == 1
    state.set_time(1.0)  # the other shape has one frame only
    for explode in (0.0, 1.0):
        state.set_explode(explode)
        spans = []
        for picture in state.pictures():
            points = box_mesh(picture.arrangement).vertices + picture.offset
            spans.append((points[:, 0].min(), points[:, 0].max()))
            low, high = state.bounds()
            assert (points >= low - 1e-9).all()
            assert (points <= high + 1e-9).all()
        assert spans[0][1] < spans[1][0]
    names = [node.name for node in state.export().nodes]
    assert names.count("all") == 2
    assert "late" in names
    state.set_compare(False)
    assert "left" in [node.name for node in state.export().nodes]
    assert len(state.export()) == 7


def test_a_walk_is_played_there_and_back(state: ViewerState) -> None:
    assert not state.advance(1.0)
    state.playing = True
    seen = []
    for _ in range(8):
        assert state.advance(0.4 / FPS)
        seen.append(round(state.time, 6))
    assert seen == [0.4, 0.8, 1.0, 0.6, 0.2, 0.0, 0.4, 0.8]
    state.choose(1)
    assert not state.advance(1.0)


def test_sliders_and_draws_decode_the_model() -> None:
    draws = iter([np.array([1.0, 0.0]), np.array([0.0, 5.0])])
    decoded: list[list[float]] = []

    def decode(latent: np.ndarray) -> Scene:
        decoded.append(latent.tolist())
        return frame(0)

    latents = Latents(
        decode, lambda: next(draws), np.array([[0, 1.0], [1.0, 0]]), np.array([2, 3])
    )
    state = ViewerState([[related()]], names=["file"], latents=latents)
    assert state.names == ["model", "file"]
    state.set_level(1)
    state.slide([0.5, -1.0])
    assert decoded == [[1, 0], [1 - 3, 1]]
    assert state.level == 1  # what was chosen is kept
    state.choose(1)
    state.resample()
    assert state.shape == 0
    assert decoded[-1] == [0, 5]
    assert state.explorer is not None
    assert state.explorer.steps.tolist() == [0, 0]


def test_images_have_a_place() -> None:
    picture = Scene((Node("i", primitive=Image(np.zeros((4, 2, 1), np.uint8))),))
    np.testing.assert_allclose(
        ViewerState([[picture]]).bounds(), [[-0.25, -0.5, 0], [0.25, 0.5, 0]]
    )


def test_keys_do_what_the_help_says(state: ViewerState) -> None:
    text = help_text({"h": "this help"})
    assert len(text.splitlines()) == len(KEYS) + 1
    assert "SPACE  play" in text
    press(state, "n")
    assert state.shape == 1
    press(state, "p")
    for key, name, value in (
        ("c", "compare", True),
        (" ", "playing", True),
        ("v", "relations", True),
        ("l", "labels", True),
        ("right", "time", 1.0),
        ("left", "time", 0.0),
        ("+", "explode", 0.1),
        ("-", "explode", 0.0),
        ("[", "level", 1),
        ("]", "level", 2),
        ("3", "coloring", "level"),
        ("4", "coloring", "relation"),
        ("1", "coloring", "semantics"),
    ):
        assert press(state, key)
        assert getattr(state, name) == value, key
    state.set_time(0.5)
    press(state, "left")
    assert state.time == 0.0
    assert press(state, "m")  # without a model: nothing to draw, and no error
    assert not press(state, "q")


def test_nothing_to_show_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one shape or a model"):
        ViewerState([])
