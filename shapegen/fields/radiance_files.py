"""Radiance fields as scenes and files: their pictures, from one side or from all around."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from shapegen.formats import MESH_EXTENSIONS
from shapegen.formats.folders import write_batch
from shapegen.scene import Image, Node, Scene

if TYPE_CHECKING:
    from shapegen.fields.radiance import RadianceFields

WRITE_EXTENSIONS = (".png", ".gif", ".npz", *MESH_EXTENSIONS)
FRAMES = 40
"""Of an animation."""


def fields_scene(fields: RadianceFields) -> Scene:
    """A picture of every field, from its own pose.

    Raises:
        ValueError: There are no fields.
    """
    if not len(fields):
        raise ValueError("a scene needs at least one field; got none")
    pictures = fields.render().bytes
    return Scene(
        tuple(
            Node(
                name="field" if len(pictures) == 1 else f"field_{number}", primitive=Image(pixels)
            )
            for number, pixels in enumerate(pictures, start=1)
        )
    )


def write_fields(fields: RadianceFields, path: str | Path, *, extension: str = ".png") -> None:
    """Write pictures of fields; the extension says the format.

    ``.png`` is a field's picture, ``.gif`` its turntable; ``.glb``, ``.obj``, ``.ply`` and
    ``.stl`` hold its surface, y up, as :meth:`RadianceFields.to_meshes` finds it. ``.npz`` holds,
    of all fields, pictures ``images (n, size, size, 3)`` of bytes, ``depth`` and ``opacity (n,
    size, size)``, ``codes`` and ``poses``; the network is not in it.

    Args:
        fields: At least one.
        path: A file, or a folder (no extension, or an existing one): it gets a file a field,
            ``0000.png``, ``0001.png``, ...
        extension: Kind of the files in a folder.

    Raises:
        ValueError: There are no fields, the extension is none of these, or it holds one field and
            there are several.
    """
    write_batch(
        fields, path, _write_file, kinds=WRITE_EXTENSIONS, extension=extension, what="field"
    )


def _write_file(fields: RadianceFields, path: Path, kind: str) -> None:
    if kind == ".npz":
        from shapegen.formats.npz import write_arrays

        views = fields.render()
        write_arrays(
            path,
            {
                "images": views.bytes,
                "depth": views.depth[:, 0].numpy(),
                "opacity": views.opacity[:, 0].numpy(),
                "codes": fields.codes.cpu().numpy(),
                "poses": fields.poses.cpu().numpy(),
            },
        )
        return
    if len(fields) != 1:
        raise ValueError(
            f"{path}: {kind} holds one field; got {len(fields)}: write into a folder, or .npz"
        )
    if kind in MESH_EXTENSIONS:
        fields.to_meshes().write(path)
        return
    if kind == ".png":
        from shapegen.formats.png import write_png

        write_png(fields.render().bytes[0], path)
        return
    from shapegen.formats.gif import write_gif

    write_gif(list(fields.turntable(FRAMES).bytes), path, hold=0.0)
