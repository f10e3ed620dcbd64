"""Pictures of scenes: what is seen, sheets, animations."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as pil

from shapegen import view
from shapegen.core import boxes as box_algebra
from shapegen.core import shading
from shapegen.scene import Boxes, Image, Mesh, Node, Points, Scene
from shapegen.view import Style

RED, GREEN = (0.8, 0.1, 0.1), (0.1, 0.7, 0.1)
FRONT = {"azimuth": 0.0, "elevation": 0.0}


def cube(
    x: float = 0.0, z: float = 0.0, *, side: float = 1.0, color: tuple[float, ...] = RED
) -> Node:
    red, green, blue = color
    row = [[x, 0, z, side, side, side, 1, 0, 0, 0, 1, 0]]
    return Node("cube", primitive=Boxes(row), color=(red, green, blue))


def redness(picture: np.ndarray) -> np.ndarray:
    return picture[..., 0].astype(int) - picture[..., 1]


def test_the_nearer_part_hides_the_farther() -> None:
    near, far = cube(z=2.0, color=RED), cube(z=-2.0, color=GREEN)
    for nodes in ((near, far), (far, near)):
        scene = Scene(nodes)
        picture = view.thumbnail(scene, 64, camera=view.scene_camera(scene, **FRONT))
        assert redness(picture)[32, 32] > 50
        from_behind = view.scene_camera(scene, azimuth=np.pi, elevation=0.0)
        assert redness(view.thumbnail(scene, 64, camera=from_behind))[32, 32] < -50


def test_left_is_left_and_up_is_up() -> None:
    scene = Scene((cube(-1.0, color=RED), cube(1.0, color=GREEN)))
    picture = view.thumbnail(scene, 64, camera=view.scene_camera(scene, **FRONT))
    # Seen from the front (+z), +x is to the right.
    assert redness(picture)[32, :32].max() > 50 > -50 > redness(picture)[32, 32:].min()
    top = Scene((cube(color=RED), Node("hat", primitive=Boxes(
        [[0, 1, 0, 1, 1, 1, 1, 0, 0, 0, 1, 0]]), color=GREEN)))  # fmt: skip
    picture = view.thumbnail(top, 64, camera=view.scene_camera(top, **FRONT))
    assert redness(picture)[:32, 32].min() < -50
    assert redness(picture)[32:, 32].max() > 50


def test_a_front_face_covers_what_the_perspective_says() -> None:
    scene = Scene((cube(),))
    camera = view.scene_camera(scene, **FRONT)
    plain = Style(shadow=0.0, lines=0.0)
    picture = view.thumbnail(scene, 200, camera=camera, style=plain)
    covered = np.count_nonzero(picture.min(2) < 250)
    corner = camera.project([0.5, 0.5, 0.5])
    assert covered == pytest.approx((200 * corner[0]) * (200 * -corner[1]), rel=0.03)


def test_edges_are_smooth() -> None:
    tilted = [[0, 0, 0, 1, 1, 1, 0.9, 0.3, 0, -0.3, 0.9, 0]]
    scene = Scene((Node("a", primitive=Boxes(tilted), color=(0, 0, 0)),))
    style = Style(shadow=0.0)
    picture = view.thumbnail(scene, 64, camera=view.scene_camera(scene, **FRONT), style=style)
    assert len(np.unique(picture[..., 0])) >= 4  # black, white, and shares of both between


def test_the_same_scene_gives_the_same_picture() -> None:
    scene = Scene((cube(), cube(1.5, color=GREEN)))
    np.testing.assert_array_equal(view.thumbnail(scene, 96), view.thumbnail(scene, 96))


def test_the_shadow_falls_on_the_ground_only_where_it_is_wanted() -> None:
    scene = Scene((cube(),))
    white = view.thumbnail(scene, 128, style=Style(shadow=0.0, lines=0.0))
    shaded = view.thumbnail(scene, 128, style=Style(lines=0.0))
    ground = (white == 255).all(2)
    assert shaded[ground].min() < 235
    np.testing.assert_array_equal(shaded[:4], 255)
    np.testing.assert_array_equal(shaded[:, [0, -1]], 255)
    background = view.thumbnail(scene, 32, style=Style(background=(0.2, 0.4, 0.6)))
    np.testing.assert_allclose(background[0, 0], [51, 102, 153], atol=1)


def test_a_mesh_is_lit_like_the_box_that_it_is() -> None:
    row = [[0, 0, 0, 1, 2, 1, 1, 0, 0, 0, 1, 0]]
    style = Style(creases=0.0)
    one = view.thumbnail(Scene((Node("a", primitive=Boxes(row)),)), 64, style=style)
    mesh = Mesh(*box_algebra.mesh(row))
    other = view.thumbnail(Scene((Node("a", primitive=mesh),)), 64, style=style)
    assert np.abs(one.astype(int) - other).max() <= 1
    inside_out = Mesh(mesh.vertices, mesh.faces[:, ::-1])
    other = view.thumbnail(Scene((Node("a", primitive=inside_out),)), 64, style=style)
    assert np.abs(one.astype(int) - other).max() <= 1


def test_points_are_drawn_in_their_colours() -> None:
    cloud = Points([[-1, 0, 0], [1, 0, 0]], [RED, GREEN])
    scene = Scene((Node("cloud", primitive=cloud),))
    camera = view.scene_camera(scene, **FRONT)
    picture = view.thumbnail(scene, 64, camera=camera, style=Style(point_size=0.1))
    assert redness(picture)[:, :32].max() > 50
    assert redness(picture)[:, 32:].min() < -50


def test_images_and_empty_scenes() -> None:
    digit = np.zeros((4, 8, 1), np.uint8)
    picture = view.thumbnail(Scene((Node("digit", primitive=Image(digit)),)), 16)
    np.testing.assert_array_equal(picture[4:12], 0)
    np.testing.assert_array_equal(picture[[0, 3, 12, 15]], 255)
    np.testing.assert_array_equal(view.thumbnail(Scene(), 8), np.full((8, 8, 3), 255))
    assert view.thumbnail(Scene((cube(),)), (10, 30)).shape == (10, 30, 3)
    with pytest.raises(ValueError, match="at least one pixel; got 0 x 0"):
        view.thumbnail(Scene(), 0)


@pytest.mark.parametrize(("size", "lights"), [(256, (5, 11)), (400, (7, 15))])
def test_a_face_that_nothing_shades_has_the_light_of_all_lights(
    size: int, lights: tuple[int, int]
) -> None:
    scene = Scene((cube(color=GREEN),))
    camera = view.scene_camera(scene, **FRONT)
    picture = view.thumbnail(scene, size, camera=camera, style=Style(shadow=0.0, creases=0.0))
    around = shading.studio(0.0, key_lights=lights[0], sky_lights=lights[1])
    facing = np.maximum(around.directions @ [0.0, 0.0, 1.0], 0.0) @ around.weights
    light = shading.exposed(np.array(facing + shading.FILL))
    expected = 255 * shading.to_display(shading.to_linear(np.array(GREEN)) * light)
    middle = picture[size // 4 : 3 * size // 4, size // 4 : 3 * size // 4].reshape(-1, 3)
    np.testing.assert_allclose(middle, np.tile(expected, (len(middle), 1)), atol=1.0)


def test_a_small_picture_has_fewer_lights_and_as_much_light() -> None:
    scene = Scene((cube(), cube(1.5, side=0.4, color=GREEN)))
    style = Style(lines=0.0, creases=0.0)
    few, many = (view.thumbnail(scene, size, style=style) for size in (320, 640))
    mean = many.reshape(320, 2, 320, 2, 3).mean((1, 3))
    assert np.abs(few - mean).mean() < 1.0
    for normal in np.eye(3):
        few_lights = shading.studio(0.6, key_lights=5, sky_lights=11)
        light = [
            np.maximum(lights.directions @ normal, 0.0) @ lights.weights
            for lights in (few_lights, shading.studio(0.6))
        ]
        assert light[0] == pytest.approx(light[1], abs=0.04)


def test_a_degenerate_box_is_drawn_without_warnings() -> None:
    with np.errstate(all="raise", under="ignore"):
        alone = view.thumbnail(Scene((cube(side=0.0),)), 32)
        beside = view.thumbnail(Scene((cube(side=0.0), cube())), 32)
    # A point has no face to show, and hides nothing.
    assert (alone == 255).all()
    np.testing.assert_array_equal(beside, view.thumbnail(Scene((cube(),)), 32))


def test_a_common_camera_keeps_sizes_comparable() -> None:
    scenes = [Scene((cube(side=1.0),)), Scene((cube(side=0.4),))]
    style = Style(shadow=0.0)
    alone = [np.count_nonzero(p.min(2) < 250) for p in view.thumbnails(scenes, 64, style=style)]
    shared = [
        np.count_nonzero(p.min(2) < 250)
        for p in view.thumbnails(scenes, 64, same_scale=True, style=style)
    ]
    assert alone[0] == pytest.approx(alone[1], rel=0.02)
    assert shared[1] < 0.4 * shared[0]


def test_a_sheet_holds_every_picture_in_its_place() -> None:
    images = [np.full((20, 30, 3), 10 * i, np.uint8) for i in range(5)]
    sheet = view.contact_sheet(images, 3, gap=2)
    assert sheet.shape == (2 * 20 + 3 * 2, 3 * 30 + 4 * 2, 3)
    for number in range(5):
        row, column = divmod(number, 3)
        assert (sheet[2 + row * 22 :, 2 + column * 32 :][:20, :30] == 10 * number).all()
    captioned = view.contact_sheet(images, 3, ["a caption that is far too long"] * 5, title="t")
    assert captioned.shape[0] > sheet.shape[0] + 40
    assert view.contact_sheet(images[:1]).shape == (32, 42, 3)


def test_pairs_stand_side_by_side() -> None:
    left, right = np.zeros((20, 20, 3), np.uint8), np.full((20, 20, 3), 99, np.uint8)
    sheet = view.pair_sheet([left], [right])
    assert sheet[22, 22].tolist() == [0, 0, 0]
    assert sheet[22, 42].tolist() == [99, 99, 99]
    with pytest.raises(ValueError, match="as many left as right; got 1 and 2"):
        view.pair_sheet([left], [right, right])


@pytest.mark.parametrize(
    ("images", "columns", "captions", "message"),
    [
        ([], None, None, r"got \[\]"),
        ([np.zeros((2, 2, 3), np.uint8), np.zeros((3, 2, 3), np.uint8)], None, None, "one size"),
        ([np.zeros((2, 2, 3), np.uint8)], 0, None, "at least one column; got 0"),
        ([np.zeros((2, 2, 3), np.uint8)], 1, ["a", "b"], r"one caption a picture \(1\)"),
    ],
)
def test_wrong_sheets_are_refused(
    images: list[np.ndarray], columns: int | None, captions: list[str] | None, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        view.contact_sheet(images, columns, captions)


def test_an_animation_has_a_fixed_camera_and_every_frame(tmp_path: Path) -> None:
    scenes = [Scene((cube(side=side),)) for side in (0.4, 0.6, 0.8, 1.0)]
    frames = view.animation_frames(scenes, 48)
    covered = [np.count_nonzero(frame.min(2) < 200) for frame in frames]
    assert covered == sorted(covered)
    assert covered[0] < 0.5 * covered[-1]
    view.write_animation(scenes, tmp_path / "a.gif", 48, there_and_back=False, fps=10)
    gif = pil.open(tmp_path / "a.gif")
    assert (gif.n_frames, gif.size, gif.info["loop"]) == (4, (48, 48), 0)
    assert gif.info["duration"] == 700  # the ends are held
    view.write_animation(scenes, tmp_path / "b.gif", 48)
    assert pil.open(tmp_path / "b.gif").n_frames == 6  # 0 1 2 3 2 1
    assert not list(tmp_path.glob(".*"))


def test_images_can_be_animated_too() -> None:
    greys = [np.full((3, 3, 3), level, dtype=np.uint8) for level in (0, 128, 255)]
    scenes = [Scene((Node("picture", primitive=Image(grey)),)) for grey in greys]
    frames = view.animation_frames(scenes, 32)
    assert [int(frame[16, 16, 0]) for frame in frames] == [0, 128, 255]


def test_a_turntable_shows_all_sides_at_one_scale() -> None:
    scene = Scene((cube(-0.5, color=RED), cube(0.5, color=GREEN)))
    frames = view.turntable(scene, 64, frames=4)
    assert len(frames) == 4
    assert redness(frames[0])[:, :32].max() > 40 > redness(frames[2])[:, :24].max()
    assert all((frame[[0, -1]] == 255).all() for frame in frames)


def test_gif_colours_are_close_and_bad_frames_are_refused() -> None:
    from shapegen.formats.gif import gif_bytes

    frames = [view.thumbnail(Scene((cube(x),)), 64) for x in (0.0, 0.3)]
    shown = np.asarray(pil.open(io.BytesIO(gif_bytes(frames))).convert("RGB")).astype(int)
    assert np.abs(shown - frames[0]).mean() < 2
    assert (shown[:2] == 255).all()  # white stays white, so that no frame is seen around it
    with pytest.raises(ValueError, match="frames of one size"):
        gif_bytes([frames[0], frames[1][:5]])
    with pytest.raises(ValueError, match="got -1"):
        gif_bytes(frames, fps=-1)
