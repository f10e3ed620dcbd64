"""StructureNet's JSON: what is read is written back, and what is malformed is named."""

from __future__ import annotations

import gzip
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from shapegen.structures.part_tree import PartTree, PartTrees, Relation, RelationKind
from shapegen.structures.partnet_json import read_partnet
from shapegen.structures.partnet_writing import write_partnet
from shapegen.structures.repair import RepairReport, RepairWarning

BOX = [0.0, 0.0, 0.0, 1.0, 2.0, 0.5, 1.0, 0.0, 0.0, 0.0, 1.0, 0.0]


def box(**changes: float) -> list[float]:
    values = list(BOX)
    for key, value in changes.items():
        values[int(key[1:])] = value
    return values


def node(identity: int, label: str = "part", **more: Any) -> dict[str, Any]:
    return {"id": identity, "label": label, "box": BOX, **more}


def edge(kind: str = "ADJ", a: int = 0, b: int = 1, **more: Any) -> dict[str, Any]:
    return {"part_a": a, "part_b": b, "type": kind, **more}


def stool() -> dict[str, Any]:
    """A root with a seat and a base of two legs, and one relation of each kind."""
    legs = [
        node(4, "leg", box=box(_0=-0.3)),
        node(9, "leg", box=box(_0=0.3), geo=[0.1, 0.2, 0.3]),
        node(5, "leg"),
    ]
    relations = [
        edge(dist=0.0123456789012345678),
        edge("REF_SYM", params=[0.0, 0, 0, 1, 0, 0], dist=1e-9),
        edge("TRANS_SYM", 0, 2, params=[0.1, 0.2, 0.30000000000000004]),
        edge("ROT_SYM", 1, 2, params=[0, 0, 0, 0, 1.0, 0, 1.5707963267948966], dist=None),
    ]
    base = node(1, "base", children=legs, edges=relations)
    return node(0, "stool", children=[node(2, "seat"), base], edges=[edge()])


def same(one: PartTree, other: PartTree) -> bool:
    return (
        one.label == other.label
        and one.edges == other.edges
        and one.name == other.name
        and np.array_equal(one.parent, other.parent)
        and np.array_equal(one.instance, other.instance)
        and one.box.tobytes() == other.box.tobytes()
    )


def put(folder: Path, value: Any, name: str = "7.json") -> Path:
    path = folder / name
    path.write_text(value if isinstance(value, str) else json.dumps(value))
    return path


def test_a_bare_root_is_flattened_depth_first(tmp_path: Path) -> None:
    (tree,) = read_partnet(put(tmp_path, stool(), "tall.json"))
    assert tree.name == "tall"
    assert tree.label == (
        "stool",
        "stool/seat",
        "stool/base",
        "stool/base/leg",
        "stool/base/leg",
        "stool/base/leg",
    )
    assert tree.parent.tolist() == [-1, 0, 0, 2, 2, 2]
    assert tree.instance.tolist() == [0, 2, 1, 4, 9, 5]
    assert [(e.kind, e.a, e.b) for e in tree.edges] == [
        (RelationKind.ADJ, 1, 2),
        (RelationKind.ADJ, 3, 4),
        (RelationKind.REF_SYM, 3, 4),
        (RelationKind.TRANS_SYM, 3, 5),
        (RelationKind.ROT_SYM, 4, 5),
    ]
    assert tree.edges[0].dist is None
    assert tree.edges[1].dist == 0.0123456789012345678


@pytest.mark.parametrize("name", ["a.json", "a.json.gz", "a.jsonl", "a.jsonl.gz"])
def test_writing_and_reading_keeps_every_bit(tmp_path: Path, name: str) -> None:
    rng = np.random.default_rng(0)
    turned = stool()
    x = rng.normal(size=3)
    x /= np.linalg.norm(x)
    y = np.cross(x, [0.0, 1.0, 0.0])
    y /= np.linalg.norm(y)
    turned["box"] = [*rng.normal(size=3).tolist(), 1 / 3, 2e-3, 0.7, *x.tolist(), *y.tolist()]
    first = read_partnet(put(tmp_path, turned, "given.json"))
    for trees in (first, [*first, *first]):
        write_partnet(trees, tmp_path / name)
        second = read_partnet(tmp_path / name)
        assert all(map(same, trees, second))
        write_partnet(second, tmp_path / f"again-{name}")
        assert (tmp_path / name).read_bytes() == (tmp_path / f"again-{name}").read_bytes()


