"""Measure a model of voxels: generation, with trivial rivals beside it."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from shapegen.base import GenerativeModel
from shapegen.fields.voxels import Voxels
from shapegen.metrics.draws import Measured, sample_size
from shapegen.metrics.voxel_comparison import (
    BASELINE,
    Cells,
    VoxelMetrics,
    intervals,
    means,
    memorised,
    rivals,
    same_size,
    settings_of,
    validity,
    voxel_cells,
)

SAMPLES = 200
"""Generated shapes, and reference shapes, at most."""


@torch.no_grad()
def evaluate_voxels(
    model: Any,
    data_train: Any,
    data_test: Any,
    *,
    draws: int = 1,
    n: int | None = None,
    seed: int = 0,
) -> dict[str, Any]:
    """Measure any model whose results are voxels.

    As many shapes are drawn as there are in the reference: ``n`` held-out ones, chosen by
    ``numpy.random.RandomState(0)``.

    Args:
        model: In eval mode.
        data_train: Voxels that it was trained on.
        data_test: Held-out voxels.
        draws: Generation figures are means of so many draws; intervals are of the first.
        n: Shapes of the reference and of a draw; default :data:`SAMPLES`, or all if fewer.
        seed: Draw i is seeded ``seed + i``.

    Returns:
        ``metrics``, ``floor``, ``baseline``, ``intervals``, ``memorisation``, ``validity`` and
        ``settings`` as of :func:`shapegen.metrics.voxel_comparison.compare_voxels`; ``model``:
        what the model's own ``figures`` say.

    Raises:
        ValueError: Empty data, or an argument out of its range.
        TypeError: A model or data of another kind.
    """
    if not isinstance(model, GenerativeModel):
        raise TypeError(f"a model that samples voxels is needed; got {type(model).__name__}")
    train, test = voxel_cells(data_train, "train"), voxel_cells(data_test, "test")
    size = sample_size(n, draws, default=SAMPLES, most=len(test), what="the held-out shapes")
    samples = [_drawn(model, size, seed + draw) for draw in range(draws)]
    same_size([samples[0], train, test])
    stream = np.random.RandomState(0)
    reference = test[stream.permutation(len(test))[:size]]
    measure = VoxelMetrics(reference)
    first = measure.shares(samples[0])
    figures = [means(first), *(measure(each) for each in samples[1:])]
    return {
        "metrics": {name: float(np.mean([one[name] for one in figures])) for name in first},
        **rivals(measure, train, size, draws=draws, seed=seed),
        "intervals": intervals(first, seed),
        "memorisation": memorised(samples[0], train, test, seed),
        "validity": {"samples": validity(samples[0]), "data": validity(reference)},
        "model": dict(model.figures(data_test, rng=torch.Generator().manual_seed(seed)))
        if isinstance(model, Measured)
        else {},
        "settings": settings_of(samples[0], reference, seed, draws)
        | {"train": len(train), "baseline": BASELINE},
    }


def _drawn(model: GenerativeModel, size: int, seed: int) -> Cells:
    voxels = model.sample(size, rng=torch.Generator().manual_seed(seed))
    if not isinstance(voxels, Voxels):
        raise TypeError(f"a model that samples voxels is needed; got {type(voxels).__name__}")
    return voxels.occupancy
