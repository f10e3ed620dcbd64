"""Part trees as text."""

from __future__ import annotations

import numpy as np

from shapegen.structures.part_tree import PartTree, Relation, RelationKind


def tree(parents: list[int], labels: list[str], *edges: Relation) -> PartTree:
    box = np.array([[0, -0.0001, 0, 1, 2, 3, 1, 0, 0, 0, 1, 0.0]] * len(parents))
    return PartTree(box, np.array(parents), tuple(labels), edges)


def test_hierarchy_and_relations() -> None:
    mirror = Relation(RelationKind.REF_SYM, 2, 3, (0, 0, 0, 1, 0, 0), dist=0.0123)
    labels = ["chair", "chair/base", "chair/base/leg", "chair/base/leg", "chair/seat"]
    shape = tree([-1, 0, 1, 1, 0], labels, mirror, Relation(RelationKind.ADJ, 1, 4))
    assert shape.tree().splitlines() == [
        "chair #0",
        "│   ADJ #1 - #4",
        "├── base #1",
        "│   │   REF_SYM #2 - #3",
        "│   ├── leg #2",
        "│   └── leg #3",
        "└── seat #4",
    ]


def test_numbers() -> None:
    mirror = Relation(RelationKind.REF_SYM, 1, 2, (0, 0, 0, 1, 0, 0), dist=0.0123)
    lines = tree([-1, 0, 0], ["a", "a/b", ""], mirror).tree(numbers=True).splitlines()
    assert lines[0] == "a #0  at (0.000, 0.000, 0.000)  size (1.000, 2.000, 3.000)"
    assert lines[1].endswith("(0.000, 0.000, 0.000, 1.000, 0.000, 0.000)  off by 0.0123")
    assert lines[3].startswith("└── (no label) #2")


def test_a_tree_deeper_than_the_recursion_limit() -> None:
    count = 3000
    shape = tree([-1, *range(count - 1)], ["x"] * count)
    assert len(shape.tree().splitlines()) == count
