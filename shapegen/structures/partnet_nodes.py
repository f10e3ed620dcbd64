"""The nested nodes of StructureNet's JSON, flattened and checked without recursion."""

from __future__ import annotations

import math
import reprlib
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shapegen.structures.part_tree import PARAMETER_COUNTS, Relation, RelationKind
from shapegen.structures.repair import DIRECTION_TOLERANCE, NORMAL, RepairMode

MAX_DEPTH = 64
"""Most edges from the root to a node; PartNet has at most 8."""
MAX_NODES = 10_000
"""Most nodes of one shape."""

UNLABELLED = -1
"""Id of what is in a part and in none of its children; it may occur once in every part."""

_NUMBERS = frozenset({int, float})
_KINDS = {kind.value: (kind, PARAMETER_COUNTS[kind]) for kind in RelationKind}
_MAX_ID = 2**63 - 1
_REPR = reprlib.Repr()
_REPR.maxlist = 13


class NodeError(ValueError):
    """Something is wrong at a node; the message starts with the path below the root."""


@dataclass
class ParsedShape:
    """One shape as flat lists in depth-first order, boxes as they stand in the file."""

    name: str
    where: str
    """File and line or shape, for messages."""
    boxes: NDArray[np.float64] = field(default_factory=lambda: np.empty((0, 12)))
    parents: list[int] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    ids: list[int] = field(default_factory=list)
    edges: list[Relation] = field(default_factory=list)
    notes: Counter[str] = field(default_factory=Counter)
    """Mended directions of relations."""

    def place(self, node: int) -> str:
        """Words for a node: ``file: line 3 (shape 17): root/children[2]``."""
        return f"{self.where}: root{json_path(self.parents, node)}"


def json_path(parents: list[int], node: int) -> str:
    """Path below the root, such as ``/children[2]/children[0]``, from the parents so far."""
    steps: list[str] = []
    while node > 0:
        parent = parents[node]
        position = parents[:node].count(parent)
        steps.append(f"/children[{position}]")
        node = parent
    return "".join(reversed(steps))


def parse_root(
    root: Any, name: str, where: str, *, renumber: bool, mode: RepairMode
) -> ParsedShape:
    """Flatten a root node and everything below it.

    Args:
        root: The decoded JSON.
        name: Name of the shape.
        where: File and line or shape.
        renumber: Ignore the ids.
        mode: What to do with an axis of a relation that is not a unit vector.

    Raises:
        NodeError: A node or an edge is malformed; a limit is exceeded; an id occurs twice.
    """
    shape = ParsedShape(name, where)
    parents, labels, ids = shape.parents, shape.labels, shape.ids
    depths: list[int] = []
    rows: list[list[float]] = []
    seen: dict[int, int] = {}
    children_of: list[list[int]] = []
    edges_of: list[tuple[int, list[Any]]] = []
    stack: list[tuple[Any, int]] = [(root, -1)]
    while stack:
        node, parent = stack.pop()
        number = len(parents)
        parents.append(parent)
        if type(node) is not dict:
            raise _wrong(shape, number, f"a node must be an object; got {_show(node)}")
        depth = depths[parent] + 1 if number else 0
        depths.append(depth)
        if depth > MAX_DEPTH or number >= MAX_NODES:
            raise _wrong(
                shape, number, f"at most {MAX_DEPTH} levels and {MAX_NODES} nodes are read"
            )
        if renumber:
            ids.append(number)
        else:
            ids.append(_checked_id(shape, node, number, seen))
        labels.append(_full_label(shape, node, number))
        rows.append(_checked_box(shape, node, number))
        children_of.append([])
        if number:
            children_of[parent].append(number)
        children = node.get("children")
        if children is not None:
            if type(children) is not list:
                raise _wrong(shape, number, f"'children' must be a list; got {_show(children)}")
            # From the last to the first, so that the first is popped first.
            stack.extend([(child, number) for child in reversed(children)])
        edges = node.get("edges")
        if edges:
            if type(edges) is not list:
                raise _wrong(shape, number, f"'edges' must be a list; got {_show(edges)}")
            edges_of.append((number, edges))
    try:
        shape.boxes = np.array(rows, dtype=np.float64)
    except OverflowError:
        raise NodeError(": a number of a box is beyond the range of floats") from None
    for number, edges in edges_of:
        for position, edge in enumerate(edges):
            try:
                shape.edges.append(_relation(shape, edge, children_of[number], mode))
            except (ValueError, OverflowError) as error:
                raise _wrong(shape, number, f"edges[{position}]: {error}") from None
    return shape


