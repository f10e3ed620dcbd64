"""The viewer in a browser: it listens here only, does what its controls say, decodes live."""

from __future__ import annotations

import importlib.util
import io
import socket
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import trimesh
from PIL import Image as pil
from typer.testing import CliRunner

import shapegen
from shapegen.cli import app
from shapegen.core.latent import principal_directions
from shapegen.data.furniture import furniture
from shapegen.formats import write_scene
from shapegen.scene import Image, Mesh, Node, Points, Scene
from shapegen.view.latents import Latents, latents_of
from shapegen.view.web import WebViewer, _plain
from tests.view.browser import Watched, chromium
from tests.view.test_arrangement import frame


@pytest.fixture
def viewer() -> Iterator[WebViewer]:
    pytest.importorskip("viser", reason="viser is not installed")
    mesh = Mesh(np.eye(3), [[0, 1, 2]], face_colors=[[1, 0, 0]])
    other = Scene((Node("m", primitive=mesh),))
    picture = Scene((Node("i", primitive=Image(np.zeros((4, 2, 1), np.uint8))),))
    made = WebViewer([[frame(0), frame(1)], [other], [picture]], names=["w", "m", "i"], port=0)
    yield made
    made.close()


def handles(viewer: WebViewer) -> dict[str, Any]:
    """What is drawn of the chosen shape."""
    return viewer.drawings[viewer.state.shape]._handles


def boxes(viewer: WebViewer) -> Any:
    return handles(viewer)["boxes"]


SAME = 0.002
"""Share of the pixels that may differ in a picture of the same."""


def _changed(a: np.ndarray, b: np.ndarray) -> float:
    """Share of the pixels that differ visibly."""
    return float((np.abs(a - b).max(2) > 12).mean())


def test_only_this_machine_reaches_it(viewer: WebViewer) -> None:
    port = viewer.server.get_port()
    assert viewer.address == f"http://127.0.0.1:{port}"
    with socket.create_connection(("127.0.0.1", port), timeout=5):
        pass
    own = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        own.connect(("192.0.2.1", 9))  # sends nothing; says which address would be used
        address = own.getsockname()[0]
    except OSError:
        pytest.skip("this machine has no other address")
    finally:
        own.close()
    if address.startswith("127."):
        pytest.skip("this machine has no other address")
    with pytest.raises(OSError):
        socket.create_connection((address, port), timeout=2)


def test_controls_move_what_is_drawn(viewer: WebViewer) -> None:
    # The nodes with a box: all, left, a, b, late.
    assert np.array(boxes(viewer).batched_positions)[2, 0] == pytest.approx(-3)
    viewer.explode.value = 0.5
    assert np.array(boxes(viewer).batched_positions)[2, 0] == pytest.approx(-4.5)
    viewer.explode.value = 0.0
    viewer.frame.value = 0.25
    assert np.array(boxes(viewer).batched_positions)[2, 0] == pytest.approx(-2.75)
    assert np.array(boxes(viewer).batched_scales)[4, 0] == pytest.approx(0.5)
    viewer.level.value = 0
    scales = np.array(boxes(viewer).batched_scales)[:, 0]
    np.testing.assert_allclose(scales, [9, 0, 0, 0, 0], atol=1e-5)
    viewer.level.value = 2
    before = np.array(boxes(viewer).batched_colors)
    viewer.coloring.value = "instance"
    assert (np.array(boxes(viewer).batched_colors) != before).any()
    viewer.ticks[1].value = False  # left, and with it a and b
    np.testing.assert_allclose(np.array(boxes(viewer).batched_scales)[:4, 0], 0, atol=1e-5)


def test_the_cloud_is_moved_and_painted(viewer: WebViewer) -> None:
    cloud = handles(viewer)["part_5"]
    viewer.explode.value = 1.0
    assert handles(viewer)["part_5"] is cloud
    np.testing.assert_allclose(cloud.position, (np.eye(3) + 2).mean(0))
    before = np.array(cloud.colors)
    viewer.coloring.value = "level"
    assert handles(viewer)["part_5"] is cloud
    assert len(np.unique(np.array(cloud.colors), axis=0)) == 1
    assert np.array(cloud.colors).tolist() != before.tolist()
    viewer.ticks[5].value = False
    assert "part_5" not in handles(viewer)


def test_other_shapes_replace_what_was_drawn(viewer: WebViewer) -> None:
    for name in ("m", "i"):
        viewer.shape.value = name
        assert list(handles(viewer)) == ["part_0"]
        assert not viewer.frame.visible
        assert len(viewer.ticks) == 1
    viewer.shape.value = "w"
    assert boxes(viewer) is not None
    assert len(viewer.ticks) == 7


