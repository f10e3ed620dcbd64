"""Wavefront OBJ as other programs write it: vertices and triangles, by object and group.

Faces may have any number of corners, counted from 1 or back from the last vertex so far; names may
be in any encoding, lines end as they like. Materials, normals and textures are not needed.

Reference: Wavefront Technologies, *Object Files (.obj)*, appendix B1 of its Advanced Visualizer.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from shapegen.formats.compressed import read_bytes
from shapegen.formats.gltf import MAX_CORNERS

N = TypeVar("N", int, float)
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class ObjPart:
    """The faces of one group of one object."""

    object: str
    """Name after the last ``o``; empty before the first."""
    group: str
    """Name after the last ``g``; empty before an object's first."""
    number: int
    """Counts the objects: names may occur twice."""
    faces: NDArray[np.int64]
    """Triangles ``(t, 3)`` by vertex number from 0."""


@dataclass
class _State:
    """What the lines so far have said."""

    vertices: list[list[float]] = field(default_factory=list)
    object: bytes = b""
    group: bytes = b""
    number: int = 0
    corners: int = 0
    faces: dict[tuple[int, bytes, bytes], list[int]] = field(default_factory=dict)


def read_obj(path: str | Path) -> tuple[NDArray[np.float64], list[ObjPart]]:
    """Read a file's vertices ``(v, 3)`` and its parts, in the order of their first faces.

    An object begins with every ``o``; within it, faces of groups of one name are one part.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: A line is damaged; the message has its number. Or the file is too large.
    """
    data = read_bytes(path).removeprefix(_BOM).replace(b"\\\r\n", b" ").replace(b"\\\n", b" ")
    state = _State()
    # Bytes split at line ends only, text also at marks that names may hold.
    for number, line in enumerate(data.splitlines(), start=1):
        words = line.split()
        if not words:
            continue
        try:
            _read(state, words)
        except ValueError as error:
            raise ValueError(f"{path}: line {number}: {error}") from None
    vertices = np.array(state.vertices, dtype=np.float64).reshape(-1, 3)
    parts = [
        ObjPart(_text(name), _text(group), number, np.array(faces, dtype=np.int64).reshape(-1, 3))
        for (number, name, group), faces in state.faces.items()
    ]
    for part in parts:
        if part.faces.max() >= len(vertices):
            raise ValueError(
                f"{path}: a face has the vertex {part.faces.max() + 1}; "
                f"there are {len(vertices)} vertices"
            )
    return vertices, parts


def _read(state: _State, words: list[bytes]) -> None:
    keyword, *rest = words
    if keyword == b"v":
        if len(rest) < 3:
            raise ValueError(f"a vertex has 3 coordinates; got {len(rest)}")
        state.vertices.append([_number(word, float) for word in rest[:3]])
    elif keyword == b"f":
        _add_face(state, rest)
    elif keyword == b"o":
        state.object, state.group = b" ".join(rest), b""
        state.number += 1
    elif keyword == b"g":
        state.group = b" ".join(rest)


def _add_face(state: _State, words: list[bytes]) -> None:
    count = len(state.vertices)
    face = []
    for word in words:
        number = _number(word.partition(b"/")[0], int)
        if number == 0 or number < -count:
            raise ValueError(
                f"vertices count from 1, or back from -1 to -{count} here; got {number}"
            )
        face.append(number - 1 if number > 0 else count + number)
    state.corners += 3 * max(len(face) - 2, 0)
    if state.corners > MAX_CORNERS:
        raise ValueError(f"more than {MAX_CORNERS} corners of triangles; that is the most")
    place = state.faces.setdefault((state.number, state.object, state.group), [])
    for second, third in pairwise(face[1:]):
        place += (face[0], second, third)


def _number(word: bytes, kind: Callable[[bytes], N]) -> N:
    try:
        return kind(word)
    except ValueError:
        raise ValueError(f"{word[:20]!r} is not a number") from None


def _text(name: bytes) -> str:
    try:
        return name.decode()
    except UnicodeDecodeError:
        return name.decode("latin-1")
