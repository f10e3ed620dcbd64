"""Graphs as sequences of decisions: add a node? add an edge from it? to which node?

Many graphs go through the same questions together: a question is asked as long as one of them has
to answer it, and the others answer 0. The edges of a node are chosen in ascending order of their
other ends, so that a graph and an order of its nodes are one sequence and not many.

Reference: Li et al., *Learning Deep Generative Models of Graphs*, 2018, section 3.1 (any order of
the edges of a node there).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum

import numpy as np
import torch
from jaxtyping import Bool, Int
from torch import Tensor

from shapegen.graphs.graphs import Graphs
from shapegen.graphs.orders import Order


class Question(Enum):
    """What is decided next; yes is 1."""

    NODE = "add a node?"
    EDGE = "add an edge from the new node?"
    END = "to which node?"


@dataclass(frozen=True)
class Cursor:
    """Where many graphs are in their sequences."""

    max_nodes: int
    """A graph with as many has ended."""
    active: Bool[Tensor, "graphs"]
    """Which have not ended; these have ``nodes`` nodes."""
    open: Bool[Tensor, "graphs"]
    """Which have said yes to every edge of the new node so far."""
    last: Int[Tensor, "graphs"]
    """End of the last edge of the new node; -1: it has none."""
    question: Question = Question.NODE
    nodes: int = 1
    round: int = 0
    """Edges of the new node in the open graphs."""

    @classmethod
    def start(cls, n: int, max_nodes: int, device: torch.device | None = None) -> Cursor:
        """At the first question of ``n`` graphs: every one has a node."""
        no = torch.zeros(n, dtype=torch.bool, device=device)
        return cls(max_nodes, ~no if max_nodes > 1 else no, no, torch.zeros_like(no).long() - 1)

    @property
    def may(self) -> Bool[Tensor, "graphs"]:
        """Which graphs have an answer other than 0."""
        if self.question is Question.NODE:
            return self.active
        return self.open & (self.last < self.nodes - 2)

    @property
    def ends(self) -> Bool[Tensor, "graphs ends"]:
        """Which nodes an edge can go to, where that is the question."""
        numbers = torch.arange(self.nodes - 1, device=self.last.device)
        return (numbers > self.last[:, None]) & self.open[:, None]

    def advance(self, answer: Int[Tensor, "graphs"]) -> Cursor:
        """Be told the answers to the question."""
        if self.question is Question.END:
            last = torch.where(self.open, answer, self.last)
            return replace(self, last=last, round=self.round + 1, question=Question.EDGE)
        yes = answer > 0
        if self.question is Question.EDGE:
            still = self.open & yes
            if bool(still.any()):
                return replace(self, open=still, question=Question.END)
            active = self.active & (self.nodes < self.max_nodes)
            return replace(self, open=still, active=active, question=Question.NODE)
        active = self.active & yes
        if not bool(active.any()):
            return replace(self, active=active)
        return replace(
            self,
            active=active,
            open=active,
            last=torch.full_like(self.last, -1),
            question=Question.EDGE,
            nodes=self.nodes + 1,
            round=0,
        )


def decisions_of(
    graphs: Graphs, orders: Sequence[Order], max_nodes: int
) -> Int[Tensor, "graphs decisions 1"]:
    """Answers of graphs in an order of their nodes; none has more than ``max_nodes``."""
    ends = [_earlier(edges, order) for edges, order in zip(graphs.edges, orders, strict=True)]
    sizes = torch.tensor(graphs.sizes)
    most = max((len(each) for own in ends for each in own), default=0)
    counts = torch.zeros(len(graphs), max(graphs.sizes), dtype=torch.long)
    wanted = torch.zeros(len(graphs), max(graphs.sizes), max(most, 1), dtype=torch.long)
    for graph, own in enumerate(ends):
        for node, each in enumerate(own):
            counts[graph, node] = len(each)
            wanted[graph, node, : len(each)] = torch.from_numpy(each)
    cursor = Cursor.start(len(graphs), max_nodes)
    answers = []
    while bool(cursor.active.any()):
        node = cursor.nodes - 1
        if cursor.question is Question.NODE:
            answer = (sizes > cursor.nodes).long()
        elif cursor.question is Question.EDGE:
            answer = (counts[:, node] > cursor.round).long()
        else:
            answer = wanted[:, node, cursor.round]
        answers.append(answer * cursor.may)
        cursor = cursor.advance(answers[-1])
    if not answers:
        return torch.zeros(len(graphs), 0, 1, dtype=torch.long)
    return torch.stack(answers, 1)[..., None]


def graphs_of(answers: Int[Tensor, "graphs decisions 1"], max_nodes: int) -> Graphs:
    """The graphs of sequences of answers."""
    cursor = Cursor.start(len(answers), max_nodes)
    sizes = torch.ones(len(answers), dtype=torch.long)
    edges: list[list[tuple[int, int]]] = [[] for _ in range(len(answers))]
    for answer in answers[..., 0].cpu().unbind(1):
        chosen, node = cursor.question is Question.END, cursor.nodes - 1
        if chosen:
            for graph in cursor.open.nonzero()[:, 0].tolist():
                edges[graph].append((int(answer[graph]), node))
        cursor = cursor.advance(answer)
        if cursor.question is Question.EDGE and not chosen:
            sizes[cursor.active] = cursor.nodes
    return Graphs(sizes.tolist(), edges)


def _earlier(edges: Order, order: Order) -> list[Order]:
    """Places of every node's neighbours that come before it, ascending, in order of the nodes."""
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))
    low, high = np.sort(place[edges], axis=1).T
    by = np.lexsort((low, high))
    ends = np.cumsum(np.bincount(high, minlength=len(order)))
    return np.split(low[by], ends[:-1])
