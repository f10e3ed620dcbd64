"""PartNet's annotations, ``result_after_merging.json`` and ``objs/*.obj``, to part trees.

A shape's folder holds a list with one root ``{"id", "name", "text", "children", "objs"}``:
``objs`` names files in ``objs/`` without their extension. An inner node may have meshes that none
of its children has; they become a child ``other``, as in StructureNet's data.

Reference: Mo et al., *PartNet*, 2019; https://github.com/daerduoCarey/partnet_dataset.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shapegen.data.bounding import oriented_box
from shapegen.data.mesh_nodes import MAX_DEPTH, MAX_PARTS, MeshNode, label_of, part_tree_of
from shapegen.data.mesh_scenes import read_corners
from shapegen.formats.compressed import existing, read_bytes
from shapegen.structures.part_tree import PartTree
from shapegen.structures.repair import RepairReport

ANNOTATIONS = ("result_after_merging.json", "result.json")
"""Names of the file with the hierarchy; the first that is there is read."""
OTHER = "other"
"""Label of what is in a part and in none of its children."""
_MAX_TEXT = 2**26


def annotation_of(folder: Path) -> Path | None:
    """The annotation file in a shape's folder, if there is one."""
    return next((folder / name for name in ANNOTATIONS if (folder / name).is_file()), None)


def annotated_folders(path: Path) -> list[Path]:
    """The folders of annotated shapes at ``path``: itself, or those directly in it, by name."""
    if annotation_of(path) is not None:
        return [path]
    return sorted(f for f in path.iterdir() if f.is_dir() and annotation_of(f) is not None)


def read_annotation(folder: str | Path, *, report: RepairReport | None = None) -> PartTree:
    """Build the hierarchy of one shape from its annotation and its meshes.

    The mesh of a node is all that its ``objs`` and those below it hold; every node, inner ones
    too, gets the small oriented box around it (:func:`~shapegen.data.bounding.oriented_box`).
    Labels are the full paths of the names. Contacts and symmetries are detected.

    Args:
        folder: ``data_v0/<annotation id>``; its name becomes the shape's.
        report: Gets the counts of mended boxes; without it they are warned of.

    Raises:
        FileNotFoundError: There is no such folder or no annotation in it.
        ValueError: The annotation is malformed, a mesh is missing or damaged, a part has none,
            or there are more than 1000 parts or 64 levels.
    """
    folder = existing(folder)
    path = annotation_of(folder)
    if path is None:
        raise FileNotFoundError(f"{folder} holds none of {', '.join(ANNOTATIONS)}")
    try:
        value = json.loads(read_bytes(path, limit=_MAX_TEXT))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: not valid JSON ({' '.join(str(error).split())})") from None
    roots = value if isinstance(value, list) else [value]
    if len(roots) != 1:
        raise ValueError(f"{path}: a shape has one root; got {len(roots)}")
    root = _Builder(path).node(roots[0])
    counts = RepairReport() if report is None else report
    tree = part_tree_of(root, folder.name, report=counts, place=str(path), inner=_oriented)
    if report is None:
        counts.warn(path)
    return tree


def _oriented(points: NDArray[np.float64], _leaves: NDArray[np.float64]) -> NDArray[np.float64]:
    return oriented_box(points)


class _Builder:
    """Turns nodes of one annotation into nodes with meshes."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.meshes: dict[str, NDArray[np.float64]] = {}
        self.ids: set[int] = set()
        self.count = 0

    def node(self, root: Any) -> MeshNode:
        """The whole hierarchy; recursion is bounded by the depth that is accepted."""
        node, _ = self._node(root, "root", 0)
        for spare in self._without_id(node):
            spare.instance = max(self.ids, default=-1) + 1
            self.ids.add(spare.instance)
        return node

    def _node(self, value: Any, place: str, depth: int) -> tuple[MeshNode, set[str]]:
        """A node and the names of all meshes below it."""
        self.count += 1
        if self.count > MAX_PARTS or depth > MAX_DEPTH:
            raise self._wrong(place, f"at most {MAX_PARTS} parts in {MAX_DEPTH} levels are read")
        if not isinstance(value, dict):
            raise self._wrong(place, f"a node must be an object; got {type(value).__name__}")
        node = MeshNode(self._label(value, place), instance=self._id(value, place))
        own = self._names(value.get("objs"), place)
        below: set[str] = set()
        children = value.get("children") or []
        if not isinstance(children, list):
            raise self._wrong(place, "'children' must be a list")
        for number, child in enumerate(children):
            made, names = self._node(child, f"{place}/children[{number}]", depth + 1)
            node.children.append(made)
            below |= names
        if not children:
            if not own:
                raise self._wrong(place, "a part without children needs 'objs'; got none")
            node.vertices = self._mesh(own, place)
            return node, set(own)
        rest = [name for name in own if name not in below]
        if rest:
            node.children.append(MeshNode(OTHER, vertices=self._mesh(rest, place)))
        return node, below | set(own)

    def _label(self, value: dict[str, Any], place: str) -> str:
        for key in ("name", "text"):
            said = value.get(key)
            if isinstance(said, str) and said.strip():
                # Names are identifiers of PartNet's own; texts are for people.
                plain = "_".join(said.replace("/", " ").split())
                return plain if key == "name" else label_of(said) or plain
        raise self._wrong(place, "'name' must be a string")

    def _id(self, value: dict[str, Any], place: str) -> int:
        identity = value.get("id")
        if type(identity) is not int or not 0 <= identity < 2**31:
            raise self._wrong(place, f"'id' must be a whole number from 0; got {identity!r:.40}")
        if identity in self.ids:
            raise self._wrong(place, f"id {identity} stands twice; ids must be unique")
        self.ids.add(identity)
        return identity

    def _names(self, value: Any, place: str) -> list[str]:
        if value is None:
            return []
        if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
            raise self._wrong(place, "'objs' must be a list of names")
        for name in value:
            if Path(name).name != name or name in ("", ".", ".."):
                raise self._wrong(place, f"'objs' must name files in objs/; got {name!r:.40}")
        return list(dict.fromkeys(value))

    def _mesh(self, names: list[str], place: str) -> NDArray[np.float64]:
        for name in names:
            if name in self.meshes:
                continue
            file = self.path.parent / "objs" / f"{name}.obj"
            if not file.is_file():
                raise self._wrong(place, f"its mesh {file.name} is not in objs/")
            self.meshes[name] = read_corners(file)
        return np.concatenate([self.meshes[name] for name in names])

    def _without_id(self, node: MeshNode) -> list[MeshNode]:
        found = [] if node.instance is not None else [node]
        for child in node.children:
            found += self._without_id(child)
        return found

    def _wrong(self, place: str, text: str) -> ValueError:
        return ValueError(f"{self.path}: {place}: {text}")
