"""A Gaussian over principal components, of fewer rows than they have numbers."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from shapegen.core.noise import standard_normal

COMPONENTS = 80
"""Most principal components."""
MOST = 2000
"""Most rows that components are found of: the first ones."""


class GaussianRows:
    """The Gaussian of the leading principal components of training rows.

    Args:
        rows: At least two; the first :data:`MOST` count.

    Raises:
        ValueError: Fewer than two rows.
    """

    def __init__(self, rows: Float[Tensor, "n numbers"]) -> None:
        if len(rows) < 2:
            raise ValueError(f"principal components need at least 2 shapes; got {len(rows)}")
        rows = rows[:MOST].double()
        self.mean = rows.mean(0)
        rows = rows - self.mean
        # Of the rows' products: there are far fewer rows than numbers in one.
        values, vectors = torch.linalg.eigh(rows @ rows.T)
        kept = values > 1e-12 * values[-1].clamp_min(1e-30)
        values, vectors = values[kept][-COMPONENTS:], vectors[:, kept][:, -COMPONENTS:]
        self.axes = (rows.T @ vectors) / values.sqrt()
        self.spread = (values / (len(rows) - 1)).sqrt()

    def sample(self, n: int, *, rng: torch.Generator | None = None) -> Float[Tensor, "n numbers"]:
        """Draw rows."""
        noise = standard_normal((n, len(self.spread)), like=self.mean, rng=rng)
        return self.mean + (noise * self.spread) @ self.axes.T

    def reconstruct(self, rows: Float[Tensor, "n numbers"]) -> Float[Tensor, "n numbers"]:
        """What the components keep of rows."""
        return self.mean + ((rows.double() - self.mean) @ self.axes) @ self.axes.T