def test_a_leaf_has_no_children_key_and_an_adjacency_no_params(tmp_path: Path) -> None:
    write_partnet(read_partnet(put(tmp_path, stool(), "a.json")), tmp_path / "a.json")
    root = json.loads((tmp_path / "a.json").read_text())
    assert list(root) == ["id", "label", "box", "children", "edges"]
    seat, base = root["children"]
    assert list(seat) == ["id", "label", "box"]
    assert base["label"] == "base"
    assert root["edges"] == [{"part_a": 0, "part_b": 1, "type": "ADJ"}]


def test_labels_that_do_not_continue_their_parents_survive(tmp_path: Path) -> None:
    labels = ("lamp", "lamp/arm/joint", "shade", "", "lamp//x", "/odd", "lamp/ünïcode\n")
    tree = PartTree(np.array([BOX] * 7), np.array([-1, 0, 0, 0, 0, 0, 0]), labels, name="n")
    write_partnet([tree], tmp_path / "a.jsonl")
    assert read_partnet(tmp_path / "a.jsonl")[0].label == labels


def test_rounding_keeps_seven_decimals_of_directions(tmp_path: Path) -> None:
    tree = PartTree(
        np.array([[0.123456, -1e-9, 0, 1.00004, 1, 1, 0.6, 0.8, 1e-7, -0.8, 0.6, 0]]),
        np.array([-1]),
        ("a",),
    )
    write_partnet([tree], tmp_path / "a.json", decimals=4)
    got = read_partnet(tmp_path / "a.json")[0].box[0]
    expected = [0.1235, 0, 0, 1.0, 1, 1, 0.6, 0.8, 1e-7, -0.8, 0.6, 0]
    assert got.tolist() == expected


def test_a_plain_set_of_boxes_gets_a_root(tmp_path: Path) -> None:
    line = {"id": "b", "boxes": [box(_0=-1), box(_0=1)]}
    (tree,) = read_partnet(put(tmp_path, line, "a.jsonl"))
    assert tree.name == "b"
    assert tree.parent.tolist() == [-1, 0, 0]
    np.testing.assert_allclose(tree.box[0, :6], [0, 0, 0, 3, 2, 0.5])


def nested(depth: int) -> str:
    head = '{"id":%d,"label":"a","box":' + json.dumps(BOX) + ',"children":['
    return "".join(head % k for k in range(depth)) + json.dumps(node(depth)) + "]}" * depth


def test_depth_is_limited(tmp_path: Path) -> None:
    deep = read_partnet(put(tmp_path, nested(64)))
    assert len(deep[0]) == 65
    write_partnet(deep, tmp_path / "b.json")
    with pytest.raises(ValueError, match=r"7\.json: root(/children\[0\]){65}: at most 64 levels"):
        read_partnet(put(tmp_path, nested(65)))
    started = time.perf_counter()
    with pytest.raises(ValueError, match=r"7\.json: nested too deeply; at most 64 levels"):
        read_partnet(put(tmp_path, nested(10_000)))
    assert time.perf_counter() - started < 5


def test_the_number_of_nodes_is_limited(tmp_path: Path) -> None:
    children = [node(k) for k in range(1, 10_001)]
    with pytest.raises(ValueError, match=r"children\[9999\]: at most 64 levels and 10000 nodes"):
        read_partnet(put(tmp_path, node(0, children=children)))


