"""GraphRNN: rows of bits, what they depend on, and the model one bit at a time."""

from __future__ import annotations

import math

import networkx
import numpy as np
import pytest
import torch
from torch import Tensor

from shapegen.core.autoregressive import influences, stepwise_log_prob
from shapegen.graphs.adjacency_rows import adjacency_rows, flat_bits, graphs_of, row_lengths
from shapegen.graphs.graphrnn import GraphRNN
from shapegen.graphs.graphs import Graphs
from shapegen.graphs.orders import Orders
from tests.graphs.graph_cases import GRAPHRNNS, eight, every_graph, key, tiny


def own(graphs: Graphs) -> list[np.ndarray]:
    return [np.arange(size) for size in graphs.sizes]


def test_rows_are_edges_to_the_nodes_before() -> None:
    graph = Graphs([4], [[[0, 1], [0, 2], [2, 3], [0, 3]]])
    rows, fits = adjacency_rows(graph, [np.arange(4)], 4, 3, 3)
    assert rows[0].tolist() == [[1, 0, 0], [0, 1, 0], [1, 0, 1], [0, 0, 0]]
    assert fits.all()
    backwards, fits = adjacency_rows(graph, [np.array([3, 2, 1, 0])], 3, 3, 3)
    assert backwards[0].tolist() == [[1, 0, 0], [0, 0, 0], [1, 1, 1]]
    assert not fits.any()  # the third node has no edge to one before
    assert not adjacency_rows(graph, [np.arange(4)], 4, 2, 3)[1].any()  # an edge of length 3


def test_graphs_come_back_from_their_bits() -> None:
    graphs = every_graph(4)
    for band in (2, 3):
        rows, fits = adjacency_rows(graphs, own(graphs), 3, band, band)
        fitting = fits.nonzero()[:, 0].tolist()
        back = graphs_of(flat_bits(rows[fitting], band), 3, band)
        assert [key(back, i) for i in range(len(back))] == [key(graphs, i) for i in fitting]
        assert row_lengths(3, band).tolist() == [1, 2, band]
    # Connected in every order of growth: 1 + 1 + 3 + 3 * 7 ordered graphs.
    assert len(fitting) == 26


@pytest.mark.parametrize("kind", GRAPHRNNS)
@pytest.mark.parametrize("band", [2, 4])
def test_bits_one_by_one_score_as_all_at_once(kind: str, band: int) -> None:
    model = tiny(kind, max_nodes=5, max_prev=band)
    assert isinstance(model, GraphRNN)
    graphs = every_graph(5)[::3]
    together = model.log_prob(graphs)
    rows, fits = adjacency_rows(graphs, own(graphs), 4, band, band)
    assert torch.equal(together.isfinite(), fits)
    one_by_one = stepwise_log_prob(model.process(), flat_bits(rows[fits], band))
    torch.testing.assert_close(one_by_one, together[fits], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("kind", GRAPHRNNS)
def test_a_bit_depends_on_those_before_alone(kind: str) -> None:
    # So many units that no input is behind dead ones alone.
    model = tiny(kind, max_nodes=5, max_prev=3, embedding_dim=24).double()
    assert isinstance(model, GraphRNN)
    row = np.repeat(np.arange(4), row_lengths(4, 3))
    bit = np.concatenate([np.arange(length) for length in row_lengths(4, 3)])

    def logits(values: Tensor) -> Tensor:
        rows = values.new_zeros(1, 4, 3).index_put(
            (torch.zeros(9).long(), torch.from_numpy(row), torch.from_numpy(bit)), values[:, 0]
        )
        there = torch.ones(1, 4, dtype=torch.bool)
        found = model.networks(rows, there, 3)
        return found[row, bit][:, None]

    values = torch.rand(9, 1, dtype=torch.float64)
    found = influences(logits, values)
    assert not found.triu().any()
    before = torch.from_numpy(row[:, None] > row[None])
    inside = torch.from_numpy((row[:, None] == row[None]) & (bit[:, None] > bit[None]))
    assert found[before].float().mean() > 0.8
    assert bool(found[inside].any()) == (kind != "graphrnn-s")


def test_the_band_is_measured_on_the_orders_of_the_data() -> None:
    model = tiny("graphrnn", max_nodes=None, max_prev=8, estimate_max_prev=True)
    assert isinstance(model, GraphRNN)
    model.prepare([networkx.path_graph(6)])
    assert model.limits == (6, 2)  # from an inner node, both ways in turn
    own_order = tiny(
        "graphrnn", max_nodes=None, max_prev=8, estimate_max_prev=True, order=Orders("own")
    )
    assert isinstance(own_order, GraphRNN)
    own_order.prepare([networkx.path_graph(6)])
    assert own_order.limits == (6, 1)
    assert own_order.log_prob([networkx.cycle_graph(4)]).item() == -math.inf


def test_what_cannot_be_drawn_is_refused() -> None:
    model = tiny("graphrnn", max_nodes=9, max_prev=2)
    apart = networkx.Graph([(0, 1), (2, 3)])
    for graph in (apart, networkx.complete_graph(5)):
        with pytest.raises(ValueError, match=r"graph 1 has no order .* places of max_prev"):
            model.prepare([networkx.path_graph(3), graph])
        assert model.log_prob([graph]).item() == -math.inf


def test_samples_are_connected(rng: torch.Generator) -> None:
    samples = tiny("graphrnn", max_nodes=9, max_prev=8).sample(100, rng=rng)
    assert all(networkx.is_connected(graph) for graph in samples)
    assert len(set(samples.sizes)) > 2
    assert len(eight()) == 8


def test_lstms_begin_with_memories_of_the_stated_length() -> None:
    """A cell keeps what it holds for as many steps as one over one less its forget gate."""
    model = tiny("graphrnn-lstm", scale=1.0, hidden_dim=300, memory=50, edge_hidden_dim=300)
    assert isinstance(model, GraphRNN)
    networks = model.networks
    assert networks.edges is not None
    for lstm, most in ((networks.nodes, 50), (networks.edges.bits, 3)):
        for layer in range(2):
            biases = [lstm.get_parameter(f"bias_{kind}_l{layer}") for kind in ("ih", "hh")]
            enter, forget = (biases[0] + biases[1]).detach()[:600].view(2, 300)
            kept = 1 / (1 - forget.sigmoid())
            assert kept.min() > 1.99
            assert kept.max() < most + 0.01
            assert kept.max() > 0.9 * most
            torch.testing.assert_close(enter, -forget)
    with pytest.raises(ValueError, match="memory must be at least 2; got 1"):
        tiny("graphrnn-lstm", memory=1)
