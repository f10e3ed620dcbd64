"""Procedural graphs give what they promise."""

from __future__ import annotations

import networkx
import numpy as np
import pytest

from shapegen.data.catalog import make
from shapegen.data.graph_sets import GRAPH_SETS, make_graphs
from shapegen.graphs.graphs import Graphs


def test_grids_are_those_of_the_paper() -> None:
    grids = make_graphs("graphs-grid", 100)
    assert (min(grids.sizes), max(grids.sizes)) == (100, 361)
    wanted = [a * b for a in range(10, 20) for b in range(10, 20)]
    assert list(grids.sizes) == wanted
    assert networkx.is_isomorphic(grids[25], networkx.grid_2d_graph(12, 15))
    again = make_graphs("graphs-grid", 1, start=125)
    np.testing.assert_array_equal(again.edges[0], grids.edges[25])
    small = make_graphs("graphs-grid-small", 12)
    assert sorted(set(small.sizes)) == sorted({a * b for a in (2, 3, 4) for b in (2, 3, 4, 5)})


def test_communities_are_two_thinned_cliques_with_a_bridge() -> None:
    graphs = make_graphs("graphs-community-small", 200)
    assert max(graphs.sizes) == 20
    whole, kept = 0, 0
    for number, graph in enumerate(graphs):
        size = 6 + number % 5
        assert networkx.is_connected(graph)
        assert len(graph) <= 2 * size
        if len(graph) == 2 * size:
            whole += 1
            inside = [(a < size) == (b < size) for a, b in graph.edges]
            assert inside.count(False) == 1
            kept += inside.count(True) / (size * (size - 1))
    assert whole > 190
    # Edges are kept with probability 0.8; a mean of 190 shares of 30 to 90 edges.
    assert kept / whole == pytest.approx(0.8, abs=0.02)


def test_ladders_trees_and_cycles_are_what_they_are_called() -> None:
    assert list(make_graphs("graphs-ladder", 3, start=99).sizes) == [398, 400, 200]
    assert list(make_graphs("graphs-ladder-small", 9).sizes) == list(range(4, 22, 2))
    assert make_graphs("graphs-tree-balanced", 6).sizes == (15, 31, 40, 121, 85, 341)
    trees, cycles = make_graphs("graphs-tree", 200), make_graphs("graphs-cycle", 200)
    assert all(networkx.is_tree(graph) for graph in trees)
    assert all(set(dict(graph.degree).values()) == {2} for graph in cycles)
    for graphs in (trees, cycles):
        assert set(graphs.sizes) == set(range(10, 21))
    attachment = make_graphs("graphs-ba", 20)
    assert set(attachment.sizes) == {15}
    assert {len(edges) for edges in attachment.edges} == {26}
    assert max(attachment.degrees(0)) > 5


@pytest.mark.parametrize("name", list(GRAPH_SETS))
def test_a_graph_depends_on_its_seed_and_number_alone(name: str) -> None:
    graphs = make(name, count=3, seed=5, start=7)
    assert isinstance(graphs, Graphs)
    alone = make_graphs(name, 1, seed=5, start=8)
    np.testing.assert_array_equal(graphs.edges[1], alone.edges[0])
    assert graphs.names[1] == alone.names[0] == f"{name.removeprefix('graphs-')}-5-8"


def test_seeds_and_sets_have_streams_of_their_own() -> None:
    sizes = [
        make_graphs(name, 30, seed=seed).sizes
        for name in ("graphs-cycle", "graphs-tree")
        for seed in (0, 1)
    ]
    assert len(set(sizes)) == 4


def test_bad_arguments_are_refused() -> None:
    for wrong, message in (
        ({"n": 0}, "number of graphs must be at least 1; got 0"),
        ({"n": 1, "start": -1}, "start must be at least 0; got -1"),
        ({"n": 1, "seed": -1}, r"seed must be 0 .. 2\*\*64 - 1; got -1"),
    ):
        with pytest.raises(ValueError, match=message):
            make_graphs("graphs-cycle", **wrong)
