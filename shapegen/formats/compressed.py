"""Whole files of bytes, gzip or plain, read within a limit and written reproducibly."""

from __future__ import annotations

import difflib
import gzip
import io
import itertools
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

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
    with _opened(path) as file:
        data = file.read(limit + 1)
    if len(data) > limit:
        raise ValueError(f"{path} holds more than {limit} bytes; that is the most that is read")
    return data


def read_lines(path: str | Path, *, longest: int, limit: int = MAX_BYTES) -> Iterator[bytes]:
    """Read a file line by line, keeping only one in memory; gzip is unpacked.

    Args:
        path: Any file.
        longest: Most bytes of a line.
        limit: Most bytes of all lines.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is a folder, too large, or damaged; lines before the damage are given.
    """
    total = number = 0
    with _opened(path) as file:
        while line := file.readline(longest + 1):
            number += 1
            total += len(line)
            if len(line) > longest:
                raise ValueError(f"{path}: line {number}: longer than {longest} bytes")
            if total > limit:
                raise ValueError(
                    f"{path} holds more than {limit} bytes; that is the most that is read"
                )
            yield line


@contextmanager
def _opened(path: str | Path) -> Iterator[IO[bytes]]:
    path = existing(path)
    if path.is_dir():
        raise ValueError(f"{path} is a folder; a file is needed")
    with path.open("rb") as file:
        packed = file.read(2) == GZIP_MAGIC
    try:
        with gzip.open(path, "rb") if packed else path.open("rb") as content:
            yield cast(IO[bytes], content)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ValueError(f"{path}: the gzip data is damaged or cut off ({error})") from None


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
