"""Checkpoints of autonomousvision/graf."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from shapegen.config import from_dict, to_dict
from shapegen.core.patch import PatchSampler
from shapegen.fields.graf import GRAF
from shapegen.fields.graf_config import GRAFConfig
from shapegen.fields.graf_judges import SpectralConvolution
from shapegen.fields.graf_networks import channels
from shapegen.interop.fused import load_fused, matrix
from shapegen.interop.weight_files import as_state_dict, read_content

_KEPT = {"density": "alpha_linear", "feature": "feature_linear", "view": "views_linears.0"}
_COLOR, _JOINED = "rgb_linear", "output_linear"
_SPECTRAL = {"weight": "weight_orig", "u": "weight_u", "v": "weight_v"}


def load_graf(
    checkpoint: Mapping[str, Any] | str | Path, *, average: bool = True, **config: Any
) -> GRAF:
    """Load the original's networks as ``compat="official"``.

    Args:
        checkpoint: ``{"generator": state dict, "discriminator": state dict}``, the second being
            optional, or the original's file of them.
        average: Take the weights' moving average, ``generator_test``, where there is one.
        **config: Fields of :class:`GRAFConfig`. Depth, widths, skips and the sides of patches are
            read off the weights. Where frequencies are not the paper's, give them, or
            ``latent_dim`` and ``appearance_dim``: weights tell only their sums.

    Raises:
        FileNotFoundError: No such file.
        ValueError: A missing, unknown or misshaped tensor, or settings that do not fit.
    """
    generator, discriminator = official_states(checkpoint, average=average)
    found: dict[str, Any] = {"compat": "official"} | _field_sizes(generator, config)
    if discriminator:
        side, found["judge_width"] = _judge_sizes(discriminator)
        given = config.get("patch", {})
        given = to_dict(given) if isinstance(given, PatchSampler) else dict(given)
        if given.setdefault("side", side) != side:
            raise ValueError(f"the discriminator is of patches of {side}; got {given['side']}")
        config = config | {"patch": given}
    if "size" not in config:
        found["size"] = max(GRAFConfig.size, config.get("patch", {}).get("side", 0))
    checked = from_dict(GRAFConfig, found | config)
    named = {name: getattr(checked, name) for name in found | config}
    model = GRAF(GRAFConfig.official(**named))
    load_fused(model, model.state_dict() | renamed(model, generator, discriminator))
    return model


def official_states(
    checkpoint: Mapping[str, Any] | str | Path, *, average: bool = True
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """The generator's tensors and the discriminator's under the original's names.

    Raises:
        ValueError: There is no generator, or one of two networks (``N_importance``).
    """
    content = read_content(checkpoint) if isinstance(checkpoint, str | Path) else dict(checkpoint)
    if "generator_fine" in content:
        raise ValueError(
            "checkpoints with a second network for fine samples (N_importance > 0) are not read"
        )
    if "generator" not in content:
        raise ValueError(f"give a state dict `generator`; got {sorted(map(str, content))[:3]}")
    name = "generator_test" if average and content.get("generator_test") else "generator"
    generator = as_state_dict(content[name], name)
    judge = content.get("discriminator")
    return generator, {} if judge is None else as_state_dict(judge, "discriminator")


def renamed(
    model: GRAF, generator: Mapping[str, Tensor], discriminator: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """The original's tensors, or gradients of them, under our names.

    Raises:
        ValueError: A tensor is missing, unknown, or not of finite numbers.
    """
    out: dict[str, Tensor] = {}
    used: set[str] = set()
    for ours, (part, theirs, rows) in names_of(model).items():
        source = generator if part == "generator" else discriminator
        if part == "discriminator" and not source:
            continue
        if theirs not in source:
            raise ValueError(f"the checkpoint lacks {theirs}; it has {sorted(source)[:3]} ...")
        value = source[theirs].float()
        if not bool(torch.isfinite(value).all()):
            raise ValueError(f"{theirs} must be finite; got NaN or infinity")
        used.add(theirs)
        out[ours] = value if rows is None else value[rows]
    unknown = sorted({*generator, *discriminator} - used)
    if unknown:
        raise ValueError(f"the checkpoint has unknown tensors: {unknown[:3]}")
    return out


def names_of(model: GRAF) -> dict[str, tuple[str, str, slice | None]]:
    """Our parameters and buffers: network, the original's name, and the rows of it that are ours.

    The original has one layer for colour and density where there are no views.
    """
    names: dict[str, tuple[str, str, slice | None]] = {}
    for name in model.generator.state_dict():
        layer, kind = name.rsplit(".", 1)
        rows: slice | None = None
        if layer.startswith("trunk."):
            theirs = f"pts_linears.{layer.removeprefix('trunk.')}"
        elif model.generator.view_dim:
            theirs = _KEPT.get(layer, _COLOR)
        else:
            theirs, rows = _JOINED, slice(3, 4) if layer == "density" else slice(0, 3)
        names[f"generator.{name}"] = ("generator", f"{theirs}.{kind}", rows)
    for number, module in enumerate(model.discriminator.layers):
        if isinstance(module, SpectralConvolution):
            for kind, theirs in _SPECTRAL.items():
                ours = f"discriminator.layers.{number}.{kind}"
                names[ours] = ("discriminator", f"main.{number}.{theirs}", None)
    return names


def _field_sizes(state: Mapping[str, Tensor], config: Mapping[str, Any]) -> dict[str, Any]:
    depth = 0
    while f"pts_linears.{depth}.weight" in state:
        depth += 1
    width, position = matrix(state, "pts_linears.0.weight").shape
    wide = [
        number
        for number in range(1, depth)
        if matrix(state, f"pts_linears.{number}.weight").shape[1] > width
    ]
    found = {"depth": depth, "width": width, "skips": tuple(number - 1 for number in wide)}
    view = 0
    if _JOINED + ".weight" not in state:
        view = matrix(state, "views_linears.0.weight").shape[1] - width
    return found | _code_sizes(position, view, config)


def _code_sizes(position: int, view: int, config: Mapping[str, Any]) -> dict[str, Any]:
    """Frequencies and lengths of codes from the sums of their channels, and what is given."""
    default = GRAFConfig()
    latent, appearance = config.get("latent_dim"), config.get("appearance_dim")
    frequencies = config.get("frequencies")
    if frequencies is None and latent is not None and appearance is not None:
        frequencies = max(0, (position - (latent - appearance) - 3) // 6)
    frequencies = default.frequencies if frequencies is None else frequencies
    shape = position - channels(frequencies)
    if appearance is None and latent is not None:
        appearance = latent - shape
    seen = channels(config.get("view_frequencies", default.view_frequencies))
    views = config.get("view_directions")
    if views is None:
        known = default.appearance_dim if appearance is None else appearance
        views = view != known and (appearance is not None or view > seen)
    if appearance is None:
        appearance = view - (seen if views else 0)
    found = {
        "latent_dim": shape + appearance,
        "appearance_dim": appearance,
        "frequencies": frequencies,
        "view_directions": views,
    }
    if views and "view_frequencies" not in config:
        found["view_frequencies"] = max(0, (view - appearance - 3) // 6)
        seen = channels(found["view_frequencies"])
    if shape < 1 or appearance < 0 or appearance + (seen if views else 0) != view:
        raise ValueError(
            f"the weights take {position} channels with positions and {view} with views, which "
            f"does not fit {found}; give latent_dim and appearance_dim, and frequencies"
        )
    return found


def _judge_sizes(state: Mapping[str, Tensor]) -> tuple[int, int]:
    """The side of the patches, and the discriminator's width."""
    pattern = re.compile(r"main\.(\d+)\.weight_orig")
    weights = {int(match[1]): state[match[0]] for match in map(pattern.fullmatch, state) if match}
    if len(weights) < 2 or any(weight.ndim != 4 for weight in weights.values()):
        raise ValueError(
            f"the discriminator must have convolutions main.*.weight_orig; got {sorted(state)[:3]}"
        )
    ordered = [weights[number] for number in sorted(weights)]
    return ordered[-1].shape[2] * 2 ** (len(ordered) - 1), ordered[-1].shape[1] // 8
