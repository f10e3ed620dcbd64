"""What becomes a graph, and why what is none is refused."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

Edges = NDArray[np.int64]
"""Pairs of node numbers ``(edges, 2)``."""

Parts = tuple[list[int], list[Edges], list[str]]
"""Sizes, edges and names, of one graph each."""


def checked_edges(size: int, pairs: Any, what: str) -> Edges:
    """Edges of a simple graph in their standard form: the smaller number first, ascending.

    Args:
        size: Nodes of the graph.
        pairs: ``(edges, 2)``; each once, in either direction.
        what: The graph, for messages.

    Raises:
        ValueError: No nodes, other numbers than its nodes', a loop, or an edge twice.
    """
    if size < 1:
        raise ValueError(f"{what} has no nodes; a graph needs at least one")
    try:
        edges = np.asarray(pairs, dtype=np.int64).reshape(-1, 2)
    except (TypeError, ValueError):
        raise ValueError(f"{what}: edges must be pairs of node numbers") from None
    if len(edges) and not (edges.min() >= 0 and edges.max() < size):
        raise ValueError(
            f"{what}: edges must join nodes 0..{size - 1}; got {edges.min()}..{edges.max()}"
        )
    loops = edges[:, 0] == edges[:, 1]
    if loops.any():
        raise ValueError(f"{what} has a loop at node {edges[loops][0, 0]}; loops are not accepted")
    codes = edges.min(1) * size + edges.max(1)
    codes, counts = np.unique(codes, return_counts=True)
    if (counts > 1).any():
        low, high = divmod(int(codes[counts > 1][0]), size)
        raise ValueError(
            f"{what} has several edges between nodes {low} and {high}; one is accepted"
        )
    return np.stack([codes // size, codes % size], axis=1)


def comes_from(value: Any, package: str) -> bool:
    """Whether a value's class is one of a package, which is not imported for it."""
    return any(base.__module__.split(".")[0] == package for base in type(value).__mro__)


def single(graph: Any, what: str) -> Parts:
    """One graph of any kind.

    Args:
        graph: Of networkx, torch_geometric ``Data``, or an adjacency matrix ``(n, n)``.
        what: The graph, for messages.

    Raises:
        TypeError: It is no graph.
        ValueError: It is directed, has multiple edges, loops or no nodes.
    """
    import networkx

    if isinstance(graph, networkx.Graph):
        return _of_networkx(graph, what)
    if comes_from(graph, "torch_geometric"):
        return _of_data(graph, what)
    if isinstance(graph, Tensor | np.ndarray):
        return _of_matrix(np.asarray(graph), what)
    raise TypeError(
        "graphs must be of networkx or torch_geometric, or adjacency matrices; "
        f"{what} is {type(graph).__name__}"
    )


def _of_networkx(graph: Any, what: str) -> Parts:
    if graph.is_directed():
        raise ValueError(f"{what} is directed ({type(graph).__name__}); undirected ones are due")
    if graph.is_multigraph():
        raise ValueError(
            f"{what} allows multiple edges ({type(graph).__name__}); a simple graph is due"
        )
    number = {node: place for place, node in enumerate(graph)}
    pairs = [(number[a], number[b]) for a, b in graph.edges()]
    return [len(number)], [checked_edges(len(number), pairs, what)], [str(graph.name)]


def _of_data(data: Any, what: str) -> Parts:
    index = data.edge_index
    size = int(data.num_nodes or 0)
    if index is None:
        return [size], [checked_edges(size, [], what)], [""]
    ends = np.asarray(index.cpu(), dtype=np.int64)
    return [size], [_undirected(size, ends[0], ends[1], what)], [""]


def _of_matrix(matrix: NDArray[Any], what: str) -> Parts:
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        raise ValueError(f"{what}: an adjacency matrix must be (n, n); got {matrix.shape}")
    if not np.isin(matrix, (0, 1)).all():
        raise ValueError(f"{what}: entries of an adjacency matrix must be 0 or 1")
    first, second = np.nonzero(matrix)
    return [len(matrix)], [_undirected(len(matrix), first, second, what)], [""]


def _undirected(size: int, first: Edges, second: Edges, what: str) -> Edges:
    """Edges that stand there in both directions."""
    forward = first < second
    backward = first > second
    there, back = (
        _sorted_pairs(a, b)
        for a, b in ((first[forward], second[forward]), (second[backward], first[backward]))
    )
    if not np.array_equal(there, back):
        raise ValueError(f"{what} is directed: every edge is due in both directions")
    loops = first[first == second]
    return checked_edges(size, np.concatenate([there, np.stack([loops, loops], 1)]), what)


def _sorted_pairs(low: Edges, high: Edges) -> Edges:
    order = np.lexsort((high, low))
    return np.stack([low[order], high[order]], axis=1)


def named(names: Sequence[Any], count: int) -> list[str]:
    """As many names as graphs, as text.

    Raises:
        ValueError: There are more or fewer.
    """
    if len(names) != count:
        raise ValueError(f"ids must be one a graph ({count}); got {len(names)}")
    return [str(name) for name in names]
