"""Scene files: what other programs find in them, and that they are reproducible."""

from __future__ import annotations

import json
import struct
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trimesh

from shapegen.core import boxes as box_algebra
from shapegen.formats import MESH_EXTENSIONS, SCENE_EXTENSIONS, read_mesh, write_scene
from shapegen.scene import Boxes, Image, Mesh, Node, Points, Scene


def random_boxes(count: int) -> np.ndarray:
    rng = np.random.default_rng(0)
    values = rng.normal(size=(count, 12))
    values[:, 3:6] = 0.1 + np.abs(values[:, 3:6])
    return box_algebra.orthonormalised(values)


@pytest.fixture
def scene() -> Scene:
    """Two parts in a group, one beside it, a part of two boxes, a group with a box of its own."""
    rows = random_boxes(6)
    return Scene(
        (
            Node("chair", extras={"name": "17"}),
            Node("base", 0, extras={"relations": [{"kind": "ADJ", "a": "leg_1", "b": "leg_2"}]}),
            Node("leg_1", 1, Boxes(rows[:1]), (0.8, 0.2, 0.1), {"label": "chair/leg"}),
            Node("leg_2", 1, Boxes(rows[1:2]), (0.8, 0.2, 0.1), {"label": "chair/leg"}),
            Node("seat", 0, Boxes(rows[2:3]), (0.1, 0.4, 0.9), {"instance": 5}),
            Node("pair", 0, Boxes(rows[3:5]), (0.2, 0.6, 0.3)),
            Node("solid", 0, Boxes(rows[5:6]), (0.5, 0.5, 0.5)),
            Node("inside", 6, Boxes(0.5 * rows[:1] + 1.0), (0.5, 0.5, 0.5)),
        )
    )


def document(path: Path) -> dict[str, Any]:
    data = path.read_bytes()
    magic, version, length, size, kind = struct.unpack("<4sIII4s", data[:20])
    assert (magic, version, length, kind) == (b"glTF", 2, len(data), b"JSON")
    assert length % 4 == size % 4 == 0
    return dict(json.loads(data[20 : 20 + size]))


@pytest.fixture
def glb(scene: Scene, tmp_path: Path) -> Path:
    write_scene(scene, tmp_path / "a.glb")
    return tmp_path / "a.glb"


def test_glb_nodes_stand_in_their_hierarchy(scene: Scene, glb: Path) -> None:
    nodes = document(glb)["nodes"]
    assert [node["name"] for node in nodes] == [node.name for node in scene.nodes]
    assert [tuple(node.get("children", ())) for node in nodes] == list(scene.children)
    assert [node.get("extras", {}) for node in nodes] == [
        dict(node.extras) for node in scene.nodes
    ]
    assert document(glb)["scenes"] == [{"nodes": [0]}]


def test_glb_parts_are_one_cube_moved_by_their_nodes(scene: Scene, glb: Path) -> None:
    nodes = document(glb)["nodes"]
    assert nodes[2]["mesh"] == nodes[3]["mesh"] != nodes[4]["mesh"]
    for number in (2, 3, 4):
        primitive = scene.nodes[number].primitive
        assert isinstance(primitive, Boxes)
        np.testing.assert_allclose(nodes[number]["scale"], primitive.boxes[0, 3:6], rtol=1e-6)
    # Scaling a parent must not stretch its children.
    assert "scale" not in nodes[1]
    assert "scale" not in nodes[6]


def test_glb_read_again_holds_every_part_where_it_was(scene: Scene, glb: Path) -> None:
    graph = trimesh.load_scene(glb).graph
    loaded = trimesh.load_scene(glb, process=False)
    for node in scene.nodes:
        if not isinstance(node.primitive, Boxes):
            continue
        matrix, geometry = graph[node.name]
        mesh = loaded.geometry[geometry].copy()
        mesh.apply_transform(matrix)
        expected, _ = box_algebra.mesh(node.primitive.boxes)
        corners = np.unique(np.round(mesh.vertices, 4), axis=0)
        far = np.linalg.norm(mesh.vertices[:, None] - expected[None], axis=2)
        assert far.min(0).max() < 1e-5
        assert far.min(1).max() < 1e-5
        assert len(corners) == len(expected)
        assert mesh.volume == pytest.approx(
            np.prod(node.primitive.boxes[:, 3:6], 1).sum(), rel=1e-5
        )
        color = mesh.visual.material.baseColorFactor[:3]
        # Linear, as glTF states colours; trimesh gives them in 0..255.
        linear = [((value + 0.055) / 1.055) ** 2.4 for value in node.color]
        np.testing.assert_allclose(color, 255 * np.array(linear), atol=1)
    parents = graph.transforms.parents
    assert (parents["leg_1"], parents["base"], parents["inside"]) == ("base", "chair", "solid")
    assert graph.transforms.edge_data["chair", "seat"]["metadata"] == {"instance": 5}


