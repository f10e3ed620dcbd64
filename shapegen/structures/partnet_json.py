"""StructureNet's JSON part hierarchies: one shape a file, or one a line.

Files: ``.json`` (a root node as StructureNet writes it, ``{"id", "root"}``, or a list of those)
and ``.jsonl`` (``{"id", "root"}`` a line), plain or ``.gz``. A node is ``{"id", "label", "box",
"children", "edges"}``: the label is the last part of the full one, the box has 12 numbers, a leaf
has no ``children``, an edge ``{"part_a", "part_b", "type", "params", "dist"}`` links two children
by position. Other keys (StructureNet's ``geo`` among them) are ignored. A line ``{"id", "boxes"}``
is a plain set of boxes: a root with one child a box.

Two additions of ours keep everything when a tree is written and read: a label that starts with
``/`` is a full one, and ``name`` in a root names a shape whose file is called otherwise.

Reference: Mo et al., *StructureNet: Hierarchical Graph Networks for 3D Shape Generation*, 2019,
section 3; the authors' data files.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shapegen.core import boxes as box_algebra
from shapegen.formats.compressed import read_bytes, read_lines, write_bytes
from shapegen.structures.part_tree import PartTree, PartTrees, Relation
from shapegen.structures.partnet_nodes import (
    MAX_DEPTH,
    MAX_NODES,
    NodeError,
    ParsedShape,
    parse_root,
)
from shapegen.structures.repair import RepairMode, RepairReport, repair_shapes

MAX_TEXT = 2**26
"""Most bytes of one JSON text, that is of a ``.json`` file or of a line of ``.jsonl``."""

_JSON_TYPES: dict[type, str] = {
    dict: "an object",
    list: "a list",
    str: "a string",
    bool: "true or false",
    type(None): "null",
}


def read_partnet(
    path: str | Path,
    *,
    repair: RepairMode = "fix",
    renumber: bool = False,
    report: RepairReport | None = None,
    rejects: list[str] | None = None,
) -> PartTrees:
    """Read every shape of a file.

    Args:
        path: ``.json``, ``.json.gz``, ``.jsonl`` or ``.jsonl.gz``.
        repair: What to do with bad boxes (:mod:`shapegen.structures.repair`).
        renumber: Ignore the nodes' ids and number them in order (StructureNet's own samples
            carry the id 0 everywhere).
        report: Gets the counts of bad boxes; without it they are warned of, once a file.
        rejects: Gets a line for every shape that cannot be read, and reading goes on; without it
            the first such shape raises.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: A shape is malformed, nested deeper than 64 levels, larger than 10,000 nodes
            or holds a node twice; the message names file, shape and node.
    """
    path = Path(path)
    problems: list[str] = []
    shapes: list[ParsedShape] = []
    for place, name, value in _entries(path, problems):
        try:
            shapes.append(_parsed(value, name, place, renumber=renumber, mode=repair))
        except ValueError as error:
            problems.append(str(error))
        if problems and rejects is None:
            raise ValueError(problems[0])
    return assembled(shapes, problems, path, repair=repair, report=report, rejects=rejects)


def assembled(
    shapes: Sequence[ParsedShape],
    problems: list[str],
    source: str | Path,
    *,
    repair: RepairMode,
    report: RepairReport | None,
    rejects: list[str] | None,
) -> PartTrees:
    """Make part trees of flattened shapes: mend their boxes, count, warn, refuse.

    Args:
        shapes: What :func:`~shapegen.structures.partnet_nodes.parse_root` returned.
        problems: A line for every shape of the file that could not be flattened.
        source: For messages.
        repair: As in :func:`read_partnet`; so are the others.
        report: Gets the counts.
        rejects: Gets the problems.
    """
    counts = RepairReport() if report is None else report
    for shape in shapes:
        counts.counts.update(shape.notes)
    mended, refused = repair_shapes(
        [shape.boxes for shape in shapes],
        mode=repair,
        report=counts,
        place=lambda number, node: shapes[number].place(node),
    )
    problems = [*problems, *refused]
    if problems and rejects is None:
        raise ValueError(problems[0])
    if rejects is not None:
        rejects.extend(problems)
    if report is None:
        counts.warn(source, stacklevel=3)
    if not shapes and not problems:
        raise ValueError(f"{source} holds no shapes; at least one is needed")
    return PartTrees([_tree(shapes[number], boxes) for number, boxes in mended.items()])


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
    if _is_lines(path):
        lines = [_dumped({"id": t.name, "root": partnet_node(t, decimals)}) for t in trees]
        write_bytes(path, "".join(f"{line}\n" for line in lines).encode())
        return
    if len(trees) == 1:
        root = partnet_node(trees[0], decimals)
        if trees[0].name != _stem(path):
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


def _entries(path: Path, problems: list[str]) -> Iterator[tuple[str, str, Any]]:
    """Every shape's place for messages, name by default, and JSON value."""
    stem = _stem(path)
    if _is_lines(path):
        yield from _line_entries(path, stem, problems)
        return
    try:
        value = _loaded(read_bytes(path, limit=MAX_TEXT), str(path))
    except ValueError as error:
        problems.append(str(error))
        return
    if isinstance(value, list):
        for number, item in enumerate(value):
            yield f"{path}: [{number}]", f"{stem}-{number}", item
    else:
        yield str(path), stem, value


