"""Figures of a model that is led along the true trees, not free to choose its own."""

from __future__ import annotations

from typing import Any

import torch

from shapegen.structures.grass import GRASS

BATCH = 256
"""Shapes a pass, at most."""


def teacher_forced(model: Any, shapes: Any) -> dict[str, float]:
    """Node type accuracy and losses of a GRASS on the true trees, at the posterior means.

    Losses are means over the shapes with the model's weights, ``loss_kl`` is in nats. Another
    kind of model has no such figures.
    """
    if not isinstance(model, GRASS):
        return {}
    prepared = model.prepare(shapes)
    right, losses = [], []
    with torch.no_grad():
        for rows in torch.chunk(torch.arange(len(prepared)), -(-len(prepared) // BATCH)):
            batch = prepared[rows].to(model.encoder.mean.weight.device)
            posterior = model.encoder(batch)
            kinds = model.decoder(posterior.mean, batch).kinds.argmax(1)
            right.append(kinds == batch.kind)
            losses.append(model.losses(batch, posterior.mean) | {"kl": posterior.kl_standard()})
    accuracy = torch.cat(right).double().mean().item()
    return {"teacher_forced_node_accuracy": accuracy} | {
        f"loss_{name}": torch.cat([part[name] for part in losses]).double().mean().item()
        for name in losses[0]
    }
