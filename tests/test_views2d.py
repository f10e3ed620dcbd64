"""The GAN of images beside fields: its classes, views that agree or do not, and both rows."""

from __future__ import annotations

import json
import math
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import yaml

from benchmarks import views2d
from shapegen.checkpoint import save
from shapegen.config import load_run
from shapegen.config.render import RenderConfig
from shapegen.data.furniture import furniture
from shapegen.data.rendering import render_shapes
from shapegen.fields.camera_setting import CameraSetting
from shapegen.fields.cameras import on_sphere
from shapegen.registry import build_seeded

TINY = Path(__file__).resolve().parents[1] / "configs" / "tiny" / "graf.yaml"
CAMERAS = CameraSetting(fov=30.0, radius=(4.0, 4.0), polar=(50.0, 80.0), sphere=1.0)
BINS = 12


def test_classes_are_parts_of_the_azimuths() -> None:
    degrees = torch.tensor([0.0, 29.9, 30.1, 359.0, -1.0, 180.0])
    poses = on_sphere(degrees.deg2rad(), torch.full((6,), 1.0), torch.full((6,), 4.0))
    assert views2d.azimuth_classes(poses, CAMERAS, BINS).tolist() == [0, 0, 1, 11, 11, 6]
    some = replace(CAMERAS, azimuth=(-90.0, 90.0))
    kept = degrees[[0, 1, 2, 4]].deg2rad()
    poses = on_sphere(kept, torch.full((4,), 1.0), torch.full((4,), 4.0))
    assert views2d.azimuth_classes(poses, some, 6).tolist() == [3, 3, 4, 2]


def views(chair: int, polar: float) -> torch.Tensor:
    """A chair in the middles of the classes."""
    azimuths = (torch.arange(BINS) + 0.5) * (2 * math.pi / BINS)
    poses = on_sphere(azimuths, torch.full((BINS,), math.radians(polar)), torch.full((BINS,), 4.0))
    trees = furniture(chair + 1, category="chair")[chair:]
    return render_shapes(trees, RenderConfig(size=24, views=BINS), poses=poses).pixels


def test_views_of_one_shape_agree_at_the_height_that_saw_them() -> None:
    one, other = views(0, 65.0), views(1, 65.0)
    mixed = torch.where(torch.arange(BINS).view(-1, 1, 1, 1) % 2 == 0, one, other)

    def hull(pixels: torch.Tensor, *heights: float) -> float:
        found = views2d.agreements([pixels], CAMERAS, heights)["hull"]
        assert found is not None
        return found

    best = hull(one, 50.0, 65.0, 80.0)
    assert best == hull(one, 65.0)
    assert best > 0.9
    assert hull(one, 50.0) < best - 0.02
    assert hull(mixed, 50.0, 65.0, 80.0) < best - 0.1
    blank = torch.ones_like(one)
    found = views2d.agreements([one, blank], CAMERAS, [65.0])
    assert found == {"hull": best, "shown": 0.5}
    assert views2d.agreements([blank], CAMERAS, [65.0]) == {"hull": None, "shown": 0}


def test_both_rows_are_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    content = yaml.safe_load(TINY.read_text())
    content["data"] |= {"count": 12, "holdout": 4, "render": {"size": 32, "views": 2}}
    content["model"]["judge_width"] = 4
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(content))
    run = load_run(tmp_path / "config.yaml")
    save(build_seeded("graf", run.model.fields, 0).eval(), tmp_path / "last.safetensors")
    monkeypatch.setattr(views2d, "FAKES", 6)
    monkeypatch.setattr(views2d, "HEIGHTS", 2)
    words = [str(tmp_path), "--minutes", "0.02", "--bins", "3", "--codes", "2"]
    monkeypatch.setattr(sys, "argv", ["views2d", *words])
    views2d.main()
    found = json.loads(capsys.readouterr().out)
    assert found["bins"] == 3
    for row in ("field", "views2d"):
        assert {"hull", "shown", "frechet pixels", "frechet random"} < found[row].keys()
    assert found["real"]["hull"] > 0.9
    monkeypatch.setattr(sys, "argv", ["views2d", str(tmp_path)])
    with pytest.raises(SystemExit):
        views2d.main()
    assert "give --minutes" in capsys.readouterr().err
