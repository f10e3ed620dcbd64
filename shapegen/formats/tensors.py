"""Named tensors and a JSON header in one safetensors file, with a digest against damage."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from shapegen.formats.atomic import replacing

# One key: the order of several is not deterministic in safetensors, and files must be.
_KEY = "shapegen"


def write_tensors(
    path: str | Path, tensors: Mapping[str, Tensor], header: Mapping[str, Any]
) -> None:
    """Write tensors and header; a tensor under two names is stored once.

    The same content gives the same bytes. The file is written aside and renamed.

    Raises:
        OSError: The disk is full or the folder is not writable; an old file is left as it was.
    """
    import safetensors.torch

    stored, aliases = _deduplicated(tensors)
    meta = {**header, "aliases": aliases, "sha256": _digest(stored)}
    # Through bytes: the library's own writer hides the operating system's error.
    data = safetensors.torch.save(stored, {_KEY: json.dumps(meta)})
    with replacing(path) as aside:
        aside.write_bytes(data)


def read_tensors(path: str | Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read tensors (on the CPU) and header.

    Raises:
        ValueError: Missing, truncated or damaged file, or one that :func:`write_tensors` did not
            write.
    """
    import safetensors
    import safetensors.torch

    path = Path(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ValueError(f"cannot read {path}: {error.strerror or error}") from None
    try:
        stored = safetensors.torch.load(data)
        size = int.from_bytes(data[:8], "little")
        meta = json.loads(data[8 : 8 + size]).get("__metadata__", {})
    except (safetensors.SafetensorError, ValueError, KeyError, RecursionError) as error:
        raise ValueError(_unreadable(path, data, error)) from None
    if _KEY not in meta:
        raise ValueError(f"{path} is a safetensors file, but none that shapegen wrote")
    try:
        header = json.loads(meta[_KEY])
        aliases, digest = dict(header.pop("aliases")), header.pop("sha256")
        tensors = stored | {name: stored[target] for name, target in aliases.items()}
    except (ValueError, KeyError, TypeError, AttributeError):
        raise ValueError(f"{path} is damaged: its header is not what shapegen writes") from None
    if digest != _digest(stored):
        raise ValueError(f"{path} is damaged: its digest is not that of its tensors")
    return tensors, header


def sha256(path: str | Path) -> str:
    """Digest of a file's bytes, as hexadecimal digits."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _deduplicated(tensors: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, str]]:
    stored: dict[str, Tensor] = {}
    aliases: dict[str, str] = {}
    first: dict[tuple[Any, ...], str] = {}
    for name, tensor in tensors.items():
        tensor = tensor.detach()
        key = (tensor.data_ptr(), tuple(tensor.shape), tensor.stride(), tensor.dtype)
        if tensor.numel() and key in first:
            aliases[name] = first[key]
            continue
        first[key] = name
        tensor = tensor.cpu().contiguous()
        # A view of a part of a larger storage would be refused.
        whole = tensor.untyped_storage().nbytes() == tensor.numel() * tensor.element_size()
        stored[name] = tensor if whole else tensor.clone()
    return stored, aliases


def _digest(tensors: Mapping[str, Tensor]) -> str:
    digest = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name].contiguous()
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _unreadable(path: Path, data: bytes, error: Exception) -> str:
    # A zip (torch.save) or a pickle; neither is ever opened, for both can run code.
    if data[:2] in (b"PK", b"\x80\x02", b"\x80\x04"):
        return (
            f"{path} is a torch or pickle file; a safetensors file is due (see shapegen convert)"
        )
    if not data:
        return f"{path} is empty"
    return f"{path} is no safetensors file, or is truncated or damaged: {error}"
