"""GraphRNN: a recurrent network over nodes, and one over the edges of each.

Reference: You, Ying, Ren, Hamilton and Leskovec, *GraphRNN: Generating Realistic Graphs with Deep
Auto-regressive Models*, ICML 2018, https://arxiv.org/abs/1802.08773.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from shapegen.core.autoregressive import draw
from shapegen.core.likelihoods import bernoulli_log_prob
from shapegen.graphs.adjacency_rows import adjacency_rows, graphs_of, row_lengths
from shapegen.graphs.graphrnn_networks import BitProcess, Cell, RowNetworks
from shapegen.graphs.graphs import Graphs
from shapegen.graphs.ordered import OrderedGraphModel, OrderedGraphs, checked, draw_orders
from shapegen.graphs.orders import Order, Orders, bandwidth


@dataclass(frozen=True)
class GraphRNNConfig:
    """Options of :class:`GraphRNN`; sizes are those of the authors' code for small graphs."""

    edges: Literal["rnn", "independent"] = "rnn"
    """``rnn`` draws the edges of a node one after the other, ``independent`` all at once: that is
    the simple variant GraphRNN-S."""
    order: Orders = field(default_factory=Orders)
    num_orders: int = 32
    """Orders of a graph that it is trained in."""
    max_prev: int = 40
    """Most places before a node that its edges can go to: the paper's M."""
    estimate_max_prev: bool = True
    """Bring M down to what the orders of the training graphs need."""
    max_nodes: int | None = None
    """Nodes at which a graph ends; null: those of the largest training graph."""
    embedding_dim: int = 32
    hidden_dim: int = 64
    layers: int = 4
    """Of the recurrent network over nodes."""
    edge_embedding_dim: int = 8
    edge_hidden_dim: int = 16
    edge_layers: int = 4
    """Of the recurrent network over the edges of a node."""
    direct: bool = False
    """Add logits of all edges of a node at once, those of GraphRNN-S, to those of the network over
    the edges: without them that one has to learn to count before it can place an edge."""
    history: int = 1
    """Nodes before a new one whose edges the network over nodes is shown at every step. The
    paper's is shown those of 1 and has to remember the others: lattices have rules that reach back
    a whole row."""
    cell: Cell = "gru"
    """Of both recurrent networks. The paper's are ``gru``; ``lstm`` counts better, and on a CPU
    takes a seventh of the time."""
    memory: int = 40
    """Nodes that an ``lstm`` over nodes remembers at first, without having learned to."""

    def __post_init__(self) -> None:
        for name in (
            *("num_orders", "max_prev", "embedding_dim", "hidden_dim", "layers"),
            *("edge_embedding_dim", "edge_hidden_dim", "edge_layers", "history"),
        ):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1; got {getattr(self, name)}")
        if self.memory < 2:
            raise ValueError(f"memory must be at least 2; got {self.memory}")
        if self.max_nodes is not None and self.max_nodes < 2:
            raise ValueError(f"max_nodes must be at least 2; got {self.max_nodes}")