def test_glb_normals_are_flat_and_point_outwards(glb: Path) -> None:
    for mesh in trimesh.load_scene(glb, process=False).geometry.values():
        normals = mesh.vertex_normals[mesh.faces]  # as stated in the file
        np.testing.assert_allclose(normals, np.repeat(mesh.face_normals[:, None], 3, 1), atol=1e-5)
        merged = trimesh.Trimesh(mesh.vertices, mesh.faces)
        assert merged.is_watertight
        assert merged.volume > 0


def test_glb_of_degenerate_boxes_has_invertible_transforms(tmp_path: Path) -> None:
    flat = random_boxes(1)
    flat[0, 4] = 0.0
    write_scene(Scene((Node("flat", primitive=Boxes(flat)),)), tmp_path / "a.glb")
    assert min(document(tmp_path / "a.glb")["nodes"][0]["scale"]) > 0


@pytest.mark.parametrize("turn", range(24))
def test_glb_rotations_of_all_kinds(turn: int, tmp_path: Path) -> None:
    """Half turns, where the usual formula of a quaternion divides by zero, among them."""
    axes = trimesh.transformations.random_rotation_matrix(np.random.default_rng(turn).random(3))
    if turn < 20:
        signs = np.diag([1, -1, -1, 1]) if turn % 2 else np.eye(4)
        axes = np.eye(4)[:, [(turn + i) % 3 for i in range(3)] + [3]] @ signs
        if np.linalg.det(axes) < 0:
            axes[:, 2] *= -1
    row = np.concatenate([[1, 2, 3], [0.5, 1.0, 2.0], axes[:3, 0], axes[:3, 1]])
    write_scene(Scene((Node("a", primitive=Boxes(row[None])),)), tmp_path / "a.glb")
    expected = box_algebra.corners(row[None])[0]
    found = read_mesh(tmp_path / "a.glb").vertices
    assert np.linalg.norm(found[:, None] - expected, axis=2).min(0).max() < 1e-5


@pytest.mark.parametrize("extension", MESH_EXTENSIONS)
def test_every_mesh_format_keeps_the_surface(scene: Scene, extension: str, tmp_path: Path) -> None:
    write_scene(scene, tmp_path / f"a{extension}")
    mesh = read_mesh(tmp_path / f"a{extension}")
    loaded = trimesh.Trimesh(mesh.vertices, mesh.faces)
    own = scene.mesh()
    assert loaded.is_watertight
    assert loaded.volume == pytest.approx(
        trimesh.Trimesh(own.vertices, own.faces).volume, rel=1e-5
    )
    np.testing.assert_allclose(
        [mesh.vertices.min(0), mesh.vertices.max(0)], scene.bounds(), atol=1e-5
    )


@pytest.mark.parametrize("extension", [".glb", ".ply", ".stl"])
def test_open3d_reads_every_triangle(scene: Scene, extension: str, tmp_path: Path) -> None:
    o3d = pytest.importorskip("open3d", reason="open3d is not installed", exc_type=Exception)
    write_scene(scene, tmp_path / f"a{extension}")
    mesh = o3d.io.read_triangle_mesh(str(tmp_path / f"a{extension}"))
    own = scene.mesh()
    assert len(mesh.triangles) == len(own.faces)
    found = [mesh.get_min_bound(), mesh.get_max_bound()]
    np.testing.assert_allclose(found, scene.bounds(), atol=1e-5)
    if extension == ".ply":
        seen = np.unique(np.asarray(mesh.vertex_colors).round(2), axis=0)
        expected = {node.color for node in scene.nodes if node.primitive is not None}
        assert {tuple(row) for row in seen.tolist()} == expected


def test_obj_groups_and_materials_carry_names(scene: Scene, tmp_path: Path) -> None:
    write_scene(scene, tmp_path / "a.obj")
    lines = (tmp_path / "a.obj").read_text().splitlines()
    named = [node.name for node in scene.nodes if node.primitive is not None]
    assert [line[2:] for line in lines if line.startswith("g ")] == named
    assert "mtllib a.mtl" in lines
    materials = (tmp_path / "a.mtl").read_text()
    used = {line[7:] for line in lines if line.startswith("usemtl ")}
    assert used == {line[7:] for line in materials.splitlines() if line.startswith("newmtl ")}
    assert "newmtl leg\nKd 0.8 0.2 0.1\n" in materials


