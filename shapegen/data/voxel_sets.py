"""Voxels of part trees: cells whose middles lie in a box of a leaf."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from shapegen.core import boxes as box_algebra
from shapegen.fields.voxels import Voxels
from shapegen.structures.part_tree import PartTree, PartTrees

SIZE = 32
"""Cells along a side where nothing else is asked for."""
MARGIN = 1
"""Empty cells that are kept on all sides."""


def as_voxels(shapes: Any, size: int = SIZE) -> Voxels:
    """Voxels of ``size`` cells a side, from part trees or from voxels that have them already.

    Raises:
        TypeError: Shapes of another kind.
        ValueError: ``size`` is too small, or voxels have another one.
    """
    if isinstance(shapes, PartTrees):
        return voxelise_part_trees(shapes, size)
    voxels = Voxels.of(shapes)
    if tuple(voxels.occupancy.shape[1:]) != (size, size, size):
        got = " x ".join(map(str, voxels.occupancy.shape[1:]))
        raise ValueError(f"voxels of {size} x {size} x {size} cells are needed; got {got}")
    return voxels


def voxelise_part_trees(trees: Sequence[PartTree], size: int = SIZE) -> Voxels:
    """Fill the cells in the leaves' boxes, every shape fitted into a cube of side 1.

    A shape is moved so that the middle of its bounds is the middle of the cube, and scaled, alike
    in all directions, so that its longest side leaves :data:`MARGIN` cells at both ends.

    Args:
        trees: At least one; all are turned to front +z.
        size: Cells along a side, at least 4.

    Raises:
        ValueError: There are no trees, the size is too small or a shape has no extent.
    """
    if size < 2 * MARGIN + 2:
        raise ValueError(f"a grid needs at least {2 * MARGIN + 2} cells a side; got {size}")
    if not len(trees):
        raise ValueError("at least one part tree is needed; got none")
    grids = []
    for tree in trees:
        boxes = tree.facing("+z").boxes()
        low, high = box_algebra.bounds(boxes)
        longest = float((high - low).max())
        if not 0 < longest < float("inf"):
            raise ValueError(f"a shape needs an extent to be voxelised; {tree.name!r} has none")
        scale = (1 - 2 * MARGIN / size) / longest
        middle = -scale * (low + high) / 2
        fitted = box_algebra.transformed(boxes, scale=scale, translation=middle)
        grids.append(boxes_occupancy(fitted, size))
    return Voxels(np.stack(grids), 1.0, [tree.name for tree in trees])


def boxes_occupancy(boxes: ArrayLike, size: int) -> NDArray[np.bool_]:
    r"""Cells ``(size, size, size)``, along z, y, x, of the unit cube about the origin.

    A cell is full if its middle is in a box. A box thinner than cells would fall between them, so
    half its thickness along its unit axis a counts as at least half a cell times
    :math:`|a_x| + |a_y| + |a_z|`: then a thin plate has no hole that a path through cells' faces
    could take.

    Args:
        boxes: ``(n, 12)``.
        size: Cells along a side.

    Reference: Cohen-Or and Kaufman, *Fundamentals of Surface Voxelization*, 1995 (which thickness
    separates).
    """
    boxes = box_algebra.as_boxes(boxes)
    frames, half = box_algebra.axes(boxes), 0.5 * np.abs(boxes[:, 3:6])
    half = np.maximum(half, np.abs(frames).sum(2) / (2 * size))
    reach = np.einsum("nad,na->nd", np.abs(frames), half)
    middles = (np.arange(size) + 0.5) / size - 0.5
    full = np.zeros((size, size, size), dtype=bool)
    first = np.searchsorted(middles, boxes[:, :3] - reach, side="left")
    last = np.searchsorted(middles, boxes[:, :3] + reach, side="right")
    for box, frame, most, start, stop in zip(boxes, frames, half, first, last, strict=True):
        x, y, z = (middles[a:b] - c for a, b, c in zip(start, stop, box[:3], strict=True))
        places = np.stack(np.broadcast_arrays(x, y[:, None], z[:, None, None]), axis=-1)
        # Half open, or a box of one cell whose faces run through middles would have two.
        along = places @ frame.T + most
        inside = ((along >= -_EPSILON) & (along < 2 * most - _EPSILON)).all(-1)
        window = np.s_[start[2] : stop[2], start[1] : stop[1], start[0] : stop[0]]
        full[window] |= inside
    return full


_EPSILON = 1e-9
"""Of the cube's side: middles that rounding puts beside a face lie on it."""
