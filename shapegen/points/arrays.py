"""Points in files: NumPy arrays, tables of text, HDF5, and the formats of meshes."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shapegen.formats.compressed import MAX_BYTES, existing, read_bytes
from shapegen.formats.npz import read_arrays

Array = NDArray[Any]

H5_NAMES = ("points", "data")
"""Data sets of an ``.h5`` that are looked for, in this order."""


def npz_points(path: Path) -> tuple[Array, list[str]]:
    """Array ``points`` of an archive, and the names in ``ids`` where it has them."""
    arrays = read_arrays(path, names=("points", "ids"))
    if "points" not in arrays:
        raise ValueError(f"{path}: an array 'points' (shapes, points, 3) is needed")
    return arrays["points"], _names(path, arrays.get("ids"), arrays["points"])


def text_points(path: Path) -> Array:
    """A point a line: x, y, z, and what else (normals, colours), which is left out."""
    text = read_bytes(path).decode("utf-8", errors="replace").replace(",", " ")
    try:
        table = np.loadtxt(io.StringIO(text), dtype=np.float64, comments=("#", "//"), ndmin=2)
    except ValueError as error:
        raise ValueError(f"{path}: not a table of numbers, a point a line ({error})") from None
    if table.shape[1] < 3:
        raise ValueError(f"{path}: a line must begin with x, y, z; got {table.shape[1]} numbers")
    return table[:, :3]


def h5_points(path: Path) -> tuple[Array, list[str]]:
    """The data set ``points`` or ``data`` of an HDF5 file, and the names in ``ids``."""
    try:
        import h5py
    except ImportError:
        raise ValueError(
            f"{path}: HDF5 files are read by the package h5py, which is missing: pip install h5py"
        ) from None
    try:
        with h5py.File(path, "r") as file:
            name = next((name for name in H5_NAMES if name in file), None)
            if name is None:
                held = ", ".join(map(str, file)) or "nothing"
                raise ValueError(f"a data set {' or '.join(H5_NAMES)} is needed; it holds {held}")
            if file[name].nbytes > MAX_BYTES:
                raise ValueError(f"{name} holds more than {MAX_BYTES} bytes")
            points = np.asarray(file[name][()])
            ids = np.asarray(file["ids"].asstr()[()]) if "ids" in file else None
    # On damaged bytes the library raises a dozen types.
    except Exception as error:
        raise ValueError(f"{path}: {' '.join(str(error).split())}") from None
    return points, _names(path, ids, points)


def scene_points(path: Path) -> list[Array]:
    """The clouds ``(n, 3)`` of a ``.ply`` or ``.glb`` with points but no triangles, in place."""
    import trimesh

    try:
        scene = trimesh.load_scene(path, process=False)
        clouds = []
        for node in sorted(scene.graph.nodes_geometry):
            matrix, name = scene.graph[node]
            vertices = np.asarray(scene.geometry[name].vertices, dtype=np.float64)
            clouds.append(vertices @ matrix[:3, :3].T + matrix[:3, 3])
    # On damaged bytes the loaders raise a dozen types (struct, JSON, Key, Index, Type, ...).
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ValueError(f"{path}: the points are damaged or cut off ({reason})") from None
    if not clouds:
        raise ValueError(f"{path} holds no points")
    return clouds


def has_faces(path: Path) -> bool:
    """Whether the header of a ``.ply`` declares faces; a file without a header may have some."""
    with existing(path).open("rb") as file:
        header, end, _ = file.read(2**16).partition(b"end_header")
    counts = [
        line.split()[2:3] for line in header.splitlines() if line.startswith(b"element face")
    ]
    return not end or any(count and count[0] != b"0" for count in counts)


def only_points(document: dict[str, Any]) -> bool:
    """Whether the meshes of a glTF file are points, all of them."""
    modes = [each.get("mode", 4) for m in document.get("meshes", []) for each in m["primitives"]]
    return bool(modes) and not any(modes)


def _names(path: Path, ids: Array | None, points: Array) -> list[str]:
    if ids is None:
        return []
    count = len(points) if points.ndim == 3 else 1
    if ids.reshape(-1).shape != (count,):
        raise ValueError(f"{path}: ids must be one a shape ({count}); got {ids.shape}")
    return [str(name) for name in ids.reshape(-1).tolist()]
