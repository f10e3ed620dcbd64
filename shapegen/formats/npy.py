"""NumPy's files of one array (.npy), read without pickle and within a stated size."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shapegen.formats.compressed import MAX_BYTES


def read_array(path: Path) -> NDArray[Any]:
    """The one array of a file.

    Raises:
        ValueError: It is damaged, cut off, too large, or holds Python objects.
    """
    if path.stat().st_size > MAX_BYTES:
        raise ValueError(
            f"{path} holds more than {MAX_BYTES} bytes; that is the most that is read"
        )
    try:
        return np.asarray(np.load(io.BytesIO(path.read_bytes()), allow_pickle=False))
    # NumPy raises whatever its parsers of the header run into.
    except Exception as error:
        raise ValueError(f"{path}: not a NumPy array, damaged or cut off ({error})") from None


def holds_bytes(path: Path) -> bool:
    """Whether the array of a file is of bytes, as pictures are; of a damaged file it is not."""
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False).dtype == np.uint8
    except Exception:
        return False
