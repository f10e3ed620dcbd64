"""The Open3D window."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from shapegen.core import boxes as box_algebra
from shapegen.scene import Boxes, Mesh, Node, Points, Scene
from shapegen.view import window

ROW = [0.0, 1, 0, 1, 2, 3, 1, 0, 0, 0, 1, 0]
SCENE = Scene(
    (
        Node("group"),
        Node("box", 0, Boxes([ROW]), (0.2, 0.4, 0.6)),
        Node("cloud", 0, Points(np.eye(3))),
    )
)

needs_open3d = pytest.mark.skipif(
    importlib.util.find_spec("open3d") is None, reason="open3d is not installed"
)

SHOW = """
import sys
sys.path.insert(0, sys.argv[1])
from shapegen.scene import Boxes, Node, Scene
from shapegen.view import show
row = [0.0, 1, 0, 1, 2, 3, 1, 0, 0, 0, 1, 0]
show([Scene((Node("box", primitive=Boxes([row])),))] * 2, frames=3)
sys.stdout.write("shown")
"""


@needs_open3d
def test_geometries_are_those_of_the_scene() -> None:
    pytest.importorskip("open3d", exc_type=Exception)
    box, cloud = window.geometries(SCENE)
    vertices = np.unique(np.asarray(box.vertices), axis=0)
    np.testing.assert_array_equal(vertices, np.unique(box_algebra.corners([ROW])[0], axis=0))
    np.testing.assert_allclose(np.asarray(box.vertex_colors), [[0.2, 0.4, 0.6]] * 36)
    np.testing.assert_array_equal(np.asarray(cloud.points), np.eye(3))
    colored = Mesh(np.eye(3), [[0, 1, 2]], face_colors=[[1, 0, 0]])
    (mesh,) = window.geometries(Scene((Node("m", primitive=colored),)))
    np.testing.assert_array_equal(np.asarray(mesh.vertex_colors), [[1, 0, 0]] * 3)


def test_nothing_to_show_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one scene"):
        window.show([])
    with pytest.raises(ValueError, match="no bounds"):
        window.show(Scene())


def test_without_open3d_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "open3d", None)
    with pytest.raises(RuntimeError, match=r"pip install 'shapegen\[viewer\]'"):
        window.show(SCENE)


@needs_open3d
@pytest.mark.skipif(sys.platform != "linux", reason="other systems always have a display")
def test_without_a_display_the_error_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("open3d", exc_type=Exception)
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    with pytest.raises(RuntimeError, match="DISPLAY is not set"):
        window.show(SCENE)


@needs_open3d
@pytest.mark.skipif(shutil.which("xvfb-run") is None, reason="no xvfb-run (apt install xvfb)")
def test_a_window_opens_and_closes() -> None:
    root = Path(__file__).resolve().parents[2]
    command = ["xvfb-run", "-a", sys.executable, "-c", SHOW, str(root)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("shown")
