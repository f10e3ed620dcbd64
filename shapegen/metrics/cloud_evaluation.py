"""Measure a model of point clouds: generation, reconstruction, and trivial rivals beside it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor, nn

from shapegen.base import Autoencoder
from shapegen.metrics.cloud_baselines import PcaClouds
from shapegen.metrics.cloud_comparison import BASELINE, cloud_points, memorised, rivals
from shapegen.metrics.cloud_distances import chamfer_pairs, emd_pairs
from shapegen.metrics.cloud_figures import METRICS, CloudMetrics
from shapegen.metrics.draws import Figures, Measured, bootstrap_interval, sample_size
from shapegen.points.point_clouds import PointClouds

SAMPLES = 200
"""Generated shapes, and reference shapes, at most."""
POINTS = 1024
"""Points of a shape that are measured, at most."""
EMD_POINTS = 512
"""Points of a shape whose exact earth mover's distance is measured, at most."""


@runtime_checkable
class CloudModel(Protocol):
    """What is asked of a model."""

    def sample(self, n: int, *, rng: torch.Generator | None = None) -> Any:
        """Clouds in the unit of the data."""
        ...


@runtime_checkable
class Reconstructing(Protocol):
    """A model that can also encode clouds and decode them again."""

    def reconstruct(self, shapes: Any, *, rng: torch.Generator | None = None) -> Any:
        """As many clouds."""
        ...


@torch.no_grad()
def evaluate_clouds(
    model: Any,
    data_train: Any,
    data_test: Any,
    *,
    draws: int = 1,
    n: int | None = None,
    seed: int = 0,
    points: int = POINTS,
    preset: str = "pointflow",
    metrics: Sequence[str] = METRICS,
) -> dict[str, Any]:
    """Measure any model whose results are point clouds.

    As many shapes are drawn as there are in the reference: ``n`` held-out ones, chosen by
    ``numpy.random.RandomState(0)``. Every cloud is measured by its first ``points`` points. A
    model whose ``sample`` and ``decode`` take ``num_points`` is asked for as many.

    Args:
        model: In eval mode: ``sample``, and if it can ``reconstruct`` and ``figures``.
        data_train: Clouds that it was trained on.
        data_test: Held-out clouds.
        draws: Generation figures are means of so many draws; intervals are of the first.
        n: Shapes of the reference and of a draw; default :data:`SAMPLES`, or all if fewer.
        seed: Draw i is seeded ``seed + i``.
        points: At most.
        preset: See :data:`shapegen.metrics.cloud_figures.CLOUD_PRESETS`; reconstruction is
            always measured in the unit of the data.
        metrics: Some of :data:`shapegen.metrics.cloud_figures.NAMES`.

    Returns:
        ``metrics``, ``floor`` (training shapes as samples), ``baseline`` (Gaussian of principal
        components), ``intervals``, ``memorisation``, ``settings`` as of
        :func:`shapegen.metrics.cloud_comparison.compare_clouds`; ``reconstruction`` with figures
        of ``model``, ``floor`` (other points of the same shape, where there are) and
        ``baseline``; ``model``: what the model's own ``figures`` say.

    Raises:
        ValueError: Empty data, or an argument out of its range.
        TypeError: A model or data of another kind.
    """
    if not isinstance(model, CloudModel):
        raise TypeError(f"a model that samples point clouds is needed; got {type(model).__name__}")
    train, test = cloud_points(data_train, "train"), cloud_points(data_test, "test")
    size = sample_size(n, draws, default=SAMPLES, most=len(test), what="the held-out shapes")
    count = min(points, train.shape[1], test.shape[1])
    asked = _asked_for(model.sample, count)
    samples = [
        cloud_points(model.sample(size, rng=_stream(seed + i), **asked), "samples")
        for i in range(draws)
    ]
    count = min(count, samples[0].shape[1])
    fixed = np.random.RandomState(0)
    chosen = fixed.permutation(len(test))[:size]
    reference, train = test[chosen, :count], train[:, :count]
    measure = CloudMetrics(reference, metrics=metrics, preset=preset, device=_device(model))
    first, intervals = measure.with_intervals(samples[0][:, :count], rng=_stream(seed))
    figures = [first, *(measure(each[:, :count]) for each in samples[1:])]
    return {
        "metrics": {name: float(np.mean([one[name] for one in figures])) for name in first},
        **rivals(measure, train, size, draws=draws, seed=seed),
        "intervals": intervals,
        "memorisation": memorised(measure, samples[0][:, :count], reference, train, seed=seed),
        "reconstruction": _reconstruction(model, data_test, test, count, train, seed),
        "model": dict(model.figures(_named(data_test, test), rng=_stream(seed)))
        if isinstance(model, Measured)
        else {},
        "settings": {
            "samples": size,
            "reference": size,
            "train": len(train),
            "reconstructed": len(test),
            "points": count,
            **measure.settings(),
            "seed": seed,
            "draws": draws,
            "baseline": BASELINE,
        },
    }