def test_play_goes_there_and_back(viewer: WebViewer) -> None:
    stop, seen = threading.Event(), set()
    viewer.playing.value = True
    thread = threading.Thread(target=viewer.run, args=(stop,))
    thread.start()
    for _ in range(400):
        seen.add(round(float(viewer.frame.value), 2))
        if len(seen) > 4:
            break
        time.sleep(0.02)
    stop.set()
    thread.join()
    # More places than the two ends of a walk that stops there.
    assert len(seen) > 4
    assert all(0 <= each <= 1 for each in seen)


def test_latent_sliders_decode_live() -> None:
    pytest.importorskip("viser", reason="viser is not installed")
    model = shapegen.load("grass-furniture")
    viewer = WebViewer([], latents=latents_of(model, count=4), port=0)
    assert viewer.model is not None
    try:
        before = np.array(boxes(viewer).batched_positions)
        viewer.model.sliders[0].value = 2.0
        after = np.array(boxes(viewer).batched_positions)
        assert before.shape != after.shape or np.abs(before - after).max() > 0.01
        viewer.model.sliders[0].value = 0.0
        np.testing.assert_array_equal(before, np.array(boxes(viewer).batched_positions))
        viewer.model.sliders[1].value = 1.0
        viewer.state.resample()
        viewer.sync()
        assert [slider.value for slider in viewer.model.sliders] == [0.0] * 4
        drawn = np.array(boxes(viewer).batched_positions)
        assert before.shape != drawn.shape or np.abs(before - drawn).max() > 0.01
    finally:
        viewer.close()


def test_sliders_go_along_what_varies_most(rng: torch.Generator) -> None:
    turn = torch.linalg.qr(torch.randn(5, 5, generator=rng))[0]
    spread = torch.tensor([5.0, 2.0, 1.0, 0.1, 0.0])
    latents = torch.randn(20000, 5, generator=rng) * spread @ turn + 3.0
    directions, found = principal_directions(latents, 5)
    # What does not vary is no direction.
    assert directions.shape == (4, 5)
    torch.testing.assert_close(found, spread[:4], rtol=0.03, atol=0)
    alike = (directions @ turn.T).abs()
    torch.testing.assert_close(alike[:, :4], torch.eye(4), atol=0.03, rtol=0)
    torch.testing.assert_close(directions @ directions.T, torch.eye(4), atol=1e-5, rtol=0)
    assert (directions.gather(1, directions.abs().argmax(1, keepdim=True)) > 0).all()
    with pytest.raises(ValueError, match="at least two"):
        principal_directions(latents[:1], 2)
    with pytest.raises(ValueError, match="at least one direction"):
        principal_directions(latents, 0)


