"""How much vectors say of the classes they belong to, measured with kernels."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import one_hot

BANDWIDTHS = (0.1, 0.5, 2.0)
"""Of the kernel: from differences between neighbours to those between whole classes."""


def class_discrepancy(codes: Float[Tensor, "n d"], labels: Int[Tensor, "n"]) -> Float[Tensor, ""]:
    r"""Squared maximum mean discrepancy between two classes, a mean over all pairs of classes.

    .. math:: \mathbb{E}\,k(z_c, z_c') + \mathbb{E}\,k(z_d, z_d') - 2\,\mathbb{E}\,k(z_c, z_d),
              \qquad k(a, b) = \sum_t e^{-\lVert a - b\rVert^2 / t\,d},

    with every number of the codes in standard deviations of the batch: a number that hardly varies
    tells a class as well as another. Estimated without bias: 0 on average where codes and classes
    are independent, and sometimes below; at most 6. Classes with one vector do not count; with
    fewer than two classes that do it is 0.

    Args:
        codes: Vectors of a batch.
        labels: Their classes, from 0.

    Reference: Gretton et al., *A Kernel Two-Sample Test*, 2012, equation 3; for codes that should
    not tell a class: Louizos et al., *The Variational Fair Autoencoder*, 2016, section 2.3,
    https://arxiv.org/abs/1511.00830.
    """
    members = one_hot(labels).to(codes.dtype)
    members = members[:, members.sum(0) > 1]  # (n, classes)
    if members.shape[1] < 2:
        return codes.sum() * 0
    scaled = (codes - codes.mean(0)) / codes.std(0).clamp_min(1e-6)
    squared = (scaled[:, None] - scaled).square().mean(2)  # (n, n)
    kernel = torch.stack([torch.exp(-squared / width) for width in BANDWIDTHS]).sum(0)
    kernel = kernel - torch.diag_embed(kernel.diagonal())
    count = members.sum(0)
    pairs = count[:, None] * count - torch.diag_embed(count)
    similar = members.T @ kernel @ members / pairs  # (classes, classes)
    own = similar.diagonal()
    between = own[:, None] + own - 2 * similar
    classes = len(own)
    return between.sum() / (classes * (classes - 1))
