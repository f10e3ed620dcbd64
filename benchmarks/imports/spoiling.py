"""Broken files, and what must be said of each."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from shapegen.structures.part_tree import PartTree

_HEADER = struct.Struct("<4sIIII")


def _half(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _garbage(path: Path) -> None:
    path.write_bytes(np.random.default_rng(0).bytes(5000))


def _header(path: Path) -> None:
    path.write_bytes(b"FAIL" + path.read_bytes()[4:])


def _no_faces(path: Path) -> None:
    lines = path.read_text().splitlines()
    path.write_text("\n".join(line for line in lines if not line.startswith("f ")) + "\n")


def _nan_text(path: Path) -> None:
    path.write_text(path.read_text().replace("\nv ", "\nv nan 0 0\nv ", 1))


def _nan_bytes(path: Path) -> None:
    _edited(lambda document: None)(path)
    data = bytearray(path.read_bytes())
    start = data.rindex(np.float32(0.5).tobytes())
    data[start : start + 4] = np.float32(np.nan).tobytes()
    path.write_bytes(data)


def _far_face(path: Path) -> None:
    path.write_text(path.read_text() + "f 1 2 99999\n")


def _edited(change: Callable[[dict[str, Any]], object]) -> Callable[[Path], None]:
    """Change the JSON of a .glb."""

    def spoil(path: Path) -> None:
        data = path.read_bytes()
        magic, version, _, size, kind = _HEADER.unpack_from(data)
        document = json.loads(data[_HEADER.size : _HEADER.size + size])
        # Without this the part trees in it would be taken from its extras.
        document["asset"]["generator"] = "another program"
        change(document)
        text = json.dumps(document).encode()
        text += b" " * (-len(text) % 4)
        rest = data[_HEADER.size + size :]
        total = _HEADER.size + len(text) + len(rest)
        path.write_bytes(_HEADER.pack(magic, version, total, len(text), kind) + text + rest)

    return spoil


def _points(document: dict[str, Any]) -> None:
    for mesh in document["meshes"]:
        mesh["primitives"][0]["mode"] = 0


def _compressed(document: dict[str, Any]) -> None:
    for mesh in document["meshes"]:
        mesh["primitives"][0]["extensions"] = {"KHR_draco_mesh_compression": {}}


BROKEN: dict[str, tuple[Callable[[Path], object], str]] = {
    "cut.glb": (_half, "cut off"),
    "empty.glb": (lambda path: path.write_bytes(b""), "0 bytes"),
    "empty.obj": (lambda path: path.write_bytes(b""), "0 bytes"),
    "garbage.glb": (_garbage, "not a binary glTF 2.0 file"),
    "garbage.obj": (_garbage, "no triangles"),
    "header.glb": (_header, "not a binary glTF 2.0 file"),
    "garbage.stl": (lambda path: path.write_bytes(b"solid what\n" * 9), "no triangles"),
    "text.ply": (lambda path: path.write_text("ply\nformat what\n"), "not a mesh"),
    "nan.obj": (_nan_text, "a vertex is not finite"),
    "nan.glb": (_nan_bytes, "not finite"),
    "faceless.obj": (_no_faces, "no triangles"),
    "far.obj": (_far_face, "a face has the vertex 99999"),
    "points.glb": (_edited(_points), "no triangles"),
    "bufferless.glb": (
        _edited(lambda document: document["buffers"][0].update(uri="gone.bin")),
        "its file 'gone.bin' is not beside it",
    ),
    "short.glb": (
        _edited(lambda document: document["accessors"][0].update(count=10**5)),
        "cut off: an array ends at byte",
    ),
    "compressed.glb": (_edited(_compressed), "compressed (KHR_draco_mesh_compression)"),
    "scene.fbx": (_garbage, "files of this kind are not read"),
}
"""What is done to a sound file of the name, and words of the reason."""


def spoil(tree: PartTree, folder: Path) -> list[Path]:
    """Write a broken file of every kind."""
    for name, (change, _) in BROKEN.items():
        path = folder / name
        if path.suffix in (".glb", ".obj"):
            tree.write(path)
            path.with_suffix(".mtl").unlink(missing_ok=True)
        change(path)
    return [folder / name for name in BROKEN]
