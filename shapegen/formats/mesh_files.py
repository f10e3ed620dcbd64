"""Mesh files of other programs and of our own, read as one mesh."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from shapegen.formats.compressed import existing
from shapegen.formats.obj_reading import read_obj
from shapegen.scene import Mesh

Float = NDArray[np.float64]
Int = NDArray[np.int64]


def read_triangles(path: str | Path, extensions: Sequence[str]) -> Mesh:
    """Read all triangles of a file, transforms of its nodes applied.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The extension is not among ``extensions``, the file is damaged or holds no
            triangles.
    """
    path = Path(path)
    if path.suffix.lower() not in extensions:
        raise ValueError(
            f"unknown extension {path.suffix!r} of {path.name!r}; "
            f"a mesh can be read from {', '.join(extensions)}"
        )
    if existing(path).is_dir():
        raise ValueError(f"{path} is a folder; a file is needed")
    if path.suffix.lower() == ".obj":
        vertices, faces = _obj(path)
    else:
        vertices, faces = _by_trimesh(path)
    if not len(faces):
        raise ValueError(f"{path} holds no triangles")
    return Mesh(vertices, faces)


def _obj(path: Path) -> tuple[Float, Int]:
    vertices, parts = read_obj(path)
    corners = np.concatenate([np.empty((0, 3), np.int64), *(part.faces for part in parts)])
    # Vertices of lines and points are no part of the surface.
    used, faces = np.unique(corners, return_inverse=True)
    return vertices[used], faces.reshape(-1, 3)


def _by_trimesh(path: Path) -> tuple[Float, Int]:
    import trimesh

    try:
        # Vertices stay as they are in the file: merging would join touching parts.
        loaded = trimesh.load_scene(path, process=False)
        mesh = loaded.to_mesh()
        return np.asarray(mesh.vertices), np.asarray(mesh.faces)
    # On damaged bytes the loaders raise a dozen types (struct, JSON, Key, Index, Type, ...).
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ValueError(f"{path}: the mesh is damaged or cut off ({reason})") from None
