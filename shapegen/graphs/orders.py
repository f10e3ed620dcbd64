"""Orders in which a model draws the nodes of a graph.

A search goes from a random node, with the neighbours of every node in a random order of their own:
whatever was drawn before, the next node is any of those that can be, alike.

References: You et al., *GraphRNN*, 2018, section 2.3.4 (breadth first); Li et al., *Learning Deep
Generative Models of Graphs*, 2018, section 3.3 (any distribution of orders).
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from shapegen.graphs.graphs import Graphs

Order = NDArray[np.int64]
"""Node numbers ``(n,)``, the first to be drawn first."""
Search = Literal["bfs", "dfs", "own"]
Start = Literal["any", "least_degree"]


@dataclass(frozen=True)
class Orders:
    """A distribution of orders of a graph's nodes."""

    search: Search = "bfs"
    """``bfs`` and ``dfs`` are breadth and depth first, neighbours in random order; ``own`` is the
    order of the graph's node numbers."""
    start: Start = "any"
    """A search starts at any node, or at any one of the least degree: fewer orders to learn."""

    def draw(self, graphs: Graphs, number: int, *, rng: torch.Generator | None = None) -> Order:
        """Draw an order of one graph of a batch; a search goes on in the next component."""
        size = graphs.sizes[number]
        if self.search == "own":
            return np.arange(size)
        keys = torch.rand(size + 2 * len(graphs.edges[number]), generator=rng).numpy()
        neighbours = _neighbour_lists(graphs, number, keys[size:])
        starts = keys[:size] + (graphs.degrees(number) if self.start == "least_degree" else 0)
        walk = _breadth_first if self.search == "bfs" else _depth_first
        placed = np.zeros(size, dtype=bool)
        order: list[int] = []
        for start in np.argsort(starts).tolist():
            if not placed[start]:
                walk(neighbours, start, placed, order)
        return np.array(order)

    def log_prob(self, graphs: Graphs, number: int, order: Order) -> float:
        """Log-probability of drawing this order of one graph in nats; minus infinity for others.

        Args:
            graphs: A batch.
            number: Of the graph.
            order: ``(n,)``.
        """
        size = graphs.sizes[number]
        if self.search == "own":
            return 0.0 if np.array_equal(order, np.arange(size)) else -math.inf
        degrees = graphs.degrees(number)
        neighbours = [set(each) for each in _neighbour_lists(graphs, number)]
        rest = set(range(size))
        # The nodes whose neighbours are still to come; a search takes from one end of it.
        pending: deque[int] = deque()
        total = 0.0
        for node in order.tolist():
            while pending and not neighbours[self._next(pending)] & rest:
                if self.search == "bfs":
                    pending.popleft()
                else:
                    pending.pop()
            if pending:
                choices = neighbours[self._next(pending)] & rest
            else:
                choices = self._starts(rest, degrees)
            if node not in choices:
                return -math.inf
            total -= math.log(len(choices))
            rest.remove(node)
            pending.append(node)
        return total

    def _next(self, pending: deque[int]) -> int:
        return pending[0] if self.search == "bfs" else pending[-1]

    def _starts(self, rest: set[int], degrees: NDArray[np.int64]) -> set[int]:
        if self.start == "any":
            return rest
        least = min(degrees[node] for node in rest)
        return {node for node in rest if degrees[node] == least}


def bandwidth(graphs: Graphs, number: int, order: Order) -> int:
    """Most places between the two ends of an edge in an order."""
    edges = graphs.edges[number]
    if not len(edges):
        return 0
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))
    return int(np.abs(np.diff(place[edges], axis=1)).max())


def _neighbour_lists(
    graphs: Graphs, number: int, keys: NDArray[np.float32] | None = None
) -> list[list[int]]:
    """Neighbours of every node of one graph, each list by keys of its own ``(2 edges,)``."""
    low, high = graphs.edges[number].T
    first, second = np.concatenate([low, high]), np.concatenate([high, low])
    order = np.lexsort((second if keys is None else keys, first))
    ends = np.cumsum(np.bincount(first, minlength=graphs.sizes[number]))
    return [each.tolist() for each in np.split(second[order], ends[:-1])]


def _breadth_first(
    neighbours: Sequence[list[int]], start: int, placed: NDArray[np.bool_], order: list[int]
) -> None:
    placed[start] = True
    first = len(order)
    order.append(start)
    while first < len(order):
        for node in neighbours[order[first]]:
            if not placed[node]:
                placed[node] = True
                order.append(node)
        first += 1


def _depth_first(
    neighbours: Sequence[list[int]], start: int, placed: NDArray[np.bool_], order: list[int]
) -> None:
    pending = [start]
    while pending:
        node = pending.pop()
        if not placed[node]:
            placed[node] = True
            order.append(node)
            pending.extend(reversed(neighbours[node]))