REFUSED = [
    ([], "holds no shapes"),
    (3, "must be an object with 'root', or a root node; got a number"),
    ({"root": []}, r"shape 7\): root: a node must be an object; got \[\]"),
    ({"root": stool(), "id": 1.5}, "'id' of a shape must be a string or a whole number"),
    (node(0, children=[node(1), node(1)]), r"root/children\[1\]: id 1 .* root/children\[0\]; ids"),
    (node(0, children=[node(1, children=[node(0)])]), r"\[0\]/children\[0\]: id 0 .* a cycle"),
    (node(0, children=[node(0)]), r"id 0 is also that of root, which contains it: a cycle"),
    ({"label": "a", "box": BOX}, "root: 'id' must be a whole number; got None"),
    (node(2**70), "'id' must be a whole number"),
    (node(0, label=None), "'label' must be a string; got None"),
    ({"id": 0, "label": "a"}, "'box' must be 12 numbers .* got None"),
    (node(0, box=BOX[:11]), "'box' must be 12 numbers"),
    (node(0, box=[*BOX[:11], "0"]), "'box' must be 12 numbers"),
    (node(0, box=[*BOX[:11], True]), "'box' must be 12 numbers"),
    (node(0, box=[*BOX[:11], float("nan")]), "root: a box must be finite"),
    (node(0, box=[*BOX[:11], float("inf")]), "root: a box must be finite"),
    (node(0, box=[*BOX[:11], 10**400]), "beyond the range of floats"),
    (node(0, box=box(_3=1e9)), "must be at most 1e"),
    (node(0, box=box(_3=0, _4=0, _5=0)), "no box of the shape has a side"),
    (node(0, children={}), r"'children' must be a list; got an object"),
    (node(0, children=["x"]), r"root/children\[0\]: a node must be an object; got 'x'"),
    (node(0, edges=[edge()]), "positions among the 0 children; got 0 and 1"),
    (node(0, edges={"a": 1}), "'edges' must be a list"),
    (node(0, children=[node(1), node(2)], edges=[edge(b=2)]), "among the 2 children; got 0 and 2"),
    (node(0, children=[node(1), node(2)], edges=[edge(a=-1)]), "among the 2 children; got -1"),
    (node(0, children=[node(1), node(2)], edges=[edge(b=0)]), "two different children; got 0"),
    (node(0, children=[node(1), node(2)], edges=[7]), r"edges\[0\]: an edge must be an object"),
    (
        node(0, children=[node(1), node(2)], edges=[edge(), edge("TOUCH")]),
        r"7\.json: root: edges\[1\]: 'type' must be one of ADJ, REF_SYM, TRANS_SYM, ROT_SYM; "
        "got 'TOUCH'",
    ),
    (
        node(0, children=[node(1), node(2)], edges=[edge("REF_SYM", params=[1, 2, 3])]),
        r"REF_SYM takes 6 numbers as 'params'; got \[1, 2, 3\]",
    ),
    (node(0, children=[node(1), node(2)], edges=[edge("ROT_SYM")]), "ROT_SYM takes 7 numbers"),
    (
        node(0, children=[node(1), node(2)], edges=[edge("REF_SYM", params=[0] * 6)]),
        "axis of a relation not unit",
    ),
    (
        node(0, children=[node(1), node(2)], edges=[edge("TRANS_SYM", params=[1, 2, 1e400])]),
        "'params' must be finite",
    ),
    (node(0, children=[node(1), node(2)], edges=[edge(dist="0")]), "'dist' must be a finite"),
    ({"boxes": [[1, 2]]}, r"'boxes' must be a list of boxes \(boxes must be \(n, 12\)"),
    ({"boxes": []}, "'boxes' must be a list of boxes"),
    ("{", "not valid JSON"),
    ("", "not valid JSON"),
    ("[[[]]]", "must be an object with 'root'"),
]