class Client:
    """Somebody who looks at the page, as viser hands it to a button."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}

    def send_file_download(self, name: str, data: bytes) -> None:
        self.files[name] = data

    def get_render(self, height: int, width: int) -> np.ndarray:
        return np.full((height, width, 4), 200, np.uint8)


def test_clicks_name_parts_and_buttons_save(viewer: WebViewer) -> None:
    viewer.drawings[0]._clicked(2)
    assert viewer.picked.content.startswith("**a**")
    # At the level of the group the cloud in it stands for the group.
    viewer.level.value = 1
    viewer.drawings[0]._clicked(5)
    assert viewer.picked.content.startswith("**right**")
    client = Client()
    viewer.frame.value = 1.0
    viewer._save_glb(client)
    loaded = trimesh.load_scene(io.BytesIO(client.files["shape.glb"]), file_type="glb")
    assert {"a", "b", "late", "cloud"} <= set(loaded.graph.nodes_geometry)
    viewer._save_picture(client)
    with pil.open(io.BytesIO(client.files["shape.png"])) as picture:
        assert picture.size == (1440, 1080)


def test_the_command_serves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("viser", reason="viser is not installed")
    seen: list[list[str]] = []
    monkeypatch.setattr(WebViewer, "run", lambda self: seen.append(self.state.names))
    write_scene(frame(0), tmp_path / "a.glb")
    words = ["view", str(tmp_path / "a.glb"), "--backend", "web", "--port", "0"]
    done = CliRunner().invoke(app, [*words, "--model", "grass-furniture"])
    assert done.exit_code == 0, done.output
    assert seen == [["model", "a.glb"]]
    assert "open http://127.0.0.1:" in done.output


def test_labels_are_escaped() -> None:
    assert _plain("<b>*a*") == "&#60;b&#62;&#42;a&#42;"


def test_without_viser_one_line_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "viser", None)
    with pytest.raises(RuntimeError, match=r"pip install 'shapegen\[web\]'.*--html FILE"):
        WebViewer([[frame(0)]])
    with pytest.raises(ValueError, match="at least one shape"):
        WebViewer([])


def test_nothing_to_view_is_refused() -> None:
    for words in (["view"], ["view", "--backend", "web"], ["view", "--model", "grass-furniture"]):
        done = CliRunner().invoke(app, words)
        assert done.exit_code == 2
        assert "give files of shapes, or a --model to --backend web" in done.output


@pytest.mark.skipif(importlib.util.find_spec("viser") is None, reason="viser is not installed")
def test_a_browser_moves_the_flow_and_swaps_parts() -> None:
    chairs = furniture(2, category="chair", seed=3)
    points = np.random.default_rng(0).normal(size=(400, 3))

    def cloud(size: float) -> Scene:
        return Scene((Node("cloud", primitive=Points(size * points)),))

    latents = Latents(
        lambda _: cloud(0.2), lambda: np.zeros(1), np.eye(1), np.ones(1),
        flow=lambda _: [cloud(1.0), cloud(0.6), cloud(0.2)],
    )  # fmt: skip
    viewer = WebViewer(
        [[chair.to_scene()] for chair in chairs], names=["a", "b"], latents=latents, port=0
    )
    try:
        with chromium() as browser:
            watched = Watched(browser, viewer.address)
            first = drawn(watched)
            slider = watched.page.get_by_role("slider").last
            slider.focus()
            watched.page.keyboard.press("Home")
            noise = drawn(watched, unlike=first)
            assert viewer.state.flow == 0.0
            slider.focus()
            watched.page.keyboard.press("End")
            assert _changed(noise, drawn(watched, like=first)) > 0.01
            viewer.shape.value = "a"
            watched.page.get_by_text("Swap parts").click()
            whole = drawn(watched, unlike=first)
            viewer.drawings[1]._clicked(chairs[0].label.index("chair/chair_back"))
            before = drawn(watched, unlike=whole, share=0.002)
            watched.page.get_by_role("button", name="Swap", exact=True).click()
            swapped = drawn(watched, unlike=before, share=0.002)
            watched.page.get_by_role("button", name="Undo").click()
            undone = drawn(watched, unlike=swapped, share=0.002)
            assert _apart(before, undone) < 0.3 * _apart(before, swapped)
            assert watched.errors == []
    finally:
        viewer.close()


def _apart(a: np.ndarray, b: np.ndarray) -> float:
    """How far blocks of 5 x 5 pixels differ: the page draws more coarsely where it is slow."""
    blocks = [p[: len(p) // 5 * 5].reshape(-1, 5, p.shape[1] // 5, 5, 3) for p in (a, b)]
    one, other = (block.mean((1, 3)) for block in blocks)
    return float(np.square(one - other).mean())


def drawn(
    watched: Watched,
    *,
    unlike: np.ndarray | None = None,
    share: float = 0.01,
    like: np.ndarray | None = None,
) -> np.ndarray:
    """The picture once it shows something, something else than before or the same as once, and
    stands still: for a moment it can do so without the shape, between an old one and a new one."""
    last, still = None, 0
    for _ in range(300):
        watched.page.wait_for_timeout(50)
        # Without the page's own notes, which come and go, and its panel.
        picture = watched.picture()[190:, :380]
        still = still + 1 if last is not None and (picture == last).all() else 0
        new = picture.std() > 5 and (unlike is None or _changed(unlike, picture) > share)
        same = like is None or _changed(like, picture) < SAME
        if new and same and still >= 3:
            return picture
        last = picture
    raise AssertionError("the picture is not what was waited for")


def test_a_browser_shows_the_shape_and_asks_nobody_else(viewer: WebViewer) -> None:
    with chromium() as browser:
        watched = Watched(browser, viewer.address)
        watched.page.get_by_text("Explode").first.wait_for()
        for _ in range(100):
            first = watched.picture()
            if first.std() > 10 and viewer.server.get_clients():
                break
            watched.page.wait_for_timeout(200)
        viewer.level.value = 0  # one box where there were two small ones
        for _ in range(100):
            if _changed(first, watched.picture()) > 0.05:
                break
            watched.page.wait_for_timeout(200)
        assert _changed(first, watched.picture()) > 0.05
        assert watched.errors == []
        hosts = {url.split("/")[2] for url in watched.requests if url.startswith(("http", "ws"))}
        assert hosts == {viewer.address.removeprefix("http://")}
