"""PartNet's annotations: node meshes are unions, boxes are oriented, relations are found."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trimesh

from shapegen.core.boxes import corners
from shapegen.data.importing import import_folder
from shapegen.data.partnet_annotations import read_annotation
from shapegen.structures.part_tree import RelationKind

LEGS = [(x, z) for x in (-0.4, 0.4) for z in (-0.3, 0.3)]
TILT = trimesh.transformations.rotation_matrix(-0.2, [1, 0, 0])


def put(folder: Path, number: int, size: tuple[float, ...], *place: float, tilt: bool) -> str:
    mesh = trimesh.creation.box(size)
    mesh.apply_transform(TILT if tilt else np.eye(4))
    mesh.apply_translation(place)
    (folder / "objs").mkdir(parents=True, exist_ok=True)
    name = f"{'new' if number % 2 else 'original'}-{number}"
    lines = [f"v {x} {y} {z}" for x, y, z in mesh.vertices.tolist()]
    lines += [f"f {a} {b} {c}" for a, b, c in (mesh.faces + 1).tolist()]
    (folder / "objs" / f"{name}.obj").write_text("\n".join(lines) + "\n")
    return name


def chair(folder: Path) -> dict[str, Any]:
    """A chair: a seat of two meshes, four legs, and a tilted back with a part nobody labelled."""
    seats = [
        put(folder, n, (0.5, 0.1, 0.8), x, 0, 0, tilt=False) for n, x in enumerate((-0.25, 0.25))
    ]
    legs = [
        put(folder, 2 + n, (0.1, 0.6, 0.1), x, -0.35, z, tilt=False)
        for n, (x, z) in enumerate(LEGS)
    ]
    back = put(folder, 6, (1.0, 0.8, 0.1), 0, 0.44, -0.44, tilt=True)
    spare = put(folder, 7, (0.2, 0.1, 0.1), 0, 0.86, -0.52, tilt=False)

    def node(identity: int, name: str, objs: list[str], *children: Any) -> dict[str, Any]:
        more = {"children": list(children)} if children else {}
        return {"id": identity, "name": name, "text": name.title(), "objs": objs, **more}

    leaves = [node(3 + n, "leg", [leg]) for n, leg in enumerate(legs)]
    return node(
        0, "chair", [*seats, *legs, back, spare],
        node(1, "chair_seat", seats),
        node(2, "chair_base", legs, *leaves),
        node(7, "chair_back", [back, spare], node(8, "back_surface", [back])),
    )  # fmt: skip


def write(folder: Path, value: Any) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "result_after_merging.json").write_text(json.dumps(value))
    return folder


def test_a_shape_is_built_from_its_annotation(tmp_path: Path) -> None:
    folder = tmp_path / "42"
    tree = read_annotation(write(folder, [chair(folder)]))
    assert tree.name == "42"
    assert tree.label == (
        "chair",
        "chair/chair_seat",
        "chair/chair_base",
        *["chair/chair_base/leg"] * 4,
        "chair/chair_back",
        "chair/chair_back/back_surface",
        "chair/chair_back/other",
    )
    np.testing.assert_array_equal(tree.instance, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
    np.testing.assert_allclose(tree.box[1], [0, 0, 0, 1, 0.1, 0.8, 1, 0, 0, 0, 1, 0], atol=1e-6)
    back = tree.box[8]
    np.testing.assert_allclose(back[:6], [0, 0.44, -0.44, 1, 0.8, 0.1], atol=1e-6)
    np.testing.assert_allclose(back[9:], [0, np.cos(0.2), -np.sin(0.2)], atol=1e-6)
    kinds = {(edge.kind, tree.parent[edge.a]) for edge in tree.edges}
    assert (RelationKind.REF_SYM, 2) in kinds
    pairs = {(edge.a, edge.b) for edge in tree.edges if edge.kind is RelationKind.ADJ}
    assert pairs == {(1, 2), (1, 7), (8, 9)}


def test_a_node_has_the_box_of_all_meshes_below_it(tmp_path: Path) -> None:
    folder = tmp_path / "42"
    tree = read_annotation(write(folder, [chair(folder)]))
    for node, children in enumerate(tree.children):
        centre, half = tree.box[node, :3], 0.5 * tree.box[node, 3:6]
        x, y = tree.box[node, 6:9], tree.box[node, 9:]
        frame = np.stack([x, y, np.cross(x, y)])
        for child in children:
            inside = np.abs((corners(tree.box[[child]])[0] - centre) @ frame.T) - half
            # A child's box may stick out of the box around its own points a little.
            assert inside.max() < 0.06, (node, child)


def test_a_folder_of_annotated_shapes_is_imported(tmp_path: Path) -> None:
    for name in ("7", "42"):
        write(tmp_path / name, [chair(tmp_path / name)])
    write(tmp_path / "bad", [chair(tmp_path / "bad")])
    (tmp_path / "bad" / "objs" / "new-3.obj").unlink()
    (tmp_path / "bad" / "result.json").write_text("[]")
    found = import_folder(tmp_path)
    assert [tree.name for tree in found.trees] == ["42", "7"]
    (line,) = found.rejects
    assert "bad" in line
    assert "new-3.obj is not in objs/" in line


def test_the_raw_annotation_is_read_where_no_other_is(tmp_path: Path) -> None:
    folder = tmp_path / "1"
    root = chair(folder)
    # Only leaves of the raw annotation list their meshes.
    root["objs"] = root["children"][1]["objs"] = None
    (folder / "result.json").write_text(json.dumps([root]))
    assert len(read_annotation(folder)) == 10


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda root: [root, root], "a shape has one root; got 2"),
        (lambda root: [3], "root: a node must be an object; got int"),
        (lambda root: [{**root, "id": -1}], "'id' must be a whole number from 0; got -1"),
        (lambda root: [{**root, "id": 3}], "id 3 stands twice"),
        (lambda root: [{**root, "name": "", "text": 1}], "'name' must be a string"),
        (lambda root: [{**root, "objs": "a"}], "'objs' must be a list of names"),
        (lambda root: [{**root, "objs": ["../a"]}], r"must name files in objs/; got '../a'"),
        (lambda root: [{**root, "children": 4}], "'children' must be a list"),
        (
            lambda root: [{**root, "children": [{"id": 99, "name": "a"}]}],
            r"root/children\[0\]: a part without children needs 'objs'",
        ),
    ],
)
def test_what_is_malformed_is_said_in_one_line(tmp_path: Path, change: Any, said: str) -> None:
    folder = tmp_path / "42"
    write(folder, change(chair(folder)))
    with pytest.raises(ValueError, match=said) as caught:
        read_annotation(folder)
    assert "\n" not in str(caught.value)
    assert "result_after_merging.json" in str(caught.value)


def test_a_damaged_annotation_or_mesh_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "42"
    write(folder, [chair(folder)])
    (folder / "objs" / "new-3.obj").write_text("v 0 0 0\n")
    with pytest.raises(ValueError, match=r"new-3\.obj holds no triangles"):
        read_annotation(folder)
    (folder / "result_after_merging.json").write_text('[{"id": 0')
    with pytest.raises(ValueError, match="not valid JSON"):
        read_annotation(folder)
    with pytest.raises(FileNotFoundError, match="holds none of result_after_merging"):
        read_annotation(tmp_path)
