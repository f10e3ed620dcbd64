"""The JSON part of glTF files (.glb, .gltf), checked before anything is built from it.

Reference: Khronos, *glTF 2.0 Specification*, 2021.
"""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

from shapegen.formats.compressed import read_bytes

MAX_TEXT = 2**26
"""Most bytes of the JSON part of a ``.glb``."""
MAX_NODES = 100_000
MAX_DEPTH = 128
"""Most nodes between a root and a leaf: loaders take quadratic time."""
MAX_CORNERS = 20_000_000
"""Most triangle corners and vertices, those of repeated meshes counted as often."""

_HEADER = struct.Struct("<4sIIII")
_CHUNK = struct.Struct("<II")
_JSON, _BINARY = 0x4E4F534A, 0x004E4942


def read_document(path: str | Path, *, max_nodes: int = MAX_NODES) -> dict[str, Any]:
    """Read the JSON part of a file whose nodes form trees of a bounded size.

    A few bytes can declare any number of vertices or of nested nodes, which loaders then build.

    Args:
        path: A ``.glb`` or ``.gltf``.
        max_nodes: Most nodes of the file.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is damaged, cut off, too large, or its nodes do not form trees.
    """
    data = read_bytes(path)
    if Path(path).suffix.lower() == ".glb":
        data = _json_chunk(data, path)
    if len(data) > MAX_TEXT:
        raise ValueError(f"{path}: {len(data)} bytes of JSON; at most {MAX_TEXT} are read")
    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"{path}: its JSON is damaged ({reason})") from None
    if not isinstance(document, dict):
        raise ValueError(f"{path}: its JSON must be an object; got {type(document).__name__}")
    try:
        problem = _too_deep(document, max_nodes) or _too_large(document)
    except (LookupError, TypeError, AttributeError) as error:
        raise ValueError(f"{path}: its JSON is not glTF 2.0 ({error!r})") from None
    if problem:
        raise ValueError(f"{path}: {problem}")
    return document


def binary_chunk(path: str | Path) -> bytes | None:
    """The binary part of a ``.glb`` whose document was read; None where it has none."""
    data = read_bytes(path)
    start = _HEADER.size + _HEADER.unpack_from(data)[3] if data[:4] == b"glTF" else len(data)
    if start + _CHUNK.size > len(data):
        return None
    size, kind = _CHUNK.unpack_from(data, start)
    start += _CHUNK.size
    return data[start : start + size] if kind == _BINARY else None


def _json_chunk(data: bytes, path: str | Path) -> bytes:
    if len(data) < _HEADER.size:
        raise ValueError(f"{path}: {len(data)} bytes are too few for a GLB")
    magic, version, length, size, kind = _HEADER.unpack_from(data)
    if magic != b"glTF" or version != 2 or kind != _JSON:
        raise ValueError(f"{path}: not a binary glTF 2.0 file")
    if length != len(data) or _HEADER.size + size > len(data):
        raise ValueError(f"{path}: cut off: {length} bytes are declared, {len(data)} are there")
    return data[_HEADER.size : _HEADER.size + size]


def _too_deep(document: dict[str, Any], max_nodes: int) -> str:
    children = [_numbers(node.get("children", [])) for node in document.get("nodes", [])]
    if len(children) > max_nodes:
        return f"{len(children)} nodes; at most {max_nodes} are read"
    parent = [-1] * len(children)
    for number, below in enumerate(children):
        for child in below:
            if parent[child] >= 0:
                return f"node {child} stands under two nodes, {parent[child]} and {number}"
            parent[child] = number
    level = [number for number, above in enumerate(parent) if above < 0]
    reached = depth = 0
    while level and depth <= MAX_DEPTH:
        reached += len(level)
        depth += 1
        level = [child for number in level for child in children[number]]
    if level:
        return f"nested too deeply; at most {MAX_DEPTH} levels are read"
    # Nodes in a cycle hang from no root.
    return "" if reached == len(children) else "its nodes form a cycle"


def _too_large(document: dict[str, Any]) -> str:
    counts = [_number(accessor["count"]) for accessor in document.get("accessors", [])]
    sizes = []
    for mesh in document.get("meshes", []):
        size = 0
        for primitive in mesh["primitives"]:
            used = [*primitive["attributes"].values()]
            used += [primitive["indices"]] if "indices" in primitive else []
            size += sum(counts[number] for number in _numbers(used))
        sizes.append(size)
    nodes = document.get("nodes", [])
    total = sum(sizes) + sum(sizes[_number(n["mesh"])] for n in nodes if "mesh" in n)
    if total > MAX_CORNERS:
        return f"{total} vertices and corners; at most {MAX_CORNERS} are read"
    return ""


def _numbers(values: Any) -> list[int]:
    if not isinstance(values, list):
        raise TypeError(f"a list of numbers is due; got {type(values).__name__}")
    return [_number(value) for value in values]


def _number(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise TypeError(f"a number from 0 is due; got {type(value).__name__}")
    return value
