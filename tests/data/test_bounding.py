"""Boxes around parts: tight, the same for copies, whatever the unit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import trimesh

from shapegen.data.bounding import oriented_box
from shapegen.data.importing import import_mesh
from tests.data.made_meshes import LEGS, placed, table


def test_the_box_is_tight_and_its_axes_are_in_order() -> None:
    rng = np.random.default_rng(0)
    for _ in range(10):
        frame = np.linalg.qr(rng.normal(size=(3, 3)))[0]
        sides = rng.uniform(0.2, 2.0, 3)
        points = (trimesh.creation.box(sides).vertices @ frame) + rng.normal(size=3)
        box = oriented_box(points)
        np.testing.assert_allclose(np.sort(box[3:6]), np.sort(sides), rtol=1e-6)
        np.testing.assert_allclose(box[:3], points.mean(0), atol=1e-6)
        x, y = box[6:9], box[9:12]
        axes = np.stack([x, y, np.cross(x, y)])
        assert axes[0, 0] >= 0
        assert axes[1, 1] >= 0
        # No other naming of the axes is closer to the identity.
        for order in ((0, 2, 1), (1, 0, 2), (2, 1, 0), (1, 2, 0), (2, 0, 1)):
            assert np.abs(np.diag(axes)).sum() >= np.abs(np.diag(axes[list(order)])).sum() - 1e-9


def test_round_parts_stay_upright() -> None:
    cylinder = trimesh.creation.cylinder(0.5, 2.0)
    np.testing.assert_allclose(oriented_box(cylinder.vertices)[6:], [1, 0, 0, 0, 1, 0])


def test_a_shape_of_any_size_gets_its_boxes(tmp_path: Path) -> None:
    boxes = []
    for scale in (1e-9, 1.0, 1e5):
        scene = table(turn=0.3)
        scene.apply_scale(scale)
        scene.export(tmp_path / "a.glb")
        tree = import_mesh(tmp_path / "a.glb")
        boxes.append(tree.transformed(scale=1 / scale).box)
        kinds = sorted(edge.kind for edge in tree.edges)
        assert kinds == ["ADJ", "REF_SYM", "REF_SYM"]
    np.testing.assert_allclose(boxes[0], boxes[1], atol=1e-5)
    np.testing.assert_allclose(boxes[2], boxes[1], atol=1e-5)


def splayed(kind: str, turns: list[float]) -> trimesh.Scene:
    """A seat on four legs that lean outwards, each turned about its own axis before."""
    scene = trimesh.Scene()
    scene.add_geometry(placed((0.6, 0.05, 0.6), 0, 0.27, 0), node_name="seat")
    rotation = trimesh.transformations.rotation_matrix
    for number, ((x, z), turn) in enumerate(zip(LEGS, turns, strict=True)):
        leg = trimesh.creation.cylinder(0.03, 0.5, sections=24)
        if kind == "square":
            leg = trimesh.creation.box((0.06, 0.06, 0.5))
        if kind != "round":
            leg.vertices[:, :2] *= 0.75 + leg.vertices[:, 2:]
        leg.apply_transform(rotation(turn, [0, 0, 1]))
        leg.apply_transform(rotation(-np.pi / 2, [1, 0, 0]))
        leg.apply_transform(rotation(0.2, [-z, 0, x]))
        leg.apply_translation((0.6 * x, 0, 0.6 * z))
        scene.add_geometry(leg, node_name=f"leg_{number}")
    return scene


@pytest.mark.parametrize("kind", ["round", "tapered", "square"])
def test_copies_of_parts_that_are_no_boxes_get_like_boxes(tmp_path: Path, kind: str) -> None:
    turns = [0.0] * 4 if kind == "square" else [0.3, 1.0, 2.2, 4.1]
    splayed(kind, turns).export(tmp_path / "a.glb")
    tree = import_mesh(tmp_path / "a.glb")
    assert [edge.kind for edge in tree.edges if edge.kind != "ADJ"] == ["ROT_SYM"] * 3
    # Along the leg's own axis, not along one of its sides.
    for box in tree.box[2:]:
        np.testing.assert_allclose(np.abs(box[10]), np.cos(0.2), atol=1e-3)


def test_a_part_of_very_many_corners_is_boxed_whole() -> None:
    ball = trimesh.creation.icosphere(subdivisions=5)
    ball.vertices *= [1, 2, 3]
    frame = trimesh.transformations.rotation_matrix(0.5, [1, 2, 3])[:3, :3]
    points = ball.vertices @ frame.T
    box = oriented_box(points)
    np.testing.assert_allclose(np.sort(box[3:6]), [2, 4, 6], rtol=0.02)
    axes = np.stack([box[6:9], box[9:], np.cross(box[6:9], box[9:])])
    assert (np.abs((points - box[:3]) @ axes.T) <= 0.5 * box[3:6] + 1e-9).all()
