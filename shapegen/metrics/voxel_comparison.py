"""Compare two sets of voxels by the overlap of their full cells; no model is needed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool
from numpy.typing import NDArray
from torch import Tensor

from shapegen.fields.voxel_surface import pieces
from shapegen.fields.voxels import VoxelGrid, Voxels
from shapegen.metrics import baselines, sets
from shapegen.metrics.draws import Figures, bootstrap_interval, mean_of_draws
from shapegen.metrics.principal import MOST, GaussianRows

BASELINE = "pca_gaussian"
DISTANCE = "1 - intersection over union"

Cells = Bool[Tensor, "n d h w"]


def compare_voxels(
    samples: Any,
    reference: Any,
    *,
    train: Any = None,
    draws: int = 5,
    seed: int = 0,
) -> dict[str, Any]:
    """Measure how well sampled voxels stand for a reference.

    Give as many samples as reference shapes, or MMD, COV and 1-NNA mean something else.

    Args:
        samples: :class:`Voxels`, arrays ``(n, d, h, w)``, or a path to voxels.
        reference: The same, with as many cells.
        train: Voxels that the samples' model was trained on: gives the floor (training shapes in
            the samples' place), a baseline (principal components) and the memorisation ratio.
        draws: Floor and baseline are means of so many draws.
        seed: Of those draws and of the bootstrap.

    Returns:
        ``metrics``, ``floor``, ``baseline``, ``intervals`` (95 % bootstrap intervals of the
        metrics), ``memorisation``, ``validity`` of ``samples`` and ``data`` (:func:`validity`) and
        ``settings``; what needs ``train`` is empty without it.

    Raises:
        ValueError: Empty sets, or grids of different sizes.
        TypeError: Shapes of another kind.
    """
    ours, theirs = voxel_cells(samples, "samples"), voxel_cells(reference, "reference")
    known = None if train is None else voxel_cells(train, "train")
    same_size([each for each in (ours, theirs, known) if each is not None])
    measure = VoxelMetrics(theirs)
    shares = measure.shares(ours)
    result: dict[str, Any] = {
        "metrics": means(shares),
        "floor": {},
        "baseline": {},
        "intervals": intervals(shares, seed),
        "memorisation": {},
        "validity": {"samples": validity(ours), "data": validity(theirs)},
        "settings": settings_of(ours, theirs, seed, draws if train is not None else 1),
    }
    if known is not None:
        result |= rivals(measure, known, len(ours), draws=draws, seed=seed)
        result["memorisation"] = memorised(ours, known, theirs, seed)
        result["settings"] |= {"train": len(known), "baseline": BASELINE}
    return result


class VoxelMetrics:
    """The figures of many sets of samples against one reference.

    Args:
        reference: Full cells.
    """

    def __init__(self, reference: Cells) -> None:
        self.reference = reference
        self._inside = iou_distances(reference, reference)

    def shares(self, samples: Cells) -> dict[str, Any]:
        """What every shape adds to the figures, which are the means of it."""
        across = iou_distances(samples, self.reference)
        return sets.shares("iou", across, iou_distances(samples, samples), self._inside)

    def __call__(self, samples: Cells) -> Figures:
        """MMD in both directions, COV and 1-NNA with both halves."""
        return means(self.shares(samples))


def iou_distances(a: Bool[Tensor, "n d h w"], b: Bool[Tensor, "m d h w"]) -> NDArray[np.float64]:
    """One minus the cells that are full in both, by those full in either; 0 of two empty grids.

    Returns:
        ``(a, b)``, from 0 to 1.
    """
    # Whole numbers below 2^24 are exact in float32, in any order of the sums.
    rows = [each.flatten(1).float() for each in (a, b)]
    both = (rows[0] @ rows[1].T).double()
    either = rows[0].sum(1, keepdim=True).double() + rows[1].sum(1).double() - both
    return torch.where(either > 0, 1 - both / either.clamp_min(1), 0.0).numpy()


class PcaVoxels:
    """A Gaussian over the principal components of training voxels, full above one half.

    Args:
        cells: At least two grids.
    """

    def __init__(self, cells: Cells) -> None:
        self.shape = cells.shape[1:]
        self.gaussian = GaussianRows(cells[:MOST].flatten(1).double())

    def sample(self, n: int, *, rng: torch.Generator | None = None) -> Cells:
        """Draw voxels."""
        return self.gaussian.sample(n, rng=rng).view(n, *self.shape) > 0.5


def validity(cells: Cells) -> Figures:
    """What the full cells of shapes are like, in the mean.

    Returns:
        ``full share`` of the cells; ``pieces`` whose cells share no faces; ``connected share`` of
        shapes with one piece; ``largest piece``, its share of a shape's full cells.
    """
    full, numbers, largest = [], [], []
    for grid in cells.numpy():
        labels, count = pieces(grid)
        full.append(grid.mean())
        numbers.append(count)
        largest.append(np.bincount(labels[labels > 0]).max() / grid.sum() if count else 0.0)
    return {
        "full share": float(np.mean(full)),
        "pieces": float(np.mean(numbers)),
        "connected share": float(np.mean(np.array(numbers) == 1)),
        "largest piece": float(np.mean(largest)),
    }


def rivals(
    measure: VoxelMetrics, train: Cells, size: int, *, draws: int, seed: int
) -> dict[str, Figures]:
    """Figures of training shapes (``floor``) and of a PCA Gaussian (``baseline``) as samples."""
    pca = PcaVoxels(train)
    most = min(size, len(train))
    return {
        "floor": mean_of_draws(
            lambda rng: measure(train[baselines.draw(most, len(train), rng=rng)]), draws, seed
        ),
        "baseline": mean_of_draws(lambda rng: measure(pca.sample(size, rng=rng)), draws, seed),
    }


def memorised(samples: Tensor, train: Tensor, held_out: Tensor, seed: int) -> dict[str, float]:
    """Whether samples are nearer to training shapes than to equally many held-out ones.

    Returns:
        ``ratio`` (:func:`shapegen.metrics.sets.memorisation`, about 1 is ideal), the ``shapes``
        of either kind, and the mean distances ``nearest_train`` and ``nearest_held_out``.
    """
    size = min(len(train), len(held_out))
    chosen = baselines.draw(size, len(train), rng=torch.Generator().manual_seed(seed))
    near = [iou_distances(samples, known) for known in (train[chosen], held_out[:size])]
    return {
        "ratio": sets.memorisation(*near),
        "nearest_train": float(near[0].min(1).mean()),
        "nearest_held_out": float(near[1].min(1).mean()),
        "shapes": size,
    }


def means(shares: dict[str, Any]) -> Figures:
    """Figures of what every shape adds to them."""
    return {name: float(np.mean(each)) for name, each in shares.items()}


def intervals(shares: dict[str, Any], seed: int) -> dict[str, list[float]]:
    """Their bootstrap intervals."""
    return {
        name: bootstrap_interval(each, rng=torch.Generator().manual_seed(seed))
        for name, each in shares.items()
    }


def is_voxels(shapes: Any) -> bool:
    """Whether shapes in memory are voxels of ours."""
    if isinstance(shapes, Voxels | VoxelGrid):
        return True
    first = shapes[0] if isinstance(shapes, Sequence) and len(shapes) else None
    return isinstance(first, Voxels | VoxelGrid)


def voxel_cells(shapes: Any, what: str) -> Cells:
    """Full cells of voxels of any kind or of a file, at least one shape.

    Raises:
        ValueError: There are none, or they are not as voxels must be.
        TypeError: Shapes of another kind.
    """
    if isinstance(shapes, str | Path):
        from shapegen.fields.files import read_voxels

        shapes = read_voxels(shapes)
    try:
        cells = Voxels.of(shapes).occupancy
    except (TypeError, ValueError) as error:
        raise type(error)(f"{what}: {error}") from None
    if not len(cells):
        raise ValueError(f"{what} must hold at least one shape; got none")
    return cells


def same_size(cells: Sequence[Tensor]) -> None:
    """Refuse sets of different numbers of cells.

    Raises:
        ValueError: They differ.
    """
    sizes = sorted({tuple(each.shape[1:]) for each in cells})
    if len(sizes) > 1:
        got = ", ".join(" x ".join(map(str, size)) for size in sizes)
        raise ValueError(f"voxels that are compared must have equally many cells; got {got}")


def settings_of(samples: Tensor, reference: Tensor, seed: int, draws: int) -> dict[str, Any]:
    """What the figures mean, for whoever quotes them."""
    return {
        "samples": len(samples),
        "reference": len(reference),
        "shapes": "voxels",
        "cells": list(reference.shape[1:]),
        "points": None,
        "normalisation": "none",
        "distance": DISTANCE,
        "emd": None,
        "seed": seed,
        "draws": draws,
        "preset": None,
    }
