r"""Frechet distance of two sets by Gaussians fitted to their features.

.. math:: d^2 = |m_1 - m_2|^2
    + \mathrm{tr}\,(C_1 + C_2 - 2\, (C_1^{1/2} C_2\, C_1^{1/2})^{1/2})

It is the squared distance that the literature reports (FID of images, FPD of point clouds), in the
squared unit of the features, which belong to whoever calls this. Few samples make it too large, by
about the total variance times the number of features over the number of samples: read it against
the floor, the same figure of as many real ones.

References: Dowson and Landau, *The Frechet Distance between Multivariate Normal Distributions*,
1982; Heusel et al., *GANs Trained by a Two Time-Scale Update Rule Converge to a Local Nash
Equilibrium*, 2017 (FID).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Gaussian:
    """Mean ``(d,)`` and covariance ``(d, d)``."""

    mean: Array
    covariance: Array

    @classmethod
    def of(cls, features: ArrayLike) -> Gaussian:
        """Fit features ``(n, d)``; the covariance is the unbiased one.

        Raises:
            ValueError: Fewer than two samples, no features, or not finite.
        """
        rows = np.asarray(features, dtype=np.float64)
        if rows.ndim != 2 or len(rows) < 2 or not rows.shape[1]:
            raise ValueError(f"features must be (n, d), n >= 2 and d >= 1; got {rows.shape}")
        if not np.isfinite(rows).all():
            raise ValueError("features must be finite; got NaN or infinity")
        centred = rows - rows.mean(0)
        return cls(rows.mean(0), centred.T @ centred / (len(rows) - 1))


def frechet_distance(a: ArrayLike, b: ArrayLike) -> float:
    """Frechet distance of two sets of features ``(n, d)`` and ``(m, d)``, squared.

    Raises:
        ValueError: Fewer than two samples a side, other features on either side, or not finite.
    """
    return gaussian_distance(Gaussian.of(a), Gaussian.of(b))


def gaussian_distance(a: Gaussian, b: Gaussian) -> float:
    """Squared Frechet (2-Wasserstein) distance of two Gaussians; covariances may be singular."""
    if a.mean.shape != b.mean.shape:
        raise ValueError(
            f"both sides need the same features; got {len(a.mean)} and {len(b.mean)} of them"
        )
    root = _square_root(a.covariance)
    # The trace of the root of a symmetric product: no complex numbers, unlike a root of C1 C2.
    overlap = np.sqrt(np.clip(np.linalg.eigvalsh(root @ b.covariance @ root), 0.0, None)).sum()
    spread = np.trace(a.covariance) + np.trace(b.covariance) - 2.0 * overlap
    # Rounding may leave a little less than nothing.
    return float(max(np.square(a.mean - b.mean).sum() + spread, 0.0))


def _square_root(covariance: Array) -> Array:
    values, vectors = np.linalg.eigh(covariance)
    root: Array = (vectors * np.sqrt(np.clip(values, 0.0, None))) @ vectors.T
    return root
