"""Figures of merit of a set of generated shapes, from distance matrices alone.

Matrices are ``(generated, reference)``, or square inside one set. Entries that can be the smallest
neither of their row nor of their column may be ``inf``
(:func:`shapegen.metrics.boxes.nearest_matrix`)::

    gr, gg, rr = nearest_matrix(g, r), nearest_matrix(g), nearest_matrix(r)
    coverage(gr), mmd(gr), quality(gr), one_nna(gg, gr, rr), diversity(gg)

Read every figure against the floor, the same figure of real shapes: MMD and coverage depend on the
sizes of the sets, and quality alone rewards a generator that repeats one good shape.

References: Achlioptas et al., *Learning Representations and Generative Models for 3D Point
Clouds*, 2018, section 4 (coverage, MMD); Yang et al., *PointFlow*, 2019, section 5.1 (1-NNA);
Mo et al., *StructureNet*, 2019, section 5 (quality; what it calls coverage is the MMD here).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


def coverage(generated_reference: ArrayLike) -> float:
    """Share of the reference that is the nearest one of some generated shape; first on ties."""
    distance = _matrix(generated_reference)
    return float(len(np.unique(distance.argmin(1))) / distance.shape[1])


def mmd(generated_reference: ArrayLike) -> float:
    """Mean over the reference of the distance to the nearest generated shape."""
    return float(_matrix(generated_reference).min(0).mean())


def quality(generated_reference: ArrayLike) -> float:
    """Mean over the generated shapes of the distance to the nearest reference."""
    return float(_matrix(generated_reference).min(1).mean())


def one_nna(generated: ArrayLike, generated_reference: ArrayLike, reference: ArrayLike) -> float:
    """Leave-one-out accuracy of telling the two sets apart by the nearest neighbour.

    The mean of the two sides; a tie counts as the other set. One half is ideal, 1 is worst, and
    less than a half means copies. Square matrices are of the whole sets; the first
    ``k = min(generated, reference)`` shapes of both count. Matrices with ``inf`` for entries that
    cannot be smallest must be those of the first ``k`` shapes.
    """
    across = _matrix(generated_reference)
    k = min(across.shape)
    across = across[:k, :k]
    right = [
        _nearest_inside(_square(inside, size)[:k, :k]) < to_other
        for inside, size, to_other in (
            (generated, np.shape(generated_reference)[0], across.min(1)),
            (reference, np.shape(generated_reference)[1], across.min(0)),
        )
    ]
    return float(np.mean([side.mean() for side in right]))


def diversity(generated: ArrayLike) -> float:
    """Mean distance of a shape to the nearest other one of its set (at least two shapes)."""
    inside = _square(generated)
    if len(inside) < 2:
        raise ValueError(f"diversity needs at least 2 shapes; got {len(inside)}")
    return float(_nearest_inside(inside).mean())


def boxes_w1(generated: ArrayLike, reference: ArrayLike) -> float:
    """Mean absolute difference of the 1001 quantiles of the numbers of boxes of two sets."""
    levels = np.linspace(0.0, 1.0, 1001)
    counts = [np.asarray(side, dtype=np.float64) for side in (generated, reference)]
    for side in counts:
        if side.ndim != 1 or not len(side):
            raise ValueError(f"numbers of boxes must be (n,) with n >= 1; got {side.shape}")
    ours, theirs = (np.quantile(side, levels) for side in counts)
    return float(np.abs(ours - theirs).mean())


def _nearest_inside(distance: Array) -> Array:
    distance = distance.copy()
    np.fill_diagonal(distance, np.inf)
    nearest: Array = distance.min(1)
    return nearest


def _matrix(values: ArrayLike) -> Array:
    distance = np.asarray(values, dtype=np.float64)
    if distance.ndim != 2 or not distance.size:
        raise ValueError(
            f"distances must be (generated, reference), neither empty; got {distance.shape}"
        )
    if np.isnan(distance).any() or (distance < 0).any():
        raise ValueError("distances must be numbers >= 0; got NaN or less")
    return distance


def _square(values: ArrayLike, size: int | None = None) -> Array:
    distance = _matrix(values)
    rows, columns = distance.shape
    if rows != columns or (size is not None and rows != size):
        wanted = "square" if size is None else f"({size}, {size})"
        raise ValueError(f"distances inside a set must be {wanted}; got {distance.shape}")
    return distance
