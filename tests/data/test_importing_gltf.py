"""glTF files as programs write them: shared meshes, several materials, transforms, odd names."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trimesh

from shapegen.data.importing import import_mesh

CUBE = trimesh.creation.box((1, 1, 1))
BLOB = CUBE.vertices.astype("<f4").tobytes() + CUBE.faces.astype("<u2").tobytes()
PRIMITIVE = {"attributes": {"POSITION": 0}, "indices": 1}
DRACO = "KHR_draco_mesh_compression"
HALF_TURN = [0.0, 0.0, float(np.sin(0.25)), float(np.cos(0.25))]
"""Quaternion of half a radian about z."""


def put(path: Path, nodes: list[dict[str, Any]], **more: Any) -> Path:
    """Write a file whose first node is the root; mesh 0 is the unit cube."""
    size = 12 * len(CUBE.vertices)
    document = {
        "asset": {"version": "2.0"},
        "scene": 0,
        "scenes": [{"nodes": [0] if nodes else []}],
        "nodes": nodes,
        "meshes": [{"primitives": [PRIMITIVE]}],
        "accessors": [
            {"bufferView": 0, "componentType": 5126, "count": len(CUBE.vertices), "type": "VEC3"},
            {"bufferView": 1, "componentType": 5123, "count": CUBE.faces.size, "type": "SCALAR"},
        ],
        "bufferViews": [
            {"buffer": 0, "byteOffset": 0, "byteLength": size},
            {"buffer": 0, "byteOffset": size, "byteLength": len(BLOB) - size},
        ],
        "buffers": [
            {
                "byteLength": len(BLOB),
                "uri": f"data:application/octet-stream;base64,{base64.b64encode(BLOB).decode()}",
            }
        ],
        **more,
    }
    path.write_text(json.dumps(document))
    return path


def test_parts_come_in_the_order_of_the_file_and_names_may_be_equal(tmp_path: Path) -> None:
    names = ["seat", "leg", "leg", "", "back"]
    nodes: list[dict[str, Any]] = [{"name": "Chair", "children": [1, 2, 3, 4, 5, 6]}]
    nodes += [
        {"name": name, "mesh": 0, "translation": [3 * number, 0, 0]}
        for number, name in enumerate(names)
    ]
    nodes.append({"name": "Empty", "children": [7]})
    nodes.append({"name": "Nothing below"})
    tree = import_mesh(put(tmp_path / "a.gltf", nodes))
    assert tree.label == (
        "chair",
        *(f"chair/{name}" for name in ("seat", "leg", "leg", "part", "back")),
    )
    np.testing.assert_allclose(tree.box[1:, 0], [0, 3, 6, 9, 12], atol=1e-6)


def test_transforms_of_all_nodes_above_apply(tmp_path: Path) -> None:
    nodes = [
        {"name": "root", "children": [1, 3], "scale": [4, 1, 1]},
        {"name": "group", "children": [2], "rotation": HALF_TURN},
        {"name": "bar", "mesh": 0, "scale": [0.2, 2, 0.2], "translation": [0, 1, 0]},
        {"name": "base", "mesh": 0, "translation": [1, 0, 0], "scale": [-1, 2, 1]},
    ]
    tree = import_mesh(put(tmp_path / "a.gltf", nodes))
    np.testing.assert_allclose(tree.box[3], [4, 0, 0, 4, 2, 1, 1, 0, 0, 0, 1, 0], atol=1e-6)
    # The bar is stretched after it was turned: it is no longer a box, but is boxed tightly.
    sine, cosine = np.sin(0.5), np.cos(0.5)
    np.testing.assert_allclose(tree.box[2, :3], [-4 * sine, cosine, 0], atol=1e-6)
    bar = np.array([[0.2 * x, 2 * y + 1, 0.2 * z] for x, y, z in CUBE.vertices])
    turn = np.array([[cosine, -sine, 0], [sine, cosine, 0], [0, 0, 1]])
    points = bar @ turn.T * [4, 1, 1] - tree.box[2, :3]
    x, y = tree.box[2, 6:9], tree.box[2, 9:]
    inner = points @ np.stack([x, y, np.cross(x, y)]).T
    np.testing.assert_allclose(2 * inner.max(0), tree.box[2, 3:6], atol=1e-5)
    assert tree.box[2, 3:6].prod() < 0.7 * np.ptp(points, axis=0).prod()


def test_a_part_of_several_materials_is_one_part(tmp_path: Path) -> None:
    nodes = [
        {"name": "Cabinet", "children": [1, 2]},
        {"name": "door", "mesh": 1},
        {"name": "door_2", "mesh": 0, "translation": [3, 0, 0]},
    ]
    more = [{"primitives": [PRIMITIVE]}, {"primitives": [PRIMITIVE, {**PRIMITIVE, "mode": 4}]}]
    tree = import_mesh(put(tmp_path / "a.gltf", nodes, meshes=more))
    assert tree.label == ("cabinet", "cabinet/door", "cabinet/door")


def test_a_file_beside_it_is_read(tmp_path: Path) -> None:
    (tmp_path / "my data.bin").write_bytes(BLOB)
    nodes = [{"name": "root", "children": [1, 2]}, {"name": "a", "mesh": 0}, {"mesh": 0}]
    nodes[2]["translation"] = [0, 2, 0]
    more = [{"byteLength": len(BLOB), "uri": "my%20data.bin"}]
    path = put(tmp_path / "a.gltf", nodes, buffers=more)
    assert len(import_mesh(path).boxes()) == 2
    (tmp_path / "my data.bin").unlink()
    with pytest.raises(ValueError, match=r"its file 'my%20data\.bin' is not beside it"):
        import_mesh(path)


REFUSED: dict[str, tuple[list[dict[str, Any]], dict[str, Any], str]] = {
    "no nodes": ([], {}, "holds no triangles"),
    "no meshes": ([{"name": "a"}], {}, "holds no triangles"),
    "zero scale": ([{"mesh": 0, "scale": [0, 0, 0]}], {}, "no triangles of any size"),
    "NaN in a transform": ([{"mesh": 0, "translation": [0, 0, float("nan")]}], {}, "not finite"),
    "no such mesh": ([{"mesh": 5}], {}, "not glTF 2.0"),
    "two parents": (
        [{"children": [1, 2]}, {"children": [2]}, {"mesh": 0}],
        {},
        "node 2 stands under two nodes",
    ),
    "compressed": (
        [{"mesh": 0}],
        {"meshes": [{"primitives": [PRIMITIVE | {"extensions": {DRACO: {}}}]}]},
        r"compressed \(KHR_draco_mesh_compression\)",
    ),
    "bent by bones": ([{"name": "Arm", "mesh": 0, "skin": 0}], {}, "node 'Arm' is bent by bones"),
    "a buffer is missing": ([{"mesh": 0}], {"buffers": [{"byteLength": 9}]}, "no binary part"),
    "a buffer is not base64": (
        [{"mesh": 0}],
        {"buffers": [{"byteLength": 9, "uri": "data:;base64,####"}]},
        "not base64",
    ),
    "a buffer is short": (
        [{"mesh": 0}],
        {"buffers": [{"byteLength": 9, "uri": "data:;base64,AAAA"}]},
        "ends at byte 96 of the 3 there are",
    ),
    "a matrix of nine": ([{"mesh": 0, "matrix": [1.0] * 9}], {}, "16 numbers are due"),
    "words for a translation": ([{"mesh": 0, "translation": ["a"] * 3}], {}, "3 numbers are due"),
    "no such scene": ([{"mesh": 0}], {"scene": 4}, "not glTF 2.0"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_read_is_said_in_one_line(tmp_path: Path, case: str) -> None:
    nodes, more, said = REFUSED[case]
    with pytest.raises(ValueError, match=said) as caught:
        import_mesh(put(tmp_path / "a.gltf", nodes, **more))
    assert str(caught.value).startswith(str(tmp_path / "a.gltf"))
    assert "\n" not in str(caught.value)


def hidden(nodes: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [*nodes, {"name": "hidden", "mesh": 0, "scale": [0, 0, 0], "translation": [9, 9, 9]}]


def test_what_is_not_seen_is_no_part(tmp_path: Path) -> None:
    nodes = [{"name": "desk", "children": [1, 2, 3, 4, 5]}]
    nodes += [{"name": n, "mesh": 0, "translation": [3 * k, 0, 0]} for k, n in enumerate("ab")]
    nodes += [{"name": "Camera", "camera": 0}, {"name": "Wire", "mesh": 1}]
    wire = {"primitives": [{**PRIMITIVE, "mode": 1}, {**PRIMITIVE, "mode": 0}]}
    path = put(tmp_path / "a.gltf", hidden(nodes), meshes=[{"primitives": [PRIMITIVE]}, wire])
    tree = import_mesh(path)
    assert tree.label == ("desk", "desk/a", "desk/b")
    np.testing.assert_allclose(tree.box[0, :6], [1.5, 0, 0, 4, 1, 1], atol=1e-6)


def test_the_scene_says_which_nodes_are_there(tmp_path: Path) -> None:
    nodes = [{"name": n, "mesh": 0, "translation": [2 * k, 0, 0]} for k, n in enumerate("abc")]
    for more, wanted in (
        ({"scenes": [{"nodes": [0]}, {"nodes": [1, 2]}], "scene": 1}, "bc"),
        ({"scenes": [{"nodes": [0, 2]}, {"nodes": [1]}], "scene": 0}, "ac"),
        ({"scenes": []}, "abc"),
    ):
        tree = import_mesh(put(tmp_path / "x.gltf", nodes, **more))
        assert [label.rpartition("/")[2] for label in tree.label[1:]] == list(wanted)


def test_nodes_without_names_are_called_after_their_meshes(tmp_path: Path) -> None:
    nodes: list[dict[str, Any]] = [{"children": [1, 2]}, {"mesh": 0}, {"mesh": 0, "name": "Top"}]
    nodes[2]["translation"] = [0, 2, 0]
    meshes = [{"name": "Leg.001", "primitives": [PRIMITIVE]}]
    tree = import_mesh(put(tmp_path / "stool_2.gltf", nodes, meshes=meshes))
    assert tree.label == ("stool", "stool/leg", "stool/top")


def test_nodes_that_an_exporter_put_between_are_no_parts(tmp_path: Path) -> None:
    wood, steel = {**PRIMITIVE, "material": 0}, {**PRIMITIVE, "material": 1}
    nodes: list[dict[str, Any]] = [
        {"name": "Sketchfab_model", "children": [1]},
        {"name": "RootNode", "children": [2, 4, 7]},
        {"name": "Leg.001", "children": [3]},
        {"name": "Leg.001_Oak_0", "mesh": 0},
        {"name": "Leg.002", "children": [5, 6], "translation": [2, 0, 0]},
        {"name": "Leg.002_Oak_0", "mesh": 0},
        {"name": "Leg.002_Steel_0", "mesh": 1, "translation": [0, 0.5, 0]},
        {"name": "Seat_9", "children": [8], "translation": [0, 4, 0]},
        {"name": "Object_12", "mesh": 1},
    ]
    more = {
        "meshes": [{"primitives": [wood]}, {"primitives": [steel]}],
        "materials": [{"name": "Oak"}, {"name": "Steel"}],
    }
    tree = import_mesh(put(tmp_path / "chair.gltf", nodes, **more))
    assert tree.label == ("chair", "chair/leg", "chair/leg", "chair/seat")
    np.testing.assert_allclose(tree.box[2, :6], [2, 0.25, 0, 1, 1.5, 1], atol=1e-6)
    # Parts that are called so by people stay.
    nodes[3]["name"], nodes[5]["name"] = "Leg_Foot_1", "Leg.002_Foot_1"
    tree = import_mesh(put(tmp_path / "chair.gltf", nodes, **more))
    assert "chair/leg/leg_foot" in tree.label


def test_sides_of_a_pair_do_not_keep_it_apart(tmp_path: Path) -> None:
    nodes = [
        {"name": "chair", "children": [1, 2]},
        {"name": "ArmRest.L", "mesh": 0, "translation": [2, 0, 0]},
        {"name": "ArmRest.R", "mesh": 0, "translation": [-2, 0, 0], "scale": [-1, 1, 1]},
    ]
    tree = import_mesh(put(tmp_path / "a.gltf", nodes))
    assert tree.label[1:] == ("chair/arm_rest", "chair/arm_rest")
    assert [edge.kind for edge in tree.edges] == ["REF_SYM"]


def test_spokes_of_several_parts_are_a_ring(tmp_path: Path) -> None:
    nodes: list[dict[str, Any]] = [{"name": "base", "children": [1, 4, 7, 10, 13]}]
    for number in range(5):
        half = np.pi * number / 5 + 0.1
        first = len(nodes)
        nodes += [
            {
                "name": f"spoke.{number}",
                "children": [first + 1, first + 2],
                "rotation": [0, float(np.sin(half)), 0, float(np.cos(half))],
            },
            {"name": "bar", "mesh": 0, "scale": [2, 0.2, 0.2], "translation": [1.2, 0, 0]},
            {"name": "wheel", "mesh": 0, "scale": [0.3, 0.3, 0.1], "translation": [2, -0.25, 0]},
        ]
    tree = import_mesh(put(tmp_path / "a.gltf", nodes))
    rings = {(edge.a, edge.b) for edge in tree.edges if edge.kind == "ROT_SYM"}
    assert len(rings) == 4
    assert {node for pair in rings for node in pair} == {1, 4, 7, 10, 13}
