"""Compare two sets of graphs; no model is needed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from shapegen.graphs.conversion import comes_from
from shapegen.graphs.graphs import Graphs
from shapegen.metrics import baselines
from shapegen.metrics.draws import Figures, mean_of_draws
from shapegen.metrics.graph_figures import METRICS, SIGMAS, GraphMetrics, Kernel
from shapegen.metrics.graph_validity import novelty, validity_shares

GRAPH_PRESETS = ("graphrnn", "graphrnn-tv")
"""The authors' protocol, and the same with total variation in the place of the EMD."""
BASELINE = "erdos_renyi"


def compare_graphs(
    samples: Any,
    reference: Any,
    *,
    metrics: Sequence[str] | None = None,
    preset: str = "graphrnn",
    train: Any = None,
    draws: int = 5,
    seed: int = 0,
) -> dict[str, Any]:
    """Measure how well sampled graphs stand for a reference.

    The figures of small sets are large even for graphs of the data's own distribution: give
    hundreds of reference graphs, and read the figures against the floor.

    Args:
        samples: Whatever :meth:`Graphs.of` takes, or a path to graphs.
        reference: The same.
        metrics: Some of :data:`shapegen.metrics.graph_figures.METRICS`; default all.
        preset: One of :data:`GRAPH_PRESETS`.
        train: Graphs that the samples' model was trained on: gives the floor (training graphs in
            the samples' place), a ceiling that any model should beat (:func:`erdos_renyi`), and
            novelty.
        draws: Floor and ceiling are means of so many draws.
        seed: Of those draws.

    Returns:
        ``metrics``, ``floor``, ``baseline``, ``validity`` of ``samples`` and ``data``
        (:func:`shapegen.metrics.graph_validity.validity_shares`), ``novelty`` and ``settings``;
        what needs ``train`` is empty without it.

    Raises:
        ValueError: Unknown names or empty sets.
        TypeError: Shapes of another kind.
    """
    if preset not in GRAPH_PRESETS:
        raise ValueError(f"preset must be one of {GRAPH_PRESETS}; got {preset!r}")
    ours, theirs = graphs_in(samples, "samples"), graphs_in(reference, "reference")
    kernel: Kernel = "tv" if preset == "graphrnn-tv" else "emd"
    measure = GraphMetrics(theirs, metrics=metrics or METRICS, kernel=kernel)
    result: dict[str, Any] = {
        "metrics": measure(ours),
        "floor": {},
        "baseline": {},
        "validity": {"samples": validity_shares(ours), "data": validity_shares(theirs)},
        "novelty": {},
        "settings": {
            "samples": len(ours),
            "reference": len(theirs),
            **settings_of(measure, preset),
            "seed": seed,
            "draws": draws if train is not None else 1,
        },
    }
    if train is not None:
        known = graphs_in(train, "train")
        result |= rivals(measure, known, len(ours), draws=draws, seed=seed)
        result["novelty"] = novelty(ours, known)
        result["settings"] |= {"train": len(known), "baseline": BASELINE}
    return result


def rivals(
    measure: GraphMetrics, train: Graphs, size: int, *, draws: int, seed: int
) -> dict[str, Figures]:
    """Figures of training graphs (``floor``) and of random edges (``baseline``) as samples."""
    most = min(size, len(train))
    return {
        "floor": mean_of_draws(
            lambda rng: measure(train[baselines.draw(most, len(train), rng=rng)]), draws, seed
        ),
        "baseline": mean_of_draws(lambda rng: measure(erdos_renyi(train, rng=rng)), draws, seed),
    }


def erdos_renyi(graphs: Graphs, *, rng: torch.Generator | None = None) -> Graphs:
    """Graphs of as many nodes and edges, these anywhere: G(n, m) for every given graph."""
    drawn = []
    for size, edges in zip(graphs.sizes, graphs.edges, strict=True):
        pairs = np.stack(np.triu_indices(size, 1), axis=1)
        chosen = torch.randperm(len(pairs), generator=rng)[: len(edges)].numpy()
        drawn.append(pairs[chosen])
    return Graphs(graphs.sizes, drawn)


def is_graphs(shapes: Any) -> bool:
    """Whether shapes in memory are graphs: ours, of networkx or of torch_geometric."""
    if isinstance(shapes, Graphs):
        return True
    first = shapes[0] if isinstance(shapes, list | tuple) and shapes else shapes
    ours = isinstance(first, Graphs)
    return ours or any(comes_from(first, name) for name in ("networkx", "torch_geometric"))


def graphs_in(shapes: Any, what: str) -> Graphs:
    """Graphs of any kind or of a file, at least one.

    Raises:
        ValueError: There are none, or one is not as it must be.
        TypeError: Shapes of another kind.
    """
    if isinstance(shapes, str | Path):
        from shapegen.graphs.files import read_graphs

        shapes = read_graphs(shapes)
    if not is_graphs(shapes):
        raise TypeError(f"{what} must be graphs or a path; got {type(shapes).__name__}")
    try:
        graphs = Graphs.of(shapes)
    except (TypeError, ValueError) as error:
        raise type(error)(f"{what}: {error}") from None
    if not len(graphs):
        raise ValueError(f"{what} must hold at least one graph; got none")
    return graphs


def settings_of(measure: GraphMetrics, preset: str) -> dict[str, Any]:
    """What the figures mean, for whoever quotes them."""
    between = "total variation" if measure.kernel == "tv" else "earth mover's distance"
    kinds = {"mmd-degree": between, "mmd-clustering": between, "mmd-orbit": "euclidean"}
    return {
        "points": None,
        "normalisation": "none",
        "distance": "; ".join(
            f"{name}: {kinds[name]}, sigma {SIGMAS[name]:g}" for name in measure.metrics
        ),
        "emd": "exact" if measure.kernel == "emd" else None,
        "preset": preset,
    }