def _line_entries(path: Path, stem: str, problems: list[str]) -> Iterator[tuple[str, str, Any]]:
    lines = enumerate(read_lines(path, longest=MAX_TEXT), start=1)
    while True:
        try:
            number, line = next(lines)
        except StopIteration:
            return
        except ValueError as error:
            problems.append(str(error))
            return
        if not line.strip():
            continue
        place = f"{path}: line {number}"
        try:
            yield place, f"{stem}-{number}", _loaded(line, place)
        except ValueError as error:
            problems.append(str(error))


def _loaded(text: bytes, place: str) -> Any:
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError(
            f"{place}: nested too deeply; at most {MAX_DEPTH} levels of parts are read"
        ) from None
    except ValueError as error:
        raise ValueError(f"{place}: not valid JSON ({error})") from None


def _parsed(value: Any, name: str, place: str, *, renumber: bool, mode: RepairMode) -> ParsedShape:
    if not isinstance(value, dict):
        raise ValueError(
            f"{place}: a shape must be an object with 'root', or a root node; "
            f"got {_JSON_TYPES.get(type(value), 'a number')}"
        )
    root, path = value, "root"
    if "root" in value or "boxes" in value:
        identity = value.get("id", name)
        if not isinstance(identity, str | int) or isinstance(identity, bool):
            raise ValueError(f"{place}: 'id' of a shape must be a string or a whole number")
        name = str(identity)
        place = f"{place} (shape {name})"
        root = value["root"] if "root" in value else _plain_root(value["boxes"], place)
    elif isinstance(value.get("name"), str):
        name = value["name"]
    try:
        return parse_root(root, name, place, renumber=renumber, mode=mode)
    except NodeError as error:
        raise ValueError(f"{place}: {path}{error}") from None


def _plain_root(boxes: Any, place: str) -> dict[str, Any]:
    """A set of boxes as children of one root: their axis-aligned box."""
    try:
        rows = box_algebra.as_boxes(boxes)
        low, high = box_algebra.bounds(rows)
    except (ValueError, TypeError, OverflowError) as error:
        raise ValueError(f"{place}: 'boxes' must be a list of boxes ({error})") from None
    whole = [*(0.5 * (low + high)), *(high - low), 1.0, 0.0, 0.0, 0.0, 1.0, 0.0]
    children = [
        {"id": number, "label": "part", "box": row}
        for number, row in enumerate(rows.tolist(), start=1)
    ]
    return {"id": 0, "label": "shape", "box": list(map(float, whole)), "children": children}


def _tree(shape: ParsedShape, boxes: NDArray[np.float64]) -> PartTree:
    return PartTree(
        box=boxes,
        parent=np.array(shape.parents, dtype=np.int64),
        label=tuple(shape.labels),
        edges=tuple(shape.edges),
        instance=np.array(shape.ids, dtype=np.int64),
        name=shape.name,
    )


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


def _is_lines(path: Path) -> bool:
    return path.name.lower().removesuffix(".gz").endswith(".jsonl")


def _stem(path: Path) -> str:
    return path.name.removesuffix(".gz").rpartition(".")[0] or path.name
