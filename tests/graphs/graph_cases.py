"""Small graphs, and small models of them."""

from __future__ import annotations

import itertools
from collections import Counter
from typing import Any

import networkx
import numpy as np
import torch
from torch import Tensor

from shapegen.graphs.dgmg import DGMG, DGMGConfig
from shapegen.graphs.graphrnn import GraphRNN, GraphRNNConfig
from shapegen.graphs.graphs import Graphs
from shapegen.graphs.ordered import OrderedGraphModel

GRAPHRNNS = ("graphrnn", "graphrnn-direct", "graphrnn-history", "graphrnn-lstm", "graphrnn-s")
KINDS = (*GRAPHRNNS, "dgmg")


def tiny(
    kind: str, *, max_nodes: int | None = 4, scale: float = 2.0, **options: Any
) -> OrderedGraphModel:
    """An untrained model of a kind; its weights are larger than usual, so that chances differ."""
    torch.manual_seed(0)
    model: OrderedGraphModel
    if kind == "dgmg":
        sizes: dict[str, Any] = {"node_dim": 6, "num_orders": 4}
        model = DGMG(DGMGConfig(**sizes | {"max_nodes": max_nodes} | options))
    else:
        sizes = {"embedding_dim": 6, "hidden_dim": 7, "layers": 2, "num_orders": 4}
        sizes |= {"edge_embedding_dim": 4, "edge_hidden_dim": 5, "edge_layers": 2}
        sizes |= {"max_prev": 3, "estimate_max_prev": False, "max_nodes": max_nodes}
        sizes["edges"] = "independent" if kind == "graphrnn-s" else "rnn"
        sizes["direct"] = kind == "graphrnn-direct"
        sizes["cell"] = "lstm" if kind == "graphrnn-lstm" else "gru"
        sizes["history"] = 2 if kind == "graphrnn-history" else 1
        model = GraphRNN(GraphRNNConfig(**sizes | options))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(scale)
    return model.eval()


def every_graph(most: int) -> Graphs:
    """All graphs with numbered nodes, from one node to ``most``."""
    found = []
    for size in range(1, most + 1):
        pairs = list(itertools.combinations(range(size), 2))
        for chosen in itertools.product([False, True], repeat=len(pairs)):
            found.append(Graphs([size], [list(itertools.compress(pairs, chosen))]))
    return Graphs.join(found)


def key(graphs: Graphs, number: int) -> tuple[int, bytes]:
    """Equal for equal graphs."""
    return graphs.sizes[number], graphs.edges[number].tobytes()


def counts(graphs: Graphs) -> Counter[tuple[int, bytes]]:
    """How often every graph is there."""
    return Counter(key(graphs, number) for number in range(len(graphs)))


def random_orders(graphs: Graphs, rng: torch.Generator) -> list[np.ndarray]:
    return [torch.randperm(size, generator=rng).numpy() for size in graphs.sizes]


def eight() -> Graphs:
    """Connected graphs of 4 to 9 nodes, each node with an edge to one before it."""
    return Graphs.of(
        [
            networkx.grid_2d_graph(2, 2),
            networkx.grid_2d_graph(2, 3),
            networkx.grid_2d_graph(3, 3),
            networkx.ladder_graph(4),
            networkx.cycle_graph(5),
            networkx.cycle_graph(7),
            networkx.complete_graph(4),
            networkx.star_graph(5),
        ]
    )


def losses(model: OrderedGraphModel, graphs: Graphs, steps: int, rate: float) -> list[float]:
    """Train on all graphs at once; the loss at every step."""
    prepared = model.prepare(graphs)
    (objective,) = model.objectives(rng=torch.Generator().manual_seed(0))
    optimizer = torch.optim.Adam(model.parameters(), rate)
    found = []
    for step in range(steps):
        loss: Tensor
        loss, _ = objective.loss(prepared[torch.arange(len(graphs))], step)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        found.append(loss.item())
    return found
