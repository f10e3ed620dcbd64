"""All figures of fields: exact fields have those of their shapes, and each fraud is found out."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from shapegen import metrics
from shapegen.base import GenerativeModel
from shapegen.config.render import RenderConfig
from shapegen.data.furniture import furniture
from shapegen.data.rendering import render_shapes
from shapegen.fields.camera_setting import CameraSetting
from shapegen.fields.radiance import RadianceFields
from shapegen.fields.rendering import Sampling
from shapegen.images.images import Images
from shapegen.images.renders import Renders
from shapegen.metrics import field_evaluation
from shapegen.metrics.field_evaluation import (
    density_figures,
    evaluate_fields,
    mesh_figures,
)
from shapegen.metrics.field_figures import box_solid
from shapegen.metrics.field_views import FIGURES, ShapeViews, field_views, view_figures
from shapegen.metrics.tables import evaluation_note, evaluation_table
from tests.fields.test_graf import graf

SIZE = 16
CAMERAS = CameraSetting(fov=30.0, radius=(4.0, 4.0), polar=(50.0, 80.0), sphere=1.0)
Solid = Callable[[int, Tensor], Tensor]
DENSE = 200.0


class Exact:
    """Fields of solids that are functions: what code i is dense in, in one colour."""

    def __init__(self, solid: Solid, density: float, color: float) -> None:
        self.solid, self.density, self.color = solid, density, color

    def densities(self, codes: Tensor, dtype: Any = None) -> Callable[[Tensor], Tensor]:
        def found(points: Tensor) -> Tensor:
            inside = self.solid(int(codes), points.reshape(-1, 3)).view(points.shape[:-1])
            return self.density * inside.float()

        return found

    def field(self, codes: Tensor, dtype: Any = None) -> Any:
        dense = self.densities(codes)
        return lambda points, directions: (dense(points), torch.full_like(points, self.color))


class Solids(GenerativeModel):
    """A generator of the fields of a few solids in turn."""

    name = "solids"
    config = None

    def __init__(
        self, solid: Solid, count: int, *, density: float = DENSE, color: float = 0.6
    ) -> None:
        super().__init__()
        self.network, self.count = Exact(solid, density, color), count

    def prepare(self, shapes: Any) -> Tensor:
        return torch.zeros(1)

    def objectives(self, *, rng: torch.Generator | None = None) -> Any:
        return ()

    def sample(self, n: int, *, rng: torch.Generator | None = None) -> RadianceFields:
        codes = (torch.arange(n) % self.count).float()[:, None]
        poses = CAMERAS.viewpoints.draw(n, like=codes, rng=rng)
        sampling = Sampling(40, white=True, chunk=2**16)
        return RadianceFields(codes, poses, self.network, CAMERAS, SIZE, sampling)  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def _few(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = {"FAKES": 12, "SOLIDS": 3, "SHAPES": 2, "VIEWED": 2, "VIEWS": 8, "CELLS": 20}
    for name, value in (sizes | {"MESH_CELLS": 24}).items():
        monkeypatch.setattr(field_evaluation, name, value)


@pytest.fixture(scope="module")
def chairs() -> tuple[Renders, Renders]:
    config = RenderConfig(size=SIZE, views=6, polar=(50.0, 80.0))
    found = render_shapes(furniture(7, category="chair"), config)
    return found.of_shapes([0, 1, 2, 3]), found.of_shapes([4, 5, 6])


def of_boxes(renders: Renders) -> Solid:
    assert renders.boxes is not None
    boxes = [torch.from_numpy(each) for each in renders.boxes]
    return lambda code, points: box_solid(boxes[code], points.double())


def test_exact_fields_have_the_figures_of_their_shapes(chairs: tuple[Renders, Renders]) -> None:
    train, test = chairs
    found = evaluate_fields(Solids(of_boxes(test), 3), train, test)
    model, data = (found["densities"][side] for side in ("model", "data"))
    for name in ("occupancy", "roundness", "iou"):
        assert model[name] == pytest.approx(data[name], rel=1e-9)
    assert 0.01 < data["occupancy"] < 0.3
    assert (model["empty"], model["white"]) == (0, 0)
    assert found["meshes"]["model"]["meshed"] == found["meshes"]["model"]["watertight"] == 1
    model, data = (found["views"][side] for side in ("model", "data"))
    assert model["shown"] == data["shown"] == 1
    # Legs are thinner than a pixel.
    assert data["hull"] > 0.9
    for name in ("hull", "contradicted", "seen"):
        assert model[name] == pytest.approx(data[name], abs=0.05)
    assert model["depth error"] < 0.03
    settings = found["settings"]
    assert (settings["samples"], settings["reference"], settings["floor_samples"]) == (12, 18, 12)
    assert (settings["solids"], settings["real_shapes"]) == (3, 3)
    assert (settings["meshes"], settings["viewed"]) == (2, 2)
    # The level is the one that a mesh of one of the fields has.
    assert settings["level"] == pytest.approx(16 * 0.6931, rel=1e-3)


def board(code: int, points: Tensor) -> Tensor:
    """A standing board, a cell thick."""
    return ((points[:, 0] - 0.05).abs() < 0.04) & (points[:, 1:].abs().amax(1) < 0.5 + 0.1 * code)


def block(code: int, points: Tensor) -> Tensor:
    """One shape for all codes."""
    return points.abs().amax(1) < 0.4


def crumbs(code: int, points: Tensor) -> Tensor:
    apart = (points.abs() - torch.tensor([0.5, 0.0, 0.0])).abs().amax(1)
    return apart < 0.2 + 0.05 * code


def beyond(code: int, points: Tensor) -> Tensor:
    """A block, and matter in the corners of the cube that no camera sees."""
    return block(code, points) | (points.abs().amin(1) > 0.8)


def test_every_fraud_is_found_out() -> None:
    level = 11.0
    flat = density_figures(Solids(board, 3).sample(3), level)
    assert flat["roundness"] < 0.01
    assert flat["iou"] < 0.95
    white = density_figures(Solids(block, 3, color=1.0).sample(3), level)
    assert (white["iou"], white["white"], white["empty"]) == (1, 1, 0)
    assert white["roundness"] == pytest.approx(1)
    fog = Solids(block, 3, density=1.0).sample(3)
    assert density_figures(fog, level)["empty"] == 1
    assert math.isnan(density_figures(fog, level)["occupancy"])
    assert mesh_figures(fog) == {"meshed": 0, "watertight": 0, "whole": 0}
    # Two pieces each.
    apart = mesh_figures(Solids(crumbs, 3).sample(3))
    assert apart == {"meshed": 1, "watertight": 1, "whole": 0}
    assert mesh_figures(Solids(beyond, 3).sample(3)) == dict.fromkeys(apart, 1)
    nothing = field_views(Solids(block, 3, density=0.0).sample(1), 8)
    assert nothing.alpha.shape == nothing.depth.shape == (8, SIZE, SIZE)
    found = view_figures([nothing])
    assert found["shown"] == 0
    assert all(math.isnan(found[name]) for name in FIGURES)


def test_some_fields_may_be_empty() -> None:
    def some(code: int, points: Tensor) -> Tensor:
        return block(code, points) if code else torch.zeros(len(points), dtype=torch.bool)

    found = density_figures(Solids(some, 3).sample(3), 11.0)
    assert found["empty"] == pytest.approx(1 / 3)
    assert found["iou"] == 1
    assert mesh_figures(Solids(some, 3).sample(3))["meshed"] == pytest.approx(2 / 3)


def test_distances_are_between_their_anchors(chairs: tuple[Renders, Renders]) -> None:
    train, test = chairs
    found = evaluate_fields(Solids(of_boxes(train), 4), train, test, n=24, draws=2)["pictures"]
    assert found["best"] == dict.fromkeys(found["model"], "low")
    assert list(found["model"]) == ["frechet pixels", "frechet random", "frechet features"]
    for name in found["model"]:
        assert 0 < found["floor"][name] < found["collapse"][name]
    assert found["model"]["frechet pixels"] < found["collapse"]["frechet pixels"]


def test_what_no_view_shows_is_left_out() -> None:
    poses = CAMERAS.viewpoints.turned(4, like=torch.zeros(()))
    ball = torch.zeros(4, 8, 8)
    ball[:, 3:5, 3:5] = 1
    depth = torch.where(ball > 0, 3.9, torch.inf)
    one = ShapeViews(ball, depth, poses, 30.0, 1.0)
    ball, depth = ball.clone(), depth.clone()
    ball[2], depth[2] = 0, torch.inf
    found = view_figures([one, ShapeViews(ball, depth, poses, 30.0, 1.0)])
    assert found == view_figures([one]) | {"shown": 0.5}
    assert found["hull"] == 1


def test_a_model_that_was_never_trained_has_figures(chairs: tuple[Renders, Renders]) -> None:
    model = graf(density="softplus", cameras=CAMERAS).eval()
    grey = [
        Renders(each.pixels.mean(1, keepdim=True), each.poses, each.fov, shapes=each.shapes)
        for each in chairs
    ]
    found = metrics.evaluate(model, *grey, n=10)
    json.dumps(found)
    assert found["fields"]["densities"]["data"] == found["fields"]["views"]["data"] == {}
    assert found["settings"]["samples"] == found["fields"]["settings"]["samples"] == 10
    table = evaluation_table(found)
    headings = list(table.columns[0].cells)
    for section in ("pictures", "densities", "meshes", "views"):
        assert f"[bold]{section}[/bold]" in headings
    assert {"collapse", "best"} <= {str(column.header) for column in table.columns}
    note = evaluation_note(found)
    assert note is not None
    for said in ("random-convolutions 1 (seed 0)", "principal components", "0 real shapes"):
        assert said in note


def test_mistakes_are_one_line(chairs: tuple[Renders, Renders]) -> None:
    train, test = chairs
    model = graf(density="softplus", cameras=CAMERAS).eval()
    with pytest.raises(ValueError, match="the held-out images; got 1 and 0"):
        metrics.evaluate(model, train, test[:0])
    other = Images(torch.zeros(4, 3, 8, 8))
    with pytest.raises(ValueError, match="got 3 x 16 x 16 of the model, 3 x 16 x 16 for train"):
        metrics.evaluate(model, train, other)
    with pytest.raises(TypeError, match="a model that samples fields is needed; got Images"):
        evaluate_fields(Drawer(train), train, test)
    with pytest.raises(ValueError, match="n must be at least 2 pictures; got 1"):
        evaluate_fields(model, train, test, n=1)
    with pytest.raises(ValueError, match="images held out must be at least 2; got 0"):
        evaluate_fields(model, train, test[:0])


class Drawer(Solids):
    def __init__(self, renders: Renders) -> None:
        super().__init__(block, 1)
        self.images = renders.images

    def sample(self, n: int, *, rng: torch.Generator | None = None) -> Any:
        return self.images[:n]
