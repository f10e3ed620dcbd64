"""A model in one file: weights, config and whatever else is needed to use it; never a pickle."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from shapegen import __version__, registry
from shapegen.base import GenerativeModel
from shapegen.config.strict import from_dict, merged, to_dict
from shapegen.core.device import choose_device
from shapegen.formats.tensors import sha256 as sha256
from shapegen.formats.tensors import write_tensors
from shapegen.model_files import FORMAT_VERSION, read_model
from shapegen.model_files import SUFFIX as SUFFIX
from shapegen.model_files import header as header
from shapegen.model_files import locate as locate
from shapegen.model_files import shipped as shipped


def save(
    model: GenerativeModel,
    path: str | Path,
    *,
    info: Mapping[str, Any] | None = None,
    half: bool = False,
) -> None:
    """Write a model; :func:`load` needs nothing but the file.

    Args:
        model: Its ``config`` is stored, and all parameters and buffers.
        path: Ends in ``.safetensors``; written aside and renamed.
        info: Plain values to keep beside, such as the step; read by :func:`header`.
        half: Round numbers to float16, for half the size; :func:`load` gives float32 again.

    Raises:
        ValueError: Another suffix, a number beyond float16, or a name that is not in the registry.
        OSError: Not writable, or the disk is full; an old file is left as it was.
    """
    if Path(path).suffix != SUFFIX:
        raise ValueError(f"a checkpoint's name ends in {SUFFIX}; got {path}")
    registry.entry(model.name)
    values = {
        "kind": "model",
        "format_version": FORMAT_VERSION,
        "shapegen": __version__,
        "model": model.name,
        "config": to_dict(model.config),
        "info": dict(info or {}),
    }
    tensors = model.state_dict()
    if half:
        tensors = {name: _halved(name, value) for name, value in tensors.items()}
    write_tensors(path, tensors, values)


def load(
    name_or_path: str | Path,
    device: str | torch.device | None = None,
    *,
    expect: str | None = None,
    **changes: Any,
) -> GenerativeModel:
    """Load a model, ready to use: in eval mode, on ``device``.

    Args:
        name_or_path: A shipped model's name, a run's folder (its best checkpoint, else the last)
            or a ``.safetensors`` file.
        device: ``cpu`` if left out, ``cuda``, ``cuda:1``, or ``auto``.
        expect: The model that it must be, such as ``grass``.
        **changes: Fields of its config to change, as plain values: those in which the weights
            have no part, such as ``project=True`` of a StructureNet.

    Raises:
        ValueError: Nothing there, not a checkpoint of ours, damaged, of another model, or of a
            newer format; a change that is unknown or does not fit the weights; in one line.
    """
    where = choose_device(device)
    found = read_model(name_or_path, expect=expect)
    try:
        config = from_dict(
            type(found.config), merged(to_dict(found.config), changes), at=found.name
        )
        # The first weights are overwritten: the caller's random stream must not feel them.
        model = registry.build_seeded(found.name, config, 0)
        _fill(model, found.tensors)
    except ValueError as error:
        raise ValueError(f"{found.path}: {error}") from None
    return model.to(where).eval()


def _halved(name: str, value: Tensor) -> Tensor:
    if not value.is_floating_point():
        return value
    rounded = value.half()
    if not bool(torch.isfinite(rounded).all()):
        raise ValueError(f"`{name}` has numbers beyond float16: save it without half")
    return rounded


def _fill(model: GenerativeModel, tensors: Mapping[str, Tensor]) -> None:
    own = model.state_dict()
    problems = [f"lacks `{name}`" for name in own if name not in tensors]
    problems += [f"has `{name}`, which the model has not" for name in tensors if name not in own]
    problems += [
        f"has `{name}` of shape {tuple(tensors[name].shape)}, not {tuple(own[name].shape)}"
        for name in own
        if name in tensors and tensors[name].shape != own[name].shape
    ]
    if problems:
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        raise ValueError(f"not the weights of this `{model.name}` model: it {problems[0]}{more}")
    model.load_state_dict(dict(tensors))
