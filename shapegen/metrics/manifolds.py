"""Precision, recall, density and coverage: balls around samples stand for where a set lies.

The ball of a sample reaches to its k-th nearest neighbour in its own set. From distance matrices
alone, as :mod:`shapegen.metrics.sets`, whose coverage (of nearest neighbours) is another figure.

References: Kynkaanniemi et al., *Improved Precision and Recall Metric for Assessing Generative
Models*, 2019, equations 1 and 2 (precision, recall); Naeem et al., *Reliable Fidelity and
Diversity Metrics for Generative Models*, 2020, equations 4 and 5 (density, coverage),
https://arxiv.org/abs/2002.09797.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from shapegen.metrics.draws import Figures
from shapegen.metrics.sets import distances_across, distances_inside

Array = NDArray[np.float64]

NEIGHBOURS = 5


def manifold_figures(
    generated_reference: ArrayLike,
    generated: ArrayLike,
    reference: ArrayLike,
    *,
    neighbours: int = NEIGHBOURS,
) -> Figures:
    """Figures of generated samples against a reference.

    Args:
        generated_reference: Distances ``(generated, reference)``.
        generated: Inside the generated set.
        reference: Inside the reference.
        neighbours: k, at least 1; both sets have more samples.

    Returns:
        ``precision``: share of the generated samples in some ball of the reference; ``recall``:
        share of the reference in some generated ball; ``density``: mean number of the reference's
        balls that a generated sample is in, over k (not bound by 1); ``coverage``: share of the
        reference's balls with some generated sample in them.

    Raises:
        ValueError: Matrices that do not belong together, or no more samples than neighbours.
    """
    across = distances_across(generated_reference)
    ours, theirs = (
        radii(inside, neighbours, size=size)
        for inside, size in zip((generated, reference), across.shape, strict=True)
    )
    held = across < theirs
    return {
        "precision": float(held.any(1).mean()),
        "recall": float((across < ours[:, None]).any(0).mean()),
        "density": float(held.sum(1).mean() / neighbours),
        "coverage": float(held.any(0).mean()),
    }


def radii(inside: ArrayLike, neighbours: int, *, size: int | None = None) -> Array:
    """Distance ``(n,)`` of every sample to its k-th nearest other one.

    Args:
        inside: Distances ``(n, n)``.
        neighbours: k, 1 to n - 1.
        size: n, where it is known.

    Raises:
        ValueError: Another shape, or a k out of that range.
    """
    distance = distances_inside(inside, size).copy()
    most = len(distance) - 1
    if not 1 <= neighbours <= most:
        raise ValueError(
            f"neighbours must be 1 to {most}, one less than the samples of a set; got {neighbours}"
        )
    np.fill_diagonal(distance, np.inf)
    nearest: Array = np.partition(distance, neighbours - 1, axis=1)[:, neighbours - 1]
    return nearest


def expected_coverage(generated: int, reference: int, *, neighbours: int = NEIGHBOURS) -> float:
    r"""Coverage of a perfect generator, whatever the distribution.

    .. math:: 1 - \frac{(N - 1) \cdots (N - k)}{(M + N - 1) \cdots (M + N - k)}

    Args:
        generated: M, how many samples.
        reference: N, how many samples.
        neighbours: k.

    Reference: Naeem et al., 2020, lemma 2.
    """
    steps = np.arange(1, neighbours + 1)
    return float(1 - np.prod((reference - steps) / (generated + reference - steps)))
