"""Groups of parts that symmetries make alike."""

from __future__ import annotations

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from shapegen.formats.relations import related_groups, relations_of
from shapegen.formats.walks import walk_of
from shapegen.scene import Node, Scene

Edge = tuple[str, str, str]


def node(name: str, parent: int, *edges: Edge) -> Node:
    relations = [{"kind": kind, "a": a, "b": b} for kind, a, b in edges]
    return Node(name, parent, extras={"relations": relations} if relations else {})


def groups(*nodes: Node) -> dict[str, int]:
    walk = walk_of([Scene(nodes)])
    names = [track.node.name for track in walk.tracks]
    return dict(zip(names, related_groups(walk), strict=True))


def test_symmetries_chain_and_adjacency_does_not() -> None:
    found = groups(
        node(
            "chair",
            -1,
            ("ADJ", "seat", "leg_1"),
            ("REF_SYM", "leg_1", "leg_2"),
            ("TRANS_SYM", "leg_3", "leg_2"),
            ("ROT_SYM", "bar_1", "bar_2"),
        ),
        *(node(name, 0) for name in ("seat", "leg_1", "leg_2", "leg_3", "bar_1", "bar_2")),
    )
    assert found == {
        "chair": 0,
        "seat": 0,
        "leg_1": 1,
        "leg_2": 1,
        "leg_3": 1,
        "bar_1": 2,
        "bar_2": 2,
    }


def test_what_is_below_belongs_to_the_nearest_group_above() -> None:
    found = groups(
        node("chair", -1, ("REF_SYM", "arm_1", "arm_2")),
        node("arm_1", 0, ("TRANS_SYM", "bar_1", "bar_2")),
        node("rest", 1),
        node("bar_1", 1),
        node("bar_2", 1),
        node("arm_2", 0),
        node("rest_2", 5),
    )
    assert found["arm_1"] == found["arm_2"] == found["rest"] == found["rest_2"] == 1
    assert found["bar_1"] == found["bar_2"] == 2
    assert found["chair"] == 0


def test_groups_are_the_connected_components() -> None:
    rng = np.random.default_rng(0)
    pairs = rng.integers(0, 60, (35, 2))
    pairs = pairs[pairs[:, 0] != pairs[:, 1]]
    edges = [("REF_SYM", f"p{a}", f"p{b}") for a, b in pairs.tolist()]
    found = groups(node("all", -1, *edges), *(node(f"p{i}", 0) for i in range(60)))
    matrix = coo_array((np.ones(len(pairs)), pairs.T), shape=(60, 60))
    _, component = connected_components(matrix, directed=False)
    alone = np.bincount(component)[component] == 1
    ours = np.array([found[f"p{i}"] for i in range(60)])
    np.testing.assert_array_equal(ours == 0, alone)
    same = component[:, None] == component
    np.testing.assert_array_equal(
        (ours[:, None] == ours)[~alone][:, ~alone], same[~alone][:, ~alone]
    )


def test_relations_with_nobody_are_left_out_and_none_is_said_twice() -> None:
    edges = (("REF_SYM", "a", "b"), ("REF_SYM", "a", "b"), ("ADJ", "a", "nobody"))
    walk = walk_of([Scene((node("all", -1, *edges), node("a", 0), node("b", 0)))])
    assert relations_of(walk) == [("REF_SYM", 1, 2)]
