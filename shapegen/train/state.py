"""Everything that a run needs to go on as if it had never stopped, in one file.

The file holds the weights too, and is replaced in one rename: whenever a run is killed, the file
is of one moment. ``last.safetensors`` and ``best.safetensors`` are written before it; if they are
newer than it, the resumed run comes to the same step again and writes the same bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from shapegen import __version__
from shapegen.formats.tensors import read_tensors, write_tensors

NAME = "state.safetensors"
KIND = "trainer state"
FORMAT_VERSION = 2

FREE = {
    "epochs",
    "max_minutes",
    "fit_minutes",
    "save_every",
    "log_every",
    "pictures_every",
    "pictures",
    "tensorboard",
    "device",
}
"""Fields of the training that may differ when a run is resumed."""


@dataclass
class State:
    """One moment of a run; groups of tensors by name, and plain values."""

    groups: dict[str, dict[str, Tensor]] = field(default_factory=dict)
    """``model``, ``ema``, ``optimizer/NAME``, ``rng/RANK``, ``means``, ``order``."""
    values: dict[str, Any] = field(default_factory=dict)
    """JSON: step, best score, size of the log, configs, ..."""


def write(folder: Path, state: State) -> None:
    """Replace the state file in a run's folder."""
    tensors = {
        f"{group}|{name}": tensor
        for group, named in state.groups.items()
        for name, tensor in named.items()
    }
    versions = {"kind": KIND, "format_version": FORMAT_VERSION, "shapegen": __version__}
    write_tensors(folder / NAME, tensors, {**versions, **state.values})


def read(folder: Path) -> State | None:
    """Read the state in a run's folder; None where there is none.

    Raises:
        ValueError: Damaged, or of a newer format.
    """
    path = folder / NAME
    if not path.exists():
        return None
    tensors, values = read_tensors(path)
    if values.get("kind") != KIND:
        raise ValueError(f"{path} is not the state of a run but {values.get('kind')!r}")
    version = values.get("format_version")
    if not isinstance(version, int) or version > FORMAT_VERSION:
        raise ValueError(
            f"{path} has format version {version}; this shapegen reads up to {FORMAT_VERSION}"
        )
    if version == 1:
        # All objectives took every step, and averages had one decay.
        values["train"].setdefault("ema_warmup", False)
        values["counts"] = dict.fromkeys(values["means"], values.pop("count"))
    state = State(values=values)
    for name, tensor in tensors.items():
        group, _, inner = name.partition("|")
        state.groups.setdefault(group, {})[inner] = tensor
    return state


def check_same(old: Mapping[str, Any], new: Mapping[str, Any], folder: Path) -> None:
    """Refuse to resume a run with other settings than it was started with.

    Args:
        old: Values of the state: ``model``, ``config``, ``train``, ``shapes``.
        new: The same of the caller.
        folder: The run's.

    Raises:
        ValueError: The first difference.
    """
    pairs = [("model", old["model"], new["model"]), ("shapes", old["shapes"], new["shapes"])]
    for section in ("config", "train"):
        was, now = old[section], new[section]
        title = "model" if section == "config" else section
        pairs += [
            (f"{title}.{key}", was.get(key), now.get(key))
            for key in [*was, *(key for key in now if key not in was)]
            if not (section == "train" and key in FREE)
        ]
    for key, before, after in pairs:
        if before != after:
            raise ValueError(
                f"cannot resume {folder}: `{key}` was {before} and is {after}; "
                "restore it or start in another folder"
            )


def optimizer_tensors(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Moments and counters of an optimiser, named ``PARAMETER.KEY``."""
    return {
        f"{number}.{key}": value
        for number, entries in optimizer.state_dict()["state"].items()
        for key, value in entries.items()
    }


def restore_optimizer(optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Put back what :func:`optimizer_tensors` gave."""
    entries: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        number, _, key = name.partition(".")
        entries.setdefault(int(number), {})[key] = tensor
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": entries, "param_groups": groups})
