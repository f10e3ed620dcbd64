"""State dicts from files of other repositories; no pickle is ever executed."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

# numpy's numbers beside the tensors (a best score so far), by their old and their new name.
_SCALAR: Any = np.float64(0).__reduce__()[0]
_NUMBERS: list[Any] = [
    np.dtype,
    type(np.dtype("float64")),
    type(np.dtype("float32")),
    (_SCALAR, "numpy.core.multiarray.scalar"),
    (_SCALAR, "numpy._core.multiarray.scalar"),
]

EXTENSIONS = (".safetensors", ".pth", ".pt", ".pkl", ".ckpt")


def read_state_dict(path: str | Path, *, inside: str | None = None) -> dict[str, Tensor]:
    """Read a flat state dict from a ``.safetensors`` or a ``torch.save`` file.

    Args:
        path: The file.
        inside: Key of the state dict where the file holds other things beside it.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file is damaged, or it is a pickle of more than tensors.
    """
    content = read_content(path)
    if inside is not None and isinstance(content, Mapping):
        content = content.get(inside, content)
    return as_state_dict(content, str(path))


def read_content(path: str | Path) -> Any:
    """Read what a ``.safetensors`` or a ``torch.save`` file holds: tensors, and numbers.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file is damaged, or it is a pickle of more than that.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no checkpoint at {path}")
    if path.suffix == ".safetensors":
        return _read_safetensors(path)
    try:
        with torch.serialization.safe_globals(_NUMBERS):
            content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise ValueError(
            f"{path} pickles more than tensors, which would run its code; save "
            "module.state_dict() from the original program and give that file"
        ) from error
    except (RuntimeError, EOFError, OSError) as error:
        raise ValueError(
            f"{path} is not a readable torch.save file: {_first_line(error)}"
        ) from error
    return content


def as_state_dict(content: object, source: str) -> dict[str, Tensor]:
    """Check that ``content`` maps names to tensors."""
    if not isinstance(content, Mapping) or not content:
        raise ValueError(
            f"{source} must hold a state dict of tensors; got {type(content).__name__}"
        )
    for name, value in content.items():
        if not isinstance(value, Tensor):
            raise ValueError(
                f"{source} must hold tensors only; got {type(value).__name__} at {name!r}"
            )
    return {str(name): value for name, value in content.items()}


def find_file(folder: Path, part: str) -> Path:
    """The one weights file in ``folder`` whose name contains ``part``.

    Raises:
        ValueError: None, or several.
    """
    found = sorted(
        path
        for path in folder.iterdir()
        if path.suffix in EXTENSIONS and part in path.stem.lower()
    )
    if len(found) != 1:
        names = [path.name for path in found]
        raise ValueError(
            f"{folder} must hold one file named *{part}* ({', '.join(EXTENSIONS)}), or give "
            f"the two files as {{'encoder': ..., 'decoder': ...}}; got {names}"
        )
    return found[0]


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except SafetensorError as error:
        raise ValueError(f"{path} is not a readable safetensors file: {error}") from error


def _first_line(error: BaseException) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
