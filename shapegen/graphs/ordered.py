"""What models that draw a graph in an order of its nodes have in common."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from shapegen.base import GenerativeModel, Likelihood
from shapegen.core.bounds import importance_weighted
from shapegen.core.objective import Objective
from shapegen.graphs.graphs import Graphs, permutations
from shapegen.graphs.orders import Order, Orders

FIGURE_GRAPHS, FIGURE_DRAWS = 100, 8
"""Held-out graphs, and orders of each, that likelihoods are measured on."""
CHUNK = 100
"""Graphs that are scored at once."""
_TRIES = 20
"""Draws of an order that fits, for every one that is wanted."""


@dataclass(frozen=True, eq=False)
class OrderedGraphs:
    """Graphs with several orders of each, from which batches are gathered by index."""

    graphs: Graphs
    orders: tuple[tuple[Order, ...], ...]
    """Of every graph, the orders that it is trained in."""

    def __len__(self) -> int:
        return len(self.graphs)

    def __getitem__(self, indices: Tensor) -> OrderedGraphs:
        numbers = indices.tolist()
        return OrderedGraphs(
            self.graphs[numbers], tuple(self.orders[number] for number in numbers)
        )

    def to(self, device: torch.device | str) -> OrderedGraphs:
        """Itself: a model brings what it makes of graphs to its own device."""
        return self

    def pick(self, *, rng: torch.Generator | None = None) -> list[Order]:
        """One order of every graph, drawn from its orders."""
        share = torch.rand(len(self), generator=rng).tolist()
        return [each[int(s * len(each))] for each, s in zip(self.orders, share, strict=True)]


def draw_orders(
    graphs: Graphs,
    orders: Orders,
    count: int,
    fits: Callable[[int, Order], bool],
    *,
    rng: torch.Generator | None = None,
) -> OrderedGraphs:
    """Draw ``count`` orders of every graph that a model can represent.

    Args:
        graphs: At least one.
        orders: Their distribution.
        count: Orders of every graph.
        fits: Whether the model can draw graph ``number`` in an order.
        rng: Source of the draws.

    Raises:
        ValueError: A graph has no such order among many drawn ones.
    """
    found = []
    for number in range(len(graphs)):
        own: list[Order] = []
        for _ in range(_TRIES * count):
            order = orders.draw(graphs, number, rng=rng)
            if fits(number, order):
                own.append(order)
                if len(own) == count:
                    break
        if not own:
            raise ValueError(
                f"graph {number} has no order of its nodes that the model can draw it in"
            )
        found.append(tuple(own))
    return OrderedGraphs(graphs, tuple(found))


class OrderedGraphModel(GenerativeModel, Likelihood):
    """A model with an exact likelihood of a graph and an order of its nodes.

    The likelihood of the graph alone, whose nodes are then numbered at random, is a mean over all
    orders; :meth:`importance_bound` bounds it from below by a few.
    """

    @property
    @abstractmethod
    def node_orders(self) -> Orders:
        """The orders that it is trained in."""

    @abstractmethod
    def fits(self, graphs: Graphs, number: int, order: Order) -> bool:
        """Whether the model can draw one graph of a batch in an order of its nodes."""

    @abstractmethod
    def log_prob_given(self, graphs: Any, orders: Sequence[Any]) -> Float[Tensor, "graphs"]:
        """Exact log-likelihood of graphs and orders of their nodes, in nats.

        Args:
            graphs: Whatever :meth:`Graphs.of` takes.
            orders: Of every graph, its node numbers ``(n,)``, the first to be drawn first.

        Returns:
            Minus infinity where the model cannot draw a graph in its order.

        Raises:
            ValueError: Not one permutation a graph.
        """

    def objectives(self, *, rng: torch.Generator | None = None) -> tuple[Objective, ...]:
        """Minus the log-likelihood of a graph and one of its orders, in nats."""

        def loss(batch: OrderedGraphs, step: int) -> tuple[Tensor, dict[str, Tensor]]:
            nats = -self.log_prob_given(batch.graphs, batch.pick(rng=rng))
            sizes = torch.tensor(batch.graphs.sizes, device=nats.device)
            return nats.mean(), {"nats_per_node": (nats / sizes).mean()}

        return (Objective("likelihood", self, loss),)

    def log_prob(self, shapes: Any) -> Float[Tensor, "graphs"]:
        """Exact log-likelihood of graphs whose nodes are drawn in the order of their numbers."""
        graphs = Graphs.of(shapes)
        return self.log_prob_given(graphs, [np.arange(size) for size in graphs.sizes])

    def elbo(self, shapes: Any, *, rng: torch.Generator | None = None) -> Float[Tensor, "graphs"]:
        """Evidence lower bound of every graph in nats, from one order each."""
        return self.importance_bound(shapes, 1, rng=rng)

    @torch.no_grad()
    def importance_bound(
        self, shapes: Any, draws: int, *, rng: torch.Generator | None = None
    ) -> Float[Tensor, "graphs"]:
        r"""Lower bound of a graph's log-likelihood from ``draws`` orders, in nats.

        .. math:: \log p(G) = \log \frac{1}{n!} \sum_\pi p(G, \pi)
                  \ge \mathrm E \log \frac1k \sum_{i=1}^k
                  \frac{p(G, \pi_i)}{n! \, q(\pi_i \mid G)}, \qquad \pi_i \sim q

        Of a graph with numbered nodes, the numbers being given at random after it was drawn;
        ``q`` are the orders of the training, which may leave out some of all orders.

        Args:
            shapes: Whatever :meth:`Graphs.of` takes.
            draws: At least 1; the bound rises with it.
            rng: Source of the orders.

        Raises:
            ValueError: No draw.

        Reference: Li et al., *Learning Deep Generative Models of Graphs*, 2018, equation 9.
        """
        if draws < 1:
            raise ValueError(f"a bound needs at least one draw; got {draws}")
        graphs = Graphs.of(shapes)
        weights = []
        for _ in range(draws):
            picked = [self.node_orders.draw(graphs, i, rng=rng) for i in range(len(graphs))]
            drawn = [self.node_orders.log_prob(graphs, i, each) for i, each in enumerate(picked)]
            spread = torch.tensor([math.lgamma(size + 1) for size in graphs.sizes])
            scores = self._scores(graphs, picked).to(spread)
            weights.append(scores - spread - torch.tensor(drawn))
        return importance_weighted(torch.stack(weights))

    def figures(self, shapes: Any, *, rng: torch.Generator | None = None) -> dict[str, float]:
        """Likelihoods of the first held-out graphs, means in nats a graph.

        ``nll-ordered`` of a graph and an order that the model can draw it in, ``nll-bound`` of a
        graph with numbered nodes, from above; infinite if there is a graph that it cannot draw.
        """
        graphs = Graphs.of(shapes)[:FIGURE_GRAPHS]
        try:
            drawn = draw_orders(graphs, self.node_orders, 1, partial(self.fits, graphs), rng=rng)
        except ValueError:
            return {"nll-ordered": math.inf, "nll-bound": math.inf}
        with torch.no_grad():
            ordered = self._scores(graphs, drawn.pick(rng=rng))
        bound = self.importance_bound(graphs, FIGURE_DRAWS, rng=rng)
        return {"nll-ordered": -float(ordered.mean()), "nll-bound": -float(bound.mean())}

    def _scores(self, graphs: Graphs, orders: Sequence[Order]) -> Tensor:
        parts = [
            self.log_prob_given(graphs[first : first + CHUNK], orders[first : first + CHUNK])
            for first in range(0, len(graphs), CHUNK)
        ]
        return torch.cat(parts)


def checked(graphs: Any, orders: Sequence[Any]) -> tuple[Graphs, list[Order]]:
    """Graphs and one order of each.

    Raises:
        TypeError: No graphs.
        ValueError: Not one permutation a graph.
    """
    batch = Graphs.of(graphs)
    return batch, permutations(orders, batch.sizes)
