"""One file writer and reader per format."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from shapegen.scene import Mesh, Scene

SCENE_EXTENSIONS = (".glb", ".obj", ".ply", ".stl", ".usda", ".png", ".gif", ".mp4", ".html")
"""What :func:`write_scene` can write."""

FRAME_EXTENSIONS = (".obj", ".ply", ".stl", ".usda")
"""What can be written in another unit and with another axis upwards; glTF prescribes its own."""

Unit = Literal["m", "cm"]
PER_METRE: dict[str, float] = {"m": 1.0, "cm": 100.0}
UP_AXES = ("y", "z")

MESH_EXTENSIONS = (".glb", ".obj", ".ply", ".stl")
"""What :func:`read_mesh` can read."""


def write_scene(
    scene: Scene, path: str | Path, *, unit: Unit = "m", up: Literal["y", "z"] = "y"
) -> None:
    """Write a scene to a file; the extension says the format.

    ``.glb`` keeps all: hierarchy, colours, extras. ``.usda`` keeps hierarchy, colours and labels,
    ``.obj`` (with ``.mtl``) names and colours, ``.ply`` colours and labels, ``.stl`` the surface.
    ``.png`` is a picture, ``.gif`` and ``.mp4`` a turntable, ``.html`` a page to turn it on. Equal
    scenes give equal bytes.

    Args:
        scene: Its unit is taken to be the metre.
        path: The file.
        unit: ``"m"`` or ``"cm"``: what a coordinate of the file counts.
        up: The file's axis that points upwards; with ``"z"`` the front is -y.

    Raises:
        ValueError: The extension is unknown, or the format cannot hold what is in the scene, or
            not in this unit or with this axis.
    """
    path = Path(path)
    write = _writer(path)
    if (unit, up) == ("m", "y"):
        write(scene, path)
        return
    check_frame(path.suffix, unit, up)
    from shapegen.formats.axes import converted

    turned = converted(scene, unit=unit, up=up)
    if path.suffix.lower() == ".usda":
        from shapegen.formats.usd import write_usda

        write_usda(turned, path, unit=1.0 / PER_METRE[unit], up=up)
    else:
        write(turned, path)


def check_frame(extension: str, unit: str, up: str) -> None:
    """Refuse a unit and an axis upwards that are unknown, or that a format does not have.

    Raises:
        ValueError: So.
    """
    if unit not in PER_METRE:
        raise ValueError(f"unknown unit {unit!r}; accepted: {', '.join(PER_METRE)}")
    if up not in UP_AXES:
        raise ValueError(f"unknown axis upwards {up!r}; accepted: {', '.join(UP_AXES)}")
    plain = f".{extension.lower().removeprefix('.')}"
    if (unit, up) != ("m", "y") and plain not in FRAME_EXTENSIONS:
        raise ValueError(
            f"a unit and an axis upwards are for {', '.join(FRAME_EXTENSIONS)}; got {plain}"
            + (", whose files are in metres with y up" if plain == ".glb" else "")
        )


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
    elif extension == ".usda":
        from shapegen.formats.usd import write_usda as write
    elif extension == ".html":
        from shapegen.formats.html import write_html as write
    elif extension == ".png":
        from shapegen.formats.picture_files import write_picture as write
    elif extension in (".gif", ".mp4"):
        from shapegen.formats.turntables import write_turntable as write
    else:
        raise ValueError(
            f"unknown extension {extension!r} of {path.name!r}; "
            f"a scene can be written as {', '.join(SCENE_EXTENSIONS)}"
        )
    return write
