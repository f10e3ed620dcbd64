"""Counts of the orbits of graphlets of 2 to 4 nodes at every node of a graph.

A graphlet is a connected induced subgraph; nodes of it that are alike are one orbit. Counted are
subgraphs, induced or not, in closed form from products of the adjacency matrix; how often a
subgraph lies in a larger graphlet then gives the induced ones. Orbits are numbered as usual:

0 edge; 1, 2 end and middle of the path of 3; 3 triangle; 4, 5 end and inside of the path of 4;
6, 7 leaf and centre of the star; 8 cycle of 4; 9, 10, 11 of the triangle with a tail: tail, the
two others, the one with the tail; 12, 13 of two triangles with a common edge: off it, on it; 14
all six edges.

References: Przulj, *Biological Network Comparison Using Graphlet Degree Distribution*, 2007 (the
numbers); Hocevar and Demsar, *A Combinatorial Approach to Graphlet Counting*, 2014 (ORCA, whose
equations are of this kind).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

ORBITS = 15

Array = NDArray[np.float64]

_HELD: dict[int, dict[int, int]] = {
    13: {14: 3},
    12: {14: 3},
    11: {13: 2, 14: 3},
    10: {12: 2, 13: 2, 14: 6},
    9: {12: 2, 14: 3},
    8: {12: 1, 13: 1, 14: 3},
    7: {11: 1, 13: 1, 14: 1},
    6: {9: 1, 10: 1, 12: 2, 13: 1, 14: 3},
    5: {8: 2, 10: 1, 11: 2, 12: 2, 13: 4, 14: 6},
    4: {8: 2, 9: 2, 10: 1, 12: 4, 13: 2, 14: 6},
}
"""How often a node of the inner key's orbit is one of the outer key's in a subgraph of the same
four nodes with edges left out."""


def orbit_counts(adjacency: ArrayLike) -> NDArray[np.int64]:
    """Orbits ``(n, 15)`` that every node is in.

    Args:
        adjacency: ``(n, n)`` of a simple undirected graph.

    Raises:
        ValueError: Not square, not symmetric, or with loops.
    """
    a = np.asarray(adjacency, dtype=np.float64)
    if a.ndim != 2 or a.shape[0] != a.shape[1] or (a != a.T).any() or a.diagonal().any():
        raise ValueError(
            f"an adjacency matrix must be (n, n), symmetric and without loops; got {a.shape}"
        )
    counts = _subgraphs(a)
    for orbit in range(13, 3, -1):
        for larger, times in _HELD[orbit].items():
            counts[:, orbit] -= times * counts[:, larger]
    return np.rint(counts).astype(np.int64)


def _subgraphs(a: Array) -> Array:
    """The same of subgraphs, induced or not, for four nodes; induced ones of fewer."""
    degree = a.sum(1)
    common = a @ a
    shared = a * common  # triangles on an edge
    triangles = 0.5 * shared.sum(1)
    beyond = a @ (degree - 1)  # edges that go on from a node's neighbours, those back left out
    counts = np.zeros((len(a), ORBITS))
    counts[:, 0] = degree
    counts[:, 1] = beyond - 2 * triangles
    counts[:, 2] = _pairs(degree) - triangles
    counts[:, 3] = triangles
    counts[:, 4] = a @ beyond - degree * (degree - 1) - 2 * triangles
    counts[:, 5] = (degree - 1) * beyond - 2 * triangles
    counts[:, 6] = a @ _pairs(degree - 1)
    counts[:, 7] = degree * (degree - 1) * (degree - 2) / 6
    others = common.copy()
    np.fill_diagonal(others, 0)
    counts[:, 8] = _pairs(others).sum(1)
    counts[:, 9] = a @ triangles - 2 * triangles
    counts[:, 10] = shared @ (degree - 2)
    counts[:, 11] = triangles * (degree - 2)
    # Over a triangle's edge away from the node: its other triangles.
    counts[:, 12] = 0.5 * ((a @ shared) * a).sum(1) - triangles
    counts[:, 13] = _pairs(shared).sum(1)
    counts[:, 14] = _complete(a)
    return counts


def _complete(a: Array) -> Array:
    """Complete graphs of four at every node: edges among an edge's common neighbours."""
    first, second = np.nonzero(np.triu(a))
    both = a[first] * a[second]  # (edges, n)
    found = 0.5 * ((both @ a) * both).sum(1)
    total = np.zeros(len(a))
    np.add.at(total, first, found)
    np.add.at(total, second, found)
    return total / 3


def _pairs(count: Array) -> Array:
    return 0.5 * count * (count - 1)
