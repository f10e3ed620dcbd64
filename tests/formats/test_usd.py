"""USD files, read by Pixar's own library: hierarchy, places, colours, labels, animation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from shapegen.core import boxes as box_algebra
from shapegen.formats import write_scene
from shapegen.formats.usd import write_usda
from shapegen.scene import Boxes, Mesh, Node, Points, Scene

Usd = pytest.importorskip("pxr.Usd", reason="usd-core is not installed")
UsdGeom = pytest.importorskip("pxr.UsdGeom")
UsdSemantics = pytest.importorskip("pxr.UsdSemantics")
UsdShade = pytest.importorskip("pxr.UsdShade")

NASTY = 'le"g\\ \n é <b>'


def random_boxes(count: int, seed: int = 0) -> np.ndarray:
    values = np.random.default_rng(seed).normal(size=(count, 12))
    values[:, 3:6] = 0.1 + np.abs(values[:, 3:6])
    return box_algebra.orthonormalised(values)


@pytest.fixture
def scene() -> Scene:
    """Parts of every kind; a group that is a box itself; two parts of one name."""
    rows = random_boxes(5)
    sheet = Mesh(np.eye(3), [[0, 1, 2], [0, 2, 1]], face_colors=np.eye(3)[:2])
    return Scene(
        (
            Node("chair", extras={"label": "chair", "instance": 0}),
            Node("leg", 0, Boxes(rows[:1]), (0.8, 0.2, 0.1), {"label": NASTY, "instance": 3}),
            Node("leg", 0, Boxes(rows[1:2]), (0.8, 0.2, 0.1)),
            Node("4 wheels", 0, Boxes(rows[2:4]), (0.1, 0.4, 0.9)),
            Node("solid", 0, Boxes(rows[4:5]), (0.5, 0.5, 0.5)),
            Node("inside", 4, Boxes(rows[:1] * 0.5 + 1)),
            Node("cloud", -1, Points(np.arange(12.0).reshape(4, 3)), (0.3, 0.3, 0.9)),
            Node("sheet", -1, sheet),
        )
    )


@pytest.fixture
def stage(scene: Scene, tmp_path: Path) -> Any:
    write_scene(scene, tmp_path / "a.usda")
    return Usd.Stage.Open(str(tmp_path / "a.usda"))


def paths(stage: Any) -> dict[str, str]:
    return {
        str(prim.GetPath()): prim.GetTypeName()
        for prim in stage.Traverse()
        if not str(prim.GetPath()).startswith("/scene/materials")
    }


def corners(stage: Any, path: str, time: float = 0.0) -> np.ndarray:
    """What a prim spans in the frame of the stage."""
    prim = stage.GetPrimAtPath(path)
    local = 0.5 * box_algebra.CORNER_SIGNS
    if prim.GetTypeName() != "Cube":
        local = np.array(UsdGeom.PointBased(prim).GetPointsAttr().Get(time))
    matrix = np.array(UsdGeom.Xformable(prim).ComputeLocalToWorldTransform(time))
    return local @ matrix[:3, :3] + matrix[3, :3]


def assert_same_points(found: np.ndarray, expected: np.ndarray) -> None:
    far = np.linalg.norm(found[:, None] - expected, axis=2)
    assert max(far.min(0).max(), far.min(1).max()) < 1e-6


def test_hierarchy_and_names(stage: Any) -> None:
    assert paths(stage) == {
        "/scene": "Xform",
        "/scene/chair": "Xform",
        "/scene/chair/leg": "Cube",
        "/scene/chair/leg_2": "Cube",
        "/scene/chair/_4_wheels": "Mesh",
        "/scene/chair/solid": "Xform",
        "/scene/chair/solid/geometry": "Cube",
        "/scene/chair/solid/inside": "Cube",
        "/scene/cloud": "Points",
        "/scene/sheet": "Mesh",
    }
    assert stage.GetDefaultPrim().GetName() == "scene"
    assert stage.GetPrimAtPath("/scene/chair/_4_wheels").GetDisplayName() == "4 wheels"
    assert (UsdGeom.GetStageUpAxis(stage), UsdGeom.GetStageMetersPerUnit(stage)) == ("Y", 1.0)
    assert not stage.HasAuthoredTimeCodeRange()


def test_parts_are_where_they_were(scene: Scene, stage: Any) -> None:
    for number, path in (
        (1, "chair/leg"),
        (2, "chair/leg_2"),
        (3, "chair/_4_wheels"),
        (4, "chair/solid/geometry"),
        (5, "chair/solid/inside"),
    ):
        boxes = scene.nodes[number].primitive.boxes  # type: ignore[union-attr]
        assert_same_points(corners(stage, f"/scene/{path}"), box_algebra.mesh(boxes)[0])
    assert_same_points(corners(stage, "/scene/cloud"), np.arange(12.0).reshape(4, 3))
    cache = UsdGeom.BBoxCache(0, ["default"])
    bounds = cache.ComputeWorldBound(stage.GetDefaultPrim()).ComputeAlignedRange()
    wide = scene.bounds()
    # Boxes of boxes: not smaller than the scene, and within the loose extents of turned cubes.
    assert (np.array(bounds.GetMin()) <= wide[0] + 1e-6).all()
    assert (np.array(bounds.GetMax()) >= wide[1] - 1e-6).all()


def test_colours_labels_and_materials(stage: Any) -> None:
    leg = stage.GetPrimAtPath("/scene/chair/leg")
    (color,) = UsdGeom.Gprim(leg).GetDisplayColorAttr().Get()
    linear = [((value + 0.055) / 1.055) ** 2.4 for value in (0.8, 0.2, 0.1)]
    np.testing.assert_allclose(color, linear, rtol=1e-5)
    labels = UsdSemantics.LabelsAPI(leg, "part").GetLabelsAttr().Get()
    assert list(labels) == [NASTY]
    assert leg.GetAttribute("userProperties:instance").Get() == 3
    material, _ = UsdShade.MaterialBindingAPI(leg).ComputeBoundMaterial()
    surface, _, _ = material.ComputeSurfaceSource()
    np.testing.assert_allclose(surface.GetInput("diffuseColor").Get(), linear, rtol=1e-5)
    sheet = UsdGeom.Mesh(stage.GetPrimAtPath("/scene/sheet"))
    colors = sheet.GetDisplayColorPrimvar()
    assert colors.GetInterpolation() == "uniform"
    np.testing.assert_array_equal(np.array(colors.Get()), np.eye(3)[:2])
    assert list(sheet.GetFaceVertexIndicesAttr().Get()) == [0, 1, 2, 0, 2, 1]
    assert sheet.GetSubdivisionSchemeAttr().Get() == "none"


def test_a_walk_is_sampled_at_every_frame(tmp_path: Path) -> None:
    rows = random_boxes(4)
    frames = [
        Scene(
            (
                Node("seat", primitive=Boxes(row[None]), extras={"instance": 1}),
                *([Node("arm", primitive=Boxes(rows[:1]), extras={"instance": 2})] * (step > 1)),
                Node("dots", primitive=Points(np.eye(3) + step), extras={"instance": 3}),
            )
        )
        for step, row in enumerate(rows)
    ]
    write_usda(frames, tmp_path / "a.usda", fps=6)
    stage = Usd.Stage.Open(str(tmp_path / "a.usda"))
    assert (stage.GetStartTimeCode(), stage.GetEndTimeCode()) == (0, 3)
    assert stage.GetTimeCodesPerSecond() == 6
    for step in range(4):
        expected = box_algebra.corners(rows[step][None])[0]
        assert_same_points(corners(stage, "/scene/seat", step), expected)
        assert_same_points(corners(stage, "/scene/dots", step), np.eye(3) + step)
        arm = UsdGeom.Imageable(stage.GetPrimAtPath("/scene/arm"))
        assert arm.ComputeVisibility(step) == ("inherited" if step > 1 else "invisible")


@pytest.mark.parametrize("up", ["y", "z"])
def test_unit_and_axis_are_stated_and_applied(scene: Scene, up: Any, tmp_path: Path) -> None:
    write_scene(scene, tmp_path / "a.usda", unit="cm", up=up)
    stage = Usd.Stage.Open(str(tmp_path / "a.usda"))
    assert UsdGeom.GetStageMetersPerUnit(stage) == pytest.approx(0.01)
    assert UsdGeom.GetStageUpAxis(stage) == up.upper()
    expected = 100 * np.arange(12.0).reshape(4, 3)
    if up == "z":
        expected = np.stack([expected[:, 0], -expected[:, 2], expected[:, 1]], axis=1)
    np.testing.assert_allclose(corners(stage, "/scene/cloud"), expected, rtol=1e-6)
