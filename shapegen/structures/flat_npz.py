"""Part trees as flat arrays in one ``.npz``: everything is kept, merge trees included.

All nodes of all shapes stand one after the other; ``nodes`` holds their number a shape, and so do
``edges`` and ``merge_nodes`` (0: no merge tree) for theirs. Text is kept once, as JSON in bytes.
Where any shape has points of its parts there are two arrays more: ``part_points`` ``(m, 3)``, node
by node, and ``points``, their number a node, one entry a shape (0: none).
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shapegen.formats.npz import read_arrays, write_arrays
from shapegen.structures.merge_tree import BOX, SYM, MergeTree
from shapegen.structures.part_tree import (
    PARAMETER_COUNTS,
    PartTree,
    PartTrees,
    Relation,
    RelationKind,
)
from shapegen.structures.repair import RepairMode, RepairReport, conclude, repair_shapes

FORMAT = "shapegen part trees 1"

_KINDS = tuple(RelationKind)
_ARRAYS: dict[str, tuple[int | None, ...]] = {
    "text": (None,),
    "nodes": (None,),
    "box": (None, 12),
    "parent": (None,),
    "label": (None,),
    "instance": (None,),
    "edges": (None,),
    "edge_kind": (None,),
    "edge_nodes": (None, 2),
    "edge_params": (None, 7),
    "edge_dist": (None,),
    "merge_nodes": (None,),
    "merge_ops": (None,),
    "merge_boxes": (None, 12),
    "merge_syms": (None, 8),
    "merge_label": (None,),
}
_POINTS = ("points", "part_points")
_MAX_LABELS_TEXT = 2**26


def write_flat(trees: Iterable[PartTree], path: str | Path) -> None:
    """Write part trees without loss.

    Raises:
        ValueError: There are none.
    """
    trees = list(trees)
    if not trees:
        raise ValueError(f"nothing to write to {path}: at least one shape is needed")
    labels: dict[str, int] = {}
    columns: dict[str, list[Any]] = {name: [] for name in _ARRAYS if name != "text"}
    for tree in trees:
        _append(tree, columns, labels)
    text = {
        "format": FORMAT,
        "labels": list(labels),
        "names": [tree.name for tree in trees],
        "fronts": [tree.front for tree in trees],
    }
    arrays: dict[str, NDArray[Any]] = {
        "text": np.frombuffer(json.dumps(text).encode(), dtype=np.uint8)
    }
    for name, rows in columns.items():
        width = _ARRAYS[name][1:]
        number = np.float64 if name in _FLOATS else np.int64
        arrays[name] = np.array(rows, dtype=number).reshape(-1, *(size or 1 for size in width))
    clouds = [tree.part_points for tree in trees]
    if any(cloud is not None for cloud in clouds):
        counts = [0 if cloud is None else cloud.shape[1] for cloud in clouds]
        arrays["points"] = np.array(counts, dtype=np.int64)
        rows = [cloud.reshape(-1, 3) for cloud in clouds if cloud is not None]
        arrays["part_points"] = np.concatenate(rows)
    write_arrays(path, arrays)


def is_flat(names: Iterable[str]) -> bool:
    """Whether an archive with these arrays is in this format."""
    return set(_ARRAYS) <= set(names)


def read_flat(
    path: str | Path,
    *,
    repair: RepairMode = "fix",
    report: RepairReport | None = None,
    rejects: list[str] | None = None,
) -> PartTrees:
    """Read part trees that :func:`write_flat` wrote.

    Args:
        path: A ``.npz``.
        repair: What to do with bad boxes; merge trees keep theirs.
        report: Gets the counts; without it they are warned of, once a file.
        rejects: Gets a line for every shape that cannot be read, and reading goes on; without it
            the first such shape raises.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file is damaged or of another kind.
    """
    arrays = _checked(path, read_arrays(path, names=(*_ARRAYS, *_POINTS)))
    counts = RepairReport() if report is None else report
    text = _text(path, arrays["text"])
    spans = _spans(path, arrays)
    spans["part_points"] = _point_spans(path, arrays)
    shapes = list(zip(spans["nodes"], strict=True))
    mended, problems = repair_shapes(
        [arrays["box"][a:b] for ((a, b),) in shapes],
        mode=repair,
        report=counts,
        place=lambda shape, node: f"{path}: shape {shape}: node {node}",
    )
    trees: list[PartTree] = []
    for number, boxes in mended.items():
        try:
            trees.append(_tree(arrays, text, spans, number, boxes))
        except (ValueError, IndexError, TypeError) as error:
            problems.append(f"{path}: shape {number}: {error}")
    conclude(problems, counts, path, report=report, rejects=rejects)
    return PartTrees(trees)


_FLOATS = {"box", "edge_params", "edge_dist", "merge_boxes", "merge_syms"}


def _append(tree: PartTree, columns: dict[str, list[Any]], labels: dict[str, int]) -> None:
    columns["nodes"].append(len(tree))
    columns["box"].extend(tree.box)
    columns["parent"].extend(tree.parent)
    columns["label"].extend(labels.setdefault(label, len(labels)) for label in tree.label)
    columns["instance"].extend(tree.instance)
    columns["edges"].append(len(tree.edges))
    for edge in tree.edges:
        columns["edge_kind"].append(_KINDS.index(edge.kind))
        columns["edge_nodes"].append((edge.a, edge.b))
        columns["edge_params"].append((*edge.params, *[0.0] * (7 - len(edge.params))))
        columns["edge_dist"].append(np.nan if edge.dist is None else edge.dist)
    merge = tree.merge
    columns["merge_nodes"].append(0 if merge is None else len(merge))
    if merge is not None:
        columns["merge_ops"].extend(merge.ops)
        columns["merge_boxes"].extend(merge.boxes)
        columns["merge_syms"].extend(merge.syms)
        # -1: the merge tree has no labels.
        columns["merge_label"].extend(
            [labels.setdefault(label, len(labels)) for label in merge.labels]
            or [-1] * len(merge.boxes)
        )


def _checked(path: str | Path, arrays: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    for name, shape in _ARRAYS.items():
        array = arrays.get(name)
        kinds = "f" if name in _FLOATS else "iu"
        if array is None or array.dtype.kind not in kinds or array.shape[1:] != shape[1:]:
            got = "nothing" if array is None else f"{array.shape} {array.dtype}"
            words = ", ".join("any" if size is None else str(size) for size in shape)
            raise ValueError(f"{path}: {name} must be an array ({words}); got {got}")
        if array.ndim != len(shape):
            raise ValueError(f"{path}: {name} must have {len(shape)} axes; got {array.ndim}")
    return arrays


def _text(path: str | Path, data: NDArray[Any]) -> dict[str, Any]:
    if len(data) > _MAX_LABELS_TEXT:
        raise ValueError(f"{path}: {len(data)} bytes of labels; at most {_MAX_LABELS_TEXT}")
    try:
        text = json.loads(data.astype(np.uint8).tobytes())
    except (ValueError, RecursionError):
        raise ValueError(f"{path}: the labels are not valid JSON; the file is damaged") from None
    if not isinstance(text, dict) or text.get("format") != FORMAT:
        raise ValueError(f"{path}: the format must be {FORMAT!r}")
    for name in ("labels", "names", "fronts"):
        rows = text.get(name)
        if not isinstance(rows, list) or not all(isinstance(row, str) for row in rows):
            raise ValueError(f"{path}: {name} must be a list of strings")
    return text


def _spans(path: str | Path, arrays: dict[str, NDArray[Any]]) -> dict[str, list[tuple[int, int]]]:
    """First and last row of every shape in the flat arrays."""
    counts = {name: arrays[name] for name in ("nodes", "edges", "merge_nodes")}
    count = len(counts["nodes"])
    if not count or any(len(c) != count or (c < 0).any() for c in counts.values()):
        raise ValueError(f"{path}: nodes, edges and merge_nodes must have one count a shape")
    if (counts["nodes"] < 1).any():
        raise ValueError(f"{path}: every shape must have at least one node")
    lengths = {
        "nodes": [len(arrays[k]) for k in ("box", "parent", "label", "instance")],
        "edges": [len(arrays[k]) for k in ("edge_kind", "edge_nodes", "edge_params", "edge_dist")],
        "merge_nodes": [len(arrays["merge_ops"])],
    }
    for name, sizes in lengths.items():
        # As Python numbers: damaged counts must not wrap around.
        total = sum(counts[name].tolist())
        if set(sizes) != {total}:
            raise ValueError(f"{path}: {name} must add up to the rows; got {total} for {sizes}")
    spans = {name: _cut(counts[name]) for name in counts}
    ops = arrays["merge_ops"]
    for name, op in (("merge_boxes", BOX), ("merge_syms", SYM)):
        per_shape = np.array([int((ops[a:b] == op).sum()) for a, b in spans["merge_nodes"]])
        if per_shape.sum() != len(arrays[name]):
            raise ValueError(f"{path}: {name} must have {per_shape.sum()} rows, as the ops say")
        spans[name] = _cut(per_shape)
    if len(arrays["merge_label"]) != len(arrays["merge_boxes"]):
        raise ValueError(f"{path}: merge_label must have one entry a box")
    return spans


def _point_spans(path: str | Path, arrays: dict[str, NDArray[Any]]) -> list[tuple[int, int]]:
    """First and last point of every shape; equal where it has none."""
    nodes = arrays["nodes"]
    if not set(_POINTS) <= arrays.keys():
        return [(0, 0)] * len(nodes)
    counts, points = (arrays[name] for name in _POINTS)
    if counts.shape != nodes.shape or counts.dtype.kind not in "iu" or (counts < 0).any():
        raise ValueError(f"{path}: points must have one count a shape")
    # As Python numbers: damaged counts must not wrap around.
    total = sum(a * b for a, b in zip(counts.tolist(), nodes.tolist(), strict=True))
    if points.shape != (total, 3) or points.dtype.kind != "f":
        raise ValueError(
            f"{path}: part_points must be ({total}, 3) float, as points says; "
            f"got {points.shape} {points.dtype}"
        )
    return _cut(counts * nodes)


def _cut(counts: NDArray[Any]) -> list[tuple[int, int]]:
    ends = np.cumsum(counts.astype(np.int64))
    return list(zip((ends - counts).tolist(), ends.tolist(), strict=True))


def _tree(
    arrays: dict[str, NDArray[Any]],
    text: dict[str, Any],
    spans: dict[str, list[tuple[int, int]]],
    number: int,
    boxes: NDArray[np.float64],
) -> PartTree:
    a, b = spans["nodes"][number]
    e, f = spans["edges"][number]
    g, h = spans["part_points"][number]
    rows = zip(
        arrays["edge_kind"][e:f].tolist(),
        arrays["edge_nodes"][e:f].tolist(),
        arrays["edge_params"][e:f].tolist(),
        arrays["edge_dist"][e:f].tolist(),
        strict=True,
    )
    edges = []
    for kind_number, (first, second), params, dist in rows:
        kind = _KINDS[_within(kind_number, len(_KINDS), "edge_kind")]
        values = tuple(params[: PARAMETER_COUNTS[kind]])
        if not np.isfinite(values).all():
            raise ValueError(f"parameters of a relation must be finite; got {values}")
        # NaN stands for "not known".
        edges.append(Relation(kind, first, second, values, None if dist != dist else dist))
    labels = text["labels"]
    return PartTree(
        box=boxes,
        parent=arrays["parent"][a:b].astype(np.int64),
        label=tuple(
            labels[_within(i, len(labels), "label")] for i in arrays["label"][a:b].tolist()
        ),
        edges=tuple(edges),
        instance=arrays["instance"][a:b].astype(np.int64),
        name=text["names"][number],
        front=text["fronts"][number],
        merge=_merge(arrays, labels, spans, number),
        part_points=None if g == h else arrays["part_points"][g:h].reshape(b - a, -1, 3),
    )


def _merge(
    arrays: dict[str, NDArray[Any]],
    labels: list[str],
    spans: dict[str, list[tuple[int, int]]],
    number: int,
) -> MergeTree | None:
    a, b = spans["merge_nodes"][number]
    if a == b:
        return None
    c, d = spans["merge_boxes"][number]
    e, f = spans["merge_syms"][number]
    words = arrays["merge_label"][c:d].tolist()
    known = tuple(labels[_within(i, len(labels), "merge_label")] for i in words if i != -1)
    return MergeTree(
        ops=arrays["merge_ops"][a:b],
        boxes=arrays["merge_boxes"][c:d].copy(),
        syms=arrays["merge_syms"][e:f].copy(),
        labels=known,
    )


def _within(index: int, size: int, name: str) -> int:
    if not 0 <= index < size:
        raise ValueError(f"{name} must be 0..{size - 1}; got {index}")
    return index
