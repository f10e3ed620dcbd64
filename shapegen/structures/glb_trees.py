"""Part trees out of the GLB files that we wrote: their extras hold labels, boxes and relations.

A file that another program wrote, or saved again, may have been edited; what its boxes are then
must be measured on its triangles, which :mod:`shapegen.data.importing` does.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from shapegen.formats.gltf import read_document
from shapegen.structures.part_tree import PartTrees
from shapegen.structures.partnet_json import assembled
from shapegen.structures.partnet_nodes import NodeError, ParsedShape, parse_root
from shapegen.structures.repair import RepairMode, RepairReport

GENERATOR = "shapegen"


def is_own_glb(path: str | Path) -> bool:
    """Whether a ``.glb`` was written by us, from part trees.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is damaged.
    """
    document = read_document(path)
    asset = document.get("asset")
    if not isinstance(asset, dict) or asset.get("generator") != GENERATOR:
        return False
    nodes = document.get("nodes")
    return isinstance(nodes, list) and all(
        isinstance(node, dict)
        and isinstance(node.get("extras"), dict)
        and {"label", "instance", "box"} <= node["extras"].keys()
        for node in nodes
    )


def read_glb_trees(
    path: str | Path,
    *,
    repair: RepairMode = "fix",
    report: RepairReport | None = None,
    rejects: list[str] | None = None,
) -> PartTrees:
    """Read the part trees of a ``.glb`` of ours; only merge trees and ``dist`` are not in it.

    Of an animation its first frame is read.

    Args:
        path: A file for which :func:`is_own_glb` is true.
        repair: What to do with bad boxes.
        report: Gets the counts; without it they are warned of.
        rejects: Gets a line for every shape that cannot be read; without it the first raises.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is damaged.
    """
    document = read_document(path)
    problems: list[str] = []
    shapes: list[ParsedShape] = []
    try:
        plain = [_plain_node(node) for node in document["nodes"]]
        for node, source in zip(plain, document["nodes"], strict=True):
            _link(node, source, document | {"plain": plain})
        roots = [plain[number] for number in _present(document["scenes"][0]["nodes"], document)]
    except (LookupError, TypeError, AttributeError, ValueError) as error:
        raise ValueError(f"{path}: its nodes are not what shapegen writes ({error!r})") from None
    for number, root in enumerate(roots):
        place = f"{path}: shape {number}"
        name = root["name"] if isinstance(root["name"], str) else Path(path).stem
        try:
            shapes.append(parse_root(root, name, place, renumber=False, mode=repair))
        except NodeError as error:
            problems.append(f"{place}: root{error}")
    return assembled(shapes, problems, path, repair=repair, report=report, rejects=rejects)


def _plain_node(node: dict[str, Any]) -> dict[str, Any]:
    """A node of StructureNet's form; a label that starts with ``/`` is a full one."""
    extras = node["extras"]
    return {
        "id": extras["instance"],
        "label": f"/{extras['label']}",
        "box": extras["box"],
        "name": extras.get("name"),
    }


def _present(numbers: list[int], document: dict[str, Any]) -> list[int]:
    """The nodes that are there before an animation is played: the shape of its first frame."""
    return [n for n in numbers if not document["nodes"][n]["extras"].get("absent")]


def _link(node: dict[str, Any], source: dict[str, Any], document: dict[str, Any]) -> None:
    """Give a node its children, and their relations, which name them."""
    below = _present(source.get("children", []), document)
    if not below:
        return
    node["children"] = [document["plain"][number] for number in below]
    position = {document["nodes"][number]["name"]: n for n, number in enumerate(below)}
    node["edges"] = [
        {
            "part_a": position[entry["a"]],
            "part_b": position[entry["b"]],
            "type": entry["kind"],
            "params": entry.get("params", []),
        }
        for entry in source["extras"].get("relations", [])
    ]
