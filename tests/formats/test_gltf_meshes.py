"""Triangles of glTF files in every form in which programs store them."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trimesh
from numpy.typing import NDArray

from shapegen.formats.gltf_meshes import GltfNode, read_gltf

SQUARE = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [1, 1, 0]], dtype="<f4")
KINDS = {"i1": 5120, "u1": 5121, "i2": 5122, "u2": 5123, "u4": 5125, "f4": 5126}
WIDTHS = {1: "SCALAR", 3: "VEC3", 4: "VEC4"}


class Writer:
    """A .glb in the making: arrays go to views of their own."""

    def __init__(self) -> None:
        self.blob = b""
        self.views: list[dict[str, Any]] = []
        self.accessors: list[dict[str, Any]] = []

    def view(self, data: bytes, **more: Any) -> int:
        self.views.append(
            {"buffer": 0, "byteOffset": len(self.blob), "byteLength": len(data), **more}
        )
        self.blob += data + b"\0" * (-len(data) % 4)
        return len(self.views) - 1

    def array(self, values: NDArray[Any], **more: Any) -> int:
        rows = values.reshape(len(values), -1)
        self.accessors.append(
            {
                "bufferView": self.view(rows.tobytes()),
                "componentType": KINDS[values.dtype.str[1:]],
                "count": len(rows),
                "type": WIDTHS[rows.shape[1]],
                **more,
            }
        )
        return len(self.accessors) - 1

    def write(self, path: Path, primitives: list[dict[str, Any]], **node: Any) -> Path:
        document = {
            "asset": {"version": "2.0"},
            "scenes": [{"nodes": [0]}],
            "nodes": [{"name": "part", "mesh": 0, **node}],
            "meshes": [{"primitives": primitives}],
            "accessors": self.accessors,
            "bufferViews": self.views,
            "buffers": [{"byteLength": len(self.blob)}],
        }
        text = json.dumps(document).encode()
        text += b" " * (-len(text) % 4)
        chunks = struct.pack("<I4s", len(text), b"JSON") + text
        chunks += struct.pack("<I4s", len(self.blob), b"BIN\0") + self.blob
        path.write_bytes(struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks)
        return path


def triangles(path: Path) -> NDArray[np.float64]:
    (node,) = read_gltf(path, max_nodes=100)
    return np.concatenate(node.triangles)


def same_surface(found: NDArray[np.float64], wanted: Any) -> bool:
    """Whether triangles have the same corners, in any order within a triangle."""
    rows = sorted(tuple(sorted(map(tuple, np.round(t, 5).tolist()))) for t in found)
    return rows == sorted(tuple(sorted(map(tuple, t))) for t in np.asarray(wanted, float).tolist())


HALVES = [SQUARE[[0, 1, 2]], SQUARE[[1, 2, 3]]]


@pytest.mark.parametrize(
    ("mode", "corners", "wanted"),
    [
        (4, [0, 1, 2, 2, 1, 3], HALVES),
        (4, None, HALVES[:1]),
        (5, [0, 1, 2, 3], HALVES),
        (5, None, HALVES),
        (6, [1, 0, 2, 3], HALVES),
        (0, [0, 1, 2], []),
        (1, [0, 1, 2, 3], []),
    ],
)
@pytest.mark.parametrize("kind", ["u1", "<u2", "<u4"])
def test_every_way_to_list_triangles(
    mode: int, corners: list[int] | None, wanted: list[Any], kind: str, tmp_path: Path
) -> None:
    writer = Writer()
    primitive: dict[str, Any] = {"attributes": {"POSITION": writer.array(SQUARE)}, "mode": mode}
    if corners is not None:
        primitive["indices"] = writer.array(np.array(corners, dtype=kind))
    assert same_surface(triangles(writer.write(tmp_path / "a.glb", [primitive])), wanted)


@pytest.mark.parametrize("kind", ["i1", "u1", "<i2", "<u2"])
def test_quantised_vertices_are_unpacked(kind: str, tmp_path: Path) -> None:
    most = np.iinfo(kind).max
    for normalized, scale in ((True, 1.0), (False, float(most))):
        writer = Writer()
        points = writer.array((SQUARE * most).astype(kind), normalized=normalized)
        path = writer.write(tmp_path / "a.glb", [{"attributes": {"POSITION": points}, "mode": 5}])
        assert same_surface(triangles(path) / scale, HALVES)


def test_vertices_may_lie_between_other_values(tmp_path: Path) -> None:
    rows = np.concatenate([np.full((4, 2), 7, dtype="<f4"), SQUARE], axis=1)
    writer = Writer()
    writer.view(rows.tobytes(), byteStride=20)
    accessor = {"bufferView": 0, "byteOffset": 8, "componentType": 5126, "count": 4}
    writer.accessors.append({**accessor, "type": "VEC3"})
    path = writer.write(tmp_path / "a.glb", [{"attributes": {"POSITION": 0}, "mode": 5}])
    assert same_surface(triangles(path), HALVES)


@pytest.mark.parametrize("base", [True, False])
def test_sparse_vertices_replace_others(base: bool, tmp_path: Path) -> None:
    moved = SQUARE.copy()
    moved[[1, 3]] += 5
    writer = Writer()
    points = writer.array(SQUARE if base else np.zeros_like(SQUARE))
    if not base:
        del writer.accessors[points]["bufferView"]
        moved[[0, 2]] = 0
    writer.accessors[points]["sparse"] = {
        "count": 2,
        "indices": {"bufferView": writer.view(b"\1\3"), "componentType": 5121},
        "values": {"bufferView": writer.view(moved[[1, 3]].tobytes())},
    }
    path = writer.write(tmp_path / "a.glb", [{"attributes": {"POSITION": points}, "mode": 5}])
    assert same_surface(triangles(path), [moved[[0, 1, 2]], moved[[1, 2, 3]]])


def test_a_mesh_that_is_repeated_is_there_as_often(tmp_path: Path) -> None:
    writer = Writer()
    points = writer.array(SQUARE)
    half = np.float32(np.sqrt(0.5))
    columns = {
        "TRANSLATION": writer.array(np.array([[0, 0, 3], [0, 0, 4], [0, 0, 5]], "<f4")),
        "ROTATION": writer.array(np.array([[0, 0, 0, 1], [0, half, 0, half]] * 2, "<f4")[:3]),
    }
    extensions = {"EXT_mesh_gpu_instancing": {"attributes": columns}}
    primitive = {"attributes": {"POSITION": points}, "mode": 5}
    path = writer.write(tmp_path / "a.glb", [primitive], extensions=extensions, scale=[2, 2, 2])
    (node,) = read_gltf(path, max_nodes=9)
    assert len(node.triangles) == 3
    for instance, depth in ((0, 6), (2, 10)):
        assert same_surface(node.triangles[instance], 2 * np.array(HALVES) + [0, 0, depth])
    # A quarter turn about y takes x to -z.
    turned = np.array(HALVES)[..., [2, 1, 0]] * [1, 1, -1]
    assert same_surface(node.triangles[1], 2 * turned + [0, 0, 8])


def test_places_of_nodes_are_those_of_trimesh(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    scene, above = trimesh.Scene(), "world"
    for number in range(6):
        matrix = np.eye(4)
        matrix[:3] = rng.normal(size=(3, 4))
        mesh = trimesh.creation.box(rng.uniform(0.5, 2, 3))
        above = scene.add_geometry(
            mesh, node_name=f"n{number}", parent_node_name=above, transform=matrix
        )
    scene.export(tmp_path / "a.glb")
    stack = read_gltf(tmp_path / "a.glb", max_nodes=100)
    seen = 0
    while stack:
        node: GltfNode = stack.pop()
        stack += node.children
        if node.triangles:
            matrix, name = scene.graph.get(node.name)
            wanted = trimesh.transform_points(scene.geometry[name].vertices, matrix)
            found = np.concatenate(node.triangles).reshape(-1, 3)
            np.testing.assert_allclose(found.min(0), wanted.min(0), atol=1e-5)
            np.testing.assert_allclose(found.max(0), wanted.max(0), atol=1e-5)
            seen += 1
    assert seen == 6


@pytest.mark.parametrize(
    ("corners", "said"),
    [
        (np.array([0, 1, 9], "<u2"), "a triangle has the vertex 9; there are 4 vertices"),
        (None, "accessor 0 has no data"),
    ],
)
def test_what_cannot_be_is_refused(
    corners: NDArray[Any] | None, said: str, tmp_path: Path
) -> None:
    writer = Writer()
    primitive: dict[str, Any] = {"attributes": {"POSITION": writer.array(SQUARE)}}
    if corners is None:
        del writer.accessors[0]["bufferView"]
    else:
        primitive["indices"] = writer.array(corners)
    path = writer.write(tmp_path / "a.glb", [primitive])
    with pytest.raises(ValueError, match=said) as caught:
        triangles(path)
    assert str(caught.value).startswith(str(path))


def test_many_instances_of_nothing_are_refused(tmp_path: Path) -> None:
    writer = Writer()
    many = writer.array(np.zeros((100_001, 3), "<f4"))
    extensions = {"EXT_mesh_gpu_instancing": {"attributes": {"TRANSLATION": many}}}
    path = writer.write(tmp_path / "a.glb", [{"attributes": {}}], extensions=extensions)
    with pytest.raises(ValueError, match="repeated 100001 times; at most 100000"):
        triangles(path)