class GraphRNN(OrderedGraphModel):
    """Draws the edges from every new node to those before it; a node without any is the end.

    So a graph is connected. The largest number of nodes and the paper's M are measured on the
    first graphs that an untrained model prepares, and stay with the weights.

    Args:
        config: Sizes and options.
    """

    name: ClassVar[str] = "graphrnn"
    config: GraphRNNConfig
    max_nodes: Tensor
    max_prev: Tensor

    def __init__(self, config: GraphRNNConfig) -> None:
        super().__init__()
        self.config = config
        self.networks = RowNetworks(
            config.max_prev,
            embedding_dim=config.embedding_dim,
            hidden_dim=config.hidden_dim,
            layers=config.layers,
            edge_dims=(config.edge_embedding_dim, config.edge_hidden_dim, config.edge_layers)
            if config.edges == "rnn"
            else None,
            direct=config.direct,
            history=config.history,
            cell=config.cell,
            memory=config.memory,
        )
        given = 0 if config.estimate_max_prev else config.max_prev
        self.register_buffer("max_nodes", torch.tensor(config.max_nodes or 0))
        self.register_buffer("max_prev", torch.tensor(given))

    @property
    def node_orders(self) -> Orders:
        """The orders that it is trained in."""
        return self.config.order

    @property
    def limits(self) -> tuple[int, int]:
        """Most nodes, and most places before a node that its edges can go to.

        Raises:
            ValueError: The model has seen no data, and its config does not say.
        """
        nodes, prev = int(self.max_nodes), int(self.max_prev)
        if not (nodes and prev):
            raise ValueError(
                "an untrained graphrnn needs max_nodes and estimate_max_prev: false in its config"
            )
        return nodes, prev

    def prepare(self, shapes: Any) -> OrderedGraphs:
        """Graphs with orders of their nodes; the first ones of an untrained model set its limits.

        Raises:
            TypeError: No graphs.
            ValueError: None; or one that is not connected, has more than ``max_nodes`` nodes or
                needs longer edges than ``max_prev``.
        """
        graphs = Graphs.of(shapes)
        if not int(self.max_nodes):
            self.max_nodes.fill_(max(2, *graphs.sizes))
        for number, size in enumerate(graphs.sizes):
            if size > int(self.max_nodes):
                raise ValueError(
                    f"graph {number} has {size} nodes; max_nodes is {int(self.max_nodes)}"
                )
        # The same orders whenever the same graphs are prepared.
        rng = torch.Generator().manual_seed(0)
        fits = partial(self.fits, graphs)
        try:
            ordered = draw_orders(graphs, self.node_orders, self.config.num_orders, fits, rng=rng)
        except ValueError as error:
            raise ValueError(
                f"{error}: it is not connected, or its edges go back further than the "
                f"{int(self.max_prev) or self.config.max_prev} places of max_prev"
            ) from None
        if not int(self.max_prev):
            widths = [
                bandwidth(graphs, number, order)
                for number, orders in enumerate(ordered.orders)
                for order in orders
            ]
            self.max_prev.fill_(max(1, *widths))
        return ordered

    def fits(self, graphs: Graphs, number: int, order: Order) -> bool:
        """Whether all edges of a graph in this order go to the last ``max_prev`` nodes before.

        And every node but the first has one, and there are not more than ``max_nodes``.
        """
        prev = int(self.max_prev) or self.config.max_prev
        steps = int(self.max_nodes) - 1
        return bool(adjacency_rows(graphs[[number]], [order], steps, prev, prev)[1])

    def log_prob_given(self, graphs: Any, orders: Sequence[Any]) -> Float[Tensor, "graphs"]:
        """Exact log-likelihood of graphs and orders of their nodes, in nats.

        Minus infinity where an edge goes back further than ``max_prev`` places, a node has none to
        those before, or there are more nodes than ``max_nodes``.
        """
        batch, orders = checked(graphs, orders)
        nodes, band = self.limits
        steps = min(max(batch.sizes), nodes - 1)
        device = self.max_nodes.device
        rows, fits = adjacency_rows(batch, orders, steps, band, self.config.max_prev)
        sizes = torch.tensor(batch.sizes)
        # A graph's last row is the one without edges, unless it ends for want of nodes.
        there = torch.arange(steps) < sizes.clamp(max=nodes - 1)[:, None]
        lengths = torch.from_numpy(row_lengths(steps, band)).to(device)
        rows, there = rows.to(device), there.to(device)
        logits = self.networks(rows, there, band)  # (rows of all graphs, band)
        bits = rows[..., :band][there]
        nats = bernoulli_log_prob(logits.float(), 2 * bits - 1)
        owner, step = there.nonzero().unbind(1)
        nats = nats * (torch.arange(band, device=device) < lengths[step, None])
        total = nats.new_zeros(len(batch)).index_add(0, owner, nats.sum(1))
        return total.masked_fill(~fits.to(device), -torch.inf)

    @torch.no_grad()
    def sample(self, n: int, *, rng: torch.Generator | None = None) -> Graphs:
        """Draw new graphs, their nodes numbered as they were drawn.

        Raises:
            ValueError: ``n`` is below 1, or the model has seen no data.
        """
        if n < 1:
            raise ValueError(f"the number of samples must be at least 1; got {n}")
        nodes, band = self.limits

        def choose(predicted: torch.distributions.Distribution) -> Tensor:
            shares = predicted.mean
            device = shares.device if rng is None else rng.device
            return torch.bernoulli(shares.to(device), generator=rng).to(shares)

        bits = draw(
            self.process(),
            n,
            int(np.sum(row_lengths(nodes - 1, band))),
            choose,
            stop=lambda state: not bool(state.alive.any()),
        )
        return graphs_of(bits, nodes - 1, band)

    def process(self) -> BitProcess:
        """The model as it draws: one bit of a row after the other."""
        return BitProcess(self.networks, *self.limits)
