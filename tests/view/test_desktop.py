"""The desktop window: its controls with widgets of straw, and itself on a screen of its own."""

from __future__ import annotations

import ctypes.util
import importlib.util
import json
import runpy
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from shapegen.cli import app
from shapegen.core import boxes as box_algebra
from shapegen.data.furniture import furniture
from shapegen.formats import write_scene
from shapegen.scene import Mesh, Points, Scene
from shapegen.view import desktop
from shapegen.view.arrangement import COLORINGS
from shapegen.view.desktop_drawing import cloud, solid
from shapegen.view.desktop_panel import Panel
from shapegen.view.latents import Latents
from shapegen.view.pieces import box_mesh
from shapegen.view.state import ViewerState
from tests.view.test_arrangement import frame
from tests.view.test_play import flowing

ROOT = Path(__file__).resolve().parents[2]
needs_open3d = pytest.mark.skipif(
    importlib.util.find_spec("open3d") is None, reason="open3d is not installed"
)


class Straw:
    """A widget that keeps what it is given, and acts when the test says so."""

    SAVE = INT = DOUBLE = 0

    def __init__(self, *given: Any) -> None:
        self.given = given
        self.children: list[Any] = []
        self.act: Callable[..., None] = given[2] if len(given) == 3 else lambda *_: None
        self.limits = (0.0, 1.0)
        self.text = given[0] if given else ""

    @property
    def checkbox(self) -> Straw:
        return self

    def set_limits(self, low: float, high: float) -> None:
        self.limits = (low, high)

    def get_root_item(self) -> int:
        return -1

    def clear(self) -> None:
        self.children.clear()

    def add_child(self, child: Any) -> None:
        self.children.append(child)

    def add_item(self, *item: Any) -> int:
        self.children.append(item)
        return len(self.children) - 1

    def _acts(self, act: Callable[..., None]) -> None:
        self.act = act

    set_on_checked = set_on_clicked = set_on_selection_changed = set_on_value_changed = _acts


WIDGETS = (
    "Button Checkbox CheckableTextTreeCell CollapsableVert Combobox Horiz Label Margins "
    "ScrollableVert Slider TreeView VGrid"
)


def panel_of(state: ViewerState) -> Panel:
    gui = SimpleNamespace(**dict.fromkeys(WIDGETS.split(), Straw))
    window = SimpleNamespace(theme=SimpleNamespace(font_size=16))
    panel = Panel(gui, window, state, {"Reset view": lambda: None}, lambda change: change())
    panel.sync()
    return panel


def test_controls_act_on_the_state_and_follow_it() -> None:
    state = ViewerState([[frame(0), frame(1)], [frame(0)]], names=["walk", "still"])
    panel = panel_of(state)
    assert panel.level.limits == (0, 2)
    panel.explode.act(0.5)
    panel.level.act(1.0)
    panel.frame.act(0.25)
    panel.coloring.act("relation", COLORINGS.index("relation"))
    for tick in (panel.playing, panel.relations, panel.labels):
        tick.act(True)
    assert (state.explode, state.level, state.time) == (0.5, 1, 0.25)
    assert (state.coloring, state.playing, state.relations, state.labels) == (
        "relation",
        True,
        True,
        True,
    )
    panel.shape.act("still", 1)
    panel.sync()
    assert panel.shape.selected_index == 1
    assert not panel.frame.enabled
    panel.compare.act(True)
    panel.sync()
    assert panel.compare.checked
    assert panel.frame.enabled
    assert panel.explode.double_value == 0.5


def test_the_tree_of_parts_hides_and_names_them() -> None:
    state = ViewerState([[frame(0), frame(1)], [frame(0)]])
    panel = panel_of(state)
    assert [(above, cell.text) for above, cell in panel.tree.children] == [
        (-1, "all"),
        (0, "left"),
        (1, "a"),
        (1, "b"),
        (0, "right"),
        (4, "cloud"),
        (4, "late"),
    ]
    panel.ticks[1].act(False)
    assert state.is_hidden(1)
    panel.sync()
    assert [tick.checked for tick in panel.ticks] == [True, False] + [True] * 5
    panel.ticks[1].act(True)
    assert not state.is_hidden(1)
    panel.tree.act(5)
    assert panel.picked.text == "cloud"
    state.choose(1)
    panel.sync()
    assert len(panel.ticks) == len(panel.tree.children) == 6


