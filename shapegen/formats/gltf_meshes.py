"""The triangles of glTF files (.glb, .gltf), where their nodes put them.

Read are triangles, strips and fans, with or without indices, sparse and quantised vertices, and
nodes that repeat a mesh (``EXT_mesh_gpu_instancing``). Lines, points, cameras, lights, materials
and animations are passed over; what would be read wrongly without an extension is refused.

Reference: Khronos, *glTF 2.0 Specification*, 2021, sections 3.5 to 3.7.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
from numpy.typing import NDArray

from shapegen.formats.compressed import read_bytes
from shapegen.formats.gltf import MAX_CORNERS, MAX_NODES, binary_chunk, read_document

Float = NDArray[np.float64]

_COMPONENTS = {5120: "i1", 5121: "u1", 5122: "<i2", 5123: "<u2", 5125: "<u4", 5126: "<f4"}
_WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4}
_STRIP, _FAN, _TRIANGLES = 5, 6, 4
_INSTANCING = "EXT_mesh_gpu_instancing"
_COMPRESSIONS = (
    "KHR_draco_mesh_compression",
    "EXT_meshopt_compression",
    "KHR_meshopt_compression",
)


@dataclass
class GltfNode:
    """A node of the file's scene."""

    name: str
    mesh: str
    """Name of its mesh; may be empty."""
    extras: dict[str, Any]
    materials: tuple[str, ...]
    """Names of its mesh's materials."""
    triangles: list[Float]
    """Corners ``(t, 3, 3)`` in the frame of the file, once for every instance of the mesh."""
    children: list[GltfNode] = field(default_factory=list)


def read_gltf(path: str | Path, *, max_nodes: int) -> list[GltfNode]:
    """Read the roots of a file's scene: the default one, or the first; without any, all nodes.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is damaged, too large, or holds what is not read: compressed or skinned
            meshes; the message names it.
    """
    document = read_document(path, max_nodes=max_nodes)
    try:
        file = _File(Path(path), document)
        return [file.node(number, np.eye(4)) for number in _roots(document)]
    except (LookupError, TypeError, AttributeError, OverflowError) as error:
        raise ValueError(f"{path}: its JSON is not glTF 2.0 ({error!r})") from None


def _roots(document: dict[str, Any]) -> list[int]:
    nodes = document.get("nodes", [])
    below = {child for node in nodes for child in node.get("children", [])}
    listed = range(len(nodes))
    if document.get("scenes"):
        listed = document["scenes"][document.get("scene", 0)].get("nodes", [])
    # A scene lists roots alone; some programs list all that is in it.
    return [number for number in dict.fromkeys(listed) if number not in below]


