"""NumPy's files of one array (.npy), read without pickle and within a stated size."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shapegen.formats.compressed import MAX_BYTES
from shapegen.formats.npz import array_header


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


def holds_picture(path: Path) -> bool:
    """Whether a file is of a picture: bytes, but not rows of three, which are points.

    Only the header is read: a file that is cut off behind it is what it was to be.
    """
    try:
        with path.open("rb") as file:
            shape, dtype = array_header(file)
    except Exception:
        return False
    return dtype == np.uint8 and not (len(shape) == 2 and shape[1] == 3)
