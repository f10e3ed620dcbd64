"""Part trees to StructureNet's JSON; the format is described in :mod:`.partnet_json`."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shapegen.formats.compressed import write_bytes
from shapegen.structures.part_tree import PartTree, Relation
from shapegen.structures.partnet_json import MAX_TEXT, is_lines, stem_of
from shapegen.structures.partnet_nodes import MAX_DEPTH, MAX_NODES


def write_partnet(
    trees: Iterable[PartTree], path: str | Path, *, decimals: int | None = None
) -> None:
    """Write part trees, in the frame front +z.

    A ``.json`` file of one shape holds its root node, as StructureNet reads it; of several, a
    list. Merge trees are not part of this format.

    Args:
        trees: At least one.
        path: ``.json``, ``.json.gz``, ``.jsonl`` or ``.jsonl.gz``.
        decimals: Round lengths and positions to this many decimals and directions to at least
            7; by default numbers are written in full, so that reading gives them back exactly.

    Raises:
        ValueError: A tree is deeper than 64 levels, has more than 10,000 nodes or ids that are
            not unique.
    """
    path = Path(path)
    trees = list(trees)
    if not trees:
        raise ValueError(f"nothing to write to {path}: at least one shape is needed")
    if is_lines(path):
        lines = [_dumped({"id": t.name, "root": partnet_node(t, decimals)}) for t in trees]
        write_bytes(path, "".join(f"{line}\n" for line in lines).encode())
        return
    if len(trees) == 1:
        root = partnet_node(trees[0], decimals)
        if trees[0].name != stem_of(path):
            root["name"] = trees[0].name
        text = _dumped(root)
    else:
        text = _dumped([{"id": t.name, "root": partnet_node(t, decimals)} for t in trees])
    if len(text) > MAX_TEXT:
        raise ValueError(f"{path}: {len(trees)} shapes are too many for one .json; use .jsonl")
    write_bytes(path, text.encode())


def partnet_node(tree: PartTree, decimals: int | None = None) -> dict[str, Any]:
    """Lower a tree to StructureNet's nested root node."""
    tree = tree.facing("+z")
    if len(tree) > MAX_NODES or tree.depth.max() > MAX_DEPTH:
        raise ValueError(
            f"shape {tree.name!r}: at most {MAX_NODES} nodes and {MAX_DEPTH} levels are written; "
            f"got {len(tree)} and {tree.depth.max()}"
        )
    ids = tree.instance.tolist()
    if len(set(ids)) != len(ids):
        raise ValueError(f"shape {tree.name!r}: instance ids must be unique; got {ids}")
    nodes: list[dict[str, Any]] = []
    position: list[int] = []
    for number, (parent, box) in enumerate(zip(tree.parent.tolist(), tree.box, strict=True)):
        above = tree.label[parent] if parent >= 0 else None
        label = _short_label(tree.label[number], above)
        nodes.append({"id": ids[number], "label": label, "box": _box_numbers(box, decimals)})
        siblings = [] if parent < 0 else nodes[parent].setdefault("children", [])
        position.append(len(siblings))
        siblings.append(nodes[number])
    for node in nodes:
        if "children" in node:
            node["edges"] = []
    for edge in tree.edges:
        nodes[int(tree.parent[edge.a])]["edges"].append(_edge_numbers(edge, position, decimals))
    return nodes[0]


def _short_label(full: str, above: str | None) -> str:
    if above is None:
        return f"/{full}" if full.startswith("/") else full
    if full.startswith(f"{above}/") and not full.startswith(f"{above}//"):
        return full[len(above) + 1 :]
    return f"/{full}"


def _box_numbers(box: NDArray[np.float64], decimals: int | None) -> list[float]:
    if decimals is None:
        return [float(value) for value in box]
    # + 0.0 turns the -0.0 that rounding can leave into 0.0.
    lengths = np.round(box[:6], decimals) + 0.0
    directions = np.round(box[6:], max(decimals, 7)) + 0.0
    return [*lengths.tolist(), *directions.tolist()]


def _edge_numbers(edge: Relation, position: list[int], decimals: int | None) -> dict[str, Any]:
    row: dict[str, Any] = {
        "part_a": position[edge.a],
        "part_b": position[edge.b],
        "type": edge.kind.value,
    }
    if edge.params:
        params = [float(value) for value in edge.params]
        if decimals is not None:
            places = [decimals] * 3 + [max(decimals, 7)] * 4
            params = [round(v, p) + 0.0 for v, p in zip(params, places, strict=False)]
        row["params"] = params
    if edge.dist is not None:
        row["dist"] = float(edge.dist)
    return row


def _dumped(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), allow_nan=False)
