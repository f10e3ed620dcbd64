"""The figures of sets of graphs: squared maximum mean discrepancies of what their nodes are like.

``mmd-degree``, ``mmd-clustering`` and ``mmd-orbit`` are those of the GraphRNN authors' code
(eval/stats.py, eval/mmd.py): squared, biased (pairs of a graph with itself count), of

* histograms of degrees, kernel exp(-EMD^2 / 2 sigma^2), sigma 1, bins one degree apart;
* histograms of clustering coefficients in 100 bins, the same with sigma 0.1, bins 0.01 apart;
* mean counts of the 15 orbits of graphlets up to 4 nodes, exp(-distance^2 / 2 sigma^2), sigma
  30.

Later papers put the total variation in the place of the EMD (``kernel="tv"``): other figures.

References: You et al., *GraphRNN*, 2018, section 4.3; Gretton et al., *A Kernel Two-Sample Test*,
2012, equation 5; Liao et al., *Efficient Graph Generation with Graph Recurrent Attention
Networks*, 2019 (total variation).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from shapegen.graphs.graphs import Graphs
from shapegen.metrics import sets
from shapegen.metrics.draws import Figures
from shapegen.metrics.graph_orbits import orbit_counts

Array = NDArray[np.float64]
Kernel = Literal["emd", "tv"]

METRICS = ("mmd-degree", "mmd-clustering", "mmd-orbit")
KERNELS = ("emd", "tv")
CLUSTERING_BINS = 100
SIGMAS = {"mmd-degree": 1.0, "mmd-clustering": 0.1, "mmd-orbit": 30.0}
BIN_WIDTHS = {"mmd-degree": 1.0, "mmd-clustering": 1 / CLUSTERING_BINS}


def degree_histograms(graphs: Graphs) -> Array:
    """Shares ``(graphs, degrees)`` of nodes with 0, 1, ... edges."""
    degrees = [graphs.degrees(number) for number in range(len(graphs))]
    most = max(int(each.max()) for each in degrees)
    return np.stack([np.bincount(each, minlength=most + 1) / len(each) for each in degrees])


def clustering_histograms(graphs: Graphs, *, bins: int = CLUSTERING_BINS) -> Array:
    """Shares ``(graphs, bins)`` of nodes by their clustering coefficient, from 0 to 1."""
    return np.stack(
        [
            np.histogram(clustering(graphs.adjacency(number)), bins, (0.0, 1.0))[0] / size
            for number, size in enumerate(graphs.sizes)
        ]
    )


def clustering(adjacency: NDArray[np.bool_]) -> Array:
    """Share ``(n,)`` of the pairs of a node's neighbours that share an edge; 0 without pairs."""
    a = adjacency.astype(np.float64)
    degree = a.sum(1)
    pairs = degree * (degree - 1)
    return np.asarray(((a @ a) * a).sum(1) / np.maximum(pairs, 1))


def mean_orbits(graphs: Graphs) -> Array:
    """Orbit counts ``(graphs, 15)``, means over a graph's nodes."""
    counts = [orbit_counts(graphs.adjacency(number)).mean(0) for number in range(len(graphs))]
    return np.stack(counts)


FEATURES = {
    "mmd-degree": degree_histograms,
    "mmd-clustering": clustering_histograms,
    "mmd-orbit": mean_orbits,
}


def histogram_distances(a: Array, b: Array, *, width: float, kernel: Kernel = "emd") -> Array:
    """Distances ``(n, m)`` of histograms ``(n, bins)`` and ``(m, bins)`` whose rows sum to 1.

    Args:
        a: Histograms; the shorter ones of the two sets end in zeros.
        b: The same.
        width: Of a bin.
        kernel: ``"emd"``: the earth mover's distance, on a line the area between the cumulated
            histograms; ``"tv"``: total variation, half the sum of absolute differences.
    """
    bins = max(a.shape[1], b.shape[1])
    first, second = (np.pad(each, ((0, 0), (0, bins - each.shape[1]))) for each in (a, b))
    if kernel == "tv":
        return 0.5 * _distances(first, second, 1.0)
    return width * _distances(first.cumsum(1), second.cumsum(1), 1.0)


class GraphMetrics:
    """The figures of many sets of samples against one reference, measured once.

    Args:
        reference: At least one graph.
        metrics: Some of :data:`METRICS`.
        kernel: Of the histograms, ``"emd"`` or ``"tv"``.

    Raises:
        ValueError: Unknown names, or no graphs.
    """

    def __init__(
        self, reference: Graphs, *, metrics: Sequence[str] = METRICS, kernel: Kernel = "emd"
    ) -> None:
        unknown = [name for name in metrics if name not in METRICS]
        if unknown or not len(metrics):
            raise ValueError(f"metrics must be some of {METRICS}; got {tuple(metrics)}")
        if kernel not in KERNELS:
            raise ValueError(f"kernel must be one of {KERNELS}; got {kernel!r}")
        if not len(reference):
            raise ValueError("the reference must hold at least one graph; got none")
        self.metrics, self.kernel = tuple(metrics), kernel
        self._reference = {name: FEATURES[name](reference) for name in self.metrics}
        self._inside = {
            name: self._similarity(name, each, each) for name, each in self._reference.items()
        }

    def __call__(self, samples: Graphs) -> Figures:
        """Measure one set of samples."""
        figures: Figures = {}
        for name in self.metrics:
            ours, theirs = FEATURES[name](samples), self._reference[name]
            figures[name] = sets.kernel_mmd(
                self._similarity(name, ours, ours),
                self._similarity(name, ours, theirs),
                self._inside[name],
            )
        return figures

    def _similarity(self, name: str, a: Array, b: Array) -> Array:
        return np.asarray(np.exp(-0.5 * _in_sigmas(name, a, b, self.kernel) ** 2))


def graph_distances(a: Graphs, b: Graphs, *, kernel: Kernel = "emd") -> Array:
    """Distances ``(n, m)`` of graphs by what their nodes are like.

    The root of the summed squares of the three distances behind :data:`METRICS`, each in units of
    its sigma: minus half its square is the logarithm of the product of the three kernels. Graphs
    of nodes that are alike, such as cycles of two lengths, are at distance 0.

    Args:
        a: At least one graph.
        b: The same.
        kernel: Of the histograms.
    """
    squares = [_in_sigmas(name, of(a), of(b), kernel) ** 2 for name, of in FEATURES.items()]
    return np.asarray(np.sqrt(np.sum(squares, axis=0)))


def _in_sigmas(name: str, a: Array, b: Array, kernel: Kernel) -> Array:
    """Distances of features in units of the kernel's sigma."""
    if name == "mmd-orbit":
        return _distances(a, b, 2.0) / SIGMAS[name]
    return histogram_distances(a, b, width=BIN_WIDTHS[name], kernel=kernel) / SIGMAS[name]


def _distances(a: Array, b: Array, norm: float) -> Array:
    first, second = (torch.from_numpy(np.ascontiguousarray(each)) for each in (a, b))
    # The fast Euclidean formula loses the small distances.
    mode = "donot_use_mm_for_euclid_dist"
    found: Array = torch.cdist(first, second, p=norm, compute_mode=mode).numpy()
    return found
