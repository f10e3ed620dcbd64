"""Mesh files of other programs and of our own, read as one mesh."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from shapegen.formats.compressed import existing
from shapegen.scene import Mesh


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
    import trimesh

    try:
        # Vertices stay as they are in the file: merging would join touching parts.
        loaded = trimesh.load_scene(path, process=False)
        mesh = loaded.to_mesh()
        vertices, faces = np.asarray(mesh.vertices), np.asarray(mesh.faces)
    # On damaged bytes the loaders raise a dozen types (struct, JSON, Key, Index, Type, ...).
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ValueError(f"{path}: the mesh is damaged or cut off ({reason})") from None
    if not len(faces):
        raise ValueError(f"{path} holds no triangles")
    return Mesh(vertices, faces)
