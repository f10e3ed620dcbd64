"""PointNet: features of a set of points, whatever their order.

Reference: Qi et al., *PointNet: Deep Learning on Point Sets for 3D Classification and
Segmentation*, 2017, https://arxiv.org/abs/1612.00593 (without the spatial transformers).
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor, nn


class PointNet(nn.Module):
    """One network for every point, then the largest value of every feature.

    Args:
        dims: Widths, from the points' own dimension to the features'.
        norm: Batch normalisation after every layer.
        last_relu: Rectify the last layer too, before the maximum.
    """

    def __init__(self, dims: Sequence[int], *, norm: bool = True, last_relu: bool = True) -> None:
        super().__init__()
        self.last_relu = last_relu
        self.layers = nn.ModuleList(
            nn.Linear(width, following) for width, following in itertools.pairwise(dims)
        )
        self.norms = nn.ModuleList(nn.BatchNorm1d(width) for width in dims[1:] if norm)

    def forward(self, points: Float[Tensor, "n points dim"]) -> Float[Tensor, "n feature"]:
        """Features of every set."""
        x = points.flatten(0, 1)
        for number, layer in enumerate(self.layers):
            x = layer(x)
            if self.norms:
                x = self.norms[number](x)
            if self.last_relu or number < len(self.layers) - 1:
                x = x.relu()
        return x.view(*points.shape[:2], -1).amax(1)
