"""Sets of graphs on which GraphRNN and DGMG were shown, made on the spot.

References: You, Ying, Ren, Hamilton and Leskovec, *GraphRNN*, 2018, section 4.1, with the sizes of
the authors' code (create_graphs.py); Li, Vinyals, Dyer, Pascanu and Battaglia, *Learning Deep
Generative Models of Graphs*, 2018, section 4.1.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from shapegen.data.furniture.draw import Draw
from shapegen.graphs.graphs import Graphs

if TYPE_CHECKING:
    import networkx

KEPT = 0.8
"""Probability of an edge inside of a community."""
COMMUNITY_SIZES = (6, 7, 8, 9, 10)
SMALL = (10, 20)
"""Least and most nodes of the cycles and trees."""
BA_NODES, BA_EDGES = 15, 2
"""Nodes, and edges of every new one, of the Barabasi-Albert graphs."""

_STREAMS = 1000
"""Streams of the draws; furniture has the numbers below."""


def grid(draw: Draw, number: int) -> networkx.Graph:
    """Grid of 10 x 10 to 19 x 19 nodes: number i is 10 + i // 10 by 10 + i % 10, in turn."""
    import networkx

    rows, columns = divmod(number % 100, 10)
    return networkx.grid_2d_graph(10 + rows, 10 + columns)


def small_grid(draw: Draw, number: int) -> networkx.Graph:
    """Grid of 2 x 2 to 4 x 5 nodes, in turn."""
    import networkx

    rows, columns = divmod(number % 12, 4)
    return networkx.grid_2d_graph(2 + rows, 2 + columns)


def community(draw: Draw, number: int) -> networkx.Graph:
    """Largest component of two cliques with edges taken out, and one edge between them.

    Cliques of 6 to 10 nodes in turn; 100 in a row are as many of each as in the authors' set.
    """
    import networkx

    size = COMMUNITY_SIZES[number % len(COMMUNITY_SIZES)]
    graph = networkx.Graph()
    graph.add_nodes_from(range(2 * size))
    for first in (0, size):
        for a in range(first, first + size):
            graph.add_edges_from((a, b) for b in range(a + 1, first + size) if draw.chance(KEPT))
    graph.add_edge(draw.integer(0, size - 1), draw.integer(size, 2 * size - 1))
    largest = max(networkx.connected_components(graph), key=len)
    return graph.subgraph(sorted(largest))


def ladder(draw: Draw, number: int) -> networkx.Graph:
    """Ladder of 100 to 200 rungs, in turn."""
    import networkx

    return networkx.ladder_graph(100 + number % 101)


def small_ladder(draw: Draw, number: int) -> networkx.Graph:
    """Ladder of 2 to 10 rungs, in turn."""
    import networkx

    return networkx.ladder_graph(2 + number % 9)


def balanced_tree(draw: Draw, number: int) -> networkx.Graph:
    """Balanced tree with 2 to 4 children a node, of height 3 or 4, in turn."""
    import networkx

    children, height = divmod(number % 6, 2)
    return networkx.balanced_tree(2 + children, 3 + height)


def tree(draw: Draw, number: int) -> networkx.Graph:
    """Tree of 10 to 20 nodes: every new node has an edge to one of those before, at random."""
    import networkx

    size = draw.integer(*SMALL)
    graph = networkx.Graph()
    graph.add_node(0)
    graph.add_edges_from((draw.integer(0, node - 1), node) for node in range(1, size))
    return graph


def cycle(draw: Draw, number: int) -> networkx.Graph:
    """Cycle of 10 to 20 nodes, at random."""
    import networkx

    return networkx.cycle_graph(draw.integer(*SMALL))


def barabasi_albert(draw: Draw, number: int) -> networkx.Graph:
    """Graph of preferential attachment: 15 nodes, two edges of every new one."""
    import networkx

    return networkx.barabasi_albert_graph(BA_NODES, BA_EDGES, seed=draw.integer(0, 2**31 - 1))


class GraphSet(NamedTuple):
    """An endless set of graphs."""

    make: Callable[[Draw, int], networkx.Graph]
    summary: str


GRAPH_SETS: dict[str, GraphSet] = {
    "graphs-grid": GraphSet(grid, "100 grids of 10 x 10 to 19 x 19 nodes, in turn"),
    "graphs-grid-small": GraphSet(small_grid, "12 grids of 2 x 2 to 4 x 5 nodes, in turn"),
    "graphs-community-small": GraphSet(community, "two communities of 6 to 10 nodes each"),
    "graphs-ladder": GraphSet(ladder, "101 ladders of 100 to 200 rungs, in turn"),
    "graphs-ladder-small": GraphSet(small_ladder, "9 ladders of 2 to 10 rungs, in turn"),
    "graphs-tree": GraphSet(tree, "random trees of 10 to 20 nodes"),
    "graphs-tree-balanced": GraphSet(
        balanced_tree, "6 balanced trees of 15 to 341 nodes, in turn"
    ),
    "graphs-cycle": GraphSet(cycle, "cycles of 10 to 20 nodes"),
    "graphs-ba": GraphSet(barabasi_albert, "preferential attachment, 15 nodes, 2 edges each"),
}
"""By name in the catalog; the order gives every set a random stream of its own."""


def make_graphs(name: str, n: int, *, seed: int = 0, start: int = 0) -> Graphs:
    """Make ``n`` graphs: numbers ``start`` to ``start + n - 1`` of the endless set of ``seed``.

    A graph depends on the set, the seed and its number alone.

    Args:
        name: A key of :data:`GRAPH_SETS`.
        n: At least 1.
        seed: 0 .. 2**64 - 1.
        start: Number of the first graph, at least 0. Disjoint ranges of the sets "in turn" are
            the same graphs again.

    Raises:
        ValueError: An argument is out of its range.
    """
    if n < 1:
        raise ValueError(f"the number of graphs must be at least 1; got {n}")
    if start < 0:
        raise ValueError(f"start must be at least 0; got {start}")
    if not 0 <= seed < 2**64:
        raise ValueError(f"seed must be 0 .. 2**64 - 1; got {seed}")
    stream = _STREAMS + list(GRAPH_SETS).index(name)
    made = []
    for number in range(start, start + n):
        graph = GRAPH_SETS[name].make(Draw(seed, stream, number), number)
        made.append(Graphs.of(graph))
    named = [f"{name.removeprefix('graphs-')}-{seed}-{start + i}" for i in range(n)]
    joined = Graphs.join(made)
    return Graphs(joined.sizes, joined.edges, named)
