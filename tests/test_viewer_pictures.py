"""The pictures of the viewers that stand in the README."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks import viewer_pictures
from shapegen.data.furniture import furniture
from shapegen.formats import write_scene
from tests.view.test_window import ROOT, needs_a_screen, needs_open3d


def test_the_page_is_photographed_with_its_shape_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(viewer_pictures, "SIZE", (480, 320))
    scenes = [furniture(1, category="chair", seed=3)[0].to_scene()]
    found = []
    for explode in (0.0, 1.0):
        monkeypatch.setattr(viewer_pictures, "EXPLODE", explode)
        picture = viewer_pictures.page(scenes, ["a chair"])
        assert picture.size == (480, 320)
        found.append(np.asarray(picture.convert("RGB"))[:, :230].astype(int))
    colourful = [(np.ptp(each, axis=2) > 40).mean() for each in found]
    assert min(colourful) > 0.01
    assert (np.abs(found[0] - found[1]).max(2) > 40).mean() > 0.01


@pytest.mark.slow
@needs_open3d
@needs_a_screen
def test_the_window_is_photographed_on_its_screen(tmp_path: Path) -> None:
    write_scene(furniture(1, category="chair", seed=3)[0].to_scene(), tmp_path / "chair.glb")
    xvfb = shutil.which("xvfb-run")
    assert xvfb is not None
    command = [xvfb, "-a", "-s", "-screen 0 1280x900x24", sys.executable, "-m"]
    command += ["benchmarks.viewer_pictures", str(tmp_path / "chair.glb")]
    command += ["--window", str(tmp_path / "window.png")]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=500, check=False
    )
    assert done.returncode == 0, done.stderr
    with Image.open(tmp_path / "window.png") as opened:
        picture = np.asarray(opened.convert("RGB")).astype(int)
    assert picture.shape == (600, 960, 3)
    # The shape in its colours to the left, the panel's dark grey to the right.
    assert (np.ptp(picture[:, :600], axis=2) > 40).mean() > 0.02
    assert picture[:, 700:].mean() < 100
