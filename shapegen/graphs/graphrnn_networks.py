"""GraphRNN's networks: over nodes, over the edges of a node, and both one bit at a time."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.distributions import Bernoulli

from shapegen.core.autoregressive import shifted

NEVER = -1e9
"""Logit of a bit that cannot be one; the gradient of minus infinity would not be a number."""
Cell = Literal["gru", "lstm"]
CELLS = {"gru": nn.GRU, "lstm": nn.LSTM}
Hidden = Tensor | tuple[Tensor, Tensor]
"""A recurrent network's state: of an LSTM the outputs, then the cells."""
START = 1.0
"""Bits of what stands before the first row and before the first bit of a row."""


class RowNetworks(nn.Module):
    """Logits of rows of bits given the rows, and in a row the bits, before.

    Args:
        width: Bits of a row.
        embedding_dim: Of a row.
        hidden_dim: Of the recurrent network over rows.
        layers: Of the same.
        edge_dims: Embedding, hidden size and layers of the recurrent network over the bits of a
            row; without it the bits are independent given the rows before.
        direct: Add logits of all bits at once to those of the network over the bits, which has
            learned to count before it can place a bit.
        history: Rows before, the last ones, that the network over rows reads at every step; the
            paper's reads 1 and has to remember the others.
        cell: Of both recurrent networks.
        memory: Rows that an LSTM over rows remembers at first, at least 2; one over the bits of a
            row begins with the memory of a row.
    """

    def __init__(
        self,
        width: int,
        *,
        embedding_dim: int,
        hidden_dim: int,
        layers: int,
        edge_dims: tuple[int, int, int] | None,
        direct: bool = False,
        history: int = 1,
        cell: Cell = "gru",
        memory: int = 2,
    ) -> None:
        super().__init__()
        self.width, self.history = width, history
        self.embed = nn.Sequential(nn.Linear(history * width, embedding_dim), nn.ReLU())
        self.nodes = CELLS[cell](embedding_dim, hidden_dim, layers, batch_first=True)
        remember(self.nodes, memory)
        self.out = self.edges = None
        if edge_dims is None or direct:
            self.out = nn.Sequential(
                nn.Linear(hidden_dim, embedding_dim), nn.ReLU(), nn.Linear(embedding_dim, width)
            )
        if edge_dims is not None:
            self.edges = EdgeNetwork(hidden_dim, embedding_dim, *edge_dims, bits=width, cell=cell)

    def forward(
        self,
        rows: Float[Tensor, "graphs steps width"],
        there: Bool[Tensor, "graphs steps"],
        count: int,
    ) -> Float[Tensor, "rows {count}"]:
        """Logits of all rows at once.

        Args:
            rows: Of every graph, padded.
            there: Whether a row is one of the graph's.
            count: First bits of a row that are asked for.

        Returns:
            Logits of the rows that are there.
        """
        before = [rows]
        for _ in range(self.history):
            before.append(shifted(before[-1], 1, start=START))
        features, _ = self._recur(torch.cat(before[1:], 2), None)
        logits = self.at_once(features[there])[:, :count]
        if self.edges is None:
            return logits
        return logits + self.edges(features[there], rows[there][:, :count])

    def at_once(self, features: Float[Tensor, "rows hidden"]) -> Float[Tensor, "rows width"]:
        """What is known of all bits of a row before the first one; logits, 0 for nothing."""
        if self.out is None:
            return features.new_zeros(len(features), self.width)
        out: Tensor = self.out(features)
        return out

    def step(
        self, before: Float[Tensor, "graphs history width"], hidden: Hidden | None
    ) -> tuple[Float[Tensor, "graphs hidden"], Hidden]:
        """Features of the next row from those before, the last first, and the network's state."""
        features, hidden = self._recur(before.flatten(1)[:, None], hidden)
        return features[:, 0], hidden

    def _recur(self, rows: Tensor, hidden: Hidden | None) -> tuple[Tensor, Hidden]:
        # In mixed precision the recurrent networks stay whole: errors would add up over rows.
        features, hidden = self.nodes(_whole(self.embed(rows), self.nodes), hidden)
        return features, hidden


class EdgeNetwork(nn.Module):
    """Logits of the bits of a row, each given those before it.

    The features of a row are the first state of all layers (in the authors' code of the first).
    """

    def __init__(
        self,
        features: int,
        between: int,
        embedding_dim: int,
        hidden_dim: int,
        layers: int,
        *,
        bits: int,
        cell: Cell,
    ) -> None:
        super().__init__()
        self.layers, self.cell = layers, cell
        self.first = nn.Sequential(
            nn.Linear(features, between), nn.ReLU(), nn.Linear(between, layers * hidden_dim)
        )
        self.embed = nn.Sequential(nn.Linear(1, embedding_dim), nn.ReLU())
        self.bits = CELLS[cell](embedding_dim, hidden_dim, layers, batch_first=True)
        remember(self.bits, max(2, bits))
        self.out = nn.Sequential(
            nn.Linear(hidden_dim, embedding_dim), nn.ReLU(), nn.Linear(embedding_dim, 1)
        )

    def forward(
        self, features: Float[Tensor, "rows features"], bits: Float[Tensor, "rows bits"]
    ) -> Float[Tensor, "rows bits"]:
        """Logits of all bits at once; those that a shorter row has not are for nothing."""
        # Packed sequences would spare these, but their gradients take longer than they save.
        before = shifted(bits, 1, start=START)[..., None]
        states, _ = self.bits(_whole(self.embed(before), self.bits), self.start(features))
        return self.out(states)[..., 0]

    def start(self, features: Float[Tensor, "rows features"]) -> Hidden:
        """State before the first bit ``(layers, rows, dim)``."""
        first = _whole(self.first(features), self.bits).unflatten(1, (self.layers, -1))
        first = first.transpose(0, 1).contiguous()
        # In an LSTM's cells it lasts; its outputs alone are gone after a bit.
        return first if self.cell == "gru" else (first.tanh(), first)

    def step(
        self, bit: Float[Tensor, "rows 1"], hidden: Hidden
    ) -> tuple[Float[Tensor, "rows 1"], Hidden]:
        """Logit of the next bit from the one before, and the state."""
        states, hidden = self.bits(_whole(self.embed(bit[:, None]), self.bits), hidden)
        return self.out(states)[:, 0], hidden


