"""The laws of both models: probabilities that sum to one, draws that have them, and bounds."""

from __future__ import annotations

import itertools
import math
from pathlib import Path
from typing import Any

import networkx
import numpy as np
import pytest
import torch

from shapegen import checkpoint
from shapegen.graphs.dgmg import DGMG
from shapegen.graphs.graphrnn import GraphRNN
from shapegen.graphs.graphs import Graphs
from shapegen.graphs.orders import Orders
from tests.graphs.graph_cases import (
    KINDS,
    counts,
    eight,
    every_graph,
    key,
    losses,
    random_orders,
    tiny,
)

DRAWS = 6000


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def wide(kind: str) -> dict[str, Any]:
    """Options of a model that can draw all of the eight graphs."""
    return {} if kind == "dgmg" else {"max_prev": 8}


def test_probabilities_of_all_ordered_graphs_sum_to_one(kind: str) -> None:
    for most in (2, 3, 4):
        log_prob = tiny(kind, max_nodes=most).log_prob(every_graph(most))
        torch.testing.assert_close(log_prob.exp().sum().item(), 1.0, atol=1e-5, rtol=0)


def test_draws_have_their_probabilities(kind: str, rng: torch.Generator) -> None:
    # Weights so large that what was drawn before matters.
    model, graphs = tiny(kind, scale=3.0), every_graph(4)
    expected = model.log_prob(graphs).exp().tolist()
    found = counts(model.sample(DRAWS, rng=rng))
    assert sum(found[key(graphs, number)] for number in range(len(graphs))) == DRAWS
    for number, share in enumerate(expected):
        # Five standard deviations.
        error = 5 * math.sqrt(share * (1 - share) / DRAWS) + 1e-9
        assert found[key(graphs, number)] / DRAWS == pytest.approx(share, abs=error)
    assert len(found) > 10


def test_a_score_does_not_depend_on_the_other_graphs_of_the_batch(kind: str) -> None:
    model, graphs = tiny(kind, max_nodes=9, **wide(kind)), eight()
    together = model.log_prob(graphs)
    alone = torch.cat([model.log_prob(graphs[[number]]) for number in range(len(graphs))])
    torch.testing.assert_close(together, alone, atol=1e-4, rtol=1e-5)
    assert together.isfinite().all()


def test_numbers_of_nodes_do_not_matter_but_their_order_does(
    kind: str, rng: torch.Generator
) -> None:
    model, graphs = tiny(kind), every_graph(4)
    orders = random_orders(graphs, rng)
    changes = random_orders(graphs, rng)
    # Node i of the renumbered graph is node change[i]; the same nodes in the same order.
    places = [np.argsort(change)[order] for change, order in zip(changes, orders, strict=True)]
    given = model.log_prob_given(graphs, orders)
    torch.testing.assert_close(given, model.log_prob_given(graphs.renumbered(changes), places))
    torch.testing.assert_close(given, model.log_prob(graphs.renumbered(orders)))
    assert not torch.allclose(given.exp(), model.log_prob(graphs).exp(), atol=1e-3)


def test_a_bound_comes_near_the_sum_over_orders(kind: str, rng: torch.Generator) -> None:
    model, graph = tiny(kind), Graphs([4], [[[0, 1], [1, 2], [2, 3], [1, 3]]])
    orders = [np.array(order) for order in itertools.permutations(range(4))]
    drawn = [model.node_orders.log_prob(graph, 0, order) for order in orders]
    scores = model.log_prob_given(Graphs.join([graph] * 24), orders).double()
    reached = scores[torch.tensor(drawn).isfinite()]
    exact = torch.logsumexp(reached, 0).item() - math.log(24)
    assert len(reached) < 24
    bound = model.importance_bound(Graphs.join([graph] * 200), 30, rng=rng)
    assert bound.exp().mean().item() == pytest.approx(math.exp(exact), rel=0.05)
    loose = model.elbo(Graphs.join([graph] * 200), rng=rng)
    assert loose.mean() < bound.mean() < exact + 0.01


def test_bounds_of_all_numbered_graphs_sum_to_at_most_one(kind: str, rng: torch.Generator) -> None:
    total = tiny(kind, max_nodes=3).importance_bound(every_graph(3), 60, rng=rng).exp().sum()
    assert 0.5 < total < 1.02


def test_gradients_reach_every_parameter(kind: str) -> None:
    model = tiny(kind, max_nodes=9, **wide(kind))
    (objective,) = model.objectives(rng=torch.Generator().manual_seed(0))
    loss, terms = objective.loss(model.prepare(eight())[torch.arange(8)], 0)
    loss.backward()
    assert terms["nats_per_node"] < loss
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


