"""DGMG: a graph grows by decisions that a graph network takes from the graph so far.

Reference: Li, Vinyals, Dyer, Pascanu and Battaglia, *Learning Deep Generative Models of Graphs*,
2018, https://arxiv.org/abs/1803.03324.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from shapegen.core.autoregressive import draw, stepwise_log_prob
from shapegen.graphs.decisions import decisions_of, graphs_of
from shapegen.graphs.dgmg_networks import GrowthNetworks, GrowthProcess
from shapegen.graphs.graphs import Graphs
from shapegen.graphs.ordered import OrderedGraphModel, OrderedGraphs, checked, draw_orders
from shapegen.graphs.orders import Order, Orders


@dataclass(frozen=True)
class DGMGConfig:
    """Options of :class:`DGMG`."""

    order: Orders = field(default_factory=Orders)
    num_orders: int = 32
    """Orders of a graph that it is trained in."""
    max_nodes: int | None = None
    """Nodes at which a graph ends; null: those of the largest training graph."""
    node_dim: int = 32
    """Size of a node's state; a graph's is twice as large."""
    rounds: int = 2
    """Rounds of messages after every new edge."""

    def __post_init__(self) -> None:
        for name in ("num_orders", "node_dim", "rounds"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1; got {getattr(self, name)}")
        if self.max_nodes is not None and self.max_nodes < 2:
            raise ValueError(f"max_nodes must be at least 2; got {self.max_nodes}")


class DGMG(OrderedGraphModel):
    """Decides whether to add a node, whether to add an edge from it, and to which node.

    States of nodes stay from decision to decision, and change by messages after every new edge. An
    edge that is there already cannot be chosen again, and the edges of a node are chosen in the
    order of their other ends (in the paper both are free). The largest number of nodes is measured
    on the first graphs that an untrained model prepares, and stays with the weights.

    Args:
        config: Sizes and options.
    """

    name: ClassVar[str] = "dgmg"
    config: DGMGConfig
    max_nodes: Tensor

    def __init__(self, config: DGMGConfig) -> None:
        super().__init__()
        self.config = config
        self.networks = GrowthNetworks(config.node_dim, config.rounds)
        self.register_buffer("max_nodes", torch.tensor(config.max_nodes or 0))

    @property
    def node_orders(self) -> Orders:
        """The orders that it is trained in."""
        return self.config.order

    @property
    def limit(self) -> int:
        """Nodes at which a graph ends.

        Raises:
            ValueError: The model has seen no data, and its config does not say.
        """
        nodes = int(self.max_nodes)
        if not nodes:
            raise ValueError("an untrained dgmg needs max_nodes in its config")
        return nodes

    def prepare(self, shapes: Any) -> OrderedGraphs:
        """Graphs with orders of their nodes; the first ones of an untrained model set its limit.

        Raises:
            TypeError: No graphs.
            ValueError: None, or one that has more than ``max_nodes`` nodes.
        """
        graphs = Graphs.of(shapes)
        if not int(self.max_nodes):
            self.max_nodes.fill_(max(2, *graphs.sizes))
        for number, size in enumerate(graphs.sizes):
            if size > self.limit:
                raise ValueError(f"graph {number} has {size} nodes; max_nodes is {self.limit}")
        # The same orders whenever the same graphs are prepared.
        rng = torch.Generator().manual_seed(0)
        count = 1 if self.config.order.search == "own" else self.config.num_orders
        return draw_orders(graphs, self.node_orders, count, partial(self.fits, graphs), rng=rng)

    def fits(self, graphs: Graphs, number: int, order: Order) -> bool:
        """Whether a graph has no more than ``max_nodes`` nodes; any order will do."""
        return graphs.sizes[number] <= self.limit

    def log_prob_given(self, graphs: Any, orders: Sequence[Any]) -> Float[Tensor, "graphs"]:
        """Exact log-likelihood of graphs and orders of their nodes, in nats.

        That is the likelihood of the one sequence of decisions that draws them. Minus infinity
        where there are more nodes than ``max_nodes``.
        """
        batch, orders = checked(graphs, orders)
        device = self.max_nodes.device
        small = [number for number, size in enumerate(batch.sizes) if size <= self.limit]
        total = torch.full((len(batch),), -torch.inf, device=device)
        if not small:
            return total
        answers = decisions_of(batch[small], [orders[number] for number in small], self.limit)
        nats = stepwise_log_prob(self.process(), answers.to(device))
        return total.index_copy(0, torch.tensor(small, device=device), nats)

    @torch.no_grad()
    def sample(self, n: int, *, rng: torch.Generator | None = None) -> Graphs:
        """Draw new graphs, their nodes numbered as they were drawn.

        Raises:
            ValueError: ``n`` is below 1, or the model has seen no data.
        """
        if n < 1:
            raise ValueError(f"the number of samples must be at least 1; got {n}")

        def choose(predicted: torch.distributions.Distribution) -> Tensor:
            assert isinstance(predicted, torch.distributions.Categorical)
            shares = predicted.probs[:, 0]
            device = shares.device if rng is None else rng.device
            return torch.multinomial(shares.to(device), 1, generator=rng).to(shares.device)

        answers = draw(
            self.process(),
            n,
            self.limit * (self.limit + 2),
            choose,
            stop=lambda state: not bool(state.cursor.active.any()),
        )
        return graphs_of(answers, self.limit)

    def process(self) -> GrowthProcess:
        """The model as it draws: one decision of every graph after the other."""
        return GrowthProcess(self.networks, self.limit)
