"""The desktop window on a screen of its own: what is seen is what the state says."""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from shapegen.core import boxes as box_algebra

ROOT = Path(__file__).resolve().parents[2]
needs_open3d = pytest.mark.skipif(
    importlib.util.find_spec("open3d") is None, reason="open3d is not installed"
)

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
FIELD = """
import json, sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import numpy as np
import shapegen
from shapegen.view.desktop import DesktopViewer
from shapegen.view.latents import latents_of
from shapegen.view.state import ViewerState

state = ViewerState([], latents=latents_of(shapegen.load("graf-furniture"), count=1))
viewer = DesktopViewer(state, size=(480, 320))
told = []
for change in (state.settle, state.extract):
    viewer._changed(change)
    camera = viewer.widget.scene.camera
    matrix = (np.asarray(camera.get_projection_matrix(), float)
              @ np.asarray(camera.get_view_matrix(), float))
    low, high = state.bounds()
    told.append({"matrix": matrix.tolist(), "low": low.tolist(), "high": high.tolist()})
viewer.save_picture(Path(sys.argv[2]) / "both.png")
until = time.monotonic() + 200
while not (Path(sys.argv[2]) / "both.png").exists() and time.monotonic() < until:
    viewer.turn()
(Path(sys.argv[2]) / "told.json").write_text(json.dumps(told))
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
def test_a_field_and_its_mesh_are_both_in_the_window(tmp_path: Path) -> None:
    on_a_screen(FIELD, tmp_path)
    alone, both = json.loads((tmp_path / "told.json").read_text())
    # The mesh stands beside the picture.
    assert (
        np.ptp([both["low"], both["high"]], 0)[0]
        > 1.5 * np.ptp([alone["low"], alone["high"]], 0)[0]
    )
    for told in (alone, both):
        ends = np.array([told["low"], told["high"]])
        corners = np.array(
            [[ends[i, 0], ends[j, 1], ends[k, 2]] for i, j, k in np.ndindex(2, 2, 2)]
        )
        clip = np.column_stack([corners, np.ones(8)]) @ np.array(told["matrix"]).T
        assert np.abs(clip[:, :2] / clip[:, 3:]).max() < 1


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