def test_ply_vertices_carry_colours_parts_and_labels(scene: Scene, tmp_path: Path) -> None:
    write_scene(scene, tmp_path / "a.ply")
    loaded = trimesh.load(tmp_path / "a.ply", process=False)
    vertices = loaded.metadata["_ply_raw"]["vertex"]["data"]
    assert vertices["part"][:8].tolist() == [2] * 8
    assert vertices["label"][:24].tolist() == [0] * 16 + [1] * 8
    np.testing.assert_array_equal(loaded.visual.vertex_colors[:8, :3], [[204, 51, 26]] * 8)
    header = (tmp_path / "a.ply").read_bytes().split(b"end_header")[0].decode()
    assert "comment label 0 chair/leg\ncomment label 1 seat\n" in header


def test_colours_of_faces_and_points_survive(tmp_path: Path) -> None:
    mesh = Mesh(np.eye(3), [[0, 1, 2], [0, 2, 1]], face_colors=np.eye(3)[:2])
    cloud = Points(np.eye(3) + 1, np.eye(3))
    both = Scene((Node("sheet", primitive=mesh), Node("cloud", primitive=cloud)))
    for name in ("a.glb", "a.ply", "a.obj"):
        write_scene(both, tmp_path / name)
    vertices = trimesh.load(tmp_path / "a.ply", process=False).metadata["_ply_raw"]["vertex"][
        "data"
    ]
    assert vertices["red"].tolist() == [255] * 3 + [0] * 3 + [255, 0, 0]
    loaded = trimesh.load_scene(tmp_path / "a.glb", process=False)
    colors = loaded.geometry["sheet"].visual.vertex_attributes["color"]
    np.testing.assert_array_equal(colors, np.repeat(np.eye(3)[:2], 3, axis=0))
    assert sorted(loaded.geometry) == ["cloud", "sheet"]
    matrix, _ = loaded.graph["cloud"]
    np.testing.assert_allclose(
        loaded.geometry["cloud"].vertices + matrix[:3, 3], cloud.positions, atol=1e-6
    )


@pytest.mark.parametrize("extension", SCENE_EXTENSIONS)
def test_equal_scenes_give_equal_bytes(scene: Scene, extension: str, tmp_path: Path) -> None:
    if extension == ".mp4":
        pytest.importorskip("imageio_ffmpeg", reason="imageio-ffmpeg is not installed")
    moving = extension in (".gif", ".mp4")
    small = Scene(tuple(replace(n) for n in scene.nodes[:5])) if moving else scene
    for folder in ("a", "b"):
        write_scene(small, tmp_path / folder / f"x{extension}")
    one, other = (sorted((tmp_path / folder).iterdir()) for folder in ("a", "b"))
    assert [path.name for path in one] == [path.name for path in other]
    assert [path.read_bytes() for path in one] == [path.read_bytes() for path in other]


def test_a_wrong_extension_is_refused_before_anything_is_written(
    scene: Scene, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=r"unknown extension '.fbx' of 'a.fbx'.*\.glb, \.obj"):
        write_scene(scene, tmp_path / "a.fbx")
    with pytest.raises(ValueError, match=r"can be read from \.glb, \.obj, \.ply, \.stl"):
        read_mesh(tmp_path / "a.png")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("extension", [".glb", ".obj", ".ply", ".stl"])
def test_an_empty_scene_is_refused(extension: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="scene"):
        write_scene(Scene((Node("group"),)), tmp_path / f"a{extension}")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("extension", MESH_EXTENSIONS)
def test_damaged_meshes_are_refused(scene: Scene, extension: str, tmp_path: Path) -> None:
    path = tmp_path / f"a{extension}"
    with pytest.raises(FileNotFoundError):
        read_mesh(path)
    path.write_bytes(b"nonsense")
    with pytest.raises(ValueError, match=f"a{extension}"):
        read_mesh(path)


def test_a_scene_of_one_image_keeps_its_pixels(tmp_path: Path) -> None:
    from PIL import Image as pil

    pixels = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    write_scene(Scene((Node("digit", primitive=Image(pixels)),)), tmp_path / "a.png")
    np.testing.assert_array_equal(np.asarray(pil.open(tmp_path / "a.png")), pixels)
