"""The page of shapes in a real browser: it draws, plays, picks, exports, and keeps to itself."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trimesh
from PIL import Image as pil

from shapegen.core import boxes as box_algebra
from shapegen.formats.html import html_page, write_html
from shapegen.scene import Boxes, Image, Mesh, Node, Points, Scene
from tests.view.browser import Watched

PLACES = ((115, 245), (340, 265))
"""Pixels of the left and of the right box."""
NASTY = '</script ><img src=x onerror="document.title=1">'


def box(name: str, x: float, instance: int, *, height: float = 1.0, parent: int = 1) -> Node:
    # Turned about the vertical by a little, and not square.
    row = [x, 0.5 * height, 0, 0.9, height, 0.7, 0.96, 0, -0.28, 0, 1, 0]
    extras = {"label": f"pair/{NASTY}", "instance": instance, "box": row}
    return Node(name, parent, Boxes([row]), (0.9 - 0.1 * instance, 0.2, 0.1 * instance), extras)


def pair(step: int = 0) -> Scene:
    """Two boxes side by side in a group; the left one grows, a third one comes."""
    row = [0, 0.5, 0, 3, 1, 1, 1, 0, 0, 0, 1, 0]
    edge = {"kind": "REF_SYM", "a": "left", "b": "right"}
    nodes = [
        Node("pair", extras={"label": "pair", "instance": 0, "box": row}),
        Node("both", 0, extras={"instance": 1, "box": row, "relations": [edge]}),
        box("left", -1.0, 2, height=1 + 0.3 * step),
        box("right", 1.0, 3),
    ]
    if step > 1:
        nodes.append(box("late", 0.0, 4, height=0.3))
    return Scene(tuple(nodes))


def others() -> list[Scene]:
    ball = trimesh.creation.icosphere(2)
    shades = np.abs(ball.vertices)
    rng = np.random.default_rng(0)
    cloud = Points(rng.normal(size=(500, 3)), rng.random((500, 3)))
    picture = np.kron(rng.integers(0, 255, (4, 4)), np.ones((2, 2))).astype(np.uint8)[..., None]
    return [
        Scene((Node("ball", primitive=Mesh(ball.vertices, ball.faces, vertex_colors=shades)),)),
        Scene((Node("cloud", primitive=cloud),)),
        Scene((Node("picture", primitive=Image(picture)),)),
    ]


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "page.html"
    walk = [pair(step) for step in range(4)]
    names = [NASTY, "ball", "cloud", "picture"]
    write_html([walk, *others()], path, title=f"{NASTY} &", names=names)
    return path


@pytest.fixture
def page(browser: Any, file: Path) -> Iterator[Watched]:
    watched = Watched(browser, file.as_uri())
    watched.page.wait_for_selector("html[data-ready=yes]", state="attached")
    yield watched
    assert watched.errors == []
    # The file itself, and nothing else: what it saves are blobs of its own.
    assert {url for url in watched.requests if not url.startswith("blob:")} == {file.as_uri()}
    watched.page.context.close()


def changed(a: np.ndarray, b: np.ndarray) -> float:
    """Share of the pixels that differ visibly."""
    return float((np.abs(a - b).max(2) > 12).mean())


def test_text_out_of_files_stays_text(page: Watched) -> None:
    assert page.page.title() == f"{NASTY} &"
    assert page.page.locator("h1").text_content() == f"{NASTY} &"
    assert page.page.locator("#shape option").first.text_content() == NASTY
    assert page.page.locator("img").count() == 0
    page.page.mouse.click(120, 250)
    assert NASTY in (page.page.locator("#picked").text_content() or "")
    assert page.page.locator("img").count() == 0


def test_every_control_changes_the_picture(page: Watched) -> None:
    before = page.picture()
    assert before.std() > 10
    for name, value, least in (
        ("frame", 3, 0.02),
        ("explode", 1, 0.1),
        ("colour", "instance", 0.02),
        ("colour", "level", 0.02),
        ("colour", "relation", 0.02),
        ("level", 1, 0.02),
    ):
        page.set(name, value)
        after = page.picture()
        assert changed(before, after) > least, (name, value)
        before = after
    page.page.locator("#relations").check()
    assert changed(before, page.picture()) > 0


def test_parts_that_a_symmetry_relates_have_one_colour(page: Watched) -> None:
    def colours() -> tuple[np.ndarray, np.ndarray]:
        picture = page.picture()
        # Well inside the front faces of the two boxes, which face the same light.
        left, right = (picture[y - 4 : y + 4, x - 4 : x + 4].mean((0, 1)) for x, y in PLACES)
        return left, right

    left, right = colours()
    assert np.abs(left - right).max() > 20
    page.set("colour", "relation")
    left, right = colours()
    assert np.abs(left - right).max() < 6
    assert np.ptp(left) > 40


def test_back_and_forth_gives_the_same_picture(page: Watched) -> None:
    first = page.picture()
    page.set("explode", 0.5)
    page.set("frame", 2.5)
    page.page.mouse.move(150, 200)
    page.page.mouse.down()
    page.page.mouse.move(220, 230, steps=3)
    page.page.mouse.up()
    page.page.mouse.wheel(0, 300)
    assert changed(first, page.picture()) > 0.1
    page.set("explode", 0)
    page.set("frame", 0)
    page.page.locator("#reset").click()
    assert changed(first, page.picture()) == 0


def test_play_goes_through_the_walk_and_pauses(page: Watched) -> None:
    frame = page.page.locator("#frame")
    page.page.locator("#play").click()
    # The page's policy allows no code to be evaluated in it, so it is asked again and again.
    for _ in range(200):
        if float(frame.input_value()) > 1.5:
            break
        page.page.wait_for_timeout(50)
    assert float(frame.input_value()) > 1.5
    page.page.locator("#play").click()
    assert page.page.locator("#play").text_content() == "Play"
    held = frame.input_value()
    one, two = page.picture(), page.picture()
    assert frame.input_value() == held
    assert changed(one, two) == 0


def test_a_click_names_the_part(page: Watched) -> None:
    picked = page.page.locator("#picked b")
    page.page.mouse.click(115, 245)
    assert picked.text_content() == "left"
    assert page.page.locator("li.chosen").text_content() == "left"
    page.page.mouse.click(340, 265)
    assert picked.text_content() == "right"
    page.page.mouse.click(30, 30)
    assert picked.count() == 0
    # At the level of the group it is the group that is picked.
    page.set("level", 1)
    page.page.mouse.click(225, 260)
    assert picked.text_content() == "both"


def test_hidden_parts_are_not_drawn(page: Watched) -> None:
    before = page.picture()
    page.page.locator("summary").click()
    page.page.locator("li", has_text="left").locator("input").uncheck()
    assert changed(before, page.picture()) > 0.03
    page.page.mouse.click(115, 245)
    assert page.page.locator("#picked b").count() == 0


def test_shapes_of_every_kind_are_drawn(page: Watched) -> None:
    seen = [page.picture()]
    for number in (1, 2, 3, "all"):
        page.set("shape", number)
        seen.append(page.picture())
        assert all(changed(seen[-1], other) > 0.02 for other in seen[:-1]), number
    page.set("shape", 3)
    picture = page.picture()
    # A picture is seen from the front: its middle is grey and not shaded.
    middle = picture[150:300, 150:300]
    assert (np.ptp(middle, axis=2) <= 1).all()
    assert page.page.locator("#save-glb").is_hidden()


def test_the_exported_shape_is_the_one_shown(page: Watched, tmp_path: Path) -> None:
    page.set("frame", 3)
    with page.page.expect_download() as waiting:
        page.page.locator("#save-glb").click()
    waiting.value.save_as(tmp_path / "a.glb")
    loaded = trimesh.load_scene(tmp_path / "a.glb", process=False)
    parents = loaded.graph.transforms.parents
    assert {name: parents[name] for name in ("left", "right", "late", "both")} == {
        "left": "both",
        "right": "both",
        "late": "both",
        "both": "pair",
    }
    expected = pair(3)
    for number in (2, 3, 4):
        node = expected.nodes[number]
        matrix, geometry = loaded.graph[node.name]
        mesh = loaded.geometry[geometry].copy().apply_transform(matrix)
        corners = box_algebra.corners(node.primitive.boxes)[0]  # type: ignore[union-attr]
        far = np.linalg.norm(mesh.vertices[:, None] - corners, axis=2)
        assert max(far.min(0).max(), far.min(1).max()) < 1e-5
        assert trimesh.Trimesh(mesh.vertices, mesh.faces).volume > 0  # faces look outwards
        linear = [
            ((value + 0.055) / 1.055) ** 2.4 if value > 0.04 else value / 12.92
            for value in node.color
        ]
        shade = mesh.visual.material.baseColorFactor[:3]
        np.testing.assert_allclose(shade, 255 * np.array(linear), atol=1.5)
        edge = loaded.graph.transforms.edge_data["both", node.name]
        assert edge["metadata"] == {
            "label": node.extras["label"],
            "instance": node.extras["instance"],
        }


def test_a_quarter_of_the_way_a_part_has_turned_a_quarter(browser: Any, tmp_path: Path) -> None:
    def turned(degrees: float) -> list[float]:
        angle = np.deg2rad(degrees)
        return [0, 0, 0, 1, 2, 3, np.cos(angle), 0, -np.sin(angle), 0, 1, 0]

    walk = [Scene((Node("a", primitive=Boxes([turned(angle)])),)) for angle in (10, 50)]
    write_html([walk], tmp_path / "a.html")
    watched = Watched(browser, (tmp_path / "a.html").as_uri())
    watched.page.wait_for_selector("html[data-ready=yes]", state="attached")
    watched.set("frame", 0.25)
    with watched.page.expect_download() as waiting:
        watched.page.locator("#save-glb").click()
    waiting.value.save_as(tmp_path / "a.glb")
    found = trimesh.load_scene(tmp_path / "a.glb").to_mesh().vertices
    far = np.linalg.norm(found[:, None] - box_algebra.corners([turned(20)])[0], axis=2)
    assert max(far.min(0).max(), far.min(1).max()) < 1e-5
    watched.page.context.close()


@pytest.mark.parametrize(("number", "faces"), [(1, 320), (2, 0)])
def test_meshes_and_clouds_are_exported(
    page: Watched, number: int, faces: int, tmp_path: Path
) -> None:
    page.set("shape", number)
    with page.page.expect_download() as waiting:
        page.page.locator("#save-glb").click()
    waiting.value.save_as(tmp_path / "a.glb")
    (found,) = trimesh.load_scene(tmp_path / "a.glb", process=False).geometry.values()
    own = others()[number - 1].nodes[0].primitive
    expected = own.vertices if isinstance(own, Mesh) else own.positions  # type: ignore[union-attr]
    # Positions are rounded to a 65535th of the shape.
    np.testing.assert_allclose(found.vertices, expected, atol=np.ptp(expected) / 65535)
    assert len(getattr(found, "faces", ())) == faces


def test_the_saved_picture_shows_the_shape(page: Watched, tmp_path: Path) -> None:
    with page.page.expect_download() as waiting:
        page.page.locator("#save-png").click()
    waiting.value.save_as(tmp_path / "a.png")
    with pil.open(tmp_path / "a.png") as picture:
        assert picture.size == (720, 460)
        pixels = np.asarray(picture.convert("RGBA")).astype(int)
    assert (pixels[..., 3] == 0).mean() > 0.3  # the background is clear
    assert pixels[pixels[..., 3] > 250][:, :3].std() > 10


def test_a_finger_turns_and_picks(browser: Any, file: Path) -> None:
    watched = Watched(browser, file.as_uri(), has_touch=True)
    watched.page.wait_for_selector("html[data-ready=yes]", state="attached")
    watched.page.touchscreen.tap(115, 245)
    assert watched.page.locator("#picked b").text_content() == "left"
    before = watched.picture()
    watched.page.locator("canvas").evaluate(
        """canvas => {
            const at = (kind, id, x, y) => canvas.dispatchEvent(new PointerEvent(kind, {
                pointerId: id, pointerType: 'touch', clientX: x, clientY: y, bubbles: true,
            }));
            canvas.setPointerCapture = () => {};
            at('pointerdown', 11, 100, 200);
            at('pointerdown', 12, 200, 200);
            at('pointermove', 12, 320, 200);
            at('pointerup', 12, 320, 200);
            at('pointerup', 11, 100, 200);
        }"""
    )
    # Fingers that part bring the shape nearer: it covers more of the picture.
    after = watched.picture()
    covered = [(np.ptp(picture, axis=2) > 40).mean() for picture in (before, after)]
    assert covered[1] > 1.2 * covered[0]
    assert watched.errors == []
    watched.page.context.close()


def test_the_policy_forbids_scripts_of_others(browser: Any, file: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.html"
    script = "<script>document.documentElement.dataset.bad = 'yes'</script></body>"
    bad.write_text(file.read_text().replace("</body>", script))
    watched = Watched(browser, bad.as_uri())
    watched.page.wait_for_selector("html[data-ready=yes]", state="attached")
    assert watched.page.evaluate("document.documentElement.dataset.bad") is None
    assert any("Content Security Policy" in error for error in watched.errors)
    watched.page.context.close()


def test_eight_walks_of_32_frames_are_small() -> None:
    rng = np.random.default_rng(0)
    clouds = [
        [Scene((Node("cloud", primitive=Points(rng.normal(size=(2048, 3)))),)) for _ in range(32)]
        for _ in range(8)
    ]
    assert len(html_page(clouds)) < 5e6
    rows = box_algebra.orthonormalised(rng.normal(size=(8, 32, 30, 12)).reshape(-1, 12))
    parts = rows.reshape(8, 32, 30, 12)
    trees = [
        [
            Scene(tuple(Node(f"p{n}", primitive=Boxes(row[None])) for n, row in enumerate(step)))
            for step in shape
        ]
        for shape in parts
    ]
    assert len(html_page(trees)) < 1e6


def test_points_glide_only_where_they_keep_their_identity() -> None:
    points = np.random.default_rng(0).normal(size=(100, 3))
    walks = [
        [Scene((Node("a", primitive=Points(points + 0.1 * step)),)) for step in range(3)],
        [Scene((Node("a", primitive=Points(np.roll(points, step, 0))),)) for step in range(3)],
    ]
    text = re.search(r'id="scene">(.*?)</script>', html_page(walks), re.DOTALL)
    assert text is not None
    shapes = json.loads(text[1])["shapes"]
    assert [shape["nodes"][0]["matched"] for shape in shapes] == [True, False]


def test_equal_shapes_give_equal_pages(file: Path) -> None:
    assert html_page([pair()]) == html_page([pair()])
    assert html_page([pair()]) != html_page([pair(1)])


def test_pages_of_nothing_are_refused() -> None:
    for wrong in ([], [[]], [Scene((Node("a"),))], [Scene((Node("a"),))] * 2):
        with pytest.raises(ValueError, match=r"at least one|nothing to show"):
            html_page(wrong)
    with pytest.raises(ValueError, match=r"one name a shape \(1\)"):
        html_page([pair()], names=["a", "b"])
    with pytest.raises(ValueError, match="positive; got -1"):
        html_page([pair()], fps=-1)
