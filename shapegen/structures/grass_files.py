"""GRASS's data files: binary merge trees as padded arrays, in ``.npz`` or ``.mat``.

``.npz``: ``boxes (N, B, 12)``, ``ops (N, O)``, ``syms (N, S, 8)`` and perhaps ``index (N,)``.
``.mat``, the original layout: ``box_data.mat`` with ``boxes (12, B N)``, ``op_data.mat`` with
``ops (O, N)``, ``sym_data.mat`` with ``syms (8, S N)``, tree after tree; one file with all three
is read as well. ops are padded with -1, boxes and syms with 0; the sizes of the padding are read
off the files (the authors' are B 30, O 50, S 10).

Frame: the files have y up, left-right along z, and the front at +x. Readers turn shapes to the
frame of the toolkit (front +z), writers back.

Bad boxes (directions that are not unit, zero sides) are kept in ``PartTree.merge``, since a model
that is compared with the original has to see the same numbers, and mended in the boxes of the
tree itself, by the rules of :mod:`shapegen.structures.repair`.

Reference: Li et al., *GRASS: Generative Recursive Autoencoders for Shape Structures*, 2017.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from shapegen.formats.mat import write_mat
from shapegen.formats.npz import write_arrays
from shapegen.structures.grass_arrays import MAT_FILES, PADDING, GrassArrays, read_grass_arrays
from shapegen.structures.merge_tree import BOX, SYM, MergeTree, pad
from shapegen.structures.merging import to_merge_tree, to_part_tree
from shapegen.structures.part_tree import FRONTS, PartTree, PartTrees
from shapegen.structures.repair import (
    RepairMode,
    RepairReport,
    conclude,
    repair_boxes,
    repair_shapes,
)

Frame = Literal["toolkit", "file"]
"""Front +z as everywhere in the toolkit, or +x as the file's numbers stand."""

OFFICIAL_SIZES = {"boxes": 30, "ops": 50, "syms": 10}


def read_grass(
    path: str | Path,
    *,
    frame: Frame = "toolkit",
    repair: RepairMode = "fix",
    report: RepairReport | None = None,
    rejects: list[str] | None = None,
) -> PartTrees:
    """Read a data set; every tree has its binary hierarchy in ``merge``.

    Args:
        path: A ``.npz``, a folder with the three ``.mat`` files, any of them, or one ``.mat``
            with all three arrays.
        frame: ``"toolkit"`` turns the shapes to front +z, ``"file"`` leaves them.
        repair: What to do with bad boxes; counted a box of the file, not a copy.
        report: Gets the counts; without it they are warned of, once a file.
        rejects: Gets a line for every shape that cannot be read, and reading goes on; without it
            the first such shape raises.

    Raises:
        FileNotFoundError: A file is missing.
        ValueError: An array has another shape, or a shape is not one tree in post-order.
    """
    if frame not in get_args(Frame):
        raise ValueError(f"frame must be one of {get_args(Frame)}; got {frame!r}")
    arrays = read_grass_arrays(path)
    counts = RepairReport() if report is None else report
    used, problems = _used_boxes(arrays, path)
    numbers = list(used)
    mended, refused = repair_shapes(
        list(used.values()),
        mode=repair,
        report=counts,
        place=lambda group, box: f"{path}: shape {numbers[group]}: box {box}",
    )
    problems += refused
    source = _turned(arrays) if frame == "toolkit" else arrays
    trees: list[PartTree] = []
    for group, boxes in mended.items():
        number = numbers[group]
        changed = not np.array_equal(boxes, used[number])
        try:
            trees.append(_part_tree(source, number, frame=frame, mend=changed))
        except ValueError as error:
            problems.append(f"{path}: shape {number}: {error}")
    conclude(problems, counts, path, report=report, rejects=rejects)
    return PartTrees(trees)


