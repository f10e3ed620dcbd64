"""What a graph is exactly: a grid, a ladder, a cycle, a tree, connected; and which are the same.

References: You et al., *GraphRNN*, 2018, section 4.4; Li et al., *Learning Deep Generative Models
of Graphs*, 2018, section 4.1 (shares of valid graphs); Shervashidze et al., *Weisfeiler-Lehman
Graph Kernels*, 2011.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from shapegen.graphs.graphs import Graphs
from shapegen.metrics.draws import Figures

if TYPE_CHECKING:
    import networkx

_ROUNDS = 4
"""Of the hash by which graphs are sorted before they are compared."""


def is_connected(graphs: Graphs, number: int) -> bool:
    """Whether there is a path between any two nodes of one graph of a batch."""
    return bool((distances_from(graphs, number, 0) >= 0).all())


def is_tree(graphs: Graphs, number: int) -> bool:
    """Whether a graph is connected and without cycles; a single node is one."""
    return len(graphs.edges[number]) == graphs.sizes[number] - 1 and is_connected(graphs, number)


def is_cycle(graphs: Graphs, number: int) -> bool:
    """Whether a graph is one cycle."""
    two = bool((graphs.degrees(number) == 2).all())
    return graphs.sizes[number] >= 3 and two and is_connected(graphs, number)


def is_grid(graphs: Graphs, number: int) -> bool:
    """Whether a graph is exactly a grid of at least 2 rows and 2 columns."""
    return grid_shape(graphs, number) is not None


def is_ladder(graphs: Graphs, number: int) -> bool:
    """Whether a graph is exactly a ladder of at least 2 rungs."""
    shape = grid_shape(graphs, number)
    return shape is not None and shape[0] == 2


KINDS: dict[str, Callable[[Graphs, int], bool]] = {
    "connected": is_connected,
    "tree": is_tree,
    "cycle": is_cycle,
    "grid": is_grid,
    "ladder": is_ladder,
}


def validity_shares(graphs: Graphs) -> Figures:
    """Share of the graphs that are of each of :data:`KINDS`.

    Raises:
        ValueError: There are no graphs.
    """
    if not len(graphs):
        raise ValueError("validity needs at least one graph; got none")
    return {
        name: float(np.mean([test(graphs, number) for number in range(len(graphs))]))
        for name, test in KINDS.items()
    }


def grid_shape(graphs: Graphs, number: int) -> tuple[int, int] | None:
    """Rows and columns, rows the fewer, of a graph that is a grid; None: it is none.

    The distances from two corners of one side are coordinates; a graph is a grid if they number
    the nodes of one without a gap and every edge goes to the next row or column.
    """
    size, edges = graphs.sizes[number], graphs.edges[number]
    shape = _only_shape(size, len(edges))
    corners = np.flatnonzero(graphs.degrees(number) == 2)
    if shape is None or len(corners) != 4:
        return None
    away = {int(corner): distances_from(graphs, number, int(corner)) for corner in corners}
    for first, second in combinations(away, 2):
        if away[first][second] != shape[1] - 1:
            continue
        # From corners (0, 0) and (0, c - 1): row + column, and row + c - 1 - column.
        doubled = away[first] + away[second] - (shape[1] - 1)
        row, column = doubled // 2, away[first] - doubled // 2
        cells = np.unique(row * shape[1] + column)
        inside = (row >= 0) & (row < shape[0]) & (column >= 0) & (column < shape[1])
        step = np.abs(np.diff(row[edges], axis=1)) + np.abs(np.diff(column[edges], axis=1))
        if inside.all() and not (doubled % 2).any() and len(cells) == size and (step == 1).all():
            return shape
    return None


def _only_shape(size: int, edges: int) -> tuple[int, int] | None:
    """The rows r and columns c >= r >= 2 of which there is a grid of so many nodes and edges."""
    total = 2 * size - edges  # r + c, as there are 2 r c - r - c edges
    square = total * total - 4 * size  # (c - r)^2
    root = int(np.sqrt(max(square, 0)))
    if square < 0 or root * root != square or (total - root) % 2:
        return None
    rows = (total - root) // 2
    return (rows, total - rows) if rows >= 2 and rows * (total - rows) == size else None


def distances_from(graphs: Graphs, number: int, start: int) -> NDArray[np.int64]:
    """Edges ``(n,)`` on the shortest way from a node to every node; -1: there is none."""
    low, high = graphs.edges[number].T
    found = np.full(graphs.sizes[number], -1)
    found[start] = 0
    for step in range(1, len(found)):
        before = found == step - 1
        reached = np.concatenate([high[before[low]], low[before[high]]])
        reached = reached[found[reached] < 0]
        if not len(reached):
            break
        found[reached] = step
    return found


def classes(graphs: Graphs) -> NDArray[np.int64]:
    """Number ``(graphs,)`` of the isomorphism class of every graph, in order of appearance.

    A Weisfeiler-Lehman hash sorts the graphs; those of equal hash are then compared exactly.
    """
    import networkx

    found: dict[tuple[int, int, str], list[int]] = {}
    numbers = np.empty(len(graphs), dtype=np.int64)
    seen: dict[tuple[int, bytes], int] = {}
    total = 0
    for number in range(len(graphs)):
        exact = (graphs.sizes[number], graphs.edges[number].tobytes())
        if exact in seen:
            numbers[number] = numbers[seen[exact]]
            continue
        seen[exact] = number
        graph = graphs[number]
        key = (graphs.sizes[number], len(graphs.edges[number]), _hash(graph))
        for other in found.setdefault(key, []):
            if networkx.vf2pp_is_isomorphic(graph, graphs[other]):
                numbers[number] = numbers[other]
                break
        else:
            found[key].append(number)
            numbers[number], total = total, total + 1
    return numbers


def novelty(samples: Graphs, train: Graphs) -> Figures:
    """Classes among the samples (``unique``) and samples of no training graph's class (``novel``).

    Both as shares of all samples.
    """
    numbers = classes(Graphs.join([train, samples]))
    ours = numbers[len(train) :]
    known = set(numbers[: len(train)].tolist())
    return {
        "unique": len(set(ours.tolist())) / len(samples),
        "novel": float(np.mean([number not in known for number in ours.tolist()])),
    }


def _hash(graph: networkx.Graph) -> str:
    import networkx

    networkx.set_node_attributes(graph, dict(graph.degree), "degree")
    found: str = networkx.weisfeiler_lehman_graph_hash(
        graph, node_attr="degree", iterations=_ROUNDS
    )
    return found