@pytest.mark.parametrize(("value", "message"), REFUSED)
def test_what_is_malformed_is_named_in_one_line(tmp_path: Path, value: Any, message: str) -> None:
    path = put(tmp_path, value)
    with pytest.raises(ValueError, match=message) as caught:
        read_partnet(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_a_bad_line_is_named_and_the_others_can_be_kept(tmp_path: Path) -> None:
    lines = [
        json.dumps({"id": "a", "root": stool()}),
        '{"id": "b", "root": {',
        json.dumps({"id": "c", "root": node(0, box=box(_0=float("nan")))}),
        json.dumps({"id": "d", "root": node(0, edges=[edge()])}),
        "",
        json.dumps({"id": "e", "root": stool()}),
    ]
    path = put(tmp_path, "\n".join(lines), "a.jsonl")
    with pytest.raises(ValueError, match=r"a\.jsonl: line 2: not valid JSON"):
        read_partnet(path)
    rejects: list[str] = []
    trees = read_partnet(path, rejects=rejects)
    assert [tree.name for tree in trees] == ["a", "e"]
    assert len(rejects) == 3
    assert any("line 3 (shape c): root: a box must be finite" in line for line in rejects)


def test_ids_can_be_ignored(tmp_path: Path) -> None:
    path = put(tmp_path, node(0, children=[node(0), node(0, children=[node(0)])]))
    assert read_partnet(path, renumber=True)[0].instance.tolist() == [0, 1, 2, 3]


def test_unlabelled_parts_may_share_their_id(tmp_path: Path) -> None:
    path = put(tmp_path, node(0, children=[node(3, children=[node(-1)]), node(-1), node(-1)]))
    (tree,) = read_partnet(path)
    assert tree.instance.tolist() == [0, 3, -1, -2, -3]
    write_partnet([tree], tmp_path / "b.json")
    assert read_partnet(tmp_path / "b.json")[0].instance.tolist() == [0, 3, -1, -2, -3]


def test_mended_boxes_are_counted_and_warned_of_once(tmp_path: Path) -> None:
    bad = node(0, children=[node(1, box=box(_6=0.8)), node(2, box=box(_4=0.0)), node(3)])
    lines = [json.dumps({"id": str(k), "root": bad}) for k in range(3)]
    path = put(tmp_path, "\n".join(lines), "a.jsonl")
    with pytest.warns(RepairWarning, match=r"3 not unit .*3 zero side \(mended\); 12") as caught:
        trees = read_partnet(path)
    assert len(caught) == 1
    assert trees[0].box[1, 6] == 1.0
    assert trees[0].box[2, 4] == pytest.approx(2e-4)
    report = RepairReport()
    read_partnet(path, report=report)
    assert report.counts == {"not unit": 3, "zero side": 3}
    assert report.boxes == 12
    with pytest.raises(ValueError, match=r"shape 0\): root/children\[1\]: zero side"):
        read_partnet(path, repair="refuse")
    kept = read_partnet(path, repair="keep", report=RepairReport())
    assert kept[0].box[1, 6] == 0.8


def test_an_axis_that_is_no_unit_vector_is_mended(tmp_path: Path) -> None:
    bad = edge("REF_SYM", params=[0, 0, 0, 2, 0, 0])
    path = put(tmp_path, node(0, children=[node(1), node(2)], edges=[bad]))
    report = RepairReport()
    (tree,) = read_partnet(path, report=report)
    assert tree.edges[0].params == (0, 0, 0, 1, 0, 0)
    assert report.mended == 1
    with pytest.raises(ValueError, match="axis of a relation not unit"):
        read_partnet(path, repair="refuse")


def test_what_cannot_be_written_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="at least one shape is needed"):
        write_partnet([], tmp_path / "a.json")
    twins = PartTree(
        np.array([BOX] * 2), np.array([-1, 0]), ("a", "a/b"), instance=np.zeros(2, int)
    )
    with pytest.raises(ValueError, match="instance ids must be unique"):
        write_partnet([twins], tmp_path / "a.json")
    assert list(tmp_path.iterdir()) == []


def test_trees_in_another_frame_are_turned(tmp_path: Path) -> None:
    tree = PartTree(
        np.array([box(_0=1.0)] * 3),
        np.array([-1, 0, 0]),
        ("a", "a/b", "a/b"),
        edges=(Relation(RelationKind.TRANS_SYM, 1, 2, (1.0, 0.0, 0.0)),),
        front="+x",
    )
    write_partnet([tree], tmp_path / "a.json")
    (read,) = read_partnet(tmp_path / "a.json")
    assert read.front == "+z"
    np.testing.assert_array_equal(read.box, tree.facing("+z").box)
    assert read.edges[0].params == tree.facing("+z").edges[0].params


@pytest.mark.parametrize("name", ["chair_val", "table_val", "storage_val"])
def test_real_files_are_written_back_byte_for_byte(
    tmp_path: Path, data_path: Path, name: str
) -> None:
    source = data_path / "partnet_boxes" / f"{name}.jsonl.gz"
    report = RepairReport()
    trees = read_partnet(source, report=report)
    assert report.mended == 0
    write_partnet(trees, tmp_path / "a.jsonl")
    assert (tmp_path / "a.jsonl").read_bytes() == gzip.decompress(source.read_bytes())


def test_the_training_chairs_are_read_in_a_second_or_two(data_path: Path) -> None:
    started = time.process_time()
    trees = read_partnet(data_path / "partnet_boxes" / "chair_train.jsonl.gz")
    assert time.process_time() - started < 4  # 0.3 s where this was written
    assert isinstance(trees, PartTrees)
    assert (len(trees), sum(map(len, trees))) == (3280, 47762)
    kinds = [e.kind for tree in trees for e in tree.edges]
    assert (kinds.count(RelationKind.ADJ) > 20000, kinds.count(RelationKind.ROT_SYM)) == (True, 0)
