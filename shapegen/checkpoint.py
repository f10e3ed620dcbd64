"""A model in one file: weights, config and whatever else is needed to use it; never a pickle."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from shapegen import __version__, registry
from shapegen.base import GenerativeModel
from shapegen.config.strict import from_dict, nearest, to_dict
from shapegen.core.device import choose_device
from shapegen.formats.tensors import read_tensors, write_tensors
from shapegen.formats.tensors import sha256 as sha256

FORMAT_VERSION = 1
"""Rises when an older shapegen could misread a file."""

SUFFIX = ".safetensors"


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
) -> GenerativeModel:
    """Load a model, ready to use: in eval mode, on ``device``.

    Args:
        name_or_path: A shipped model's name, a run's folder (its best checkpoint, else the last)
            or a ``.safetensors`` file.
        device: ``cpu`` if left out, ``cuda``, ``cuda:1``, or ``auto``.
        expect: The model that it must be, such as ``grass``.

    Raises:
        ValueError: Nothing there, not a checkpoint of ours, damaged, of another model, or of a
            newer format; in one line.
    """
    where = choose_device(device)
    path = locate(name_or_path)
    tensors, values = _read(path)
    if expect is not None and values["model"] != expect:
        registry.entry(expect)
        raise ValueError(f"{path} holds the model `{values['model']}`; `{expect}` is due")
    try:
        config = from_dict(registry.config_class(values["model"]), values["config"])
        # The first weights are overwritten: the caller's random stream must not feel them.
        model = registry.build_seeded(values["model"], config, 0)
        _fill(model, tensors)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    return model.to(where).eval()


def header(name_or_path: str | Path) -> dict[str, Any]:
    """What a checkpoint says of itself: ``model config info shapegen format_version path``.

    Raises:
        ValueError: As :func:`load`.
    """
    path = locate(name_or_path)
    return _read(path)[1] | {"path": str(path)}


def shipped() -> list[str]:
    """Names of the models whose weights come with the package."""
    folder = resources.files("shapegen") / "weights"
    if not folder.is_dir():
        return []
    return sorted(
        each.name.removesuffix(SUFFIX) for each in folder.iterdir() if each.name.endswith(SUFFIX)
    )


def locate(name_or_path: str | Path) -> Path:
    """The file that :func:`load` reads; what exists on disk comes before a shipped name.

    Raises:
        ValueError: There is none.
    """
    path = Path(name_or_path)
    if path.is_file():
        return path
    found = [path / f"{kind}{SUFFIX}" for kind in ("best", "last")]
    for file in found:
        if file.is_file():
            return file
    name = str(name_or_path)
    if name in shipped():
        return Path(str(resources.files("shapegen") / "weights" / f"{name}{SUFFIX}"))
    if path.is_dir():
        raise ValueError(f"the folder {path} holds neither {found[0].name} nor {found[1].name}")
    raise ValueError(
        f"no checkpoint `{name}`: neither a file, a run's folder nor a shipped model; shipped "
        f"models: {nearest(name, shipped())}"
    )


def _halved(name: str, value: Tensor) -> Tensor:
    if not value.is_floating_point():
        return value
    rounded = value.half()
    if not bool(torch.isfinite(rounded).all()):
        raise ValueError(f"`{name}` has numbers beyond float16: save it without half")
    return rounded


def _read(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    tensors, values = read_tensors(path)
    if values.get("kind") != "model":
        raise ValueError(
            f"{path} is not a model's checkpoint but a {values.get('kind')!r} file; "
            "load best.safetensors or last.safetensors"
        )
    version = values.get("format_version")
    if not isinstance(version, int) or version > FORMAT_VERSION:
        raise ValueError(
            f"{path} has format version {version}, written by shapegen {values.get('shapegen')}; "
            f"this is {__version__}, which reads up to {FORMAT_VERSION}: upgrade shapegen"
        )
    try:
        registry.entry(values["model"])
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    return tensors, values


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
