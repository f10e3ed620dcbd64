"""Graphs: the container that models of graphs give and take."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, overload

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from shapegen.graphs.conversion import Edges, checked_edges, comes_from, single

if TYPE_CHECKING:
    from pathlib import Path

    import networkx
    from torch_geometric.data import Data

    from shapegen.scene import Scene


class Graphs(Sequence["networkx.Graph"]):
    """Simple undirected graphs: no loops, at most one edge between two nodes, no attributes.

    Nodes are numbered from 0; the numbers are an order that models may have drawn them in.
    """

    sizes: tuple[int, ...]
    """Nodes of every graph, at least 1."""
    edges: tuple[Edges, ...]
    """``(edges, 2)`` node numbers of every graph, the smaller first, in ascending order."""
    names: tuple[str, ...]
    """The source's id of every graph; empty text where there is none."""

    def __init__(
        self, sizes: Sequence[int], edges: Sequence[Any], names: Sequence[str] = ()
    ) -> None:
        """Take edges over.

        Args:
            sizes: Nodes of every graph.
            edges: Pairs of node numbers ``(edges, 2)`` of every graph, each pair once.
            names: One a graph, or none.

        Raises:
            ValueError: A graph without nodes, with a loop, an edge twice or a node that it has
                not; or not one list of edges or name a graph.
        """
        if len(edges) != len(sizes):
            raise ValueError(f"edges must be one list a graph ({len(sizes)}); got {len(edges)}")
        self.sizes = tuple(int(size) for size in sizes)
        self.names = tuple(names) or ("",) * len(self.sizes)
        if len(self.names) != len(self.sizes):
            raise ValueError(
                f"names must be one a graph ({len(self.sizes)}) or none; got {len(self.names)}"
            )
        self.edges = tuple(
            checked_edges(size, pairs, f"graph {number}")
            for number, (size, pairs) in enumerate(zip(self.sizes, edges, strict=True))
        )

    @classmethod
    def of(cls, graphs: Any) -> Graphs:
        """Take graphs of any kind.

        Args:
            graphs: A batch, a networkx graph, torch_geometric ``Data`` or ``Batch`` (every edge in
                both directions), an adjacency matrix ``(n, n)`` or several ``(b, n, n)``, or a
                sequence of such. Attributes of nodes and edges are left out.

        Raises:
            TypeError: They are no graphs.
            ValueError: There are none; or one is directed, has loops, multiple edges or no nodes.
        """
        if isinstance(graphs, cls):
            return graphs
        if isinstance(graphs, str | bytes):
            raise TypeError(f"graphs are needed; got {type(graphs).__name__}")
        if isinstance(graphs, Tensor | np.ndarray) and graphs.ndim == 3:
            graphs = list(graphs)
        if comes_from(graphs, "torch_geometric"):
            # Only a batch of theirs says where its graphs begin.
            graphs = graphs.to_data_list() if "ptr" in graphs else [graphs]
        if not isinstance(graphs, list | tuple):
            graphs = [graphs]
        if not len(graphs):
            raise ValueError("at least one graph is needed; got none")
        parts = [
            graph if isinstance(graph, cls) else cls(*single(graph, f"graph {number}"))
            for number, graph in enumerate(graphs)
        ]
        return cls.join(parts)

    @classmethod
    def join(cls, batches: Sequence[Graphs]) -> Graphs:
        """One batch from several."""
        return cls(
            [size for batch in batches for size in batch.sizes],
            [edges for batch in batches for edges in batch.edges],
            [name for batch in batches for name in batch.names],
        )

    def __len__(self) -> int:
        return len(self.sizes)

    @overload
    def __getitem__(self, index: int) -> networkx.Graph: ...

    @overload
    def __getitem__(self, index: slice | Sequence[int] | NDArray[np.int64] | Tensor) -> Graphs: ...

    def __getitem__(
        self, index: int | slice | Sequence[int] | NDArray[np.int64] | Tensor
    ) -> networkx.Graph | Graphs:
        if isinstance(index, int | np.integer):
            return self._networkx(range(len(self))[index])
        if isinstance(index, slice):
            numbers = list(range(*index.indices(len(self))))
        else:
            numbers = np.asarray(index, dtype=np.int64).tolist()
        return Graphs(
            [self.sizes[number] for number in numbers],
            [self.edges[number] for number in numbers],
            [self.names[number] for number in numbers],
        )

    def __iter__(self) -> Iterator[networkx.Graph]:
        return map(self._networkx, range(len(self)))

    def __repr__(self) -> str:
        if not len(self):
            return "Graphs(0)"
        return f"Graphs({len(self)} of {min(self.sizes)} to {max(self.sizes)} nodes)"

    def _networkx(self, number: int) -> networkx.Graph:
        import networkx

        graph = networkx.Graph(name=self.names[number]) if self.names[number] else networkx.Graph()
        graph.add_nodes_from(range(self.sizes[number]))
        graph.add_edges_from(self.edges[number].tolist())
        return graph

    def adjacency(self, number: int) -> NDArray[np.bool_]:
        """Matrix ``(n, n)`` of one graph: whether two nodes share an edge."""
        matrix = np.zeros((self.sizes[number], self.sizes[number]), dtype=bool)
        low, high = self.edges[number].T
        matrix[low, high] = matrix[high, low] = True
        return matrix

    def degrees(self, number: int) -> NDArray[np.int64]:
        """Edges ``(n,)`` of every node of one graph."""
        return np.bincount(self.edges[number].reshape(-1), minlength=self.sizes[number])

    def renumbered(self, orders: Sequence[Any]) -> Graphs:
        """The same graphs with their nodes numbered in another order.

        Args:
            orders: Of every graph, its node numbers ``(n,)`` in the new order.

        Raises:
            ValueError: Not one permutation a graph.
        """
        edges = []
        for number, order in enumerate(permutations(orders, self.sizes)):
            place = np.empty(len(order), dtype=np.int64)
            place[order] = np.arange(len(order))
            edges.append(place[self.edges[number]])
        return Graphs(self.sizes, edges, self.names)

    def to_data(self) -> list[Data]:
        """The graphs as torch_geometric takes them: every edge in both directions."""
        import torch
        from torch_geometric.data import Data

        found = []
        for size, edges in zip(self.sizes, self.edges, strict=True):
            both = torch.from_numpy(np.concatenate([edges, edges[:, ::-1]]).T.copy())
            found.append(Data(edge_index=both, num_nodes=size))
        return found

    def to_scene(self) -> Scene:
        """All graphs in one scene; several stand side by side."""
        from shapegen.graphs.lowering import graphs_scene

        return graphs_scene(self)

    def _repr_html_(self) -> str:
        """What a notebook displays: the shapes to turn and take apart."""
        from shapegen.formats.html import notebook_html

        return notebook_html(self)

    def write(self, path: str | Path) -> None:
        """Write all graphs; the extension says the format, and a folder gets a file a graph."""
        from shapegen.graphs.writing import write_graphs

        write_graphs(self, path)


def permutations(orders: Sequence[Any], sizes: Sequence[int]) -> list[NDArray[np.int64]]:
    """Orders of graphs of these sizes, checked.

    Raises:
        ValueError: Not one permutation of its nodes a graph.
    """
    if len(orders) != len(sizes):
        raise ValueError(f"orders must be one a graph ({len(sizes)}); got {len(orders)}")
    found = [np.asarray(order, dtype=np.int64) for order in orders]
    for number, (order, size) in enumerate(zip(found, sizes, strict=True)):
        if order.shape != (size,) or not np.array_equal(np.sort(order), np.arange(size)):
            raise ValueError(
                f"order {number} must have each of the nodes 0..{size - 1} once; "
                f"got {' '.join(map(str, order.reshape(-1)[:12].tolist()))}"
            )
    return found
