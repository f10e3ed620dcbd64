"""Figures of merit of a set of generated shapes, from distance matrices alone.

Matrices are ``(generated, reference)``, or square inside one set. Entries that can be the smallest
neither of their row nor of their column may be ``inf``
(:func:`shapegen.metrics.boxes.nearest_matrix`)::

    gr, gg, rr = nearest_matrix(g, r), nearest_matrix(g), nearest_matrix(r)
    coverage(gr), mmd(gr), quality(gr), one_nna(gg, gr, rr), diversity(gg)

:func:`covered` and :func:`told_apart` say of every shape what their mean says of the set.

Read every figure against the floor, the same figure of real shapes: MMD and coverage depend on the
sizes of the sets, and quality alone rewards a generator that repeats one good shape.

References: Achlioptas et al., *Learning Representations and Generative Models for 3D Point
Clouds*, 2018, section 4 (coverage, MMD); Yang et al., *PointFlow*, 2019, section 5.1 (1-NNA);
Mo et al., *StructureNet*, 2019, section 5 (quality; what it calls coverage is the MMD here).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

FIGURES = ("mmd-{}", "mmd-{}-sample", "cov-{}", "1nna-{}", "1nna-{}-sample", "1nna-{}-reference")
"""Names of the figures that :func:`shares` gives the parts of, with the distance in them."""


def shares(
    name: str,
    generated_reference: ArrayLike,
    generated: ArrayLike | None = None,
    reference: ArrayLike | None = None,
) -> dict[str, NDArray[np.float64] | NDArray[np.bool_]]:
    """What every shape adds to the figures of one distance, which are the means of it.

    Args:
        name: Of the distance.
        generated_reference: Distances.
        generated: Distances inside; without them there is no 1-NNA.
        reference: The same.
    """
    across = distances_across(generated_reference)
    values: list[Any] = [across.min(0), across.min(1), covered(across)]
    if generated is not None and reference is not None:
        sample, other = told_apart(generated, across, reference)
        values += [np.concatenate([sample, other]), sample, other]
    return {figure.format(name): each for figure, each in zip(FIGURES, values, strict=False)}


def coverage(generated_reference: ArrayLike) -> float:
    """Share of the reference that is the nearest one of some generated shape; first on ties."""
    return float(covered(generated_reference).mean())


def covered(generated_reference: ArrayLike) -> NDArray[np.bool_]:
    """Whether a reference shape ``(reference,)`` is the nearest of some generated one."""
    distance = distances_across(generated_reference)
    found = np.zeros(distance.shape[1], dtype=bool)
    found[distance.argmin(1)] = True
    return found


def mmd(generated_reference: ArrayLike) -> float:
    """Mean over the reference of the distance to the nearest generated shape."""
    return float(distances_across(generated_reference).min(0).mean())


def quality(generated_reference: ArrayLike) -> float:
    """Mean over the generated shapes of the distance to the nearest reference."""
    return float(distances_across(generated_reference).min(1).mean())


def one_nna(generated: ArrayLike, generated_reference: ArrayLike, reference: ArrayLike) -> float:
    """Leave-one-out accuracy of telling the two sets apart by the nearest neighbour.

    The mean of the two sides; a tie counts as the other set. One half is ideal, 1 is worst, and
    less than a half means copies. Square matrices are of the whole sets; the first
    ``k = min(generated, reference)`` shapes of both count. Matrices with ``inf`` for entries that
    cannot be smallest must be those of the first ``k`` shapes.
    """
    across = distances_across(generated_reference)
    k = min(across.shape)
    ours, theirs = (
        distances_inside(inside, size)[:k, :k]
        for inside, size in zip((generated, reference), across.shape, strict=True)
    )
    right = told_apart(ours, across[:k, :k], theirs)
    return float(np.mean([side.mean() for side in right]))


def told_apart(
    generated: ArrayLike, generated_reference: ArrayLike, reference: ArrayLike
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Whether the nearest other shape of the union is of a shape's own set.

    A tie counts as the other set.

    Returns:
        For the generated shapes and for those of the reference; the mean over both is the
        leave-one-out accuracy of the nearest neighbour (1-NNA), which sets of equal sizes alone
        can bring to one half.
    """
    across = distances_across(generated_reference)
    ours, theirs = (
        _nearest_inside(distances_inside(inside, size))
        for inside, size in zip((generated, reference), across.shape, strict=True)
    )
    return ours < across.min(1), theirs < across.min(0)


def memorisation(generated_train: ArrayLike, generated_held_out: ArrayLike) -> float:
    """Distance to the nearest training shape over that to the nearest held-out shape, in the mean.

    About 1 is ideal; well below it the generator repeats what it was trained on. The two matrices
    must have equally many columns: among more shapes there is a nearer one.
    """
    train, held_out = distances_across(generated_train), distances_across(generated_held_out)
    if train.shape != held_out.shape:
        raise ValueError(
            "training and held-out shapes must be equally many, for the same generated ones; "
            f"got {train.shape} and {held_out.shape}"
        )
    return float(train.min(1).mean() / max(held_out.min(1).mean(), 1e-300))


def diversity(generated: ArrayLike) -> float:
    """Mean distance of a shape to the nearest other one of its set (at least two shapes)."""
    inside = distances_inside(generated)
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


def kernel_mmd(
    generated: ArrayLike, generated_reference: ArrayLike, reference: ArrayLike
) -> float:
    """Squared maximum mean discrepancy from the values of a kernel, not of distances.

    The biased estimate: pairs of a shape with itself count, so that it is at least 0. It has
    nothing to do with :func:`mmd`, the minimum matching distance.

    Args:
        generated: ``(generated, generated)`` of pairs inside the set.
        generated_reference: ``(generated, reference)``.
        reference: ``(reference, reference)``.

    Reference: Gretton et al., *A Kernel Two-Sample Test*, 2012, equation 5.
    """
    across = distances_across(generated_reference)
    ours, theirs = (
        distances_inside(inside, size)
        for inside, size in zip((generated, reference), across.shape, strict=True)
    )
    return float(ours.mean() + theirs.mean() - 2 * across.mean())


def _nearest_inside(distance: Array) -> Array:
    distance = distance.copy()
    np.fill_diagonal(distance, np.inf)
    nearest: Array = distance.min(1)
    return nearest


def distances_across(values: ArrayLike) -> Array:
    """Distances ``(generated, reference)``, checked."""
    distance = np.asarray(values, dtype=np.float64)
    if distance.ndim != 2 or not distance.size:
        raise ValueError(
            f"distances must be (generated, reference), neither empty; got {distance.shape}"
        )
    if np.isnan(distance).any() or (distance < 0).any():
        raise ValueError("distances must be numbers >= 0; got NaN or less")
    return distance


def distances_inside(values: ArrayLike, size: int | None = None) -> Array:
    """Distances inside a set of ``size`` shapes, checked."""
    distance = distances_across(values)
    rows, columns = distance.shape
    if rows != columns or (size is not None and rows != size):
        wanted = "square" if size is None else f"({size}, {size})"
        raise ValueError(f"distances inside a set must be {wanted}; got {distance.shape}")
    return distance
