"""Part trees as scenes: hierarchy, names, colours."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest

from shapegen.scene import Boxes
from shapegen.structures.colors import PALETTE, label_color
from shapegen.structures.lowering import leaf_colors, part_tree_scene, part_trees_scene
from shapegen.structures.part_tree import PartTree, PartTrees, Relation, RelationKind

# Severity 1.0 of Machado, Oliveira and Fernandes, 2009, table 1 (linear RGB).
PROTAN = [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216],
          [-0.003882, -0.048116, 1.051998]]  # fmt: skip
DEUTAN = [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413],
          [-0.011820, 0.042940, 0.968881]]  # fmt: skip


def box(*centre: float, size: tuple[float, float, float] = (0.1, 0.4, 0.1)) -> list[float]:
    return [*centre, *size, 1, 0, 0, 0, 1, 0]


@pytest.fixture
def chair() -> PartTree:
    """A seat and a base of two mirrored legs."""
    mirror = Relation(RelationKind.REF_SYM, 3, 4, (0, 0, 0, 1, 0, 0))
    contact = Relation(RelationKind.ADJ, 1, 2)
    return PartTree(
        box=np.array(
            [
                box(0, 0.25, 0, size=(0.5, 0.5, 0.5)),
                box(0, 0.45, 0, size=(0.5, 0.1, 0.5)),
                box(0, 0.2, 0, size=(0.5, 0.4, 0.1)),
                box(-0.2, 0.2, 0),
                box(0.2, 0.2, 0),
            ]
        ),
        parent=np.array([-1, 0, 0, 2, 2]),
        label=("chair", "chair/chair_seat", "chair/chair_base", *["chair/chair_base/leg"] * 2),
        edges=(mirror, contact),
        instance=np.array([7, 8, 9, 10, 11]),
        name="17",
    )


def test_the_hierarchy_and_names_are_kept(chair: PartTree) -> None:
    scene = part_tree_scene(chair)
    assert [node.name for node in scene.nodes] == [
        "chair", "chair_seat", "chair_base", "leg_1", "leg_2"
    ]  # fmt: skip
    assert [node.parent for node in scene.nodes] == chair.parent.tolist()
    drawn = [isinstance(node.primitive, Boxes) for node in scene.nodes]
    assert drawn == chair.is_leaf.tolist()


def test_extras_say_labels_instances_and_relations(chair: PartTree) -> None:
    nodes = part_tree_scene(chair).nodes
    assert nodes[3].extras["label"] == "chair/chair_base/leg"
    assert [node.extras["instance"] for node in nodes] == [7, 8, 9, 10, 11]
    assert nodes[0].extras["name"] == "17"
    assert nodes[0].extras["relations"] == [{"kind": "ADJ", "a": "chair_seat", "b": "chair_base"}]
    (mirror,) = nodes[2].extras["relations"]
    assert (mirror["kind"], mirror["a"], mirror["b"]) == ("REF_SYM", "leg_1", "leg_2")
    assert mirror["params"] == [0, 0, 0, 1, 0, 0]
    np.testing.assert_array_equal(nodes[4].extras["box"], chair.box[4])


def test_a_shape_that_faces_x_is_turned(chair: PartTree) -> None:
    turned = part_tree_scene(chair.facing("+x"))
    plain = part_tree_scene(chair)
    for one, other in zip(turned.nodes, plain.nodes, strict=True):
        np.testing.assert_allclose(one.extras["box"], other.extras["box"], atol=1e-12)


def test_names_are_unique_even_when_labels_look_numbered(chair: PartTree) -> None:
    tree = replace(chair, label=("a", "a/leg_1", "a/leg", "a/leg/leg", "a/leg/leg"))
    names = [node.name for node in part_tree_scene(tree).nodes]
    assert len(set(names)) == len(names)
    many = [node.name for node in part_trees_scene([tree, chair, tree]).nodes]
    assert len(set(many)) == 15


def test_a_label_has_one_colour_everywhere() -> None:
    assert label_color("chair/chair_back/bar") == label_color("chair/chair_back/bar")
    # Fixed: pictures of different versions stay comparable.
    assert label_color("chair/chair_seat") == PALETTE["amber"]
    assert label_color("table/table_base") == PALETTE["brick"]
    # A text that is in no table still has a colour of the palette.
    assert label_color("rocket/fin") in PALETTE.values()


def test_the_parts_of_a_chair_are_told_apart_by_all_eyes() -> None:
    names = ("back", "seat", "base", "arm", "head", "other")
    colors = np.array([label_color(f"chair/chair_{name}") for name in names])
    for eye in (np.eye(3), np.array(PROTAN), np.array(DEUTAN)):
        seen = lab(np.clip(colors**2.2 @ eye.T, 0, 1))
        gaps = [np.linalg.norm(a - b) for a, b in itertools.combinations(seen, 2)]
        # 2.3 is a just noticeable difference (CIE 1976); several of them are plain to see.
        assert min(gaps) > 10, dict(zip(itertools.combinations(names, 2), gaps, strict=True))


def lab(linear: np.ndarray) -> np.ndarray:
    """CIE L*a*b* of linear sRGB, white D65."""
    matrix = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    xyz = linear @ np.array(matrix).T / [0.9505, 1.0, 1.089]
    root = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    x, y, z = root.T
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=1)


def test_copies_share_a_colour_where_there_are_no_labels(chair: PartTree) -> None:
    far = chair.box.copy()
    far[4, 3:6] = 0.3, 0.6, 0.3  # not alike by size: only the relation says that it is a copy
    colors = leaf_colors(replace(chair, label=("part",) * 5, box=far))
    assert colors[3] == colors[4] != colors[1]
    alone = leaf_colors(replace(chair, label=("part",) * 5, box=far, edges=()))
    assert alone[3] != alone[4]


def test_parts_inside_copies_share_colours_in_order() -> None:
    """Two mirrored groups of a post and a rest: posts are alike, and so are rests."""
    rows = [box(0, 0, 0, size=(1, 1, 1))]
    for side in (-1.0, 1.0):
        rows += [box(side, 0, 0), box(side, 0, 0), box(side, 0.5, 0, size=(0.1, 0.1, 0.5 + side))]
    mirror = Relation(RelationKind.REF_SYM, 1, 4, (0, 0, 0, 1, 0, 0))
    parents = np.array([-1, 0, 1, 1, 0, 4, 4])
    colors = leaf_colors(PartTree(np.array(rows), parents, ("",) * 7, (mirror,)))
    assert colors[2] == colors[5] != colors[3] == colors[6]


def test_a_grid_keeps_shapes_apart_and_on_the_ground(chair: PartTree) -> None:
    scene = PartTrees([chair] * 7).to_scene()
    roots = [number for number, node in enumerate(scene.nodes) if node.parent < 0]
    assert len(roots) == 7
    assert {node.name.rsplit("_", 1)[0] for node in scene.nodes if node.parent < 0} == {"chair"}
    boxes = np.array([node.extras["box"] for node in scene.nodes if node.parent < 0])
    assert np.allclose(boxes[:, 1] - boxes[:, 4] / 2, 0)
    apart = [
        (np.abs(a[:3] - b[:3]) >= (a[3:6] + b[3:6]) / 2).any()
        for a, b in itertools.combinations(boxes, 2)
    ]
    assert all(apart)


def test_one_shape_stays_in_place_and_none_is_refused(chair: PartTree) -> None:
    one, alone = part_trees_scene([chair]), part_tree_scene(chair)
    np.testing.assert_array_equal(one.bounds(), alone.bounds())
    with pytest.raises(ValueError, match="at least one part tree"):
        part_trees_scene([])
