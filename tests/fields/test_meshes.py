"""The container of meshes: choosing, joining, and files that give back what was written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import trimesh

from shapegen.base import Shapes
from shapegen.core import boxes as box_algebra
from shapegen.core.frames import to_z_up
from shapegen.fields.meshes import Meshes
from shapegen.formats import read_mesh, write_scene
from shapegen.formats.gltf_meshes import read_gltf
from shapegen.scene import Mesh


def block(width: float = 1.0, *, colored: bool = True) -> Mesh:
    vertices, faces = box_algebra.mesh(np.array([[0, 0.5, 0, width, 1, 1, 1, 0, 0, 0, 1, 0]]))
    normals = vertices - [0, 0.5, 0]
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    shades = (vertices - vertices.min(0)) / np.ptp(vertices, axis=0)
    return Mesh(vertices, faces, shades if colored else None, vertex_normals=normals)


def test_meshes_are_shapes_and_give_trimeshes() -> None:
    meshes = Meshes([block(1), block(2), block(3, colored=False)], list("abc"))
    assert isinstance(meshes, Shapes)
    assert isinstance(meshes[0], trimesh.Trimesh)
    assert [round(mesh.volume, 6) for mesh in meshes] == [1, 2, 3]
    assert meshes.watertight() == [True] * 3
    shades = meshes[1].visual.vertex_colors[:, :3] / 255
    np.testing.assert_array_equal(shades, meshes.meshes[1].vertex_colors)
    some = meshes[[2, 0]]
    assert some.names == ("c", "a")
    assert Meshes.join([some, meshes[1:2]]).names == ("c", "a", "b")
    open_mesh = Mesh(block().vertices, block().faces[:-1])
    assert Meshes([open_mesh]).watertight() == [False]


def test_scenes_of_several_stand_side_by_side_on_the_ground() -> None:
    nodes = Meshes([block(1), block(2)]).to_scene().nodes
    left, right = (node.primitive.vertices for node in nodes)
    assert left[:, 0].max() < right[:, 0].min()
    assert left[:, 1].min() == right[:, 1].min() == 0


@pytest.mark.parametrize("kind", [".glb", ".obj", ".ply", ".stl"])
def test_files_hold_the_surface(kind: str, tmp_path: Path) -> None:
    Meshes([block(2)]).write(tmp_path / f"a{kind}")
    mesh = read_mesh(tmp_path / f"a{kind}")
    solid = trimesh.Trimesh(mesh.vertices, mesh.faces)
    assert solid.is_watertight
    assert solid.volume == pytest.approx(2)
    Meshes([block(1), block(2)]).write(tmp_path / "folder")
    assert sorted(p.name for p in (tmp_path / "folder").iterdir()) == ["0000.glb", "0001.glb"]


def test_objects_keep_colours_and_normals_of_vertices(tmp_path: Path) -> None:
    mesh = block()
    Meshes([mesh]).write(tmp_path / "a.obj")
    again = trimesh.load(tmp_path / "a.obj", process=False)
    order = [int(np.abs(again.vertices - each).sum(1).argmin()) for each in mesh.vertices]
    colors = again.visual.vertex_colors[order, :3] / 255
    np.testing.assert_allclose(colors, mesh.vertex_colors, atol=0.003)
    np.testing.assert_allclose(again.vertex_normals[order], mesh.vertex_normals, atol=1e-5)
    # A material for every shade would be thousands of them.
    assert "newmtl" not in (tmp_path / "a.mtl").read_text()


def test_binary_files_keep_the_normals_of_vertices(tmp_path: Path) -> None:
    mesh = block()
    Meshes([mesh]).write(tmp_path / "a.glb")
    again = trimesh.load_mesh(tmp_path / "a.glb", process=False)
    np.testing.assert_allclose(again.vertex_normals, mesh.vertex_normals, atol=1e-6)
    assert len(read_gltf(tmp_path / "a.glb", max_nodes=9)) == 1


def test_pieces_share_the_area() -> None:
    one = block()
    half = Mesh(one.vertices / 2 + 5, one.faces)
    both = Mesh(
        np.concatenate([one.vertices, half.vertices]),
        np.concatenate([one.faces, half.faces + len(one.vertices)]),
    )
    # The smaller one has a quarter of the other's area.
    assert Meshes([one, both]).largest_shares() == pytest.approx([1.0, 0.8])


def test_what_is_no_batch_of_meshes_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="one a mesh"):
        Meshes([block()], ["a", "b"])
    with pytest.raises(ValueError, match="number 0 has none"):
        Meshes([Mesh(np.zeros((3, 3)), np.empty((0, 3), np.int64))])
    with pytest.raises(ValueError, match="at least one mesh"):
        Meshes([]).write(tmp_path / "a.glb")
    with pytest.raises(ValueError, match=r"vertex_normals must be \(8, 3\)"):
        Mesh(block().vertices, block().faces, vertex_normals=np.zeros((3, 3)))


def test_normals_turn_with_the_axes_of_a_file(tmp_path: Path) -> None:
    mesh = block()
    write_scene(Meshes([mesh]).to_scene(), tmp_path / "z.obj", up="z", unit="cm")
    again = trimesh.load(tmp_path / "z.obj", process=False)
    np.testing.assert_allclose(again.bounds[:, 2], [0, 100])
    order = [
        int(np.abs(again.vertices / 100 - each).sum(1).argmin()) for each in to_z_up(mesh.vertices)
    ]
    np.testing.assert_allclose(
        again.vertex_normals[order], to_z_up(mesh.vertex_normals), atol=1e-5
    )
