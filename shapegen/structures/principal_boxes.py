"""Boxes around point clouds, along their principal axes."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from shapegen.structures.box_points import Frames


@torch.no_grad()
def principal_frames(points: Float[Tensor, "n points 3"]) -> Frames:
    """Boxes along the principal axes about the mean, the longest axis first.

    An axis points to where its largest coordinate is positive; the third is the cross product of
    the first two. A box about the mean need not enclose the points.
    """
    centre = points.mean(1)
    local = points - centre[:, None]
    # In double precision: axes of nearly equal spread must not depend on the rounding.
    spread = local.double()
    axes = torch.linalg.eigh(spread.transpose(1, 2) @ spread).eigenvectors.flip(2)[:, :, :2]
    largest = axes.gather(1, axes.abs().argmax(1, keepdim=True))
    axes = axes * torch.where(largest < 0, -1.0, 1.0)
    third = torch.linalg.cross(axes[:, :, 0], axes[:, :, 1])
    rotation = torch.cat([axes, third[:, :, None]], dim=2).to(points)
    extent = local @ rotation
    return Frames(centre, extent.amax(1) - extent.amin(1), rotation)


@torch.no_grad()
def enclosing_boxes(points: Float[Tensor, "n points 3"]) -> Float[Tensor, "n 12"]:
    """Boxes that enclose point clouds: along the principal or the coordinate axes.

    Of the two the one of the smaller volume is taken: the principal axes of a square rod say
    little about its sides.
    """
    principal = principal_frames(points).rotation
    upright = torch.eye(3).to(points).expand_as(principal)
    boxes, volumes = [], []
    for rotation in (upright, principal):
        along = points @ rotation
        low, high = along.amin(1), along.amax(1)
        centre = (rotation @ ((low + high) / 2)[:, :, None])[:, :, 0]
        boxes.append(torch.cat([centre, high - low, rotation[:, :, 0], rotation[:, :, 1]], dim=1))
        volumes.append((high - low).prod(1, keepdim=True))
    return torch.where(volumes[1] < volumes[0], boxes[1], boxes[0])
