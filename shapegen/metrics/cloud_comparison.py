"""Compare two sets of point clouds; no model is needed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from shapegen.metrics import baselines, sets
from shapegen.metrics.cloud_baselines import PcaClouds
from shapegen.metrics.cloud_distances import EMD
from shapegen.metrics.cloud_figures import METRICS, CloudMetrics
from shapegen.metrics.draws import Figures, mean_of_draws
from shapegen.points.point_clouds import PointCloud, PointClouds

BASELINE = "pca_gaussian"


def compare_clouds(
    samples: Any,
    reference: Any,
    *,
    metrics: Sequence[str] | None = None,
    preset: str = "pointflow",
    emd: EMD = "exact",
    points: int | None = None,
    train: Any = None,
    draws: int = 5,
    seed: int = 0,
    device: torch.device | str | None = None,
) -> dict[str, Any]:
    """Measure how well sampled clouds stand for a reference.

    Give as many samples as reference shapes, or MMD, COV and 1-NNA mean something else.

    Args:
        samples: :class:`PointClouds`, arrays or tensors ``(n, points, 3)``, or a path to clouds.
        reference: The same.
        metrics: Some of :data:`shapegen.metrics.cloud_figures.NAMES`; default chamfer and JSD.
        preset: One of :data:`shapegen.metrics.cloud_figures.CLOUD_PRESETS`.
        emd: ``"exact"`` or ``"sinkhorn"``, which is an upper bound; recorded.
        points: Measure the first so many points of every cloud; default as many as all sets have.
        train: Clouds that the samples' model was trained on: gives the floor (training shapes in
            the samples' place), a PCA baseline, and the memorisation ratio.
        draws: Floor and baseline are means of so many draws.
        seed: Of those draws and of the bootstrap.
        device: A CUDA device for the chamfer distances; default the CPU.

    Returns:
        ``metrics``, ``floor``, ``baseline``, ``intervals`` (95 % bootstrap intervals of the
        metrics), ``memorisation`` and ``settings``; what needs ``train`` is empty without it.

    Raises:
        ValueError: Unknown names, empty sets, clouds that are not finite or have too few points.
        TypeError: Shapes of another kind.
    """
    ours, theirs = cloud_points(samples, "samples"), cloud_points(reference, "reference")
    known = None if train is None else cloud_points(train, "train")
    count = _count(points, [each for each in (ours, theirs, known) if each is not None])
    ours, theirs = ours[:, :count], theirs[:, :count]
    measure = CloudMetrics(
        theirs, metrics=metrics or METRICS, preset=preset, emd=emd, device=device
    )
    figures, intervals = measure.with_intervals(ours, rng=_stream(seed))
    result: dict[str, Any] = {
        "metrics": figures,
        "floor": {},
        "baseline": {},
        "intervals": intervals,
        "memorisation": {},
        "settings": {
            "samples": len(ours),
            "reference": len(theirs),
            "points": count,
            **measure.settings(),
            "seed": seed,
            "draws": draws if train is not None else 1,
        },
    }
    if known is not None:
        known = known[:, :count]
        result |= rivals(measure, known, len(ours), draws=draws, seed=seed)
        result["memorisation"] = memorised(measure, ours, theirs, known, seed=seed)
        result["settings"] |= {"train": len(known), "baseline": BASELINE}
    return result


def rivals(
    measure: CloudMetrics, train: Tensor, size: int, *, draws: int, seed: int
) -> dict[str, Figures]:
    """Figures of training shapes (``floor``) and of a PCA Gaussian (``baseline``) as samples."""
    pca = PcaClouds(train)
    most = min(size, len(train))
    return {
        "floor": mean_of_draws(
            lambda rng: measure(train[baselines.draw(most, len(train), rng=rng)]), draws, seed
        ),
        "baseline": mean_of_draws(lambda rng: measure(pca.sample(size, rng=rng)), draws, seed),
    }


def memorised(
    measure: CloudMetrics, samples: Tensor, held_out: Tensor, train: Tensor, *, seed: int
) -> dict[str, float]:
    """Whether samples are nearer to training shapes than to equally many held-out ones.

    Returns:
        ``ratio`` (:func:`shapegen.metrics.sets.memorisation`, about 1 is ideal), the ``shapes``
        of either kind, and the mean distances ``nearest_train`` and ``nearest_held_out``.
    """
    size = min(len(train), len(held_out))
    chosen = baselines.draw(size, len(train), rng=_stream(seed))
    near = [
        measure.matrix("cd", measure.normalised(samples), measure.normalised(known))
        for known in (train[chosen], held_out[:size])
    ]
    return {
        "ratio": sets.memorisation(*near),
        "nearest_train": float(near[0].min(1).mean()),
        "nearest_held_out": float(near[1].min(1).mean()),
        "shapes": size,
    }


def is_clouds(shapes: Any) -> bool:
    """Whether shapes in memory are point clouds: ours, or arrays ``(n, points, 3)``."""
    if isinstance(shapes, PointClouds | PointCloud):
        return True
    if isinstance(shapes, Tensor | np.ndarray):
        return shapes.ndim == 3 and shapes.shape[2] == 3
    first = shapes[0] if isinstance(shapes, Sequence) and len(shapes) else None
    return isinstance(first, PointClouds | PointCloud) or (
        isinstance(first, Tensor | np.ndarray) and first.ndim == 2 and first.shape[1] == 3
    )


def cloud_points(shapes: Any, what: str) -> Tensor:
    """Points ``(n, points, 3)`` of clouds of any kind or of a file, at least one.

    Raises:
        ValueError: There are none, or they are not as clouds must be.
        TypeError: Shapes of another kind.
    """
    if isinstance(shapes, str | Path):
        from shapegen.points.files import read_point_clouds

        shapes = read_point_clouds(shapes)
    if not is_clouds(shapes):
        size = f" {tuple(shapes.shape)}" if isinstance(shapes, Tensor | np.ndarray) else ""
        raise TypeError(
            f"{what} must be point clouds, (n, points, 3) or a path; "
            f"got {type(shapes).__name__}{size}"
        )
    try:
        points = PointClouds.of(shapes).points
    except (TypeError, ValueError) as error:
        raise type(error)(f"{what}: {error}") from None
    if not len(points):
        raise ValueError(f"{what} must hold at least one cloud; got none")
    return points


def _count(points: int | None, clouds: Sequence[Tensor]) -> int:
    most = min(each.shape[1] for each in clouds)
    if points is not None and not 1 <= points <= most:
        raise ValueError(f"points must be 1 to {most}, which all sets have; got {points}")
    return points or most


def _stream(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)
