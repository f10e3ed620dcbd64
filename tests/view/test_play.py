"""What viewers do with models and parts: flows, walks, sheets, fields from all sides, swaps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

import shapegen
from shapegen.base import LatentModel
from shapegen.core.frames import to_y_up
from shapegen.data.furniture import furniture
from shapegen.fields.cameras import look_at
from shapegen.fields.radiance import RadianceFields, Views
from shapegen.scene import Image, Mesh, Node, Points, Scene
from shapegen.structures.exchange import exchange
from shapegen.structures.part_tree import PartTree
from shapegen.structures.subtrees import below
from shapegen.view.latents import FLOW_FRAMES, SHEET, WALK_FRAMES, Latents, latents_of, tiled
from shapegen.view.radiance import TOLERANCE, Looks, looks_of
from shapegen.view.rooms import facing
from shapegen.view.state import FPS, ViewerState
from shapegen.view.swaps import PICKED
from tests.fields.test_graf import graf


def cloud(scale: float) -> Scene:
    return Scene((Node("cloud", primitive=Points(scale * np.eye(3))),))


def flowing(walks: Sequence[Sequence[Scene]] = ()) -> ViewerState:
    """A model whose clouds grow to the size of their latent, in five frames."""
    latents = Latents(
        lambda latent: cloud(latent[0]),
        lambda: np.array([2.0]),
        np.eye(1),
        np.ones(1),
        flow=lambda latent: [cloud(latent[0] * (0.2 + 0.2 * t)) for t in range(5)],
        walk=lambda start, end: [cloud(each) for each in np.linspace(start[0], end[0] + 3, 4)],
    )
    return ViewerState(walks, latents=latents)


def drawn(state: ViewerState) -> np.ndarray:
    (picture,) = state.pictures()
    ((_, primitive, _),) = picture.arrangement.others
    assert isinstance(primitive, Points)
    return primitive.positions


def test_the_flow_goes_from_noise_to_the_shape() -> None:
    state = flowing()
    assert state.flow == 1.0
    assert state.last == 0
    for share, size in ((0.0, 0.4), (0.5, 1.2), (1.0, 2.0), (7.0, 2.0)):
        state.set_flow(share)
        np.testing.assert_allclose(drawn(state), size * np.eye(3))
        assert state.flow == min(share, 1.0)
    arranger = state.arrangers[0]
    state.set_flow(0.3)
    assert state.arrangers[0] is arranger  # computed once
    state.slide([1.0])
    assert (state.flow, state.last) == (1.0, 0)
    np.testing.assert_allclose(drawn(state), 3 * np.eye(3))
    state.set_flow(0.0)
    np.testing.assert_allclose(drawn(state), 0.6 * np.eye(3))


def test_playing_a_model_that_flows_plays_its_flow() -> None:
    state = flowing()
    assert not state.advance(1.0)
    state.playing = True
    seen = []
    for _ in range(6):
        assert state.advance(1 / FPS)
        seen.append(round(state.time, 6))
    assert seen == [4, 3, 2, 1, 0, 0]
    still = ViewerState([[cloud(1.0)]])
    still.playing = True
    assert not still.advance(1.0)


def test_a_walk_to_another_draw_is_played() -> None:
    state = flowing()
    state.walk()
    assert state.playing
    assert (state.last, state.time) == (3, 0.0)
    np.testing.assert_allclose(drawn(state), 2 * np.eye(3))
    state.set_time(3)
    np.testing.assert_allclose(drawn(state), 5 * np.eye(3))
    state.resample()
    assert state.last == 0


def test_the_shipped_flow_ends_at_what_the_sliders_show() -> None:
    model = shapegen.load("pointflow-furniture")
    assert isinstance(model, LatentModel)
    model.config = replace(model.config, sample_points=300)
    latents = latents_of(model, count=2)
    latent = latents.draw()
    assert latents.flow is not None
    frames = [scene.nodes[0].primitive for scene in latents.flow(latent)]
    (shape,) = (node.primitive for node in latents.decode(latent).nodes)
    assert len(frames) == FLOW_FRAMES
    assert isinstance(shape, Points)
    for primitive in frames:
        assert isinstance(primitive, Points)
        assert primitive.positions.shape == shape.positions.shape
    size = np.linalg.norm(np.ptp(shape.positions, axis=0))
    first, last = (np.asarray(frames[i].positions) for i in (0, -1))  # type: ignore[union-attr]
    np.testing.assert_array_equal(last, shape.positions)
    assert latents.sketch is not None
    (sketch,) = (node.primitive for node in latents.sketch(latent).nodes)
    assert isinstance(sketch, Points)
    # The first points, nearly where they belong.
    wrong = np.linalg.norm(sketch.positions - shape.positions[: len(sketch.positions)], axis=1)
    assert 0 < np.median(wrong) < 0.01 * size
    # Noise has no direction: its axes are equally long, but for the norms.
    spread = (first - first.mean(0)).std(0) / model.scale.numpy()[0, 0]  # type: ignore[operator]
    np.testing.assert_allclose(spread, 1, atol=0.3)


def test_images_have_sheets_and_walks() -> None:
    torch.manual_seed(0)
    model = shapegen.build("vae", size=(8, 8), hidden=(8,), latent_dim=2).eval()
    assert isinstance(model, LatentModel)
    state = ViewerState([], latents=latents_of(model, count=2))
    state.sample()
    (picture,) = state.pictures()
    ((_, sheet, _),) = picture.arrangement.others
    assert isinstance(sheet, Image)
    side = round(SHEET**0.5)
    assert sheet.pixels.shape == (8 * side + side + 1, 8 * side + side + 1, 3)
    state.walk()
    assert state.last == WALK_FRAMES - 1
    first, last = (state.arrangers[0].walk.tracks[0].primitives[i] for i in (0, -1))
    assert isinstance(first, Image)
    assert isinstance(last, Image)
    assert (first.pixels != last.pixels).any()
    levels = [Image(np.full((2, 2, 1), value, np.uint8)) for value in (10, 20, 30, 40)]
    grid = tiled(Scene(tuple(Node(str(n), primitive=image) for n, image in enumerate(levels))))
    found = grid.images[0].pixels[..., 0]
    assert [found[1, 1], found[1, 4], found[4, 1], found[4, 4]] == [10, 20, 30, 40]
    assert (found[0] == 255).all()


def fields(asked: list[tuple[float, list[float], int]]) -> ViewerState:
    """A model of fields whose pictures say what was asked of it."""

    def picture(latent: np.ndarray, direction: np.ndarray, size: int) -> Image:
        asked.append((float(latent[0]), direction.round(6).tolist(), size))
        return Image(np.zeros((size, size, 3), np.uint8))

    def mesh(latent: np.ndarray) -> Mesh:
        return Mesh(latent[0] * np.eye(3), [[0, 1, 2]])

    looks = Looks(picture, mesh, (4, 16), np.array([0.0, 0.0, 1.0]))
    latents = Latents(lambda _: cloud(1.0), lambda: np.ones(1), np.eye(1), np.ones(1), looks=looks)
    return ViewerState([], latents=latents)


def test_fields_are_drawn_small_then_full_from_where_one_looks() -> None:
    asked: list[tuple[float, list[float], int]] = []
    state = fields(asked)
    front, side = [0.0, 0.0, 1.0], [1.0, 0.0, 0.0]
    assert asked == [(1.0, front, 4)]
    assert state.advance(0.1)
    assert not state.advance(0.1)
    state.look(np.array([0.0, 0.0, 9.0]))  # the same side, from farther away
    assert not state.advance(0.1)
    state.look(np.array([3.0, 0.0, 0.0]))
    assert len(asked) == 2  # who moves does not wait for a picture
    assert state.advance(0.1)
    state.slide([1.0])
    while state.advance(0.1):
        pass
    assert asked[1:] == [(1.0, front, 16), (1.0, side, 4), (2.0, side, 4), (2.0, side, 16)]


def test_the_mesh_stands_beside_the_picture() -> None:
    state = fields([])
    state.advance(0.1)
    state.look(np.array([1.0, 0.0, 0.0]))
    state.extract()
    (picture,) = state.pictures()
    assert picture.facing is not None
    # Seen from +x the right is -z.
    np.testing.assert_allclose(picture.facing[:, 0], [0, 0, -1], atol=1e-12)
    offsets = {type(each).__name__: offset for _, each, offset in picture.arrangement.others}
    np.testing.assert_allclose(offsets["Image"], [0, 0, 0.55], atol=1e-12)
    np.testing.assert_allclose(offsets["Mesh"], [0, 0, -0.55], atol=1e-12)
    low, high = state.bounds()
    assert (low <= [-1.05, -0.5, -0.55]).all()
    assert (high >= [1.05, 0.5, 0.55]).all()
    state.slide([0.5])
    (picture,) = state.pictures()
    assert len(picture.arrangement.others) == 1


def test_a_model_sketches_while_a_slider_moves() -> None:
    latents = Latents(
        lambda latent: cloud(latent[0]),
        lambda: np.ones(1),
        np.eye(1),
        np.ones(1),
        sketch=lambda latent: cloud(-latent[0]),
        flow=lambda latent: [cloud(5.0), cloud(6.0)],
    )
    state = ViewerState([], latents=latents)
    np.testing.assert_allclose(drawn(state), -np.eye(3))
    assert state.advance(0.1)
    np.testing.assert_allclose(drawn(state), np.eye(3))
    assert not state.advance(0.1)
    state.slide([1.0])
    np.testing.assert_allclose(drawn(state), -2 * np.eye(3))
    exported = state.export().nodes[0].primitive
    assert isinstance(exported, Points)
    np.testing.assert_allclose(exported.positions, 2 * np.eye(3))
    state.slide([2.0])
    state.set_flow(0.0)
    assert not state.advance(0.1)  # what flows is not sketched
    np.testing.assert_allclose(drawn(state), 5 * np.eye(3))


def test_frames_face_their_direction() -> None:
    for direction in ([0.3, 0.5, -2.0], [0.0, 3.0, 0.0]):
        frame = facing(np.array(direction))
        np.testing.assert_allclose(frame.T @ frame, np.eye(3), atol=1e-12)
        assert np.linalg.det(frame) == pytest.approx(1)
        np.testing.assert_allclose(frame[:, 2], direction / np.linalg.norm(direction))
        assert frame[1, 1] >= -1e-12  # up is up


def test_graf_is_seen_from_its_own_cameras_with_sliders_for_each_code() -> None:
    torch.manual_seed(0)
    cameras = {"fov": 20.0, "azimuth": (25.0, 65.0), "polar": (60.0, 75.0), "sphere": 1.9}
    model = shapegen.build(
        "graf", size=16, cameras=cameras, latent_dim=6, appearance_dim=2, depth=2, width=16,
        skips=(), frequencies=3, patch={"side": 8}, sampling={"samples": 8}, judge_width=4,
    ).eval()  # fmt: skip
    assert isinstance(model, LatentModel)
    with torch.no_grad():
        for parameter in model.parameters():  # type: ignore[attr-defined]
            parameter.mul_(2.0)  # weights as they begin make nothing to be seen
    latents = latents_of(model, count=4)
    assert latents.names == ("shape 1", "shape 2", "appearance 1", "appearance 2")
    shape_dim = model.latent_parts["shape"]  # type: ignore[operator, index]
    assert (latents.directions[:2, shape_dim:] == 0).all()
    assert (latents.directions[2:, :shape_dim] == 0).all()
    looks = latents.looks
    assert looks is not None
    assert looks.sizes == (4, 16)
    latent = latents.draw()
    field = model.decode(torch.from_numpy(latent)[None])
    np.testing.assert_allclose(
        looks.front, to_y_up(field.poses[0, :3, 3]) / np.linalg.norm(field.poses[0, :3, 3])
    )
    right = field.render().bytes[0].astype(int)
    assert np.abs(looks.picture(latent, looks.front, 16).pixels - right).max() < 6
    # From the right (+x), z up: a camera on the x axis.
    pose = look_at(torch.tensor([model.config.cameras.radius[0], 0.0, 0.0]))
    wanted = field.render(pose, 16).bytes[0].astype(int)
    seen = looks.picture(latent, np.array([2.0, 0.0, 0.0]), 16).pixels
    assert np.abs(seen - wanted).max() < 6
    assert np.abs(wanted - right).max() > 6


def test_how_slow_a_field_is_is_told_for_a_full_picture_without_its_decoding(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fields, clock, asked = graf().sample(1), [0.0], list[float]()

    def render(these: RadianceFields, pose: Tensor, size: int, *, tolerance: float) -> Views:
        asked.append(tolerance)
        clock[0] += 2e-3 * size  # of 4 pixels: full, of 16, sixteen times as long
        return Views(*(torch.zeros(1, 3, size, size) for _ in range(3)))

    def decode(latent: np.ndarray) -> RadianceFields:
        clock[0] += 10.0
        return fields

    monkeypatch.setattr(RadianceFields, "render", render)
    monkeypatch.setattr("shapegen.view.radiance.time.perf_counter", lambda: clock[0])
    for limit, second in ((0.1, TOLERANCE), (0.15, 0.0)):
        monkeypatch.setattr("shapegen.view.radiance.SLOW", limit)
        looks = looks_of(decode, fields)
        for _ in range(2):
            looks.picture(np.zeros(2), looks.front, 4)
        assert asked[-2:] == [0.0, second]


@pytest.mark.parametrize("slow", [False, True])
def test_only_slow_fields_are_searched_for_empty_space(
    monkeypatch: pytest.MonkeyPatch, slow: bool
) -> None:
    fields, asked = graf().sample(1, rng=torch.Generator().manual_seed(0)), list[float]()
    looks, take = looks_of(lambda _: fields, fields), RadianceFields.render

    def render(these: RadianceFields, pose: Tensor, size: int, *, tolerance: float) -> Views:
        asked.append(tolerance)
        return take(these, pose, size, tolerance=tolerance)

    monkeypatch.setattr(RadianceFields, "render", render)
    monkeypatch.setattr("shapegen.view.radiance.SLOW", 0.0 if slow else 1e9)
    for latent in (0.0, 0.0, 1.0, 1.0):
        looks.picture(np.full(2, latent), looks.front, 4)
    # The first picture of a field says how slow it is.
    assert asked == ([0.0, TOLERANCE, 0.0, TOLERANCE] if slow else [0.0] * 4)


# Parts --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def chairs() -> list[PartTree]:
    return list(furniture(3, category="chair", seed=3))


@pytest.fixture
def parts(chairs: list[PartTree]) -> ViewerState:
    return ViewerState([[chair.to_scene()] for chair in chairs])


def rows(state: ViewerState, shape: int) -> np.ndarray:
    return np.array([node.extras["box"] for node in state.arrangers[shape].nodes])


def test_parts_are_swapped_and_put_back(parts: ViewerState, chairs: list[PartTree]) -> None:
    a, b = (chair.label.index("chair/chair_back") for chair in chairs[:2])
    before = [rows(parts, shape) for shape in range(3)]
    parts.swaps.pick(0, a)
    parts.swaps.pick(1, b)
    parts.hide(2)
    parts.set_level(1)
    parts.swap()
    for shape, tree in enumerate(exchange(chairs[0], a, chairs[1], b)):
        np.testing.assert_allclose(rows(parts, shape), tree.box)
    np.testing.assert_array_equal(rows(parts, 2), before[2])
    assert parts.level == 1
    assert not parts.is_hidden(2)
    parts.swap()  # the picks hold: what was swapped is swapped back
    for shape in (0, 1):
        np.testing.assert_allclose(rows(parts, shape), before[shape], atol=1e-9)
    parts.undo()
    assert rows(parts, 0).shape != before[0].shape or np.abs(rows(parts, 0) - before[0]).max() > 0
    parts.reset()
    for shape in range(3):
        np.testing.assert_array_equal(rows(parts, shape), before[shape])
    assert parts.swaps.count == 0
    parts.undo()  # nothing to do, and no error


def test_a_pick_finds_its_partner(parts: ViewerState, chairs: list[PartTree]) -> None:
    seat, back = "chair/chair_seat", "chair/chair_back"
    numbers = [{name: chair.label.index(name) for name in (seat, back)} for chair in chairs]
    swaps = parts.swaps
    swaps.pick(0, numbers[0][seat])
    assert swaps.picks == [(1, numbers[1][seat]), (0, numbers[0][seat])]
    swaps.pick(2, numbers[2][seat])
    assert swaps.picks == [(0, numbers[0][seat]), (2, numbers[2][seat])]
    swaps.pick(2, numbers[2][back])  # no seat can be exchanged for it
    assert swaps.picks == [(0, numbers[0][back]), (2, numbers[2][back])]
    colors = parts.pictures()[0].arrangement.colors
    own = below(chairs[0], numbers[0][back])
    np.testing.assert_array_equal((colors == PICKED).all(1).nonzero()[0], list(own))
    swaps.pick(2, numbers[2][back])
    assert swaps.picks == []
    assert 0 not in swaps.labelled(0)
    assert swaps.partners(0, 0) == []


def test_what_cannot_be_swapped_is_one_line(parts: ViewerState, chairs: list[PartTree]) -> None:
    with pytest.raises(ValueError, match="a part of each of two shapes; 0 picked"):
        parts.swap()
    parts.swaps.picks = [(0, chairs[0].label.index("chair/chair_seat")), (1, 0)]
    with pytest.raises(ValueError, match="the root is the whole shape"):
        parts.swap()
    walk = [chair.to_scene() for chair in chairs[:2]]
    state = ViewerState([walk, walk[:1]])
    state.swaps.picks = [(0, 1), (1, 1)]
    with pytest.raises(ValueError, match="parts of a walk cannot be swapped"):
        state.swap()
    assert state.swaps.count == 0


def test_a_models_new_shape_ends_its_swaps(chairs: list[PartTree]) -> None:
    made = iter(chairs)
    latents = Latents(lambda _: next(made).to_scene(), lambda: np.zeros(1), np.eye(1), np.ones(1))
    state = ViewerState([[chairs[2].to_scene()]], latents=latents)
    state.swaps.pick(0, chairs[0].label.index("chair/chair_back"))
    state.swap()
    assert state.swaps.count == 1
    state.resample()
    assert state.swaps.count == 0
    assert state.swaps.picked(0) is None
    np.testing.assert_array_equal(rows(state, 0), chairs[1].box)
