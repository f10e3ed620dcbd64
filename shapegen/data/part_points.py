"""Point clouds of parts: StructureNet's ``chair_geo/<id>.npz`` beside ``chair_hier/<id>.json``.

``parts`` is ``(nodes, points, 3)``: row k is the node with the id k, inner nodes included. What is
in a node and in none of its children has the id -1 there; its points are in ``other_parts``, in
the row in which ``other_ids`` has the id of the parent.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from shapegen.formats.compressed import existing
from shapegen.formats.npz import array_shapes, read_arrays, write_arrays
from shapegen.structures.part_tree import PartTree, PartTrees

Points = NDArray[np.float32]


def read_part_points(path: str | Path, tree: PartTree, *, spare: bool = False) -> Points:
    """Read the points ``(n, p, 3)`` of every node of a shape, in the order of its nodes.

    Args:
        path: ``<id>.npz``.
        tree: The shape; its ``instance`` holds the ids of the file.
        spare: Accept rows that belong to no node.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is damaged; the arrays are not as above, not finite, or have not a row for
            every node.
    """
    path = existing(path)
    names = array_shapes(path)
    if "parts" not in names:
        listed = ", ".join(sorted(names)) or "none"
        raise ValueError(f"{path}: 'parts' (nodes, points, 3) is needed; its arrays are {listed}")
    arrays = read_arrays(path, names=("parts", "other_parts", "other_ids"))
    parts = _checked(path, "parts", arrays["parts"])
    ids = tree.instance
    rows = np.flatnonzero(ids >= 0)
    if len(parts) != len(rows) and not (spare and len(parts) > len(rows)):
        raise ValueError(
            f"{path}: 'parts' must have one row a node of shape {tree.name!r} ({len(rows)}); "
            f"got {len(parts)}"
        )
    if len(rows) and ids[rows].max() >= len(parts):
        beyond = int(rows[ids[rows].argmax()])
        raise ValueError(
            f"{path}: node {beyond} of shape {tree.name!r} has the id {ids[beyond]}; "
            f"'parts' has the rows 0..{len(parts) - 1}"
        )
    points = np.empty((len(tree), *parts.shape[1:]), dtype=np.float32)
    points[rows] = parts[ids[rows]]
    others = np.flatnonzero(ids < 0)
    if len(others):
        rest, parents = _others(path, arrays, parts)
        for node in others.tolist():
            found = np.flatnonzero(parents == ids[tree.parent[node]])
            if not len(found):
                raise ValueError(
                    f"{path}: 'other_ids' has no row for node {node} of shape {tree.name!r}, "
                    f"whose parent has the id {ids[tree.parent[node]]}"
                )
            points[node] = rest[found[0]]
    return points


def check_part_points(path: str | Path) -> int:
    """Check the arrays of a file alone, and count the nodes that it has points of.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: As in :func:`read_part_points`.
    """
    arrays = read_arrays(path, names=("parts", "other_parts", "other_ids"))
    parts = _checked(Path(path), "parts", arrays["parts"])
    return len(parts) + len(_others(Path(path), arrays, parts)[0])


def read_geometry(
    folder: str | Path, trees: Sequence[PartTree], *, spare: bool = False
) -> list[Points]:
    """Read the points ``(n, p, 3)`` of every shape from a folder of ``<id>.npz``.

    Args:
        folder: Such as ``chair_geo``.
        trees: Shapes named by their ids.
        spare: As in :func:`read_part_points`.

    Raises:
        FileNotFoundError: The folder, or the file of a shape, is not there.
        ValueError: As :func:`read_part_points`; or the numbers of points differ.
    """
    folder = existing(folder)
    found: list[Points] = []
    for tree in trees:
        if Path(tree.name).name != tree.name:
            raise ValueError(f"a shape's name must be that of a file; got {tree.name!r}")
        found.append(read_part_points(folder / f"{tree.name}.npz", tree, spare=spare))
        if found[-1].shape[1] != found[0].shape[1]:
            raise ValueError(
                f"{folder}: shapes must have equally many points a part; got "
                f"{found[0].shape[1]} of {trees[0].name!r}, {found[-1].shape[1]} of {tree.name!r}"
            )
    return found


def folders_beside(folder: Path) -> tuple[Path, Path] | None:
    """The folders of hierarchies and of points that a folder is one of, if both are there."""
    for end, name in (("_hier", "_geo"), ("_geo", "_hier")):
        other = folder.parent / f"{folder.name.removesuffix(end)}{name}"
        if folder.name.endswith(end) and other.is_dir():
            return (folder, other) if end == "_hier" else (other, folder)
    return None


def geometry_problems(folder: str | Path, trees: Iterable[PartTree]) -> tuple[list[str], int]:
    """Hold the files of a folder against the shapes that they are of.

    Returns:
        A line for every file that :func:`read_part_points` refuses, and the number of shapes
        that have no file.
    """
    problems: list[str] = []
    missing = 0
    for tree in trees:
        path = Path(folder) / f"{tree.name}.npz"
        if not path.is_file():
            missing += 1
            continue
        try:
            read_part_points(path, tree)
        except (ValueError, OSError) as error:
            problems.append(str(error))
    return problems, missing


def with_geometry(folder: str | Path, trees: Sequence[PartTree]) -> PartTrees:
    """The shapes with the points of their parts that :func:`read_geometry` reads.

    Raises:
        FileNotFoundError: As :func:`read_geometry`.
        ValueError: As :func:`read_geometry`.
    """
    found = read_geometry(folder, trees)
    return PartTrees(
        [replace(tree, part_points=points) for tree, points in zip(trees, found, strict=True)]
    )


def write_geometry(
    folder: str | Path, trees: Iterable[PartTree], points: Iterable[NDArray[np.floating]]
) -> None:
    """Write a folder of ``<id>.npz`` that :func:`read_geometry` reads.

    Args:
        folder: Made if it is not there.
        trees: Shapes named by their ids.
        points: ``(n, p, 3)`` of every shape, in the order of its nodes.

    Raises:
        ValueError: Points are not as above, or ids are not 0..n-1 or negative.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for tree, cloud in zip(trees, points, strict=True):
        place = folder / f"{tree.name}.npz"
        rows = _checked(place, "points", np.asarray(cloud))
        if len(rows) != len(tree):
            raise ValueError(f"{place}: one cloud a node ({len(tree)}) is due; got {len(rows)}")
        own = np.flatnonzero(tree.instance >= 0)
        if sorted(tree.instance[own].tolist()) != list(range(len(own))):
            raise ValueError(f"{place}: ids must be 0..{len(own) - 1}; renumber the shape's nodes")
        parts = np.empty((len(own), *rows.shape[1:]), dtype=np.float32)
        parts[tree.instance[own]] = rows[own]
        arrays: dict[str, NDArray[np.generic]] = {"parts": parts}
        others = np.flatnonzero(tree.instance < 0)
        if len(others):
            arrays["other_parts"] = rows[others]
            arrays["other_ids"] = tree.instance[tree.parent[others]]
        write_arrays(place, arrays)


