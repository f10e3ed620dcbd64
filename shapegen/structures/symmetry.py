"""GRASS's symmetry vectors: how many copies they stand for, and where the copies are.

A vector is ``(type, direction 3, point 3, parameter)`` as in
:class:`~shapegen.structures.merge_tree.MergeTree`; type :data:`NONE` stands for "no symmetry".

Two readings of a predicted vector exist. The official one leaves a type that is .15 or more away
from -1, 0 and 1 without copies, turns by 3.1415 for pi and takes the angle from the raw parameter.
Ours takes the nearest type, exact angles, and at least two folds: no symmetry is dropped in
silence.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from shapegen.core.boxes import as_boxes
from shapegen.structures.merge_tree import REFLECTIVE, ROTATIONAL, TRANSLATIONAL

Array = NDArray[np.float64]

NONE = 10.0
"""Type of a vector that is no symmetry."""

OFFICIAL_TOLERANCE = 0.15
OFFICIAL_PI = 3.1415


def kinds(syms: ArrayLike, *, official: bool = False) -> Array:
    """Type ``(m,)`` of every vector: ROTATIONAL, TRANSLATIONAL, REFLECTIVE or NONE."""
    raw = _as_syms(syms)[:, 0]
    nearest = np.clip(np.round(raw), ROTATIONAL, REFLECTIVE)
    far = raw == NONE
    if official:
        far |= np.abs(raw - nearest) >= OFFICIAL_TOLERANCE
    return np.where(far, NONE, nearest)


def copy_counts(centres: ArrayLike, syms: ArrayLike, *, official: bool = False) -> Array:
    """Copies ``(m,)`` beside the original that every vector stands for; may be infinite.

    Args:
        centres: ``(m, 3)``, what a translation measures the way to its end position from.
        syms: ``(m, 8)``.
        official: Read the vectors as the authors' code does.
    """
    syms = _as_syms(syms)
    kind = kinds(syms, official=official)
    with np.errstate(divide="ignore", invalid="ignore"):
        folds = np.round(1.0 / syms[:, 7])
        reach = np.linalg.norm(syms[:, 4:7] - np.asarray(centres, dtype=np.float64), axis=1)
        steps = np.round(reach / np.linalg.norm(syms[:, 1:4], axis=1))
    least = 0.0 if official else 1.0
    counts = np.select(
        [kind == ROTATIONAL, kind == TRANSLATIONAL, kind == REFLECTIVE],
        [np.maximum(folds - 1, least), steps, 1.0],
        0.0,
    )
    return np.nan_to_num(counts, nan=0.0, posinf=np.inf)


def expand(
    boxes: ArrayLike,
    syms: ArrayLike,
    *,
    official: bool = False,
    counts: ArrayLike | None = None,
    max_copies: int = 64,
) -> tuple[Array, NDArray[np.int64]]:
    """Replace every box by itself and its copies under its own symmetry vector.

    Args:
        boxes: ``(m, 12)`` generators.
        syms: ``(m, 8)``, a row a box.
        official: Read the vectors as the authors' code does (see the module).
        counts: Copies ``(m,)`` to make; default :func:`copy_counts` of the boxes' centres. A
            generator of several boxes needs one count for all of them.
        max_copies: More copies than this are cut off; ask :func:`copy_counts` to know.

    Returns:
        The boxes ``(M, 12)``, each original followed by its copies, and the row ``(M,)`` of
        ``boxes`` that each came from.

    Reference: Li et al., *GRASS*, 2017, section 3, and the authors' ``decode_structure``.
    """
    boxes, syms = as_boxes(boxes), _as_syms(syms)
    if len(boxes) != len(syms):
        raise ValueError(f"one symmetry vector a box; got {len(boxes)} and {len(syms)}")
    if counts is None:
        counts = copy_counts(boxes[:, :3], syms, official=official)
    repeats = 1 + np.clip(np.asarray(counts), 0, max_copies).astype(np.int64)
    source = np.repeat(np.arange(len(boxes)), repeats)
    copy = np.arange(len(source)) - np.repeat(np.cumsum(repeats) - repeats, repeats)
    kind = np.where(copy == 0, NONE, kinds(syms, official=official)[source])
    out = boxes[source]
    rows = kind == ROTATIONAL
    if rows.any():
        folds = repeats[source[rows]].astype(np.float64)
        angle = 2 * np.pi * copy[rows] / folds
        if official:
            angle = syms[source[rows], 7] * 2 * OFFICIAL_PI * copy[rows]
        out[rows] = _rotated(out[rows], syms[source[rows]], angle)
    rows = kind == TRANSLATIONAL
    if rows.any():
        out[rows, :3] += copy[rows, None] * syms[source[rows], 1:4]
    rows = kind == REFLECTIVE
    if rows.any():
        out[rows] = _reflected(out[rows], syms[source[rows]])
    return out, source


def canonicalised(syms: ArrayLike, centres: ArrayLike) -> Array:
    """The same symmetries in one description each, as far as that is possible.

    A plane or an axis has two directions and any number of points: the direction gets a positive
    largest component, the point becomes the one closest to the origin. A translation's end
    position becomes the centre of the last copy. Type and directions become exact.

    Args:
        syms: ``(m, 8)``.
        centres: ``(m, 3)``: centre of the part that every symmetry repeats.
    """
    syms, centres = _as_syms(syms), np.asarray(centres, dtype=np.float64)
    out = syms.copy()
    kind = kinds(syms)
    out[:, 0] = kind
    rows = (kind == ROTATIONAL) | (kind == REFLECTIVE)
    direction = _unit(syms[:, 1:4])
    leading = np.abs(direction).argmax(1)
    sign = np.sign(direction[np.arange(len(syms)), leading])
    direction = direction * np.where(sign == 0, 1.0, sign)[:, None]
    along = (direction * syms[:, 4:7]).sum(1, keepdims=True) * direction
    out[rows, 1:4] = direction[rows]
    plane = kind == REFLECTIVE
    out[plane, 4:7] = along[plane]
    out[plane, 7] = 0.0
    axis = kind == ROTATIONAL
    out[axis, 4:7] = (syms[:, 4:7] - along)[axis]
    step = kind == TRANSLATIONAL
    copies = copy_counts(centres, syms)
    moved = step & (copies > 0) & np.isfinite(copies)
    out[moved, 4:7] = centres[moved] + copies[moved, None] * syms[moved, 1:4]
    out[step, 7] = 0.0
    return out


def rotation_matrices(axis: Array, angle: Array) -> Array:
    """Matrices ``(m, 3, 3)`` that turn by ``angle`` (m,) radians about unit axes ``(m, 3)``."""
    x, y, z = axis.T
    zero = np.zeros_like(x)
    cross = np.stack([zero, -z, y, z, zero, -x, -y, x, zero], axis=1).reshape(-1, 3, 3)
    sine, versine = np.sin(angle)[:, None, None], 1 - np.cos(angle)[:, None, None]
    result: Array = np.eye(3) + sine * cross + versine * (cross @ cross)
    return result


def _rotated(boxes: Array, syms: Array, angle: Array) -> Array:
    matrix = rotation_matrices(_unit(syms[:, 1:4]), angle)
    pivot = syms[:, 4:7]
    out = boxes.copy()
    out[:, :3] = np.einsum("mij,mj->mi", matrix, boxes[:, :3] - pivot) + pivot
    out[:, 6:9] = np.einsum("mij,mj->mi", matrix, boxes[:, 6:9])
    out[:, 9:12] = np.einsum("mij,mj->mi", matrix, boxes[:, 9:12])
    return out


def _reflected(boxes: Array, syms: Array) -> Array:
    normal = _unit(syms[:, 1:4])
    out = boxes.copy()
    out[:, :3] += 2 * ((syms[:, 4:7] - boxes[:, :3]) * normal).sum(1, keepdims=True) * normal
    for column in (6, 9):
        direction = boxes[:, column : column + 3]
        along = (direction * normal).sum(1, keepdims=True)
        out[:, column : column + 3] = direction - 2 * along * normal
    return out


def _unit(vectors: Array) -> Array:
    unit: Array = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    return unit


def _as_syms(values: ArrayLike) -> Array:
    syms = np.asarray(values, dtype=np.float64)
    if syms.ndim != 2 or syms.shape[1] != 8:
        raise ValueError(f"symmetry vectors must be (m, 8); got {syms.shape}")
    return syms
