"""Checkpoints of stevenygd/PointFlow."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from shapegen.config import from_dict
from shapegen.core.concatsquash import ConcatSquashField
from shapegen.interop.fused import load_fused, matrix
from shapegen.interop.weight_files import as_state_dict, read_state_dict
from shapegen.points.normalisation import Normalisation
from shapegen.points.pointflow import PointFlow, PointFlowConfig

FIELD = "odefunc.diffeq.layers"


def load_pointflow(
    checkpoint: Mapping[str, Any] | str | Path,
    *,
    mean: str | Path | Any | None = None,
    std: str | Path | Any | None = None,
    **config: Any,
) -> PointFlow:
    """Load a state dict, ``{"model": state dict}`` or a file of one, as ``compat="official"``.

    Args:
        checkpoint: Names may have the prefixes of ``DataParallel``; counters of evaluations are
            left out.
        mean: The authors' ``train_set_mean.npy``, or its numbers; without it nothing is moved.
        std: The authors' ``train_set_std.npy``, or its numbers; without it nothing is scaled.
        **config: Fields of :class:`PointFlowConfig`; sizes are read off the weights. An end time
            that is not learnt is not among them: give ``end_time``.

    Raises:
        FileNotFoundError: No such file.
        ValueError: A missing, unknown or misshaped tensor, or settings that are none of ours.
    """
    state = official_state(checkpoint)
    found = _sizes(state)
    checked = from_dict(PointFlowConfig, found | config)
    named = {name: getattr(checked, name) for name in found | config}
    model = PointFlow(PointFlowConfig.official(**named))
    # What the original lacks (normalisation, counters) is as in an untrained model.
    load_fused(model, model.state_dict() | _renamed(state, checked))
    if mean is not None or std is not None:
        model.set_normalisation(_normalisation(model, mean, std))
    return model


def official_state(checkpoint: Mapping[str, Any] | str | Path) -> dict[str, Tensor]:
    """The original's tensors under its own names, without wrappers, prefixes and counters."""
    if isinstance(checkpoint, str | Path):
        content: Mapping[str, Any] = read_state_dict(checkpoint, inside="model")
    else:
        content = checkpoint
    if isinstance(content.get("model"), Mapping):
        content = content["model"]
    state = as_state_dict(content, "the checkpoint")
    state = {re.sub(r"(^|\.)module\.", r"\1", name): value for name, value in state.items()}
    return {
        name: value
        for name, value in state.items()
        if not name.endswith(("_num_evals", "num_batches_tracked"))
    }


def _sizes(state: Mapping[str, Tensor]) -> dict[str, Any]:
    heads = "" if "encoder.fc1.weight" in state else "_m"
    latent_dim = matrix(state, f"encoder.fc3{heads}.weight").shape[0]
    flow = "point_cnf"
    flows = _flows(state, flow)
    found: dict[str, Any] = {
        "latent_dim": latent_dim,
        "deterministic": not heads,
        "hidden": _hidden(state, flow, flows),
        "blocks": len(flows),
        "batch_norm": f"{flow}.chain.0.running_mean" in state,
        "learn_end_time": f"{flow}.chain.{flows[0]}.sqrt_end_time" in state,
        "latent_flow": any(name.startswith("latent_cnf.") for name in state),
    }
    if found["latent_flow"]:
        latent_flows = _flows(state, "latent_cnf")
        found["latent_hidden"] = _hidden(state, "latent_cnf", latent_flows)
        found["latent_blocks"] = len(latent_flows)
    return found


def _flows(state: Mapping[str, Tensor], flow: str) -> list[int]:
    """Places of the continuous flows in a chain."""
    pattern = re.compile(rf"{flow}\.chain\.(\d+)\.{re.escape(FIELD)}\.")
    found = sorted({int(match[1]) for match in map(pattern.match, state) if match})
    if not found:
        raise ValueError(f"the checkpoint has no tensors {flow}.chain.*.{FIELD}.*")
    return found


def _hidden(state: Mapping[str, Tensor], flow: str, flows: list[int]) -> tuple[int, ...]:
    prefix = f"{flow}.chain.{flows[0]}.{FIELD}"
    sizes: list[int] = []
    while f"{prefix}.{len(sizes)}._layer.weight" in state:
        sizes.append(matrix(state, f"{prefix}.{len(sizes)}._layer.weight").shape[0])
    return tuple(sizes[:-1])


def _renamed(state: Mapping[str, Tensor], config: PointFlowConfig) -> dict[str, Tensor]:
    """The original's tensors under our names."""
    left = dict(state)
    ours = {
        name: _joined([_taken(left, each) for each in theirs])
        for name, theirs in names_of(config).items()
    }
    if left:
        raise ValueError(f"the checkpoint has unknown tensors: {sorted(left)[:3]}")
    return ours


def _joined(pieces: list[Tensor]) -> Tensor:
    return pieces[0] if len(pieces) == 1 else torch.cat(pieces)


