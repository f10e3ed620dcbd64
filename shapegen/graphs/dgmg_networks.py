"""DGMG's networks on growing graphs: messages, readout and the three decisions.

Many graphs are one graph without edges between them, as in torch_geometric's batches: the states
of all their nodes, the graph that each belongs to, and edges in both directions.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.distributions import Categorical

from shapegen.graphs.decisions import Cursor, Question


class GrowthNetworks(nn.Module):
    """All networks of the model.

    Args:
        node_dim: Size of a node's state; a graph's is twice as large.
        rounds: Rounds of messages after every new edge, each with weights of its own.
    """

    def __init__(self, node_dim: int, rounds: int) -> None:
        super().__init__()
        graph_dim = 2 * node_dim
        self.node_dim = node_dim
        self.messages = nn.ModuleList(nn.Linear(2 * node_dim, graph_dim) for _ in range(rounds))
        self.updates = nn.ModuleList(nn.GRUCell(graph_dim, node_dim) for _ in range(rounds))
        self.gate = nn.Linear(node_dim, 1)
        self.value = nn.Linear(node_dim, graph_dim)
        self.initial = nn.Linear(graph_dim, node_dim)
        self.add_node = _head(graph_dim, node_dim)
        self.add_edge = _head(graph_dim + node_dim, node_dim)
        self.choose_end = _head(2 * node_dim, node_dim)

    def propagate(
        self, states: Float[Tensor, "nodes dim"], edges: Int[Tensor, "2 directed"]
    ) -> Float[Tensor, "nodes dim"]:
        """Rounds of messages along edges (equation 1 of the paper)."""
        from torch_geometric.utils import scatter

        source, target = edges
        for message, update in zip(self.messages, self.updates, strict=True):
            sent = message(torch.cat([states[target], states[source]], 1)).to(states)
            states = update(scatter(sent, target, dim_size=len(states)), states)
        return states

    def readout(
        self, states: Float[Tensor, "nodes dim"], owner: Int[Tensor, "nodes"], graphs: int
    ) -> Float[Tensor, "graphs graph_dim"]:
        """Gated sum of node states (equation 3)."""
        from torch_geometric.utils import scatter

        gated = torch.sigmoid(self.gate(states)) * self.value(states)
        return scatter(gated.to(states), owner, dim_size=graphs)


def _head(inputs: int, hidden: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(inputs, hidden), nn.ReLU(), nn.Linear(hidden, 1))


@dataclass(frozen=True)
class Growth:
    """Many growing graphs before a decision."""

    cursor: Cursor
    states: Float[Tensor, "nodes dim"]
    owner: Int[Tensor, "nodes"]
    """The graph of every node."""
    slots: Int[Tensor, "graphs most"]
    """Where the nodes of every graph stand among all; -1: it has fewer."""
    edges: Int[Tensor, "2 directed"]
    """In both directions, between nodes among all."""
    summary: Float[Tensor, "graphs graph_dim"]
    """Readout of every graph."""


class GrowthProcess:
    """A model that is told one answer of all graphs after the other (:mod:`.decisions`).

    Args:
        networks: Trained.
        max_nodes: At which a graph ends.
    """

    def __init__(self, networks: GrowthNetworks, max_nodes: int) -> None:
        self.networks, self.max_nodes = networks, max_nodes

    def start(self, n: int) -> Growth:
        """Before the first decision: one node each."""
        like = next(self.networks.parameters())
        numbers = torch.arange(n, device=like.device)
        nothing = like.new_zeros(n, 2 * self.networks.node_dim)
        growth = Growth(
            cursor=Cursor.start(n, self.max_nodes, like.device),
            states=self.networks.initial(nothing).to(like.dtype),
            owner=numbers,
            slots=numbers[:, None],
            edges=numbers.new_zeros(2, 0),
            summary=nothing,
        )
        return self._summarised(growth)

    def predict(self, state: Growth) -> Categorical:
        """The next answer ``(n, 1)``; 0 for certain where a graph has none to give."""
        cursor = state.cursor
        if cursor.question is Question.END:
            allowed, scores = cursor.ends, self._end_scores(state)
        else:
            if cursor.question is Question.NODE:
                yes = self.networks.add_node(state.summary)
            else:
                newest = state.states[state.slots[:, -1].clamp(min=0)]
                yes = self.networks.add_edge(torch.cat([state.summary, newest], 1))
            scores = torch.cat([torch.zeros_like(yes), yes], 1)
            allowed = torch.stack([torch.ones_like(cursor.may), cursor.may], 1)
        # Who has nothing to choose from answers 0.
        allowed = allowed | (torch.arange(allowed.shape[1], device=allowed.device) == 0) & ~(
            allowed.any(1, keepdim=True)
        )
        logits = scores.float().masked_fill(~allowed, -torch.inf)
        return Categorical(logits=logits[:, None], validate_args=False)

    def advance(self, state: Growth, value: Int[Tensor, "graphs 1"]) -> Growth:
        """Be told the next answer."""
        before, answer = state.cursor, value[:, 0]
        state = replace(state, cursor=before.advance(answer))
        if before.question is Question.END:
            return self._summarised(self._joined(state, before.open, answer))
        if before.question is Question.NODE and bool(state.cursor.active.any()):
            return self._summarised(self._grown(state))
        return state

    def _end_scores(self, state: Growth) -> Float[Tensor, "graphs ends"]:
        """How well an edge from the newest node would go to every node before it."""
        scores = state.summary.new_zeros(len(state.slots), state.cursor.nodes - 1)
        rows = state.cursor.open.nonzero()[:, 0]
        slots = state.slots[rows]
        others = state.states[slots[:, :-1]]  # (open, ends, dim)
        newest = state.states[slots[:, -1:]].expand_as(others)
        found = self.networks.choose_end(torch.cat([others, newest], 2))[..., 0]
        return scores.index_copy(0, rows, found.to(scores))

    def _grown(self, state: Growth) -> Growth:
        """With a new node in every active graph."""
        active = state.cursor.active
        rows = active.nonzero()[:, 0]
        new = self.networks.initial(state.summary[rows]).to(state.states)
        slot = torch.full_like(state.slots[:, :1], -1)
        slot[rows, 0] = len(state.states) + torch.arange(len(rows), device=rows.device)
        return replace(
            state,
            states=torch.cat([state.states, new]),
            owner=torch.cat([state.owner, rows]),
            slots=torch.cat([state.slots, slot], 1),
        )

    def _joined(self, state: Growth, changed: Bool[Tensor, "graphs"], ends: Tensor) -> Growth:
        """With an edge from the newest node to one of ``ends`` in the changed graphs."""
        rows = changed.nonzero()[:, 0]
        new = torch.stack([state.slots[rows, -1], state.slots[rows, ends[rows]]])
        edges = torch.cat([state.edges, new, new.flip(0)], 1)
        # Only there: a graph must not depend on those that it is drawn with.
        nodes = changed[state.owner].nonzero()[:, 0]
        inside = edges[:, changed[state.owner[edges[0]]]]
        number = torch.zeros_like(state.owner)
        number[nodes] = torch.arange(len(nodes), device=nodes.device)
        moved = self.networks.propagate(state.states[nodes], number[inside])
        return replace(state, edges=edges, states=state.states.index_copy(0, nodes, moved))

    def _summarised(self, state: Growth) -> Growth:
        summary = self.networks.readout(state.states, state.owner, len(state.slots))
        return replace(state, summary=summary)
