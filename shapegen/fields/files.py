"""Files of voxels: read from NumPy archives, written as such and as meshes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shapegen.fields.voxels import Voxels
from shapegen.formats.compressed import existing
from shapegen.formats.folders import write_batch
from shapegen.formats.npz import array_shapes, read_arrays, write_arrays

SCENE_EXTENSIONS = (".glb", ".obj", ".ply", ".stl", ".usda", ".png")
WRITE_EXTENSIONS = (".npz", *SCENE_EXTENSIONS)


def holds_voxels(path: Path) -> bool:
    """Whether a file, or the first archive in a folder, holds voxels.

    Raises:
        ValueError: It is damaged.
    """
    files = _archives(path)
    return bool(files) and "occupancy" in array_shapes(files[0])


def read_voxels(path: str | Path) -> Voxels:
    """Read voxels.

    Args:
        path: ``.npz`` with an array ``occupancy`` ``(shapes, d, h, w)``, or ``(d, h, w)`` of one
            shape, and, if there, ``extent`` (the longest side) and ``ids``; or a folder of them,
            in the order of names.

    Raises:
        FileNotFoundError: There is nothing at ``path``.
        ValueError: No such arrays, numbers outside of 0 to 1, or grids of different sizes.
    """
    path = existing(path)
    files = _archives(path)
    if not files:
        raise ValueError(f"{path} holds no voxels; accepted are .npz files and folders of them")
    return Voxels.join([_read_file(file) for file in files])


def write_voxels(voxels: Voxels, path: str | Path, *, extension: str = ".npz") -> None:
    """Write voxels; the extension says the format.

    ``.npz`` holds ``occupancy (batch, d, h, w)``, ``extent`` and, where shapes have names,
    ``ids``. The others hold the surface of the full cells; there several shapes stand side by
    side.

    Args:
        voxels: At least one.
        path: A file, or a folder (no extension, or an existing one): it gets a file a shape,
            ``0000.npz``, ``0001.npz``, ...
        extension: Kind of the files in a folder.

    Raises:
        ValueError: There are no shapes, or the extension is none of these.
    """
    write_batch(
        voxels,
        path,
        _write_file,
        kinds=WRITE_EXTENSIONS,
        extension=extension,
        what="grid of voxels",
    )


def _write_file(voxels: Voxels, path: Path, kind: str) -> None:
    if kind != ".npz":
        from shapegen.formats import write_scene

        write_scene(voxels.to_scene(), path)
        return
    arrays: dict[str, NDArray[Any]] = {
        "occupancy": voxels.occupancy.numpy(),
        "extent": np.array(voxels.extent),
    }
    if any(voxels.names):
        arrays["ids"] = np.array(voxels.names)
    write_arrays(path, arrays)


def _read_file(path: Path) -> Voxels:
    arrays = read_arrays(path, names=("occupancy", "extent", "ids"))
    if "occupancy" not in arrays:
        raise ValueError(f"{path}: an array 'occupancy' (shapes, d, h, w) is needed")
    occupancy = arrays["occupancy"]
    if occupancy.ndim == 3:
        occupancy = occupancy[None]
    ids = arrays.get("ids", np.empty(0)).reshape(-1).tolist()
    names = [str(name) for name in ids] or _numbered(path.stem, len(occupancy))
    try:
        return Voxels(occupancy, float(arrays.get("extent", np.array(1.0))), names)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path}: {error}") from None


def _numbered(stem: str, count: int) -> list[str]:
    return [stem] if count == 1 else [f"{stem}/{number}" for number in range(count)]


def _archives(path: Path) -> list[Path]:
    if path.is_dir():
        return sorted(each for each in path.iterdir() if each.suffix.lower() == ".npz")
    return [path] if path.suffix.lower() == ".npz" else []
