"""What graphs are exactly, and which are the same."""

from __future__ import annotations

import networkx
import numpy as np
import pytest
import torch

from shapegen.data.graph_sets import make_graphs
from shapegen.graphs.graphs import Graphs
from shapegen.metrics.graph_validity import (
    KINDS,
    classes,
    distances_from,
    grid_shape,
    novelty,
    validity_shares,
)


def shuffled(graph: networkx.Graph, seed: int = 0) -> Graphs:
    order = torch.randperm(len(graph), generator=torch.Generator().manual_seed(seed))
    return Graphs.of(graph).renumbered([order.numpy()])


@pytest.mark.parametrize(("rows", "columns"), [(2, 2), (2, 3), (2, 9), (3, 3), (3, 5), (7, 10)])
def test_a_grid_is_known_by_its_shape(rows: int, columns: int) -> None:
    graph = networkx.grid_2d_graph(rows, columns)
    for seed in range(3):
        assert grid_shape(shuffled(graph, seed), 0) == (rows, columns)
    changed = graph.copy()
    # One edge moved: as many nodes and edges, and no grid.
    changed.remove_edge((0, 0), (0, 1))
    changed.add_edge((0, 0), (1, 1))
    same = networkx.is_isomorphic(graph, changed)
    assert (grid_shape(shuffled(changed), 0) is not None) == same


def test_grids_are_told_from_all_other_graphs_of_their_size() -> None:
    from tests.graphs.graph_cases import every_graph

    square = networkx.cycle_graph(4)
    for number, graph in enumerate(every_graph(4)):
        found = grid_shape(Graphs.of(graph), 0) is not None
        assert found == networkx.is_isomorphic(graph, square), number


def test_torn_and_twisted_grids_are_none() -> None:
    tube = networkx.grid_2d_graph(4, 5, periodic=True)
    apart = networkx.disjoint_union(networkx.grid_2d_graph(3, 3), networkx.grid_2d_graph(3, 3))
    twisted = networkx.ladder_graph(6)
    twisted.remove_edges_from([(2, 3), (8, 9)])
    twisted.add_edges_from([(2, 9), (8, 3)])
    assert networkx.is_isomorphic(twisted, networkx.ladder_graph(6))
    assert grid_shape(shuffled(twisted), 0) == (2, 6)
    for graph in (tube, apart, networkx.path_graph(6), networkx.cycle_graph(6)):
        assert grid_shape(shuffled(graph), 0) is None


@pytest.mark.parametrize(
    ("graph", "kinds"),
    [
        (networkx.path_graph(1), {"connected", "tree"}),
        (networkx.path_graph(5), {"connected", "tree"}),
        (networkx.cycle_graph(3), {"connected", "cycle"}),
        (networkx.cycle_graph(4), {"connected", "cycle", "grid", "ladder"}),
        (networkx.ladder_graph(5), {"connected", "grid", "ladder"}),
        (networkx.grid_2d_graph(3, 4), {"connected", "grid"}),
        (networkx.complete_graph(5), {"connected"}),
        (networkx.disjoint_union(networkx.cycle_graph(3), networkx.cycle_graph(4)), set()),
        (networkx.disjoint_union(networkx.cycle_graph(3), networkx.path_graph(2)), set()),
    ],
)
def test_every_kind_is_known(graph: networkx.Graph, kinds: set[str]) -> None:
    batch = shuffled(graph)
    assert {name for name, test in KINDS.items() if test(batch, 0)} == kinds


def test_shares_are_of_the_sets() -> None:
    for name, kind in (
        ("grid", "grid"),
        ("ladder-small", "ladder"),
        ("tree", "tree"),
        ("cycle", "cycle"),
    ):
        shares = validity_shares(make_graphs(f"graphs-{name}", 12))
        assert shares[kind] == shares["connected"] == 1
    mixed = Graphs.join([make_graphs("graphs-tree", 3), make_graphs("graphs-cycle", 1)])
    assert validity_shares(mixed) == {
        "connected": 1.0,
        "tree": 0.75,
        "cycle": 0.25,
        "grid": 0.0,
        "ladder": 0.0,
    }
    with pytest.raises(ValueError, match="at least one graph"):
        validity_shares(mixed[:0])


def test_distances_are_those_of_networkx() -> None:
    graph = networkx.disjoint_union(networkx.grid_2d_graph(3, 4), networkx.path_graph(3))
    found = distances_from(Graphs.of(graph), 0, 5)
    expected = networkx.single_source_shortest_path_length(graph, 5)
    assert found.tolist() == [expected.get(node, -1) for node in range(15)]


def test_isomorphic_graphs_are_of_one_class() -> None:
    # The prism and the complete bipartite graph: no WL hash tells regular graphs apart.
    prism, utility = networkx.circular_ladder_graph(3), networkx.complete_bipartite_graph(3, 3)
    graphs = Graphs.join(
        [shuffled(prism), shuffled(utility), shuffled(prism, 1), Graphs([1], [[]])]
    )
    assert classes(graphs).tolist() == [0, 1, 0, 2]
    trees = make_graphs("graphs-tree", 20)
    other = trees.renumbered([np.arange(size)[::-1] for size in trees.sizes])
    found = classes(Graphs.join([trees, other]))
    assert found[:20].tolist() == found[20:].tolist()
    assert len(set(found.tolist())) > 15


def test_novel_graphs_are_in_no_training_set() -> None:
    train = Graphs.of([networkx.path_graph(4), networkx.cycle_graph(4)])
    samples = Graphs.join(
        [
            shuffled(networkx.path_graph(4)),
            *[shuffled(networkx.star_graph(3), s) for s in range(3)],
        ]
    )
    assert novelty(samples, train) == {"unique": 0.5, "novel": 0.75}