def test_latent_sliders_and_the_button_decode() -> None:
    seen: list[float] = []

    def decode(latent: np.ndarray) -> Scene:
        seen.append(float(latent[1]))
        return frame(0)

    latents = Latents(decode, lambda: np.zeros(2), np.eye(2), np.array([1.0, 2.0]))
    panel = panel_of(ViewerState([], latents=latents))
    assert [slider.limits for slider in panel.latents] == [(-3.0, 3.0)] * 2
    panel.latents[1].double_value = 1.5
    panel.latents[1].act(1.5)
    panel.buttons["Resample"].act()
    panel.sync()
    assert seen == [0, 3, 0]
    assert panel.latents[1].double_value == 0


def test_the_flow_slider_and_the_buttons_of_swaps() -> None:
    chairs = furniture(2, category="chair", seed=3)
    state = flowing([[chair.to_scene()] for chair in chairs])
    panel = panel_of(state)
    panel.flow.act(0.5)
    panel.sync()
    assert state.time == 2.0
    assert panel.flow.double_value == panel.frame.double_value / 4 == 0.5
    assert panel.buttons["Walk"].enabled
    assert not panel.buttons["Mesh"].enabled
    for shape, chair in enumerate(chairs, start=1):
        state.choose(shape)
        panel.sync()
        panel.tree.act(chair.label.index("chair/chair_seat"))
        panel.sync()
    assert panel.swapped.text == "Swap chair_seat of shape 1 and chair_seat of shape 2"
    before = state.arrangers[1]
    panel.buttons["Swap"].act()
    assert state.arrangers[1] is not before
    panel.buttons["Undo"].act()
    assert state.arrangers[1] is before


@needs_open3d
def test_geometries_are_those_of_the_scene() -> None:
    o3d = pytest.importorskip("open3d", exc_type=Exception)
    (picture,) = ViewerState([[frame(0)]]).pictures()
    made = solid(o3d, box_mesh(picture.arrangement))
    rows = [node.primitive.boxes[0] for node in frame(0).nodes if node.name in ("a", "b")]  # type: ignore[union-attr]
    corners = box_algebra.corners(rows).reshape(-1, 3)
    vertices = np.unique(np.asarray(made.vertices).round(9), axis=0)
    np.testing.assert_allclose(vertices, np.unique(corners.round(9), axis=0))
    np.testing.assert_array_equal(
        np.asarray(made.vertex_colors), [[1, 0, 0]] * 36 + [[0, 0, 1]] * 36
    )
    # Seen from outside.
    outwards = np.asarray(made.vertices) - np.repeat([[-3, 0, 0], [-1, 0, 0]], 36, axis=0)
    assert ((np.asarray(made.vertex_normals) * outwards).sum(1) > 0).all()
    mesh = solid(o3d, Mesh(np.eye(3), [[0, 1, 2]], face_colors=[[1, 0, 0]]))
    np.testing.assert_array_equal(np.asarray(mesh.vertex_colors), [[1, 0, 0]] * 3)
    points = cloud(o3d, Points(np.eye(3), np.eye(3)))
    np.testing.assert_array_equal(np.asarray(points.points), np.eye(3))
    np.testing.assert_array_equal(np.asarray(points.colors), np.eye(3))
    # Display's grey .5 is light of .214.
    grey = cloud(o3d, Points(np.eye(3), np.full((3, 3), 0.5)))
    np.testing.assert_allclose(np.asarray(grey.colors), 0.214, atol=1e-3)
    plain = solid(o3d, Mesh(np.eye(3), [[0, 1, 2]], face_colors=[[0.5, 0.5, 0.5]]))
    np.testing.assert_allclose(np.asarray(plain.vertex_colors), 0.214, atol=1e-3)


def test_nothing_to_show_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one shape"):
        desktop.show([])
    with pytest.raises(ValueError, match="without points, boxes"):
        desktop.show(Scene())


def test_without_open3d_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "open3d", None)
    with pytest.raises(RuntimeError, match=r"pip install 'shapegen\[viewer\]'.*--backend web"):
        desktop.show(frame(0))


@pytest.mark.skipif(sys.platform != "linux", reason="other systems always have a display")
def test_without_a_display_the_error_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "open3d", SimpleNamespace())
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    with pytest.raises(RuntimeError, match=r"DISPLAY is not set; .*--backend image"):
        desktop.show(frame(0))
    if ctypes.util.find_library("X11") is None:
        pytest.skip("no X11 library here, so nothing tells whether a display can be opened")
    monkeypatch.setenv("DISPLAY", ":987")
    with pytest.raises(RuntimeError, match="':987' cannot be opened"):
        desktop.show(frame(0))