def _taken(state: dict[str, Tensor], name: str) -> Tensor:
    """A tensor in our shape: filters of width 1 are matrices, a counter is a scalar."""
    if name not in state:
        raise ValueError(f"the checkpoint lacks {name}; it has {sorted(state)[:3]} ...")
    value = state.pop(name).float()
    if not bool(torch.isfinite(value).all()):
        raise ValueError(f"{name} must be finite; got NaN or infinity")
    if value.ndim == 3 and value.shape[2] == 1:
        return value[..., 0]
    return value[0] if name.endswith(".step") and value.ndim == 1 else value


def names_of(config: PointFlowConfig) -> dict[str, tuple[str, ...]]:
    """Our parameters and buffers, and the original's that are joined in them as rows."""
    names: dict[str, tuple[str, ...]] = {}
    for number in range(4):
        _affine(names, f"encoder.points.layers.{number}", f"encoder.conv{number + 1}")
        _norm(names, f"encoder.points.norms.{number}", f"encoder.bn{number + 1}")
    heads = {"mean": ""} if config.deterministic else {"mean": "_m", "logvar": "_v"}
    for head, end in heads.items():
        for number in range(3):
            _affine(names, f"encoder.{head}.{3 * number}", f"encoder.fc{number + 1}{end}")
            if number < 2:
                theirs = f"encoder.fc_bn{number + 1}{end}"
                _norm(names, f"encoder.{head}.{3 * number + 1}", theirs)
    _chain(names, "point_flow", "point_cnf", config.blocks, len(config.hidden) + 1, config)
    if config.latent_flow:
        depth = len(config.latent_hidden) + 1
        _chain(names, "latent_flow", "latent_cnf", config.latent_blocks, depth, config)
    return names


def _affine(names: dict[str, tuple[str, ...]], ours: str, theirs: str) -> None:
    for kind in ("weight", "bias"):
        names[f"{ours}.{kind}"] = (f"{theirs}.{kind}",)


def _norm(names: dict[str, tuple[str, ...]], ours: str, theirs: str) -> None:
    _affine(names, ours, theirs)
    for kind in ("running_mean", "running_var"):
        names[f"{ours}.{kind}"] = (f"{theirs}.{kind}",)


def _chain(
    names: dict[str, tuple[str, ...]],
    ours: str,
    theirs: str,
    blocks: int,
    depth: int,
    config: PointFlowConfig,
) -> None:
    norms = config.batch_norm
    for number in range(2 * blocks + 1 if norms else blocks):
        own, other = f"{ours}.layers.{number}", f"{theirs}.chain.{number}"
        if norms and number % 2 == 0:
            for kind, name in (
                ("log_scale", "weight"),
                ("bias", "bias"),
                ("running_mean", "running_mean"),
                ("running_var", "running_var"),
                ("batches", "step"),
            ):
                names[f"{own}.{kind}"] = (f"{other}.{name}",)
            continue
        if config.learn_end_time:
            names[f"{own}.root_end_time"] = (f"{other}.sqrt_end_time",)
        layers = [f"{other}.{FIELD}.{layer}" for layer in range(depth)]
        for layer, name in enumerate(layers):
            _affine(names, f"{own}.field.layers.{layer}", f"{name}._layer")
        for kind in ("weight", "bias"):
            joined = tuple(f"{name}._hyper_gate.{kind}" for name in layers)
            names[f"{own}.field.gate.{kind}"] = joined
        names[f"{own}.field.shift.weight"] = tuple(f"{name}._hyper_bias.weight" for name in layers)


def split_official(tensors: Mapping[str, Tensor], model: PointFlow) -> dict[str, Tensor]:
    """Cut tensors named like our parameters and buffers into the original's, under its names.

    Those of ours that are not among ``tensors`` are left out.
    """
    out: dict[str, Tensor] = {}
    joined = {
        f"{name}.{kind}": field.sizes
        for name, field in model.named_modules()
        if isinstance(field, ConcatSquashField)
        for kind in ("gate.weight", "gate.bias", "shift.weight")
    }
    for ours, theirs in names_of(model.config).items():
        if ours in tensors:
            value = tensors[ours]
            pieces = value.split(joined[ours]) if ours in joined else (value,)
            out |= dict(zip(theirs, pieces, strict=True))
    return out


def _normalisation(model: PointFlow, mean: Any, std: Any) -> Normalisation:
    centre = torch.zeros(3) if mean is None else _numbers(mean, "mean")
    scale = torch.ones(1) if std is None else _numbers(std, "std")
    if centre.numel() not in (1, 3) or scale.numel() not in (1, model.scale.numel()):
        raise ValueError(
            f"mean must be 3 numbers and std {model.scale.numel()} (spread: axis has 3); got "
            f"{centre.numel()} and {scale.numel()}"
        )
    return Normalisation(centre.view(1, 1, -1), scale.view(1, 1, -1))


def _numbers(values: Any, what: str) -> Tensor:
    if isinstance(values, str | Path):
        try:
            values = np.load(values, allow_pickle=False)
        except (ValueError, EOFError) as error:
            raise ValueError(f"{what}: {values} is not a readable .npy file: {error}") from None
    found = torch.as_tensor(np.asarray(values), dtype=torch.float32).flatten()
    if not bool(torch.isfinite(found).all()):
        raise ValueError(f"{what} must be finite numbers; got {found.tolist()}")
    return found
