"""Files of point clouds: which are, and how they are read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from shapegen.formats.compressed import existing, read_bytes
from shapegen.formats.folders import ANIMATION
from shapegen.formats.gltf import read_document
from shapegen.formats.npy import holds_picture, read_array
from shapegen.formats.npz import array_shapes
from shapegen.points import arrays
from shapegen.points.point_clouds import PointClouds
from shapegen.points.shapenet import pc15k_folder, read_pc15k_folder
from shapegen.points.validity import checked_points

OWN_EXTENSIONS = (".npz", ".npy", ".xyz", ".h5", ".hdf5")
"""Kinds of files that hold points and, ``.npz`` and ``.npy`` of pictures apart, nothing else."""
SHARED_EXTENSIONS = (".ply", ".glb", ".txt")
"""Kinds of files that hold points or something else; what they hold tells."""
READ_EXTENSIONS = (*OWN_EXTENSIONS, *SHARED_EXTENSIONS)

_OTHERS = {"boxes", "ops", "box", "parts"}
"""Arrays of part trees and of the points of parts."""


def read_point_clouds(path: str | Path) -> PointClouds:
    """Read clouds from any file that holds them.

    Args:
        path: ``.npz`` (array ``points`` and, if there, ``ids``), ``.npy``, ``.h5`` (data set
            ``points`` or ``data``), each ``(shapes, points, 3)`` or one cloud, of bytes only if it
            is one (others are pictures); ``.xyz`` or
            ``.txt`` (a point a line), ``.ply`` or ``.glb`` without triangles; a folder of files of
            one kind, in the order of names; or a folder of one category and split of
            ShapeNetCore.v2.PC15k (:mod:`shapegen.points.shapenet`).

    Raises:
        FileNotFoundError: There is nothing at ``path``.
        ValueError: No file of clouds, fewer than 8 points, NaN or infinity, no extent, or shapes
            of different numbers of points.
    """
    folder = pc15k_folder(path)
    if folder is not None:
        return read_pc15k_folder(folder)
    path = existing(path)
    files = point_cloud_files(path)
    if not files:
        raise ValueError(
            f"{path} holds no point clouds; accepted are {', '.join(READ_EXTENSIONS)} "
            f"and folders of them"
        )
    return joined([_read_file(file) for file in files], files)


def point_cloud_files(path: str | Path) -> list[Path]:
    """The files that :func:`read_point_clouds` reads for ``path``; none if it holds no clouds.

    In a folder these are the files of the first kind whose first file holds clouds.

    Raises:
        FileNotFoundError: There is nothing at ``path``.
        ValueError: A file is damaged.
    """
    path = existing(path)
    if not path.is_dir():
        return [path] if holds_points(path) else []
    files = sorted(each for each in path.iterdir() if each.is_file() and each.name != ANIMATION)
    for extension in READ_EXTENSIONS:
        kind = [file for file in files if file.suffix.lower() == extension]
        if kind and holds_points(kind[0]):
            return kind
    return []


def holds_points(path: Path) -> bool:
    """Whether a file holds clouds, by its kind or, where that does not say, by its content.

    Raises:
        ValueError: It is damaged.
    """
    extension = path.suffix.lower()
    if extension == ".npz":
        names = array_shapes(path)
        return "points" in names and _OTHERS.isdisjoint(names)
    if extension == ".npy":
        return not holds_picture(path)
    if extension == ".ply":
        return not arrays.has_faces(path)
    if extension == ".glb":
        return arrays.only_points(read_document(path))
    if extension == ".txt":
        return _is_table(path)
    return extension in OWN_EXTENSIONS


def joined(batches: Sequence[PointClouds], files: Sequence[Path]) -> PointClouds:
    """One batch of what several files hold.

    Raises:
        ValueError: Their numbers of points differ; the message names two files.
    """
    first = batches[0].points.shape[1]
    for batch, file in zip(batches, files, strict=True):
        if batch.points.shape[1] != first:
            raise ValueError(
                f"clouds of one set must have equally many points; got {first} in {files[0]}, "
                f"{batch.points.shape[1]} in {file}"
            )
    return PointClouds.join(batches)


def _read_file(path: Path) -> PointClouds:
    extension = path.suffix.lower()
    names: list[str] = []
    if extension == ".npz":
        found, names = arrays.npz_points(path)
    elif extension == ".npy":
        found = read_array(path)
    elif extension in (".h5", ".hdf5"):
        found, names = arrays.h5_points(path)
    elif extension in (".xyz", ".txt"):
        found = arrays.text_points(path)
    else:
        return _several(arrays.scene_points(path), path)
    points = checked_points(found, str(path))
    return PointClouds(points, names or _numbered(path.stem, len(points)))


def _several(clouds: Sequence[NDArray[np.float64]], path: Path) -> PointClouds:
    batches = [PointClouds(checked_points(cloud, str(path))) for cloud in clouds]
    points = joined(batches, [path] * len(batches)).points
    return PointClouds(points, _numbered(path.stem, len(points)))


def _numbered(stem: str, count: int) -> list[str]:
    return [stem] if count == 1 else [f"{stem}/{number}" for number in range(count)]


def _is_table(path: Path) -> bool:
    """Whether the first line that says something begins with three numbers."""
    for line in read_bytes(path).decode("utf-8", errors="replace").splitlines():
        words = line.replace(",", " ").split()
        if not words or words[0].startswith(("#", "//")):
            continue
        try:
            return len([float(word) for word in words[:3]]) == 3
        except ValueError:
            return False
    return False