def test_the_command_and_the_script_open_walks_and_models(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[tuple[int, list[str], bool]] = []

    def open_window(walks: Any, *, names: Any, latents: Any) -> None:
        opened.append((len(walks), list(names), latents is not None))

    monkeypatch.setattr(desktop, "open_window", open_window)
    write_scene(frame(0), tmp_path / "a.glb")
    words = ["view", str(tmp_path / "a.glb"), "--backend", "open3d"]
    assert CliRunner().invoke(app, words).exit_code == 0
    done = CliRunner().invoke(app, ["view", "--backend", "open3d", "--model", "grass-furniture"])
    assert done.exit_code == 0, done.output
    assert opened == [(1, ["a.glb"], False), (0, [], True)]
    script = ROOT / "viewers" / "desktop.py"
    monkeypatch.setattr(sys, "argv", [str(script), words[1], words[1], "--limit", "1"])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(script), run_name="__main__")
    assert ended.value.code == 0
    assert opened[-1] == (1, ["a.glb"], False)


WINDOW = """
import json, sys, time
from types import SimpleNamespace
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import numpy as np
from shapegen.scene import Boxes, Node, Scene
from shapegen.view.desktop import DesktopViewer
from shapegen.view.state import ViewerState

folder = Path(sys.argv[2])
def box(x): return Boxes([[x, 0, 0, 1, 2, 1, 1, 0, 0, 0, 1, 0]])
red = Node("red", 0, box(-1), (0.8, 0.1, 0.1))
scene = Scene((Node("all"), red, Node("blue", 0, box(1), (0.1, 0.1, 0.8))))
viewer = DesktopViewer(ViewerState([[scene]]), size=(480, 320))

def shot(name):
    path = folder / name
    viewer.save_picture(path)
    until = time.monotonic() + 200
    while not path.exists() and time.monotonic() < until:
        viewer.turn()
    camera = viewer.widget.scene.camera
    return (np.asarray(camera.get_projection_matrix(), float)
            @ np.asarray(camera.get_view_matrix(), float)).tolist()

matrices = [shot("first.png")]
viewer.panel.explode.double_value = 0.5
viewer._changed(lambda: viewer.state.set_explode(0.5))
matrices.append(shot("apart.png"))
viewer._pressed(SimpleNamespace(type=viewer._gui.KeyEvent.Type.DOWN, key=ord("l")))
viewer.save_shape(folder / "shape.glb")
viewer.window.close()
while viewer.turn():
    pass
(folder / "told.json").write_text(json.dumps(
    {"matrices": matrices, "labels": viewer.state.labels, "ticks": len(viewer.panel.ticks)}))
"""


CONTROLS = """
import json, sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import numpy as np
from shapegen.data.furniture import furniture
from shapegen.scene import Boxes, Image, Node, Scene
from shapegen.view.desktop import DesktopViewer
from tests.view.test_play import flowing

folder = Path(sys.argv[2])
colors = np.array([[[255, 0, 0], [0, 255, 0]], [[0, 0, 255], [255, 255, 0]]], np.uint8)
picture = Scene((Node("picture", primitive=Image(colors.repeat(8, 0).repeat(8, 1))),))
chairs = furniture(2, category="chair", seed=3)
state = flowing([[picture], *([chair.to_scene()] for chair in chairs)])
viewer = DesktopViewer(state, size=(480, 320))

def shot(name):
    path = folder / name
    viewer.save_picture(path)
    until = time.monotonic() + 200
    while not path.exists() and time.monotonic() < until:
        viewer.turn()

def rows():
    nodes = [node for node in state.arranger.nodes if isinstance(node.primitive, Boxes)]
    return np.concatenate([node.primitive.boxes for node in nodes]).tolist()

for name, share in (("there.png", 1.0), ("noise.png", 0.0)):
    viewer._changed(lambda: state.set_flow(share))
    shot(name)
viewer._changed(lambda: state.choose(1))
shot("picture.png")
for shape, chair in ((2, chairs[0]), (3, chairs[1])):
    viewer._changed(lambda: state.choose(shape))
    node = chair.label.index("chair/chair_back")
    viewer.panel._pick(next(item for item, n in viewer.panel._items.items() if n == node))
was = rows()
viewer._changed(state.swap)
viewer._changed(state.swaps.unpick)
# One frame of lit parts only: a processor may take a minute for some of the next.
shot("swapped.png")
camera = viewer.widget.scene.camera
matrix = (np.asarray(camera.get_projection_matrix(), float)
          @ np.asarray(camera.get_view_matrix(), float))
(folder / "told.json").write_text(json.dumps(
    {"matrix": matrix.tolist(), "was": was, "now": rows(), "text": viewer.panel.swapped.text}))
viewer.window.close()
while viewer.turn():
    pass
"""
needs_a_screen = pytest.mark.skipif(
    shutil.which("xvfb-run") is None, reason="no xvfb-run (apt install xvfb)"
)