def write_grass(trees: Iterable[PartTree], path: str | Path) -> None:
    """Write the merge trees of part trees; those that have none get one.

    Labels, names that are not numbers, and the n-ary hierarchy are not part of this format.

    Args:
        trees: At least one.
        path: A ``.npz``, a ``.mat`` for all three arrays (one of the original's three names
            writes all three files), or a folder for the original's three files.
    """
    path = Path(path)
    trees = list(trees)
    if not trees:
        raise ValueError(f"nothing to write to {path}: at least one shape is needed")
    ops, boxes, syms = pad([to_merge_tree(tree.facing("+x")) for tree in trees])
    ops = _padded(ops, OFFICIAL_SIZES["ops"], PADDING)
    boxes = _padded(boxes, OFFICIAL_SIZES["boxes"], 0)
    syms = _padded(syms, OFFICIAL_SIZES["syms"], 0)
    if path.suffix == ".npz":
        arrays: dict[str, NDArray[Any]] = {
            "boxes": _smallest(boxes),
            "ops": ops.astype(np.int8),
            "syms": _smallest(syms),
        }
        names = [tree.name for tree in trees]
        if all(name.isdecimal() and len(name) < 10 for name in names):
            arrays["index"] = np.array(names, dtype=np.int64)
        write_arrays(path, arrays)
        return
    flat: dict[str, NDArray[Any]] = {
        "boxes": boxes.reshape(-1, 12).T,
        "ops": ops.astype(np.int16).T,
        "syms": syms.reshape(-1, 8).T,
    }
    if path.suffix == ".mat" and path.name not in MAT_FILES.values():
        write_mat(path, flat)
        return
    folder = path.parent if path.suffix == ".mat" else path
    for name, file in MAT_FILES.items():
        write_mat(folder / file, {name: flat[name]})


def _used_boxes(
    arrays: GrassArrays, path: str | Path
) -> tuple[dict[int, NDArray[np.float64]], list[str]]:
    """Boxes that a shape's ops name, and a line for every shape whose ops do not fit."""
    used: dict[int, NDArray[np.float64]] = {}
    problems = []
    lengths = (arrays.ops >= 0).sum(1)
    trailing = ((arrays.ops >= 0) == (np.arange(arrays.ops.shape[1]) < lengths[:, None])).all(1)
    counts = {op: (arrays.ops == op).sum(1) for op in (BOX, SYM)}
    for number in range(len(arrays.names)):
        place = f"{path}: shape {number}"
        boxes, syms = int(counts[BOX][number]), int(counts[SYM][number])
        if not trailing[number] or not boxes:
            problems.append(
                f"{place}: ops must be at least one box, then padding to the end; "
                f"got {arrays.ops[number].tolist()}"
            )
        elif boxes > arrays.boxes.shape[1] or syms > arrays.syms.shape[1]:
            problems.append(
                f"{place}: ops name {boxes} boxes and {syms} symmetries; there is room for "
                f"{arrays.boxes.shape[1]} and {arrays.syms.shape[1]}"
            )
        else:
            used[number] = arrays.boxes[number, :boxes]
    return used, problems


def _turned(arrays: GrassArrays) -> GrassArrays:
    """The same data in the toolkit's frame; a quarter turn is exact in floating point."""
    matrix = FRONTS["+z"] @ FRONTS["+x"].T
    boxes, syms = arrays.boxes.reshape(-1, 4, 3).copy(), arrays.syms.copy()
    # What is not finite is refused later, shape by shape.
    with np.errstate(invalid="ignore"):
        for part in (0, 2, 3):
            boxes[:, part] = boxes[:, part] @ matrix.T
        for start in (1, 4):
            syms[..., start : start + 3] = syms[..., start : start + 3] @ matrix.T
    return replace(arrays, boxes=boxes.reshape(arrays.boxes.shape), syms=syms)


def _part_tree(arrays: GrassArrays, number: int, *, frame: Frame, mend: bool) -> PartTree:
    ops = arrays.ops[number]
    ops = ops[ops >= 0]
    merge = MergeTree(
        ops=ops,
        boxes=arrays.boxes[number, : int((ops == BOX).sum())].copy(),
        syms=arrays.syms[number, : int((ops == SYM).sum())].copy(),
    )
    front = "+x" if frame == "file" else "+z"
    tree = to_part_tree(merge, name=arrays.names[number], official=True, front=front)
    return replace(tree, box=repair_boxes(tree.box)) if mend else tree


def _padded(array: NDArray[Any], size: int, value: int) -> NDArray[Any]:
    """At least ``size`` entries along axis 1, as the original's loader expects."""
    missing = max(size - array.shape[1], 0)
    width = [(0, 0), (0, missing)] + [(0, 0)] * (array.ndim - 2)
    return np.pad(array, width, constant_values=value)


def _smallest(array: NDArray[np.float64]) -> NDArray[Any]:
    """float32, as in the published data, where that loses nothing."""
    single = array.astype(np.float32)
    return single if np.array_equal(single, array) else array
