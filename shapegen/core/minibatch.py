"""A discriminator that sees the batch: layers that tell a varied one from a repeated one, packing.

Samples that are all alike pass one by one for data; side by side they do not.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn


class MinibatchStddev(nn.Module):
    """Adds channels with the mean standard deviation of a group of the batch.

    Args:
        group: Rows that are compared; the last ones of a batch that it does not divide make a
            smaller group.
        channels: Added; each is of its share of the input's channels.

    Reference: Karras et al., *Progressive Growing of GANs*, 2018, section 3; the groups are those
    of its code.
    """

    def __init__(self, group: int = 4, *, channels: int = 1) -> None:
        super().__init__()
        if group < 2 or channels < 1:
            raise ValueError(
                f"a group must have at least 2 rows and 1 channel; got {group} and {channels}"
            )
        self.group, self.channels = group, channels

    def forward(self, x: Float[Tensor, "n c *places"]) -> Float[Tensor, "n more *places"]:
        """The input, and the standard deviations behind it."""
        found = [self._spread(part) for part in x.split(self.group)]
        return torch.cat([x, torch.cat(found)], 1)

    def _spread(self, x: Tensor) -> Tensor:
        # A constant keeps the root's gradient a number where all rows are alike.
        spread = (x.var(0, correction=0) + 1e-8).sqrt()
        means = torch.stack([part.mean() for part in spread.tensor_split(self.channels)])
        shape = (len(x), self.channels, *x.shape[2:])
        return means.view(1, -1, *[1] * (x.ndim - 2)).expand(shape)


class MinibatchDiscrimination(nn.Module):
    r"""Adds features of how near the other rows are, in learned projections.

    .. math:: o(x_i)_b = \sum_{j \ne i} \exp(-\lVert M_{i,b} - M_{j,b} \rVert_1)

    Args:
        inputs: Length of a row.
        features: Added: the b above.
        dim: Numbers of one projection.

    Reference: Salimans et al., *Improved Techniques for Training GANs*, 2016, section 3.2 (whose
    sum has the row itself: a one more for all).
    """

    def __init__(self, inputs: int, features: int, dim: int = 5) -> None:
        super().__init__()
        self.project = nn.Linear(inputs, features * dim, bias=False)
        self.features = features

    def forward(self, x: Float[Tensor, "n inputs"]) -> Float[Tensor, "n more"]:
        """The input, and the features behind it."""
        m = self.project(x).unflatten(1, (self.features, -1))
        near = (-(m[:, None] - m[None]).abs().sum(-1)).exp()
        return torch.cat([x, near.sum(1) - 1], 1)


def packed(x: Float[Tensor, "n c *places"], pack: int) -> Float[Tensor, "m more *places"]:
    """Rows in groups, one behind the other in the channels; what is left over is left out.

    Args:
        x: At least ``pack`` rows.
        pack: Rows of a group.

    Reference: Lin et al., *PacGAN: The power of two samples in generative adversarial networks*,
    2018, https://arxiv.org/abs/1712.04086.
    """
    groups = len(x) // pack
    if not groups:
        raise ValueError(f"{len(x)} rows cannot be packed by {pack}: give larger batches")
    return x[: groups * pack].reshape(groups, pack * x.shape[1], *x.shape[2:])
