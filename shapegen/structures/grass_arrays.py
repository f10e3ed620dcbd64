"""The padded arrays of GRASS's data files, read and checked for shape and type."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shapegen.formats.compressed import existing
from shapegen.formats.mat import read_mat
from shapegen.formats.npz import read_arrays
from shapegen.structures.merge_tree import SYM

MAT_FILES = {"boxes": "box_data.mat", "ops": "op_data.mat", "syms": "sym_data.mat"}
PADDING = -1


@dataclass(frozen=True)
class GrassArrays:
    """The padded arrays of a data set, as they stand in the file."""

    boxes: NDArray[np.float64]
    """``(N, B, 12)``."""
    ops: NDArray[np.int64]
    """``(N, O)``: node types in post-order, -1 after the end."""
    syms: NDArray[np.float64]
    """``(N, S, 8)``."""
    names: tuple[str, ...]
    """The shapes' numbers in the original order."""


def read_grass_arrays(path: str | Path) -> GrassArrays:
    """Read the padded arrays alone, checked for shape and type but not shape by shape.

    Raises:
        FileNotFoundError: A file is missing.
        ValueError: An array is missing or has another shape.
    """
    path = existing(path)
    if path.suffix == ".npz":
        found = read_arrays(path, names=("boxes", "ops", "syms", "index"))
        missing = [name for name in MAT_FILES if name not in found]
        if missing:
            raise ValueError(f"{path}: the arrays boxes, ops and syms are needed; no {missing[0]}")
        boxes, ops, syms = found["boxes"], found["ops"], found["syms"]
    else:
        boxes, ops, syms = _read_mat_layout(path)
        found = {}
    count = len(ops)
    for name, array, shape in (
        ("boxes", boxes, (count, None, 12)),
        ("ops", ops, (count, None)),
        ("syms", syms, (count, None, 8)),
    ):
        _check_array(path, name, array, shape)
    if not count:
        raise ValueError(f"{path} holds no shapes; at least one is needed")
    index = found.get("index", np.arange(count))
    _check_array(path, "index", index, (count,))
    if index.dtype.kind not in "iu":
        raise ValueError(f"{path}: index must be whole numbers; got {index.dtype}")
    with np.errstate(invalid="ignore"):
        whole = ops.astype(np.int64)
    if (whole != ops).any() or not ((whole >= PADDING) & (whole <= SYM)).all():
        bad = int(((whole != ops) | (whole < PADDING) | (whole > SYM)).any(1).argmax())
        raise ValueError(
            f"{path}: shape {bad}: ops must be 0 (box), 1 (adjacency), 2 (symmetry) or -1 "
            f"(padding); got {ops[bad].tolist()}"
        )
    return GrassArrays(
        boxes=boxes.astype(np.float64),
        ops=whole,
        syms=syms.astype(np.float64),
        names=tuple(str(int(number)) for number in index),
    )


def _read_mat_layout(path: Path) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """The three arrays as ``(N, B, 12)``, ``(N, O)``, ``(N, S, 8)``."""
    found: dict[str, NDArray[Any]] = {}
    if path.is_file() and path.name not in MAT_FILES.values():
        found = read_mat(path, names=MAT_FILES)
        missing = [name for name in MAT_FILES if name not in found]
        if missing:
            raise ValueError(f"{path}: the arrays boxes, ops and syms are needed; no {missing[0]}")
    else:
        folder = path if path.is_dir() else path.parent
        for name, file in MAT_FILES.items():
            arrays = read_mat(folder / file, names=(name,))
            if name not in arrays:
                raise ValueError(f"{folder / file}: the array {name!r} is needed; it is missing")
            found[name] = arrays[name]
    for name, rows in (("boxes", 12), ("ops", None), ("syms", 8)):
        _check_array(path, name, found[name], (rows, None))
    count = found["ops"].shape[1]
    for name in ("boxes", "syms"):
        columns = found[name].shape[1]
        if not count or columns % count:
            raise ValueError(
                f"{path}: {name} must have a whole number of columns for each of the {count} "
                f"shapes of ops; got {columns}"
            )
    return (
        found["boxes"].T.reshape(count, found["boxes"].shape[1] // count, 12),
        found["ops"].T,
        found["syms"].T.reshape(count, found["syms"].shape[1] // count, 8),
    )


def _check_array(
    path: Path, name: str, array: NDArray[Any], shape: tuple[int | None, ...]
) -> None:
    fits = array.ndim == len(shape) and all(
        want is None or have == want for have, want in zip(array.shape, shape, strict=True)
    )
    if not fits or array.dtype.kind not in "iuf":
        words = ", ".join("any" if size is None else str(size) for size in shape)
        raise ValueError(
            f"{path}: {name} must be an array ({words}) of numbers; "
            f"got {array.shape} {array.dtype}"
        )
