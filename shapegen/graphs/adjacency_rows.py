"""Ordered graphs as rows of bits: which of the nodes before it a node has edges to.

Row t is of node t + 1, its bit k of the edge to the node k + 1 places before. A row has as many
bits as there are nodes before, at most as many as the band is wide.

Reference: You et al., *GraphRNN*, 2018, equations 1 and 7.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Bool, Float
from numpy.typing import NDArray
from torch import Tensor

from shapegen.graphs.graphs import Graphs
from shapegen.graphs.orders import Order


def adjacency_rows(
    graphs: Graphs, orders: Sequence[Order], steps: int, band: int, width: int
) -> tuple[Float[Tensor, "graphs {steps} {width}"], Bool[Tensor, "graphs"]]:
    """Rows of graphs in an order of their nodes.

    Args:
        graphs: At least one.
        orders: Of every graph, its node numbers, the first to be drawn first.
        steps: Rows; those behind a graph's last node are zero.
        band: Places before a node that edges can go to.
        width: Bits of a row, at least ``band``.

    Returns:
        The rows, and whether they say all of the graph: no edge is longer than the band, no row is
        missing, and every node but the first has an edge to one before.
    """
    rows = np.zeros((len(graphs), steps, width), dtype=np.float32)
    fits = np.zeros(len(graphs), dtype=bool)
    for number, (edges, order) in enumerate(zip(graphs.edges, orders, strict=True)):
        place = np.empty(len(order), dtype=np.int64)
        place[order] = np.arange(len(order))
        ends = place[edges]
        row = ends.max(1, initial=0) - 1
        bit = np.abs(ends[:, 0] - ends[:, 1]) - 1
        said = (row < steps) & (bit < band)
        rows[number, row[said], bit[said]] = 1
        size = len(order)
        fits[number] = said.all() and len(np.unique(row)) == size - 1
    return torch.from_numpy(rows), torch.from_numpy(fits)


def row_lengths(steps: int, band: int) -> NDArray[np.int64]:
    """Bits ``(steps,)`` of every row."""
    return np.minimum(np.arange(1, steps + 1), band)


def flat_bits(
    rows: Float[Tensor, "graphs steps width"], band: int
) -> Float[Tensor, "graphs bits 1"]:
    """The bits of all rows one after the other."""
    row, bit = _places(rows.shape[1], band)
    return rows[:, row, bit, None]


def graphs_of(bits: Float[Tensor, "graphs bits 1"], steps: int, band: int) -> Graphs:
    """The graphs of bits that stand one after the other; the first row without a one is the end.

    Args:
        bits: Of all ``steps`` rows, or of the first ones.
        steps: Rows.
        band: Most bits of a row.
    """
    row, bit = (each[: bits.shape[1]] for each in _places(steps, band))
    values = bits[..., 0].cpu().numpy() > 0
    filled = np.zeros((len(values), steps + 1), dtype=bool)
    where, which = np.nonzero(values)
    filled[where, row[which]] = True
    sizes = 1 + filled.argmin(1)
    edges = []
    for own, size in zip(values, sizes, strict=True):
        chosen = np.flatnonzero(own)
        chosen = chosen[row[chosen] < size - 1]
        edges.append(np.stack([row[chosen] - bit[chosen], row[chosen] + 1], axis=1))
    return Graphs(sizes.tolist(), edges)


def _places(steps: int, band: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Row and place in it ``(bits,)`` of all bits."""
    lengths = row_lengths(steps, band)
    row = np.repeat(np.arange(steps), lengths)
    first = np.repeat(np.cumsum(lengths) - lengths, lengths)
    return row, np.arange(len(row)) - first