def remember(network: nn.Module, steps: int) -> None:
    """Let the cells of an LSTM begin with memories of up to so many steps; others stay.

    With forget gates at one half, as torch begins, a cell has lost what it held after a few steps,
    and no gradient comes from further back.

    Reference: Tallec and Ollivier, *Can recurrent neural networks warp time?*, 2018, section 2.
    """
    if not isinstance(network, nn.LSTM):
        return
    size = network.hidden_size
    with torch.no_grad():
        for name, bias in network.named_parameters():
            if name.startswith("bias_ih"):
                log_steps = torch.empty(size).uniform_(1, steps - 1).log()
                bias[:size], bias[size : 2 * size] = -log_steps, log_steps
            elif name.startswith("bias_hh"):
                bias[: 2 * size] = 0


def _whole(x: Tensor, network: nn.Module) -> Tensor:
    """Inputs in the precision of a network's weights."""
    return x.to(next(network.parameters()).dtype)


@dataclass(frozen=True)
class BitState:
    """What is known before a bit."""

    hidden: Hidden | None
    """State of the network over nodes."""
    at_once: Float[Tensor, "graphs width"]
    """Logits of all bits of the row, of the rows before."""
    logits: Float[Tensor, "graphs 1"]
    """To be added for the next bit, of the bits before."""
    row: Float[Tensor, "graphs width"]
    """Its bits so far."""
    before: Float[Tensor, "graphs history width"]
    """The rows before it, the last first."""
    alive: Bool[Tensor, "graphs 1"]
    """Whether a graph has not ended."""
    edge_hidden: Hidden | None = None
    step: int = 0
    """Number of the row."""
    bit: int = 0
    """Number of the bit in it."""


class BitProcess:
    """A model that is told one bit of the rows after the other (:mod:`.adjacency_rows`).

    Args:
        networks: Trained.
        max_nodes: At which a graph ends.
        band: Most bits of a row.
    """

    def __init__(self, networks: RowNetworks, max_nodes: int, band: int) -> None:
        self.networks, self.max_nodes, self.band = networks, max_nodes, band

    def start(self, n: int) -> BitState:
        """Before the first bit: one node each."""
        shape = (n, self.networks.history, self.networks.width)
        before = next(self.networks.parameters()).new_full(shape, START)
        row = before[:, 0]
        alive = torch.ones(n, 1, dtype=torch.bool, device=row.device)
        return self._opened(BitState(None, row, row[:, :1], row, before, alive))

    def predict(self, state: BitState) -> Bernoulli:
        """The next bit ``(n, 1)``; never one where a graph has ended."""
        logits = (state.at_once[:, state.bit : state.bit + 1] + state.logits).float()
        logits = logits.masked_fill(~state.alive, NEVER)
        return Bernoulli(logits=logits, validate_args=False)

    def advance(self, state: BitState, value: Float[Tensor, "graphs 1"]) -> BitState:
        """Be told the next bit."""
        row = state.row.clone()
        row[:, state.bit] = value[:, 0].to(row)
        state = replace(state, row=row, bit=state.bit + 1)
        if state.bit == min(state.step + 1, self.band):
            alive = state.alive & (row > 0).any(1, keepdim=True)
            state = replace(state, alive=alive, step=state.step + 1)
            # There is no row behind that of the last node.
            if state.step == self.max_nodes - 1:
                return replace(state, alive=alive & False)
            before = torch.cat([row[:, None], state.before[:, :-1]], 1)
            return self._opened(replace(state, before=before))
        if self.networks.edges is not None:
            assert state.edge_hidden is not None
            logits, hidden = self.networks.edges.step(value.to(row), state.edge_hidden)
            state = replace(state, logits=logits, edge_hidden=hidden)
        return state

    def _opened(self, state: BitState) -> BitState:
        """At the first bit of the row behind those before."""
        features, hidden = self.networks.step(state.before, state.hidden)
        at_once = self.networks.at_once(features)
        zeros = torch.zeros_like(state.row)
        state = replace(state, hidden=hidden, at_once=at_once, row=zeros, bit=0)
        edges = self.networks.edges
        if edges is None:
            return replace(state, logits=zeros[:, :1])
        first = torch.full_like(zeros[:, :1], START)
        logits, edge_hidden = edges.step(first, edges.start(features))
        return replace(state, logits=logits, edge_hidden=edge_hidden)
