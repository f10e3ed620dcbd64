"""The desktop window: its controls with widgets of straw, and itself on a screen of its own."""

from __future__ import annotations

import ctypes.util
import importlib.util
import runpy
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
