"""Whole files of bytes, gzip or plain, read within a limit and written reproducibly."""

from __future__ import annotations

import difflib
import gzip
import io
import itertools
import zlib
from pathlib import Path

from shapegen.formats.atomic import replacing

MAX_BYTES = 2**30
"""Most bytes that are unpacked from one file: a small archive can declare terabytes."""

GZIP_MAGIC = b"\x1f\x8b"
_MOST_NEIGHBOURS = 1000


def existing(path: str | Path) -> Path:
    """Return ``path`` as a :class:`Path` if there is something at it.

    Raises:
        FileNotFoundError: There is nothing; the message names the nearest neighbour.
    """
    path = Path(path)
    if path.exists():
        return path
    beside = path.parent.iterdir() if path.parent.is_dir() else iter(())
    names = [each.name for each in itertools.islice(beside, _MOST_NEIGHBOURS)]
    close = difflib.get_close_matches(path.name, names, n=1)
    hint = f"; did you mean {path.parent / close[0]}?" if close else ""
    raise FileNotFoundError(f"no such file or folder: {path}{hint}")


def read_bytes(path: str | Path, *, limit: int = MAX_BYTES) -> bytes:
    """Read a file whole; gzip is recognised by its first bytes and unpacked.

    Args:
        path: Any file.
        limit: Most bytes to return.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is a folder, is larger than ``limit``, or its gzip data is damaged.
    """
    path = existing(path)
    if path.is_dir():
        raise ValueError(f"{path} is a folder; a file is needed")
    with path.open("rb") as file:
        packed = file.read(2) == GZIP_MAGIC
    try:
        with gzip.open(path, "rb") if packed else path.open("rb") as file:
            data = file.read(limit + 1)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ValueError(f"{path}: the gzip data is damaged or cut off ({error})") from None
    if len(data) > limit:
        raise ValueError(f"{path} holds more than {limit} bytes; that is the most that is read")
    return data


def write_bytes(path: str | Path, data: bytes) -> None:
    """Write a file whole, packed where the name ends in ``.gz``; equal data give equal bytes."""
    path = Path(path)
    if path.suffix == ".gz":
        buffer = io.BytesIO()
        # No name and no time in the header: the same content is the same file.
        with gzip.GzipFile("", "wb", compresslevel=6, fileobj=buffer, mtime=0) as packed:
            packed.write(data)
        data = buffer.getvalue()
    with replacing(path) as aside:
        aside.write_bytes(data)
