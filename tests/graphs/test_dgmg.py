"""DGMG: sequences of decisions, and the model against a plain loop."""

from __future__ import annotations

import math

import networkx
import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from shapegen.graphs.decisions import Cursor, Question, decisions_of, graphs_of
from shapegen.graphs.dgmg import DGMG
from shapegen.graphs.dgmg_networks import GrowthNetworks
from shapegen.graphs.graphs import Graphs
from tests.graphs.graph_cases import eight, every_graph, key, tiny


def own(graphs: Graphs) -> list[np.ndarray]:
    return [np.arange(size) for size in graphs.sizes]


def test_questions_of_one_graph_are_asked_in_their_order() -> None:
    graph = Graphs([3], [[[0, 1], [0, 2], [1, 2]]])
    answers = decisions_of(graph, [np.arange(3)], 4)[0, :, 0].tolist()
    # A node? an edge? to 0; more? - a node? an edge? to 0; more? to 1; more? - a node?
    assert answers == [1, 1, 0, 0, 1, 1, 0, 1, 1, 0, 0]
    cursor = Cursor.start(1, 4)
    asked = []
    for answer in answers:
        asked.append(cursor.question)
        cursor = cursor.advance(torch.tensor([answer]))
    assert asked[:4] == [Question.NODE, Question.EDGE, Question.END, Question.EDGE]
    assert not cursor.active.any()
    assert decisions_of(graph, [np.arange(3)], 3)[0, :, 0].tolist() == answers[:-1]


def test_graphs_come_back_from_their_decisions() -> None:
    graphs = every_graph(4)
    for most in (4, 6):
        back = graphs_of(decisions_of(graphs, own(graphs), most), most)
        assert [key(back, i) for i in range(75)] == [key(graphs, i) for i in range(75)]


def plain_log_prob(networks: GrowthNetworks, graph: networkx.Graph, most: int) -> float:
    """Node by node and edge by edge, with lists instead of one large graph."""
    zero = torch.zeros(2 * networks.node_dim)
    states: list[Tensor] = [networks.initial(zero)]
    edges: set[tuple[int, int]] = set()

    def summary() -> Tensor:
        return sum(
            (torch.sigmoid(networks.gate(h)) * networks.value(h) for h in states), start=zero
        )

    def propagate() -> None:
        for message, update in zip(networks.messages, networks.updates, strict=True):
            sent = [
                sum(
                    (
                        message(torch.cat([states[v], states[u]]))
                        for u in range(len(states))
                        if (u, v) in edges or (v, u) in edges
                    ),
                    start=zero,
                )
                for v in range(len(states))
            ]
            states[:] = [update(a, h) for a, h in zip(sent, states, strict=True)]

    total = 0.0
    for node in range(1, len(graph)):
        total += logsigmoid(networks.add_node(summary())).item()
        states.append(networks.initial(summary()))
        last = -1
        for end in sorted(u for u in graph[node] if u < node):
            total += logsigmoid(networks.add_edge(torch.cat([summary(), states[node]]))).item()
            free = range(last + 1, node)
            scores = torch.cat(
                [networks.choose_end(torch.cat([states[u], states[node]])) for u in free]
            )
            total += scores.log_softmax(0)[end - last - 1].item()
            edges.add((end, node))
            propagate()
            last = end
        if last < node - 1:
            total += logsigmoid(-networks.add_edge(torch.cat([summary(), states[node]]))).item()
    if len(graph) < most:
        total += logsigmoid(-networks.add_node(summary())).item()
    return total


def test_scores_are_those_of_a_plain_loop() -> None:
    graphs = Graphs.join([eight(), Graphs([5, 1], [[[0, 1], [3, 4]], []])])
    for most in (9, 12):
        model = tiny("dgmg", max_nodes=most)
        assert isinstance(model, DGMG)
        with torch.no_grad():
            expected = [plain_log_prob(model.networks, graph, most) for graph in graphs]
        torch.testing.assert_close(
            model.log_prob(graphs), torch.tensor(expected), atol=2e-4, rtol=1e-5
        )


def test_graphs_need_not_be_connected(rng: torch.Generator) -> None:
    model = tiny("dgmg", max_nodes=6)
    apart = networkx.Graph([(0, 1), (2, 3)])
    assert len(model.prepare([apart])) == 1
    assert -math.inf < model.log_prob([apart]).item() < 0
    samples = model.sample(100, rng=rng)
    assert not all(networkx.is_connected(graph) for graph in samples)
