"""MATLAB files (.mat, version 4 to 7.2): numeric arrays by name."""

from __future__ import annotations

import io
import math
import struct
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shapegen.formats.atomic import replacing
from shapegen.formats.compressed import MAX_BYTES, existing

_HEADER = 128
_COMPRESSED = 15
_TEXT = b"MATLAB 5.0 MAT-file, written by shapegen"


def read_mat(
    path: str | Path, *, names: Iterable[str] | None = None, limit: int = MAX_BYTES
) -> dict[str, NDArray[Any]]:
    """Read numeric arrays.

    Args:
        path: A ``.mat`` file.
        names: Read only these, where present; all by default.
        limit: Most bytes of all arrays together, checked before they are unpacked.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file is damaged, too large, of version 7.3, or holds no numeric arrays.
    """
    from scipy import io as scipy_io

    path = existing(path)
    if path.is_dir():
        raise ValueError(f"{path} is a folder; a .mat file is needed")
    if path.stat().st_size > limit:
        raise ValueError(f"{path} is larger than {limit} bytes; that is the most that is read")
    data = path.read_bytes()
    try:
        _check_size(data, limit)
        declared = {name: shape for name, shape, _ in scipy_io.whosmat(io.BytesIO(data))}
        wanted = [name for name in declared if names is None or name in set(names)]
        size = sum(math.prod(declared[name]) * 8 for name in wanted)
        if size > limit or any(min((0, *declared[name])) < 0 for name in wanted):
            raise ValueError(f"it declares {size} bytes of arrays; at most {limit} are read")
        loaded = scipy_io.loadmat(io.BytesIO(data), variable_names=wanted)
    # On damaged bytes SciPy raises a dozen types (zlib, struct, Type, Index, Memory, ...).
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ValueError(f"{path}: the .mat data is damaged or cut off ({reason})") from None
    arrays = {name: np.asarray(loaded[name]) for name in wanted if name in loaded}
    for name, array in arrays.items():
        if array.dtype.kind not in "iufb":
            raise ValueError(f"{path}: array {name!r} must be numeric; got {array.dtype}")
    return arrays


def write_mat(path: str | Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write arrays, compressed; equal arrays give equal bytes."""
    from scipy import io as scipy_io

    buffer = io.BytesIO()
    scipy_io.savemat(buffer, dict(arrays), do_compression=True)
    data = bytearray(buffer.getvalue())
    # The first 116 bytes are free text, in which SciPy puts the time of day.
    data[:116] = _TEXT.ljust(116)
    with replacing(path) as aside:
        aside.write_bytes(bytes(data))


def _check_size(data: bytes, limit: int) -> None:
    """Unpack piecewise and count, so that a small file cannot fill the memory."""
    if len(data) < _HEADER + 8:
        raise ValueError(f"{len(data)} bytes are too few")
    if data[124:128] not in (b"\x00\x01IM", b"\x01\x00MI"):
        return  # version 4 (not packed) or not a MATLAB file: SciPy decides
    order = "<" if data[126:128] == b"IM" else ">"
    at, total = _HEADER, 0
    while at + 8 <= len(data):
        kind, size = struct.unpack(order + "II", data[at : at + 8])
        at += 8
        if at + size > len(data):
            raise ValueError(f"an array needs {size} bytes; {len(data) - at} are left")
        total += _unpacked_size(data[at : at + size], limit) if kind == _COMPRESSED else size
        if total > limit:
            raise ValueError(f"it unpacks to more than {limit} bytes; that is the most read")
        at += size


def _unpacked_size(data: bytes, limit: int) -> int:
    unpacker, total = zlib.decompressobj(), 0
    while data and not unpacker.eof and total <= limit:
        piece = unpacker.decompress(data, 2**20)
        if not piece and not unpacker.unconsumed_tail:
            break
        total += len(piece)
        data = unpacker.unconsumed_tail
    return total