def paired_figures(
    rebuilt: Tensor, true: Tensor, *, rng: torch.Generator | None = None
) -> Figures:
    """Mean distances between clouds and what they were rebuilt to, with intervals of ``rec-cd``.

    Args:
        rebuilt: ``(n, points, 3)``.
        true: The same; the exact EMD is that of the first :data:`EMD_POINTS` points.
        rng: Of the bootstrap.
    """
    squared = chamfer_pairs(rebuilt, true)
    low, high = bootstrap_interval(squared, rng=rng)
    few = min(EMD_POINTS, rebuilt.shape[1], true.shape[1])
    return {
        "rec-cd": float(squared.mean()),
        "rec-cd 95 % from": low,
        "rec-cd to": high,
        "rec-cd-unsquared": float(chamfer_pairs(rebuilt, true, squared=False).mean()),
        f"rec-emd-{few}": float(emd_pairs(rebuilt[:, :few], true[:, :few]).mean()),
    }


def _reconstruction(
    model: Any, shapes: Any, test: Tensor, count: int, train: Tensor, seed: int
) -> dict[str, Figures]:
    true = test[:, :count]
    pca = PcaClouds(train)
    found: dict[str, Figures] = {
        "model": {},
        "floor": {},
        "baseline": paired_figures(pca.reconstruct(true), true, rng=_stream(seed)),
    }
    if isinstance(model, Reconstructing):
        rebuilt = _rebuilt(model, _named(shapes, true), count, _stream(seed))
        found["model"] = paired_figures(rebuilt[:, :count], true, rng=_stream(seed))
    if test.shape[1] >= 2 * count:
        found["floor"] = paired_figures(test[:, count : 2 * count], true, rng=_stream(seed))
    return found


def _rebuilt(model: Any, clouds: PointClouds, count: int, rng: torch.Generator) -> Tensor:
    """What a model makes of clouds, with as many points if it draws any number."""
    if isinstance(model, Autoencoder) and _asked_for(model.decode, count):
        decode: Any = model.decode
        return cloud_points(
            decode(model.encode(clouds), num_points=count, rng=rng), "reconstructions"
        )
    return cloud_points(model.reconstruct(clouds, rng=rng), "reconstructions")


def _asked_for(function: Callable[..., Any], count: int) -> dict[str, int]:
    """The argument that asks a model for a number of points, if it takes one."""
    takes = "num_points" in inspect.signature(function).parameters
    return {"num_points": count} if takes else {}


def _named(shapes: Any, points: Tensor) -> PointClouds:
    """Points read from ``shapes``, which may be a path, with names if these have them."""
    names = shapes.names if isinstance(shapes, PointClouds) else ()
    return PointClouds(points, names)


def _device(model: Any) -> torch.device | None:
    if not isinstance(model, nn.Module):
        return None
    parameter = next(model.parameters(), None)
    return None if parameter is None else parameter.device


def _stream(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)
