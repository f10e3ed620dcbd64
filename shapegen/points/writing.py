"""Files of point clouds: what every extension holds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from shapegen.formats.atomic import replacing
from shapegen.formats.folders import write_batch

if TYPE_CHECKING:
    from shapegen.points.point_clouds import PointClouds

ARRAY_EXTENSIONS = (".npz", ".npy", ".xyz")
SCENE_EXTENSIONS = (".glb", ".obj", ".ply", ".usda", ".png")
WRITE_EXTENSIONS = (*ARRAY_EXTENSIONS, *SCENE_EXTENSIONS)


def write_point_clouds(clouds: PointClouds, path: str | Path, *, extension: str = ".npz") -> None:
    """Write point clouds; the extension says the format.

    ``.npz`` holds ``points (batch, points, 3)`` and, where shapes have names, ``ids``; ``.npy``
    the points; ``.xyz`` one cloud, a point a line. ``.ply``, ``.glb``, ``.obj``, ``.usda`` and
    ``.png`` are for graphics programs; there several clouds stand side by side.

    Args:
        clouds: At least one.
        path: A file, or a folder (no extension, or an existing one): it gets a file a shape,
            ``0000.npz``, ``0001.npz``, ...
        extension: Kind of the files in a folder.

    Raises:
        ValueError: There are no clouds, the extension is none of these, or it holds one cloud and
            there are several.
    """
    write_batch(
        clouds, path, _write_file, kinds=WRITE_EXTENSIONS, extension=extension, what="point cloud"
    )


def _write_file(clouds: PointClouds, path: Path, kind: str) -> None:
    points = clouds.points.numpy()
    if kind == ".npz":
        from shapegen.formats.npz import write_arrays

        arrays: dict[str, NDArray[Any]] = {"points": points}
        if any(clouds.names):
            arrays["ids"] = np.array(clouds.names)
        write_arrays(path, arrays)
    elif kind == ".npy":
        with replacing(path) as aside, aside.open("wb") as file:
            np.save(file, points, allow_pickle=False)
    elif kind == ".xyz":
        if len(points) != 1:
            raise ValueError(
                f"{path}: .xyz holds one cloud; got {len(points)}: write into a folder, or .npz"
            )
        with replacing(path) as aside:
            # Nine digits give every float32 back.
            np.savetxt(aside, points[0], fmt="%.9g")
    else:
        from shapegen.formats import write_scene

        write_scene(clouds.to_scene(), path)
