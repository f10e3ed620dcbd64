"""Official state dicts of an encoder and a decoder, whose layers ours join."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from shapegen.interop.weight_files import as_state_dict, find_file, read_state_dict

Joined = dict[str, tuple[tuple[str, ...], int]]
"""Ours on the left. Where the original applies several layers side by side, ours is one: to
several inputs (the weights are columns of ours, dimension 1) or for several outputs (rows, 0)."""

PARTS = ("encoder", "decoder")

Pair = Mapping[str, Any] | Sequence[Any] | str | Path
"""``{"encoder": ..., "decoder": ...}`` or ``(encoder, decoder)`` of state dicts or files, or a
folder that holds one file of either name."""

Model = TypeVar("Model", bound=nn.Module)


def two_states(checkpoint: Pair) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """State dicts of the encoder and the decoder.

    Raises:
        FileNotFoundError: No such folder or file.
        ValueError: Other keys, not two, several files, or what is no state dict.
    """
    encoder, decoder = (
        read_state_dict(content)
        if isinstance(content, str | Path)
        else as_state_dict(content, part)
        for part, content in zip(PARTS, two_sources(checkpoint), strict=True)
    )
    return encoder, decoder


def two_sources(checkpoint: Pair) -> tuple[Any, Any]:
    """The encoder and the decoder of a checkpoint: state dicts or paths of files."""
    if isinstance(checkpoint, str | Path):
        folder = Path(checkpoint)
        if not folder.is_dir():
            raise FileNotFoundError(f"no folder {folder} with an encoder's and a decoder's file")
        return find_file(folder, "encoder"), find_file(folder, "decoder")
    if isinstance(checkpoint, Mapping):
        if set(checkpoint) != set(PARTS):
            raise ValueError(f"give {sorted(PARTS)}; got {sorted(map(str, checkpoint))}")
        return checkpoint["encoder"], checkpoint["decoder"]
    if len(checkpoint) != 2:
        raise ValueError(f"a checkpoint is an encoder and a decoder; got {len(checkpoint)} things")
    return checkpoint[0], checkpoint[1]


def fused_state(
    state: Mapping[str, Tensor], layers: Joined, part: str, *, unused: tuple[str, ...] = ()
) -> dict[str, Tensor]:
    """Our state dict, names prefixed by ``part``, from the original's.

    Args:
        state: The original's tensors.
        layers: Our layers, and what they are joined from.
        part: ``encoder`` or ``decoder``.
        unused: Buffers of the original that ours does not need.

    Raises:
        ValueError: A tensor is missing, unknown or misshaped.
    """
    out: dict[str, Tensor] = {}
    used = set(unused)
    for ours, (names, dim) in layers.items():
        weights = [matrix(state, f"{name}.weight") for name in names]
        for name, weight in zip(names, weights, strict=True):
            if weight.shape[1 - dim] != weights[0].shape[1 - dim]:
                raise ValueError(
                    f"{names[0]}.weight and {name}.weight do not fit: "
                    f"{tuple(weights[0].shape)} and {tuple(weight.shape)}"
                )
        # Layers that act on several inputs share the bias of the first.
        biases = [
            bias(state, name) for name in names if dim == 0 or _has_bias(state, name, names[0])
        ]
        used |= {f"{name}.{kind}" for name in names for kind in ("weight", "bias")}
        out[f"{part}.{ours}.weight"] = torch.cat(weights, dim)
        out[f"{part}.{ours}.bias"] = torch.cat(biases) if dim == 0 else torch.stack(biases).sum(0)
    unknown = sorted(set(state) - used)
    if unknown:
        raise ValueError(f"the checkpoint's {part} has unknown tensors: {unknown[:3]}")
    return out


def matrix(state: Mapping[str, Tensor], name: str) -> Tensor:
    """A weight of a linear layer.

    Raises:
        ValueError: It is missing, no matrix, or not of finite numbers.
    """
    if name not in state:
        raise ValueError(f"the checkpoint lacks {name}; it has {sorted(state)[:3]} ...")
    if state[name].ndim != 2:
        raise ValueError(f"{name} must be a matrix; got {tuple(state[name].shape)}")
    return _finite(state[name], name)


def bias(state: Mapping[str, Tensor], layer: str) -> Tensor:
    """The bias of a linear layer, as long as its weight is high.

    Raises:
        ValueError: It is missing, of another shape, or not of finite numbers.
    """
    name, rows = f"{layer}.bias", matrix(state, f"{layer}.weight").shape[0]
    if name not in state:
        raise ValueError(f"the checkpoint lacks {name}; it has {sorted(state)[:3]} ...")
    if state[name].shape != (rows,):
        raise ValueError(f"{name} must be ({rows},); got {tuple(state[name].shape)}")
    return _finite(state[name], name)


def _finite(value: Tensor, name: str) -> Tensor:
    if not value.is_floating_point():
        raise ValueError(f"{name} must be floating-point numbers; got {value.dtype}")
    if not bool(torch.isfinite(value).all()):
        raise ValueError(f"{name} must be finite; got NaN or infinity")
    return value


def _has_bias(state: Mapping[str, Tensor], layer: str, first: str) -> bool:
    return layer == first or f"{layer}.bias" in state


def load_fused(model: Model, state: Mapping[str, Tensor]) -> Model:
    """Load a state dict, in eval mode.

    Raises:
        ValueError: A tensor is missing, has another shape.
    """
    for name, value in model.state_dict().items():
        if name not in state:
            raise ValueError(f"the checkpoint has nothing for {name}")
        if state[name].shape != value.shape:
            raise ValueError(
                f"{name} must be {tuple(value.shape)}; got {tuple(state[name].shape)}"
            )
    model.load_state_dict(state)
    return model.eval()
