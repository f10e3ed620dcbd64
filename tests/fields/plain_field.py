"""GRAF's field as the paper draws it: everything for every point, nothing computed once."""

from __future__ import annotations

import torch
from torch import Tensor

from shapegen.fields.graf_networks import ConditionalField, encoded
from shapegen.fields.rendering import Field


def plain_field(network: ConditionalField, codes: Tensor) -> Field:
    """The field of a code ``(latent)``, or the fields of several ``(n, latent)``."""

    def field(points: Tensor, directions: Tensor) -> tuple[Tensor, Tensor]:
        raw = plain_outputs(network, codes, points, directions)
        rgb = raw[..., :3].sigmoid()
        whiter = 1 - network.white_cap
        return network.as_density(raw[..., 3]), rgb - whiter * rgb * rgb.prod(-1, keepdim=True)

    return field


def plain_outputs(
    network: ConditionalField, codes: Tensor, points: Tensor, directions: Tensor
) -> Tensor:
    """Outputs ``(*rays, samples, 4)`` of the network for points ``(*rays, samples, 3)``."""
    shape, appearance = (
        each.view(*each.shape[:-1], 1, 1, each.shape[-1]).expand(*points.shape[:-1], -1)
        for each in codes.split(network.code_dims, -1)
    )
    position = torch.cat([encoded(points, network.frequencies), shape], -1)
    view = [appearance]
    if network.view_frequencies is not None:
        seen = encoded(directions, network.view_frequencies)[..., None, :]
        view.insert(0, seen.expand(*points.shape[:-1], -1))
    outputs: Tensor = network(position, torch.cat(view, -1))
    return outputs
