"""Features of images by convolutions that nobody trained: a second opinion on a distance.

Pixels tell where something is, a trained network what its training taught it to tell. The same
random filters for everybody know no data set, and respond to the edges and the small shapes that
pixels' components blur.

References: Jarrett, Kavukcuoglu, Ranzato and LeCun, *What is the Best Multi-Stage Architecture for
Object Recognition?*, 2009 (random filters); He, Zhang, Ren and Sun, *Delving Deep into
Rectifiers*, 2015 (their scale).
"""

from __future__ import annotations

import math
from functools import cache
from itertools import pairwise

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from shapegen.metrics.feature_extractors import NetworkFeatures

VERSION = 1
"""Of everything below; figures of another version are other figures."""
WIDTHS = (3, 16, 32, 64)
"""Colours, then channels at half the size, at a quarter and at an eighth."""
SEED = 0
_SLOPE = 0.2


class RandomConvolutions(nn.Module):
    """Three convolutions, and the mean of every channel over the image.

    They are of 3 x 3 places with stride 2, leaky rectifiers behind them. Weights are from N(0, 2 /
    inputs), drawn by ``numpy.random.RandomState``, whose streams no
    version changes; there are no biases.

    Args:
        seed: Of the weights.
    """

    def __init__(self, seed: int = SEED) -> None:
        super().__init__()
        stream = np.random.RandomState(seed)
        self.weights = nn.ParameterList()
        for before, after in pairwise(WIDTHS):
            drawn = stream.standard_normal((after, before, 3, 3)) * math.sqrt(2 / (9 * before))
            self.weights.append(nn.Parameter(torch.from_numpy(drawn).float(), requires_grad=False))

    def forward(self, images: Float[Tensor, "n c h w"]) -> Float[Tensor, "n features"]:
        """Features of images in [-1, 1]; those of grey ones are of three equal colours."""
        # Borders are continued: a white image has the same response everywhere.
        x = images if images.shape[1] == WIDTHS[0] else images.expand(-1, WIDTHS[0], -1, -1)
        for weight in self.weights:
            x = functional.pad(x, (1, 1, 1, 1), mode="replicate")
            x = functional.leaky_relu(functional.conv2d(x, weight, stride=2), _SLOPE)
        return x.mean((2, 3))


@cache
def random_features() -> NetworkFeatures:
    """The features that are compared: 64 of the network of :data:`SEED`."""
    network = RandomConvolutions(SEED)
    return NetworkFeatures(network, f"shapegen random-convolutions {VERSION} (seed {SEED})")
