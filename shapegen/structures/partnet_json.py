"""StructureNet's JSON part hierarchies: one shape a file, or one a line.

Files: ``.json`` (a root node as StructureNet writes it, ``{"id", "root"}``, or a list of those)
and ``.jsonl`` (``{"id", "root"}`` a line), plain or ``.gz``. A node is ``{"id", "label", "box",
"children", "edges"}``: the label is the last part of the full one, the box has 12 numbers, a leaf
has no ``children``, an edge ``{"part_a", "part_b", "type", "params", "dist"}`` links two children
by position. The id -1, of what nobody labelled, may stand in several parts; they are read as -1,
-2, ... Other keys (StructureNet's ``geo`` among them) are ignored. A line ``{"id", "boxes"}``
is a plain set of boxes: a root with one child a box.

Two additions of ours keep everything when a tree is written and read: a label that starts with
``/`` is a full one, and ``name`` in a root names a shape whose file is called otherwise.

Reference: Mo et al., *StructureNet: Hierarchical Graph Networks for 3D Shape Generation*, 2019,
section 3; the authors' data files.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shapegen.core import boxes as box_algebra
from shapegen.formats.compressed import read_bytes, read_lines
from shapegen.structures.part_tree import PartTree, PartTrees
from shapegen.structures.partnet_nodes import (
    MAX_DEPTH,
    NodeError,
    ParsedShape,
    parse_root,
)
from shapegen.structures.repair import RepairMode, RepairReport, conclude, repair_shapes

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
    conclude(problems, counts, source, report=report, rejects=rejects, stacklevel=4)
    if not shapes and not problems:
        raise ValueError(f"{source} holds no shapes; at least one is needed")
    return PartTrees([_tree(shapes[number], boxes) for number, boxes in mended.items()])


def _entries(path: Path, problems: list[str]) -> Iterator[tuple[str, str, Any]]:
    """Every shape's place for messages, name by default, and JSON value."""
    stem = stem_of(path)
    if is_lines(path):
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


def is_lines(path: Path) -> bool:
    """Whether a file holds a shape a line, by its name."""
    return path.name.lower().removesuffix(".gz").endswith(".jsonl")


def stem_of(path: Path) -> str:
    """A file's name without its extensions."""
    return path.name.removesuffix(".gz").rpartition(".")[0] or path.name
