"""Boxes as a network gives them: their orthonormal frames, and distances of corners."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional


def frames(boxes: Float[Tensor, "boxes 12"]) -> Float[Tensor, "boxes 3 3"]:
    """Orthonormal right-handed axes, one a row, of the x and y directions."""
    x = functional.normalize(boxes[:, 6:9], dim=1, eps=1e-6)
    y = boxes[:, 9:12] - (boxes[:, 9:12] * x).sum(1, keepdim=True) * x
    y = functional.normalize(y, dim=1, eps=1e-6)
    return torch.stack([x, y, torch.linalg.cross(x, y)], dim=1)


def orthonormalised(boxes: Float[Tensor, "boxes 12"]) -> Float[Tensor, "boxes 12"]:
    """The same boxes with positive lengths and orthonormal directions, differentiable."""
    axes = frames(boxes)
    return torch.cat([boxes[:, :3], boxes[:, 3:6].abs(), axes[:, 0], axes[:, 1]], dim=1)


def corner_error(
    predicted: Float[Tensor, "boxes 12"], true: Float[Tensor, "boxes 12"]
) -> Float[Tensor, "boxes"]:
    r"""Mean squared distance of the eight corresponding corners, axes in the given order.

    .. math:: |c - c'|^2 + \sum_j |h_j - h_j'|^2

    with centres c and half axes :math:`h_j`; directions are made orthonormal first.
    """
    centres = (predicted[:, :3] - true[:, :3]).square().sum(1)
    axes = (_half_axes(predicted) - _half_axes(true)).square().sum((1, 2))
    return centres + axes


def _half_axes(boxes: Tensor) -> Tensor:
    return 0.5 * boxes[:, 3:6, None] * frames(boxes)
