"""Orders of nodes: what is drawn has the probability that is said."""

from __future__ import annotations

import itertools
import math
from collections import Counter

import networkx
import numpy as np
import pytest
import torch

from shapegen.graphs.graphs import Graphs
from shapegen.graphs.ordered import draw_orders
from shapegen.graphs.orders import Orders, Search, Start, bandwidth

DRAWS = 4000


@pytest.mark.parametrize("search", ["bfs", "dfs"])
@pytest.mark.parametrize("start", ["any", "least_degree"])
@pytest.mark.parametrize(
    "edges", [[[0, 1], [0, 2], [1, 2], [2, 3]], [[0, 1], [2, 3]]], ids=["connected", "apart"]
)
def test_orders_have_their_probabilities(
    search: Search, start: Start, edges: list[list[int]], rng: torch.Generator
) -> None:
    graph, orders = Graphs([4], [edges]), Orders(search, start)
    found = Counter(tuple(orders.draw(graph, 0, rng=rng).tolist()) for _ in range(DRAWS))
    total = 0.0
    for order in itertools.permutations(range(4)):
        share = math.exp(orders.log_prob(graph, 0, np.array(order)))
        error = 5 * math.sqrt(share * (1 - share) / DRAWS)
        assert found[order] / DRAWS == pytest.approx(share, abs=error)
        total += share
    assert total == pytest.approx(1)
    starts = {order[0] for order in found}
    assert starts == ({3} if start == "least_degree" and len(edges) == 4 else {0, 1, 2, 3})


def test_a_search_goes_by_distance_or_in_depth(rng: torch.Generator) -> None:
    graph = networkx.grid_2d_graph(4, 5)
    batch = Graphs.of(graph)
    numbered = batch[0]
    for _ in range(5):
        order = Orders("bfs").draw(batch, 0, rng=rng)
        away = networkx.single_source_shortest_path_length(numbered, int(order[0]))
        distances = [away[node] for node in order.tolist()]
        assert distances == sorted(distances)
        deep = Orders("dfs").draw(batch, 0, rng=rng).tolist()
        # A step that is no edge goes back from a node that has no neighbours left.
        for place, (a, b) in enumerate(itertools.pairwise(deep)):
            assert b in numbered[a] or set(numbered[a]) <= set(deep[: place + 1])


def test_the_own_order_is_that_of_the_numbers() -> None:
    graph = Graphs([3], [[[0, 1]]])
    assert Orders("own").draw(graph, 0).tolist() == [0, 1, 2]
    assert Orders("own").log_prob(graph, 0, np.array([0, 1, 2])) == 0
    assert Orders("own").log_prob(graph, 0, np.array([1, 0, 2])) == -math.inf


def test_the_bandwidth_is_the_longest_edge() -> None:
    graph = Graphs([4], [[[0, 1], [0, 3]]])
    assert bandwidth(graph, 0, np.arange(4)) == 3
    assert bandwidth(graph, 0, np.array([1, 0, 3, 2])) == 1
    assert bandwidth(Graphs([2], [[]]), 0, np.arange(2)) == 0


def test_orders_that_do_not_fit_are_drawn_anew(rng: torch.Generator) -> None:
    graphs = Graphs.of([networkx.path_graph(5)])
    kept = draw_orders(graphs, Orders(), 6, lambda number, order: order[0] == 0, rng=rng)
    assert [order.tolist() for order in kept.orders[0]] == [[0, 1, 2, 3, 4]] * 6
    picked = kept[torch.tensor([0, 0])].pick(rng=rng)
    assert len(picked) == 2
    with pytest.raises(ValueError, match="graph 0 has no order"):
        draw_orders(graphs, Orders(), 2, lambda number, order: False, rng=rng)
