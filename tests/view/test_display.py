"""Results show themselves in notebooks, each in a frame of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from shapegen.fields.voxels import Voxels
from shapegen.graphs.graphs import Graphs
from shapegen.images.images import Images
from shapegen.points.point_clouds import PointClouds
from shapegen.structures.part_tree import PartTrees
from tests.hand_made import chair
from tests.view.browser import Watched


def test_a_notebook_shows_results_in_a_frame_of_their_own(browser: Any, tmp_path: Path) -> None:
    tree = chair()
    cell = PartTrees([tree] * 30)._repr_html_()
    assert "the first 24 of 30 shapes" in cell
    assert PartTrees([])._repr_html_() == "<em>no shapes</em>"
    (tmp_path / "cell.html").write_text(f"<!doctype html><body>{cell}</body>")
    watched = Watched(browser, (tmp_path / "cell.html").as_uri())
    frame = watched.page.frame_locator("iframe")
    frame.locator("html[data-ready=yes]").wait_for(state="attached")
    assert frame.locator("#shape option").count() == 25
    assert frame.locator("#shape").input_value() == "all"
    assert watched.errors == []
    watched.page.context.close()


@pytest.mark.parametrize(
    "result",
    [
        chair(),
        PointClouds(np.random.default_rng(0).normal(size=(2, 50, 3))),
        PointClouds(np.random.default_rng(0).normal(size=(2, 50, 3)))[0],
        Images(np.zeros((3, 1, 4, 4))),
        Images(np.zeros((3, 1, 4, 4)))[0],
        Graphs([3], [np.array([[0, 1], [1, 2]])]),
        Voxels(np.stack([np.zeros((4, 4, 4), bool), np.ones((4, 4, 4), bool)])),
    ],
    ids=lambda result: type(result).__name__,
)
def test_every_kind_of_result_has_a_display(result: Any) -> None:
    cell = result._repr_html_()
    assert cell.startswith("<iframe srcdoc=")
    assert 'sandbox="allow-scripts allow-downloads"' in cell
