"""Checkpoints of daerduoCarey/structurenet, the autoencoder of parts as point clouds."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from shapegen.config import from_dict
from shapegen.interop.fused import load_fused, two_states
from shapegen.structures.part_geometry import PartGeometry, PartGeometryConfig

State = dict[str, Tensor]

LINEAR = {"decoder.0": "mlp1", "decoder.3": "mlp2", "decoder.6": "mlp3"}
"""Our layers of the decoder, and the original's."""
NORMS = {"decoder.1": "bn1", "decoder.4": "bn2"}
SAMPLER = {"mean": "sampler.mlp2mu", "logvar": "sampler.mlp2var"}
WEIGHTS = ("weight", "bias")
STATISTICS = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")


def load_partgeometry(checkpoint: Mapping[str, Any] | str | Path, **config: Any) -> PartGeometry:
    """Load ``{"encoder": ..., "decoder": ...}``, or a folder of the two.

    Args:
        checkpoint: State dicts or files of them.
        **config: Fields of :class:`PartGeometryConfig` other than the sizes, which are read off
            the weights.

    Raises:
        FileNotFoundError: No such folder or file.
        ValueError: A missing, unknown or misshaped tensor.
    """
    encoder, decoder = two_states(checkpoint)
    sizes, state = part_state(encoder, decoder)
    return load_fused(PartGeometry(from_dict(PartGeometryConfig, sizes | config)), state)


def part_state(encoder: State, decoder: State) -> tuple[dict[str, Any], State]:
    """Sizes, and our state dict, of the original's two.

    Raises:
        ValueError: A tensor is missing, unknown or not finite.
    """
    convolutions = sum(name.startswith("conv") and name.endswith(".weight") for name in encoder)
    layers = {f"encoder.layers.{k}": f"conv{k + 1}" for k in range(convolutions)}
    norms = {f"encoder.norms.{k}": f"bn{k + 1}" for k in range(convolutions)}
    found = _renamed(encoder, layers | SAMPLER, norms) | _renamed(decoder, LINEAR, NORMS)
    if not convolutions:
        raise ValueError("the checkpoint of the part autoencoder lacks conv1.weight")
    widths = [len(found[f"encoder.layers.{k}.bias"]) for k in range(convolutions)]
    sizes = {
        "widths": tuple(widths[:-1]),
        "feature_dim": widths[-1],
        "points": len(found["decoder.6.bias"]) // 3,
    }
    return sizes, found


def _renamed(state: State, layers: Mapping[str, str], norms: Mapping[str, str]) -> State:
    """The tensors of linear layers and of normalisations under our names."""
    names = {f"{a}.{kind}": f"{b}.{kind}" for a, b in layers.items() for kind in WEIGHTS}
    names |= {f"{a}.{kind}": f"{b}.{kind}" for a, b in norms.items() for kind in STATISTICS}
    missing = [theirs for theirs in names.values() if theirs not in state]
    unknown = sorted(state.keys() - set(names.values()))
    if missing or unknown:
        what = f"lacks {missing[0]}" if missing else f"has unknown tensors: {unknown[:3]}"
        raise ValueError(f"the checkpoint of the part autoencoder {what}")
    found = {}
    for ours, theirs in names.items():
        value = state[theirs]
        if not bool(torch.isfinite(value).all()):
            raise ValueError(f"{theirs} must be finite; got NaN or infinity")
        # A convolution over single points is a linear layer.
        found[ours] = value[:, :, 0] if theirs.startswith("conv") and value.ndim == 3 else value
    return found


def taken_out(state: Mapping[str, Tensor], prefix: str) -> tuple[State, State]:
    """The tensors whose names begin with ``prefix``, without it, and the others."""
    inner = {n.removeprefix(prefix): v for n, v in state.items() if n.startswith(prefix)}
    return inner, {n: v for n, v in state.items() if not n.startswith(prefix)}