def _others(
    path: Path, arrays: dict[str, NDArray[np.generic]], parts: Points
) -> tuple[Points, NDArray[np.generic]]:
    """Points of the unlabelled rest, and the ids of the nodes that it is in; maybe none."""
    if not {"other_parts", "other_ids"} <= arrays.keys():
        return parts[:0], np.empty(0, np.int64)
    parents = arrays["other_ids"].reshape(-1)
    if not len(arrays["other_parts"]):
        return parts[:0], parents
    rest = _checked(path, "other_parts", arrays["other_parts"], like=parts)
    if len(parents) != len(rest):
        raise ValueError(
            f"{path}: 'other_ids' must have one entry a row of 'other_parts' ({len(rest)}); "
            f"got {len(parents)}"
        )
    return rest, parents


def _checked(
    path: Path, name: str, array: NDArray[np.generic], like: Points | None = None
) -> Points:
    wanted = "(nodes, points, 3)" if like is None else f"(rows, {like.shape[1]}, 3)"
    fits = array.ndim == 3 and array.shape[2] == 3 and array.shape[1] > 0
    if like is not None:
        fits = fits and array.shape[1:] == like.shape[1:]
    if not fits or array.dtype.kind != "f":
        raise ValueError(
            f"{path}: '{name}' must be {wanted} float; got {array.shape} {array.dtype}"
        )
    points = array.astype(np.float32)
    bad = ~np.isfinite(points)
    if bad.any():
        place = np.argwhere(bad)[0].tolist()
        raise ValueError(f"{path}: '{name}' must be finite; {name}{place} is not")
    return points
