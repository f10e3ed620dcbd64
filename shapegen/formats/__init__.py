"""One file writer and reader per format."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shapegen.scene import Mesh, Scene

SCENE_EXTENSIONS = (".glb", ".obj", ".ply", ".stl", ".png", ".gif")
"""What :func:`write_scene` can write."""

MESH_EXTENSIONS = (".glb", ".obj", ".ply", ".stl")
"""What :func:`read_mesh` can read."""


def write_scene(scene: Scene, path: str | Path) -> None:
    """Write a scene to a file; the extension says the format.

    ``.glb`` keeps all: hierarchy, colours, extras. ``.obj`` (with ``.mtl``) keeps names and
    colours, ``.ply`` colours and labels, ``.stl`` the surface. ``.png`` is a picture, ``.gif`` a
    turntable. Equal scenes give equal bytes.

    Raises:
        ValueError: The extension is unknown, or the format cannot hold what is in the scene.
    """
    _writer(Path(path))(scene, path)


def read_mesh(path: str | Path) -> Mesh:
    """Read all triangles of a file as one mesh in the frame of the scene.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The extension is unknown, the file is damaged or holds no triangles.
    """
    from shapegen.formats.mesh_files import read_triangles

    return read_triangles(path, MESH_EXTENSIONS)


def _writer(path: Path) -> Callable[[Scene, str | Path], None]:
    extension = path.suffix.lower()
    if extension == ".glb":
        from shapegen.formats.glb import write_glb as write
    elif extension == ".obj":
        from shapegen.formats.obj import write_obj as write
    elif extension == ".ply":
        from shapegen.formats.ply import write_ply as write
    elif extension == ".stl":
        from shapegen.formats.stl import write_stl as write
    elif extension == ".png":
        from shapegen.formats.picture_files import write_picture as write
    elif extension == ".gif":
        from shapegen.formats.picture_files import write_turntable as write
    else:
        raise ValueError(
            f"unknown extension {extension!r} of {path.name!r}; "
            f"a scene can be written as {', '.join(SCENE_EXTENSIONS)}"
        )
    return write
