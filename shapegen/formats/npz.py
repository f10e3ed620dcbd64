"""NumPy archives (.npz): named arrays, read without pickle and within a stated size."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from shapegen.formats.atomic import replacing
from shapegen.formats.compressed import MAX_BYTES, existing

MAX_ARRAYS = 1000
"""Most arrays in one archive."""


def read_arrays(
    path: str | Path, *, names: Iterable[str] | None = None, limit: int = MAX_BYTES
) -> dict[str, NDArray[Any]]:
    """Read the arrays of an archive.

    Sizes are checked as declared, before anything is unpacked; object arrays are refused.

    Args:
        path: A ``.npz`` file.
        names: Read only these, where present; all by default.
        limit: Most bytes of all arrays together.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file is damaged, too large, or holds Python objects.
    """
    path = existing(path)
    wanted = None if names is None else set(names)
    arrays: dict[str, NDArray[Any]] = {}
    with _archive(path) as archive:
        for info in _checked(archive, path, limit):
            name = info.filename.removesuffix(".npy")
            if wanted is None or name in wanted:
                arrays[name] = _read_member(archive, info, path)
    return arrays


def array_shapes(path: str | Path, *, limit: int = MAX_BYTES) -> dict[str, tuple[int, ...]]:
    """Declared shape of every array of an archive; only the headers are read."""
    path = existing(path)
    shapes: dict[str, tuple[int, ...]] = {}
    with _archive(path) as archive:
        for info in _checked(archive, path, limit):
            try:
                with archive.open(info) as member:
                    shapes[info.filename.removesuffix(".npy")] = array_header(member)[0]
            except Exception as error:
                raise _damaged(path, info.filename, error) from None
    return shapes


def write_arrays(path: str | Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write a compressed archive; equal arrays give equal bytes.

    Raises:
        TypeError: An array holds Python objects.
    """
    for name, array in arrays.items():
        if array.dtype.hasobject:
            raise TypeError(f"array {name!r} holds Python objects; numbers or text are accepted")
    with replacing(path) as aside, aside.open("wb") as file:
        np.savez_compressed(file, **dict(arrays))  # type: ignore[arg-type]


def _archive(path: Path) -> zipfile.ZipFile:
    if path.is_dir():
        raise ValueError(f"{path} is a folder; a .npz file is needed")
    try:
        return zipfile.ZipFile(path)
    except OSError:
        raise
    # On damaged bytes zipfile raises a dozen types (struct, zlib, Unicode, Overflow, ...).
    except Exception as error:
        raise _damaged(path, "", error) from None


def _checked(archive: zipfile.ZipFile, path: Path, limit: int) -> list[zipfile.ZipInfo]:
    members = archive.infolist()
    if len(members) > MAX_ARRAYS:
        raise ValueError(f"{path} holds {len(members)} arrays; at most {MAX_ARRAYS} are read")
    # zipfile never unpacks more of a member than it declares, so this bounds the memory.
    total = sum(info.file_size for info in members)
    if total > limit:
        raise ValueError(f"{path} declares {total} bytes; at most {limit} are read")
    return members


def _read_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, path: Path) -> NDArray[Any]:
    try:
        with archive.open(info) as member:
            shape, dtype = array_header(member)
            declared = math.prod(shape) * dtype.itemsize
            if min((1, *shape)) < 0 or declared > info.file_size:
                raise ValueError(f"the array {shape} needs {declared} bytes, more than are there")
        with archive.open(info) as member:
            array = np.lib.format.read_array(member, allow_pickle=False)
            # To the end, where the checksum is compared.
            member.read(1)
    except Exception as error:
        raise _damaged(path, info.filename, error) from None
    return np.asarray(array)


def array_header(member: BinaryIO | Any) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Declared shape and kind of the array that a file of NumPy's begins with.

    Raises:
        ValueError: It is no such file, of another version, or holds Python objects.
    """
    version = np.lib.format.read_magic(member)
    if version not in ((1, 0), (2, 0)):
        raise ValueError(f"format version {version}; 1.0 and 2.0 are read")
    read = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }[version]
    shape, _, dtype = read(member)
    if dtype.hasobject:
        raise ValueError("it holds Python objects; numbers or text are accepted")
    return tuple(shape), dtype


def _damaged(path: Path, member: str, error: Exception) -> ValueError:
    where = f"array {member.removesuffix('.npy')!r}" if member else "the archive"
    reason = " ".join(str(error).split()) or type(error).__name__
    return ValueError(f"{path}: {where} is damaged or cut off ({reason})")