def _checked_id(
    shape: ParsedShape, node: dict[str, Any], number: int, seen: dict[int, int]
) -> int:
    identity = node.get("id")
    if type(identity) is not int or not -_MAX_ID <= identity <= _MAX_ID:
        raise _wrong(shape, number, f"'id' must be a whole number; got {_show(identity)}")
    if identity == UNLABELLED:
        # Ids of a tree are unique: the next ones get -2, -3, ...
        while identity in seen:
            identity -= 1
    if identity in seen:
        first, above = seen[identity], shape.parents[number]
        while above > first:
            above = shape.parents[above]
        first_path = f"root{json_path(shape.parents, first)}"
        if above == first:
            raise _wrong(
                shape, number, f"id {identity} is also that of {first_path}, which contains it: "
                "a cycle; a node cannot contain itself"
            )  # fmt: skip
        raise _wrong(
            shape, number, f"id {identity} is also that of {first_path}; ids must be unique"
        )
    seen[identity] = number
    return identity


def _full_label(shape: ParsedShape, node: dict[str, Any], number: int) -> str:
    label = node.get("label")
    if type(label) is not str:
        raise _wrong(shape, number, f"'label' must be a string; got {_show(label)}")
    if label.startswith("/"):
        return label[1:]
    return f"{shape.labels[shape.parents[number]]}/{label}" if number else label


def _checked_box(shape: ParsedShape, node: dict[str, Any], number: int) -> list[float]:
    box = node.get("box")
    if type(box) is not list or len(box) != 12 or not _NUMBERS.issuperset(map(type, box)):
        raise _wrong(
            shape,
            number,
            "'box' must be 12 numbers (centre 3, full lengths 3, x direction 3, y direction 3); "
            f"got {_show(box)}",
        )
    return box


def _relation(shape: ParsedShape, edge: Any, children: list[int], mode: RepairMode) -> Relation:
    if type(edge) is not dict:
        raise ValueError(f"an edge must be an object; got {_show(edge)}")
    a, b, name = edge.get("part_a"), edge.get("part_b"), edge.get("type")
    if type(name) is not str or name not in _KINDS:
        raise ValueError(f"'type' must be one of {', '.join(_KINDS)}; got {_show(name)}")
    count = len(children)
    if type(a) is not int or type(b) is not int or not (0 <= a < count and 0 <= b < count):
        raise ValueError(
            f"'part_a' and 'part_b' must be positions among the {count} children; "
            f"got {_show(a)} and {_show(b)}"
        )
    if a == b:
        raise ValueError(f"an edge must link two different children; got {a} twice")
    kind, wanted = _KINDS[name]
    params = edge.get("params")
    params = [] if params is None else params
    if (
        type(params) is not list
        or len(params) != wanted
        or not _NUMBERS.issuperset(map(type, params))
    ):
        raise ValueError(f"{name} takes {wanted} numbers as 'params'; got {_show(params)}")
    dist = edge.get("dist")
    if dist is not None and (type(dist) not in _NUMBERS or not math.isfinite(dist)):
        raise ValueError(f"'dist' must be a finite number; got {_show(dist)}")
    values = tuple(map(float, params))
    if values and not math.isfinite(math.hypot(*values)):
        raise ValueError(f"'params' must be finite; got {_show(params)}")
    if wanted > 3:
        values = _unit_axis(shape, values, mode)
    return Relation(kind, children[a], children[b], values, None if dist is None else float(dist))


def _unit_axis(
    shape: ParsedShape, values: tuple[float, ...], mode: RepairMode
) -> tuple[float, ...]:
    """Mend the unit vector in places 3 to 5 of a reflection's or rotation's parameters."""
    length = math.hypot(values[3], values[4], values[5])
    if abs(length - 1) <= DIRECTION_TOLERANCE:
        return values
    if mode == "refuse" or (mode == "fix" and length < 1e-6):
        raise ValueError(f"{NORMAL}; got {values[3:6]}")
    shape.notes[NORMAL] += 1
    if mode == "keep":
        return values
    x, y, z = (value / length for value in values[3:6])
    return (*values[:3], x, y, z, *values[6:])


def _show(value: Any) -> str:
    """A short form on one line, however large or deep the value is."""
    return "an object" if isinstance(value, dict) else _REPR.repr(value)


def _wrong(shape: ParsedShape, number: int, text: str) -> NodeError:
    return NodeError(f"{json_path(shape.parents, number)}: {text}")
