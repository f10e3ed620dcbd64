"""The figures of sets of point clouds: which there are, and many sets against one reference.

Names are those of the papers with the distance in them: ``mmd-cd`` (mean over the reference of the
distance to the nearest sample), ``mmd-cd-sample`` (the other direction), ``cov-cd``, ``1nna-cd``
with its halves ``1nna-cd-sample`` and ``1nna-cd-reference``; the same with ``cd-unsquared`` and
``emd``; and ``jsd``. An accuracy near one half can hide two halves far from it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from shapegen.metrics import sets
from shapegen.metrics.cloud_distances import EMD, EMD_KINDS, chamfer_matrix, emd_matrix
from shapegen.metrics.draws import Figures, bootstrap_interval
from shapegen.metrics.occupancy import jensen_shannon, occupancy
from shapegen.points.normalisation import fit_box

Array = NDArray[np.float64]
Intervals = dict[str, list[float]]

CLOUD_PRESETS = ("pointflow", "lion-normbox")
"""``pointflow``: clouds in the unit of the data. ``lion-normbox``: every cloud moved and scaled so
that the longest side of its bounding box is 1 about the origin (LION's ``norm_box``)."""

DISTANCES = {
    "cd": "chamfer, squared, sum of both means",
    "cd-unsquared": "chamfer, not squared, half the sum of both means",
    "emd": "earth mover's, not squared, mean of matched points",
}
"""What names of figures contain, and what ``settings`` say of it."""

NAMES = (*(figure.format(name) for name in DISTANCES for figure in sets.FIGURES), "jsd")
"""All figures."""
METRICS = (*(figure.format("cd") for figure in sets.FIGURES), "jsd")
"""Those that are measured where nothing else is asked for: the exact EMD takes minutes."""


class CloudMetrics:
    """The figures of many sets of samples against one reference.

    Args:
        reference: ``(m, points, 3)``.
        metrics: Some of :data:`NAMES`.
        preset: One of :data:`CLOUD_PRESETS`.
        emd: Which EMD ``emd`` stands for.
        device: Of the chamfer distances.

    Raises:
        ValueError: Unknown names.
    """

    def __init__(
        self,
        reference: Tensor,
        *,
        metrics: Sequence[str] = METRICS,
        preset: str = "pointflow",
        emd: EMD = "exact",
        device: torch.device | str | None = None,
    ) -> None:
        unknown = [name for name in metrics if name not in NAMES]
        if unknown or not len(metrics):
            raise ValueError(f"metrics must be some of {NAMES}; got {tuple(metrics)}")
        if preset not in CLOUD_PRESETS:
            raise ValueError(f"preset must be one of {CLOUD_PRESETS}; got {preset!r}")
        if emd not in EMD_KINDS:
            raise ValueError(f"emd must be one of {EMD_KINDS}; got {emd!r}")
        self.metrics, self.preset, self.emd, self.device = tuple(metrics), preset, emd, device
        self._reference = self.normalised(reference)
        self._inside: dict[str, Array] = {}
        self._occupied: NDArray[np.int64] | None = None

    @property
    def distances(self) -> tuple[str, ...]:
        """Keys of :data:`DISTANCES` that the figures are made of."""
        used = [n for n in DISTANCES if any(f.format(n) in self.metrics for f in sets.FIGURES)]
        return tuple(used)

    def normalised(self, clouds: Tensor) -> Tensor:
        """Clouds as the preset measures them."""
        return fit_box(clouds) if self.preset == "lion-normbox" else clouds

    def matrix(self, name: str, a: Tensor, b: Tensor | None = None) -> Array:
        """Distances of a kind between clouds that :meth:`normalised` gave."""
        if name == "emd":
            return emd_matrix(a, b, kind=self.emd)
        return chamfer_matrix(a, b, squared=name == "cd", device=self.device)

    def __call__(self, samples: Tensor) -> Figures:
        """Measure one set of samples ``(n, points, 3)``."""
        return self.with_intervals(samples, intervals=False)[0]

    def with_intervals(
        self, samples: Tensor, *, intervals: bool = True, rng: torch.Generator | None = None
    ) -> tuple[Figures, Intervals]:
        """The figures, and bootstrap intervals of all but ``jsd``: it is no mean over shapes."""
        ours = self.normalised(samples)
        items: dict[str, Any] = {}
        for name in self.distances:
            items |= self._items(name, ours)
        figures = {name: float(np.mean(each)) for name, each in items.items()}
        if "jsd" in self.metrics:
            figures["jsd"] = self._jsd(ours)
        spans = {n: bootstrap_interval(items[n], rng=rng) for n in self.metrics if n in items}
        chosen = {name: figures[name] for name in self.metrics}
        return chosen, spans if intervals else {}

    def _items(self, name: str, ours: Tensor) -> dict[str, Any]:
        """What every shape adds to the figures of one distance, which are the means of it."""
        across = self.matrix(name, ours, self._reference)
        if not any(figure.format(name) in self.metrics for figure in sets.FIGURES[3:]):
            return sets.shares(name, across)
        return sets.shares(name, across, self.matrix(name, ours), self._reference_inside(name))

    def _reference_inside(self, name: str) -> Array:
        if name not in self._inside:
            self._inside[name] = self.matrix(name, self._reference)
        return self._inside[name]

    def _jsd(self, ours: Tensor) -> float:
        if self._occupied is None:
            self._occupied = occupancy(self._reference.numpy()).sum(0)
        return jensen_shannon(occupancy(ours.numpy()).sum(0), self._occupied)

    def settings(self) -> dict[str, Any]:
        """What the figures mean, for whoever quotes them."""
        distances = self.distances
        return {
            "normalisation": "bounding box" if self.preset == "lion-normbox" else "none",
            "distance": "; ".join(f"{name}: {DISTANCES[name]}" for name in distances) or None,
            "emd": self.emd if "emd" in distances else None,
            "preset": self.preset,
        }