@pytest.mark.parametrize(
    "kind",
    [pytest.param(kind, marks=pytest.mark.slow) if kind == "dgmg" else kind for kind in KINDS],
)
def test_eight_graphs_are_learnt_by_heart(kind: str) -> None:
    options: dict[str, Any] = {"order": Orders("own"), "max_nodes": 9, "scale": 1.0}
    if kind == "dgmg":
        model = tiny(kind, node_dim=16, **options)
    else:
        sizes = {"hidden_dim": 64, "embedding_dim": 32, "layers": 1, "max_prev": 8}
        sizes |= {"edge_hidden_dim": 24, "edge_embedding_dim": 8, "edge_layers": 1}
        model = tiny(kind, **sizes, **options)
    found = losses(model, eight(), 200, 1e-2)
    assert found[0] > 8
    # Whoever knows the eight by heart and draws them alike has log 8 = 2.08 nats; bits that are
    # drawn independently cannot be those of a row of this graph or of that one.
    nats = min(found[-10:])
    assert nats < (4.5 if kind == "graphrnn-s" else 3.2)
    samples = model.eval().sample(300, rng=torch.Generator().manual_seed(1))
    known = counts(eight())
    share = sum(key(samples, number) in known for number in range(300)) / 300
    # The mean of eight chances is at least their geometric mean.
    assert share > 0.8 * 8 * math.exp(-nats)


def test_a_saved_model_draws_the_same_graphs(kind: str, tmp_path: Path) -> None:
    model = tiny(kind, max_nodes=None)
    model.prepare(eight()[[0, 4]])
    checkpoint.save(model, tmp_path / "model.safetensors")
    loaded = checkpoint.load(tmp_path / "model.safetensors")
    assert isinstance(loaded, GraphRNN | DGMG)
    drawn = [
        counts(each.sample(20, rng=torch.Generator().manual_seed(3))) for each in (model, loaded)
    ]
    assert drawn[0] == drawn[1]
    assert torch.equal(model.log_prob(eight()[[0]]), loaded.log_prob(eight()[[0]]))
    again = counts(loaded.sample(20, rng=torch.Generator().manual_seed(4)))
    assert again != drawn[0]


def test_the_largest_training_graph_is_the_limit(kind: str) -> None:
    model = tiny(kind, max_nodes=None)
    with pytest.raises(ValueError, match="needs max_nodes"):
        model.sample(1)
    prepared = model.prepare(eight()[[0, 1]])
    assert len(prepared) == 2
    assert int(model.max_nodes) == 6
    assert max(model.sample(50, rng=torch.Generator().manual_seed(0)).sizes) <= 6
    assert model.log_prob(eight()[[2]]).item() == -math.inf
    with pytest.raises(ValueError, match="graph 1 has 9 nodes; max_nodes is 6"):
        model.prepare(eight()[[0, 2]])


def test_figures_are_of_held_out_graphs(kind: str, rng: torch.Generator) -> None:
    model = tiny(kind)
    figures = model.figures([networkx.path_graph(3), networkx.cycle_graph(4)], rng=rng)
    assert set(figures) == {"nll-ordered", "nll-bound"}
    assert all(0 < value < 100 for value in figures.values())


@pytest.mark.parametrize(
    ("orders", "message"),
    [
        ([[0, 1, 2]], "orders must be one a graph"),
        ([[0, 1, 2], [0, 1, 1]], "order 1 must have each of the nodes 0..2 once; got 0 1 1"),
        ([[0, 1, 2], [0, 1]], "order 1 must have each of the nodes 0..2 once; got 0 1"),
    ],
)
def test_bad_orders_are_refused(kind: str, orders: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        tiny(kind).log_prob_given([networkx.path_graph(3)] * 2, orders)


def test_bad_input_is_refused(kind: str) -> None:
    model = tiny(kind)
    with pytest.raises(ValueError, match="must be at least 1; got 0"):
        model.sample(0)
    with pytest.raises(ValueError, match="at least one draw; got 0"):
        model.importance_bound([networkx.path_graph(3)], 0)
    with pytest.raises(ValueError, match="graph 0 is directed"):
        model.prepare([networkx.DiGraph([(0, 1)])])
    with pytest.raises(TypeError, match="graphs must be of networkx"):
        model.log_prob([3])
    for field, value in (("num_orders", 0), ("max_nodes", 1)):
        with pytest.raises(ValueError, match=f"{field} must be at least"):
            tiny(kind, **({"max_nodes": 4} | {field: value}))
