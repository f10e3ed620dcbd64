"""A Gaussian over principal components."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from shapegen.core.noise import standard_normal

COMPONENTS = 80
"""Most principal components."""
MOST = 2000
"""Most rows that components of long rows are found of: the first ones."""


class GaussianRows:
    """The Gaussian of the leading principal components of training rows.

    Args:
        rows: At least two; of rows longer than :data:`MOST` the first :data:`MOST` count.
        components: At most so many.

    Raises:
        ValueError: Fewer than two rows.
    """

    def __init__(self, rows: Float[Tensor, "n numbers"], components: int = COMPONENTS) -> None:
        if len(rows) < 2:
            raise ValueError(f"principal components need at least 2 shapes; got {len(rows)}")
        rows = (rows if rows.shape[1] <= MOST else rows[:MOST]).double()
        self.mean = rows.mean(0)
        rows = rows - self.mean
        # The smaller of both products has all values that are not 0.
        few = len(rows) < rows.shape[1]
        values, vectors = torch.linalg.eigh(rows @ rows.T if few else rows.T @ rows)
        kept = values > 1e-12 * values[-1].clamp_min(1e-30)
        values, vectors = values[kept][-components:], vectors[:, kept][:, -components:]
        self.axes = (rows.T @ vectors) / values.sqrt() if few else vectors
        self.spread = (values / (len(rows) - 1)).sqrt()

    def sample(self, n: int, *, rng: torch.Generator | None = None) -> Float[Tensor, "n numbers"]:
        """Draw rows."""
        noise = standard_normal((n, len(self.spread)), like=self.mean, rng=rng)
        return self.mean + (noise * self.spread) @ self.axes.T

    def reconstruct(self, rows: Float[Tensor, "n numbers"]) -> Float[Tensor, "n numbers"]:
        """What the components keep of rows."""
        return self.mean + ((rows.double() - self.mean) @ self.axes) @ self.axes.T