def on_a_screen(script: str, folder: Path) -> None:
    screen = ["xvfb-run", "-a", "-s", "-screen 0 640x480x24"]
    command = [*screen, sys.executable, "-c", script, str(ROOT), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=500, check=False)
    assert done.returncode == 0, done.stderr


def pixels_of(path: Path) -> np.ndarray:
    from PIL import Image as pil

    with pil.open(path) as opened:
        return np.asarray(opened.convert("RGB")).astype(int)


@pytest.mark.slow
@needs_open3d
@needs_a_screen
def test_flows_pictures_and_swaps_are_seen_in_the_window(tmp_path: Path) -> None:
    on_a_screen(CONTROLS, tmp_path)
    there, noise, picture, swapped = (
        pixels_of(tmp_path / f"{name}.png") for name in ("there", "noise", "picture", "swapped")
    )
    reach = []
    for cloud_seen in (there, noise):
        rows, columns = np.nonzero(np.abs(cloud_seen - cloud_seen[0, 0]).max(2) > 20)
        reach.append(np.ptp(rows) + np.ptp(columns))
    # A fifth of the size, and points of five pixels.
    assert 0.1 < reach[1] / reach[0] < 0.45
    height, width, _ = picture.shape
    corners = [
        picture[height // 2 + 20 * y, width // 2 + 20 * x] > 180 for y in (-1, 1) for x in (-1, 1)
    ]
    expected = [[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 0]]
    np.testing.assert_array_equal(np.array(corners), np.array(expected, bool))
    told = json.loads((tmp_path / "told.json").read_text())
    assert told["text"] == "Swap parts: -"
    seen = np.ptp(swapped, axis=2) > 40
    now, was = (
        silhouette(told[name], np.array(told["matrix"]), seen.shape) for name in ("now", "was")
    )
    overlaps = [(seen & each).sum() / (seen | each).sum() for each in (now, was)]
    assert overlaps[0] > 0.85 > overlaps[1], overlaps


@pytest.mark.slow
@needs_open3d
@needs_a_screen
def test_the_window_shows_the_scene(tmp_path: Path) -> None:
    on_a_screen(WINDOW, tmp_path)
    told = json.loads((tmp_path / "told.json").read_text())
    assert told["labels"]
    assert told["ticks"] == 3
    assert (tmp_path / "shape.glb").stat().st_size > 500
    for name, places, matrix in (
        ("first.png", (-1.0, 1.0), told["matrices"][0]),
        ("apart.png", (-1.5, 1.5), told["matrices"][1]),
    ):
        pixels = pixels_of(tmp_path / name)
        red, blue = pixels[..., 0], pixels[..., 2]
        for place, strong in ((places[0], red - blue), (places[1], blue - red)):
            row = [place, 0, 0, 1, 2, 1, 1, 0, 0, 0, 1, 0]
            seen, expected = strong > 40, silhouette([row], np.array(matrix), red.shape)
            assert expected.mean() > 0.01
            # The boxes do not hide one another from there by more than a little.
            assert (seen & expected).sum() / (seen | expected).sum() > 0.85, (name, place)


def silhouette(rows: list[list[float]], matrix: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Where boxes are to be seen: the hulls of their projected corners."""
    from PIL import Image as pil
    from PIL import ImageDraw
    from scipy.spatial import ConvexHull

    canvas = pil.new("1", (shape[1], shape[0]))
    for corners in box_algebra.corners(rows):
        clip = np.column_stack([corners, np.ones(8)]) @ matrix.T
        flat = clip[:, :2] / clip[:, 3:]
        points = 0.5 * (1 + flat * [1, -1]) * [shape[1], shape[0]]
        hull = points[ConvexHull(points).vertices]
        ImageDraw.Draw(canvas).polygon([tuple(point) for point in hull], fill=1)
    return np.asarray(canvas)
