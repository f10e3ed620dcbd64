"""People's meshes: nodes become labelled boxes with relations."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trimesh

from shapegen.core.boxes import bounds, corners
from shapegen.data.importing import import_folder, import_mesh, label_of
from shapegen.structures.part_tree import RelationKind
from shapegen.structures.repair import RepairReport
from tests.data.made_meshes import LEGS, placed, table


def close(one: Any, other: Any) -> bool:
    """Whether two boxes fill the same space."""
    distances = np.linalg.norm(
        corners(np.atleast_2d(one))[0][:, None] - corners(np.atleast_2d(other))[0][None], axis=2
    )
    return bool(distances.min(0).max() < 1e-6 and distances.min(1).max() < 1e-6)


def test_a_hierarchy_is_kept_with_labels_and_relations(tmp_path: Path) -> None:
    table().export(tmp_path / "Desk.glb")
    tree = import_mesh(tmp_path / "Desk.glb")
    assert tree.name == "Desk"
    assert sorted(tree.label) == [
        "table",
        "table/legs",
        *["table/legs/leg"] * 4,
        "table/table_top",
    ]
    legs = [box for box, label in zip(tree.box, tree.label, strict=True) if label.endswith("leg")]
    for x, z in LEGS:
        assert any(close(leg, [x, 0, z, 0.1, 1, 0.1, 1, 0, 0, 0, 1, 0]) for leg in legs)
    np.testing.assert_allclose(tree.box[0, :6], [0, 0.05, 0, 1, 1.1, 1], atol=1e-6)
    kinds = {edge.kind for edge in tree.edges}
    assert RelationKind.ADJ in kinds
    assert len(kinds) > 1


def test_turned_parts_get_turned_boxes(tmp_path: Path) -> None:
    table(turn=0.3).export(tmp_path / "a.glb")
    tree = import_mesh(tmp_path / "a.glb")
    top = tree.box[tree.label.index("table/table_top")]
    np.testing.assert_allclose(top[3:6], [1, 0.1, 1], atol=1e-6)
    np.testing.assert_allclose(top[6:9], [np.cos(0.3), 0, -np.sin(0.3)], atol=1e-6)
    np.testing.assert_allclose(top[9:12], [0, 1, 0], atol=1e-6)


def test_a_mesh_without_hierarchy_is_cut_into_pieces(tmp_path: Path) -> None:
    merged = trimesh.util.concatenate(list(table().dump()))
    for name in ("a.stl", "a.ply", "a.obj"):
        merged.export(tmp_path / name)
        tree = import_mesh(tmp_path / name)
        assert len(tree.boxes()) == 5, name
        assert tree.label == ("a", *["a/part"] * 5)


def test_objects_and_groups_of_an_obj_are_parts(tmp_path: Path) -> None:
    text, start = "", 1
    for keyword, name, x in (("o", "Seat", 0), ("g", "Leg_1", 2), ("g", "Leg_2", 4)):
        mesh = placed((1, 1, 1), x, 0, 0)
        text += f"{keyword} {name}\n"
        text += "".join(f"v {a} {b} {c}\n" for a, b, c in mesh.vertices)
        text += "".join(f"f {a} {b} {c}\n" for a, b, c in mesh.faces + start)
        start += 8
    (tmp_path / "chair.obj").write_text(text)
    tree = import_mesh(tmp_path / "chair.obj")
    assert sorted(tree.label) == ["chair", "chair/leg", "chair/leg", "chair/seat"]


def test_z_up_is_turned_to_y_up(tmp_path: Path) -> None:
    placed((1, 2, 3), 0.1, -0.5, 4).export(tmp_path / "a.stl")
    tree = import_mesh(tmp_path / "a.stl", up="z")
    low, high = bounds(tree.boxes())
    np.testing.assert_allclose(high - low, [1, 3, 2], atol=1e-6)
    # What was in front (-y) is in front (+z).
    np.testing.assert_allclose(0.5 * (low + high), [0.1, 4, 0.5], atol=1e-6)
    with pytest.raises(ValueError, match="up must be one of"):
        import_mesh(tmp_path / "a.stl", up="x")  # type: ignore[arg-type]


@pytest.mark.parametrize("turn", [0.0, 0.4])
def test_a_flat_part_gets_a_thin_box_and_is_counted(tmp_path: Path, turn: float) -> None:
    plane = np.array([[0, 0, 0], [2, 0, 0], [2, 0, 1], [0, 0, 1.0]])
    frame = trimesh.transformations.rotation_matrix(turn, [0, 0, 1])[:3, :3]
    trimesh.Trimesh(plane @ frame.T, [[0, 1, 2], [0, 2, 3]]).export(tmp_path / "a.ply")
    report = RepairReport()
    tree = import_mesh(tmp_path / "a.ply", report=report)
    np.testing.assert_allclose(np.sort(tree.boxes()[0, 3:6]), [2e-4, 1, 2], rtol=1e-3)
    assert report.counts["zero side"] >= 1


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("Leg.001", "leg"),
        ("leg_12", "leg"),
        ("Front Leg-2", "front_leg"),
        ("007", ""),
        ("Cube.001_Cube.003", "cube_cube"),
        ("Fuß.L", "fuß"),
        ("Ру\u0438\u0306.002", "ру\u0439"),
        ("椅背_3", "椅背"),
        ("rig:Arm Rest.R", "arm_rest"),
    ],
)
def test_names_become_labels(name: str, label: str) -> None:
    assert label_of(name) == label


def test_a_folder_is_imported_with_its_rejects(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    table().export(tmp_path / "sub" / "one.glb")
    placed((1, 1, 1), 0, 0, 0).export(tmp_path / "two.STL")
    (tmp_path / "broken.glb").write_bytes(b"glTF")
    (tmp_path / "empty.obj").write_text("v 0 0 0\n")
    (tmp_path / "notes.txt").write_text("no mesh")
    imported = import_folder(tmp_path)
    assert sorted(tree.name for tree in imported.trees) == ["sub/one", "two"]
    assert len(imported.rejects) == 2
    assert all("\n" not in line and str(tmp_path) in line for line in imported.rejects)
    assert [tree.name for tree in import_folder(tmp_path / "two.STL").trees] == ["two"]
    import_folder(tmp_path).trees.write(tmp_path / "json")
    assert len(import_folder(tmp_path / "json").trees) == 2
    import_folder(tmp_path / "json").trees.write(tmp_path / "both.glb")
    assert len(import_folder(tmp_path / "both.glb").trees) == 2
    (tmp_path / "none").mkdir()
    with pytest.raises(ValueError, match=r"holds no file of shapes; accepted are \.glb"):
        import_folder(tmp_path / "none")
    with pytest.raises(ValueError, match=r"shapes are read from \.glb.*; got \.txt"):
        import_folder(tmp_path / "notes.txt")


def test_too_many_pieces_are_refused(tmp_path: Path) -> None:
    corners_of = np.random.default_rng(0).uniform(0, 100, (1001, 1, 3))
    triangles = (corners_of + np.eye(3) * 0.01).reshape(-1, 3)
    trimesh.Trimesh(triangles, np.arange(3003).reshape(-1, 3), process=False).export(
        tmp_path / "a.ply"
    )
    with pytest.raises(ValueError, match="1001 pieces; at most 1000"):
        import_mesh(tmp_path / "a.ply")
