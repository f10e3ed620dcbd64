"""Measure a model of graphs: generation with floor and ceiling, validity, novelty, likelihood."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch

from shapegen.graphs.graphs import Graphs
from shapegen.metrics.draws import Figures, Measured
from shapegen.metrics.graph_comparison import BASELINE, graphs_in, rivals, settings_of
from shapegen.metrics.graph_figures import METRICS, GraphMetrics
from shapegen.metrics.graph_validity import novelty, validity_shares


@runtime_checkable
class GraphModel(Protocol):
    """What is asked of a model."""

    def sample(self, n: int, *, rng: torch.Generator | None = None) -> Any:
        """Draw graphs."""
        ...


@torch.no_grad()
def evaluate_graphs(
    model: Any,
    data_train: Any,
    data_test: Any,
    *,
    draws: int = 1,
    n: int | None = None,
    seed: int = 0,
    metrics: Sequence[str] = METRICS,
) -> dict[str, Any]:
    """Measure any model whose results are graphs.

    All held-out graphs are the reference. With few of them the figures say little: of the
    procedural sets hold 500 or more out, which costs nothing.

    Args:
        model: In eval mode: ``sample``, and if it can ``figures``.
        data_train: Graphs that it was trained on.
        data_test: Held-out graphs.
        draws: Figures are means of so many draws.
        n: Graphs of a draw; default as many as are held out.
        seed: Draw i is seeded ``seed + i``.
        metrics: Some of :data:`shapegen.metrics.graph_figures.METRICS`.

    Returns:
        ``metrics``, ``floor`` (training graphs as samples), ``baseline`` (random edges),
        ``validity`` and ``settings`` as of
        :func:`shapegen.metrics.graph_comparison.compare_graphs`; ``validity`` also has
        ``size_known``: as many nodes as some training graph; ``novelty`` of the ``samples`` and
        the ``data``; ``model``: what the model's own ``figures`` say. Figures that are not finite
        are None.

    Raises:
        ValueError: Empty data, or an argument out of its range.
        TypeError: A model or data of another kind.
    """
    if not isinstance(model, GraphModel):
        raise TypeError(f"a model that samples graphs is needed; got {type(model).__name__}")
    train, test = graphs_in(data_train, "train"), graphs_in(data_test, "test")
    size = len(test) if n is None else n
    if draws < 1 or size < 2:
        raise ValueError(f"draws must be at least 1 and n at least 2; got {draws} and {size}")
    measure = GraphMetrics(test, metrics=metrics)
    drawn = [
        graphs_in(model.sample(size, rng=_stream(seed + draw)), "samples") for draw in range(draws)
    ]
    own = model.figures(test, rng=_stream(seed)) if isinstance(model, Measured) else {}
    return {
        "metrics": _mean([measure(one) for one in drawn]),
        **rivals(measure, train, size, draws=draws, seed=seed),
        "validity": {
            "samples": _mean([validity_shares(one) | _known(one, train) for one in drawn]),
            "data": validity_shares(test) | _known(test, train),
        },
        "novelty": {
            "samples": _mean([novelty(one, train) for one in drawn]),
            "data": novelty(test, train),
        },
        "model": {name: v if math.isfinite(v) else None for name, v in own.items()},
        "settings": {
            "samples": size,
            "reference": len(test),
            "train": len(train),
            **settings_of(measure, "graphrnn"),
            "seed": seed,
            "draws": draws,
            "baseline": BASELINE,
        },
    }


def _known(graphs: Graphs, train: Graphs) -> Figures:
    known = set(train.sizes)
    return {"size_known": float(np.mean([size in known for size in graphs.sizes]))}


def _mean(figures: Sequence[Figures]) -> Figures:
    return {name: float(np.mean([one[name] for one in figures])) for name in figures[0]}


def _stream(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)