class _File:
    """One file's arrays, each decoded once."""

    def __init__(self, path: Path, document: dict[str, Any]) -> None:
        self.path, self.document = path, document
        self.buffers: dict[int, bytes] = {}
        self.meshes: dict[int, Float] = {}
        self.corners = 0

    def node(self, number: int, above: Float) -> GltfNode:
        """A node and all below it; recursion is bounded by the depth that is accepted."""
        value = self.document["nodes"][number]
        matrix = above @ _matrix(value)
        name, extras = value.get("name"), value.get("extras")
        node = GltfNode(
            name=name if isinstance(name, str) else "",
            mesh="",
            extras=extras if isinstance(extras, dict) else {},
            materials=(),
            triangles=[],
        )
        if "mesh" in value:
            if "skin" in value:
                raise self._wrong(f"node {name!r:.40} is bent by bones (a skin); save it without")
            mesh = self.document["meshes"][value["mesh"]]
            triangles = self._triangles(value["mesh"])
            said = mesh.get("name")
            node.mesh = said if isinstance(said, str) else ""
            node.materials = self._materials(mesh)
            for motion in self._instances(value):
                node.triangles.append(self._moved(triangles, matrix @ motion))
        node.children = [self.node(child, matrix) for child in value.get("children", [])]
        return node

    def _moved(self, triangles: Float, matrix: Float) -> Float:
        self.corners += 3 * len(triangles)
        if self.corners > MAX_CORNERS:
            raise self._wrong(f"more than {MAX_CORNERS} corners of triangles; that is the most")
        if not (np.isfinite(triangles).all() and np.isfinite(matrix).all()):
            raise self._wrong("a vertex is not finite")
        return np.asarray(triangles @ matrix[:3, :3].T + matrix[:3, 3])

    def _materials(self, mesh: dict[str, Any]) -> tuple[str, ...]:
        given = self.document.get("materials", [])
        used = [primitive.get("material") for primitive in mesh["primitives"]]
        found = [given[n] for n in used if isinstance(n, int) and 0 <= n < len(given)]
        return tuple(str(material.get("name", "")) for material in found)

    def _instances(self, node: dict[str, Any]) -> list[Float]:
        given = node.get("extensions", {}).get(_INSTANCING)
        if given is None:
            return [np.eye(4)]
        columns = {key: self._array(place) for key, place in given["attributes"].items()}
        count = min(map(len, columns.values()), default=0)
        if count > MAX_NODES:
            raise self._wrong(f"a mesh repeated {count} times; at most {MAX_NODES} are read")
        parts = {"translation": "TRANSLATION", "rotation": "ROTATION", "scale": "SCALE"}
        rows = {key: columns[name] for key, name in parts.items() if name in columns}
        return [_matrix({key: array[row] for key, array in rows.items()}) for row in range(count)]

    def _triangles(self, number: int) -> Float:
        if number not in self.meshes:
            primitives = self.document["meshes"][number]["primitives"]
            found = [self._primitive(primitive) for primitive in primitives]
            self.meshes[number] = np.concatenate([np.empty((0, 3, 3)), *found])
        return self.meshes[number]

    def _primitive(self, primitive: dict[str, Any]) -> Float:
        mode = primitive.get("mode", _TRIANGLES)
        if mode not in (_TRIANGLES, _STRIP, _FAN):
            return np.empty((0, 3, 3))
        for name in _COMPRESSIONS:
            if name in primitive.get("extensions", {}):
                raise self._wrong(f"its meshes are compressed ({name}); save it without that")
        if "POSITION" not in primitive["attributes"]:
            return np.empty((0, 3, 3))
        points = self._array(primitive["attributes"]["POSITION"])
        if points.shape[1] != 3:
            raise self._wrong("positions of vertices must be VEC3")
        if "indices" not in primitive:
            corners = np.arange(len(points))
        else:
            corners = self._array(primitive["indices"]).ravel().astype(np.int64)
            if len(corners) and corners.max() >= len(points):
                raise self._wrong(
                    f"a triangle has the vertex {corners.max()}; there are {len(points)} vertices"
                )
        return points[_faces(corners, mode)]

    def _array(self, number: int) -> Float:
        """An accessor's values ``(n, width)``, those of normalised integers from -1 to 1."""
        accessor = self.document["accessors"][number]
        kind = np.dtype(_COMPONENTS[accessor["componentType"]])
        count, width = accessor["count"], _WIDTHS[accessor["type"]]
        sparse = accessor.get("sparse")
        if "bufferView" in accessor:
            place = accessor.get("byteOffset", 0)
            values = self._strided(accessor["bufferView"], place, kind, (count, width))
        elif sparse is None and count:
            raise self._wrong(f"accessor {number} has no data")
        else:
            values = np.zeros((count, width), kind)
        if sparse is not None:
            values, changed = values.copy(), sparse["count"]
            at, new = sparse["indices"], sparse["values"]
            index = np.dtype(_COMPONENTS[at["componentType"]])
            rows = self._strided(at["bufferView"], at.get("byteOffset", 0), index, (changed, 1))
            if changed and rows.max() >= count:
                raise self._wrong(f"accessor {number} changes row {rows.max()} of {count}")
            values[rows[:, 0]] = self._strided(
                new["bufferView"], new.get("byteOffset", 0), kind, (changed, width)
            )
        found = values.astype(np.float64)
        if accessor.get("normalized") and kind.kind != "f":
            found = np.maximum(found / np.iinfo(kind).max, -1.0)
        return found

    def _strided(
        self, view: int, offset: int, kind: np.dtype[Any], shape: tuple[int, int]
    ) -> NDArray[Any]:
        value = self.document["bufferViews"][view]
        for name in _COMPRESSIONS:
            if name in value.get("extensions", {}):
                raise self._wrong(f"its meshes are compressed ({name}); save it without that")
        data = self._buffer(value["buffer"])
        count, width = shape
        stride = value.get("byteStride") or width * kind.itemsize
        start = value.get("byteOffset", 0) + offset
        end = start + stride * (count - 1) + width * kind.itemsize
        if min(start, stride, count) < 0 or (count and end > len(data)):
            raise self._wrong(f"cut off: an array ends at byte {end} of the {len(data)} there are")
        if not count:
            return np.empty(shape, kind)
        return np.ndarray(shape, kind, data, start, (stride, kind.itemsize))

    def _buffer(self, number: int) -> bytes:
        if number not in self.buffers:
            uri = self.document["buffers"][number].get("uri")
            self.buffers[number] = self._bytes(uri) if uri is not None else self._chunk()
        return self.buffers[number]

    def _chunk(self) -> bytes:
        found = binary_chunk(self.path)
        if found is None:
            raise self._wrong("its buffer is missing: there is no binary part")
        return found

    def _bytes(self, uri: str) -> bytes:
        if uri.startswith("data:"):
            try:
                return base64.b64decode(uri.partition(",")[2], validate=True)
            except binascii.Error as error:
                raise self._wrong(f"a buffer is not base64 ({error})") from None
        file = self.path.parent / unquote(uri)
        if not file.is_file():
            raise self._wrong(f"its file {uri[:80]!r} is not beside it")
        return read_bytes(file)

    def _wrong(self, text: str) -> ValueError:
        return ValueError(f"{self.path}: {text}")


def _faces(corners: NDArray[np.int64], mode: int) -> NDArray[np.int64]:
    """Triangles ``(t, 3)`` of a list, strip or fan of corners."""
    if mode == _TRIANGLES:
        return corners[: len(corners) // 3 * 3].reshape(-1, 3)
    count = max(len(corners) - 2, 0)
    first = corners[:count] if mode == _STRIP else np.repeat(corners[:1], count)
    return np.stack([first, corners[1 : count + 1], corners[2 : count + 2]], axis=1)


def _matrix(node: dict[str, Any]) -> Float:
    """The motion ``(4, 4)`` of a node: its matrix, or scale, then rotation, then translation."""
    if "matrix" in node:
        return _vector(node["matrix"], 16).reshape(4, 4).T
    matrix = np.eye(4)
    x, y, z, w = quaternion = _vector(node.get("rotation", (0, 0, 0, 1)), 4)
    length = float(quaternion @ quaternion)
    if length > 0:
        cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
        matrix[:3, :3] += 2 / length * (w * cross + cross @ cross)
    matrix[:3, :3] *= _vector(node.get("scale", (1, 1, 1)), 3)
    matrix[:3, 3] = _vector(node.get("translation", (0, 0, 0)), 3)
    return matrix


def _vector(value: Any, size: int) -> Float:
    try:
        array = np.asarray(value, dtype=np.float64)
    except ValueError:
        array = np.empty(0)
    if array.shape != (size,):
        raise TypeError(f"{size} numbers are due; got {value!r:.40}")
    return array
