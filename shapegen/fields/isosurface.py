r"""Where a density crosses a level: marching cubes, block by block.

What is interpolated between the nodes of the grid is not the density but the share of light

.. math:: a = 1 - 2^{-\sigma / \text{level}}

that it holds back over the length at which the level holds back half: the same surface, without
the steps that linear interpolation makes of densities which rise by orders of magnitude in a cell.

References: Lorensen and Cline, *Marching Cubes: A High Resolution 3D Surface Construction
Algorithm*, 1987; Lewiner, Lopes, Vieira and Tavares, *Efficient Implementation of Marching Cubes'
Cases with Topological Guarantees*, 2003, as scikit-image has it.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Array = NDArray[np.float64]
Index = NDArray[np.int64]
Density = Callable[[Tensor], Tensor]

STEPS = 32
"""The level that is chosen where none is given holds back half of the light on one so many-th of
the longest side of the bounds: ``level = STEPS log(2) / side``."""
BLOCK = 48
"""Cells along a side of a block: what bounds the memory, with (BLOCK + 1)^3 points at once."""
_LEAST = 5e-4
"""Least distance of a node's share from that of the level: vertices keep off the nodes by a
thousandth of a cell, so that each is on one known edge of the grid."""


@dataclass(frozen=True)
class Grid:
    """Nodes of cubic cells; the outermost layer is outside of the bounds, and counts as empty."""

    low: Array
    """``(3,)``: place of the first node."""
    cell: float
    """Length of a cell's side."""
    nodes: tuple[int, int, int]
    """Along x, y, z."""

    @classmethod
    def over(cls, bounds: Array, resolution: int) -> Grid:
        """The grid with ``resolution`` cells along the longest side of bounds ``(2, 3)``."""
        sides = bounds[1] - bounds[0]
        cell = float(sides.max()) / resolution
        inner = np.ceil(sides / cell - 1e-9).astype(np.int64)
        low = 0.5 * (bounds[0] + bounds[1]) - 0.5 * cell * inner - cell
        x, y, z = (inner + 3).tolist()
        return cls(low, cell, (x, y, z))

    def blocks(self, size: int) -> Iterator[tuple[Index, Index]]:
        """First and last node ``(3,)`` of blocks of ``size`` cells; neighbours share nodes."""
        starts = [range(0, count - 1, size) for count in self.nodes]
        for start in itertools.product(*starts):
            first = np.array(start)
            yield first, np.minimum(first + size, np.array(self.nodes) - 1)


def auto_level(bounds: Array, spacing: float = 0.0) -> float:
    """The level where none is given; see :data:`STEPS`.

    Args:
        bounds: ``(2, 3)``.
        spacing: Distance of the samples that a field is known by: nothing that is thinner has its
            own density, so where it is the longer way the light is held back on that.
    """
    return math.log(2) / max(float((bounds[1] - bounds[0]).max()) / STEPS, spacing)


def isosurface(
    density: Density,
    bounds: Array,
    *,
    resolution: int = 128,
    level: float | None = None,
    block: int = BLOCK,
) -> tuple[Array, Index]:
    """Find the closed surface that parts what is denser than a level from the rest.

    Args:
        density: Of points ``(n, 3)`` float32; called for a block at a time.
        bounds: ``(2, 3)``; outside of it all is empty, so the surface is closed there too.
        resolution: Cells along the longest side.
        level: In units of the density; default: :func:`auto_level`.
        block: Cells along a side of a block. The result does not depend on it.

    Returns:
        Vertices ``(v, 3)`` in the frame of the points, and faces ``(f, 3)``, counter-clockwise
        seen from outside.

    Raises:
        ValueError: An argument out of its range, densities of another number or not finite, or no
            density above the level; the message says what densities were met.
    """
    corners = np.asarray(bounds, dtype=np.float64)
    if corners.shape != (2, 3) or not (corners[1] > corners[0]).all():
        raise ValueError(f"bounds must be (2, 3), low below high; got {corners.tolist()}")
    if resolution < 2 or block < 1:
        raise ValueError(
            f"resolution must be at least 2 and block at least 1; got {resolution} and {block}"
        )
    level = auto_level(corners) if level is None else level
    if not 0 < level < math.inf:
        raise ValueError(f"level must be above 0 and finite; got {level}")
    grid = Grid.over(corners, resolution)
    pieces: list[tuple[Index, Array, Index]] = []
    least, most = math.inf, -math.inf
    for first, last in grid.blocks(block):
        values = _densities(density, grid, first, last)
        least, most = min(least, float(values.min())), max(most, float(values.max()))
        found = _block_surface(values, level, first, grid)
        if found is not None:
            pieces.append(found)
    if not pieces:
        raise ValueError(
            f"no surface at the level {level:g}: the densities met are {least:g} to {most:g}"
        )
    return _joined(pieces, grid)


def _densities(density: Density, grid: Grid, first: Index, last: Index) -> Array:
    """Densities ``(x, y, z)`` at the nodes of a block."""
    numbers = [np.arange(low, high + 1) for low, high in zip(first, last, strict=True)]
    nodes = np.stack(np.meshgrid(*numbers, indexing="ij"), axis=-1)
    border = ((nodes == 0) | (nodes == np.array(grid.nodes) - 1)).any(-1)
    values = np.zeros(nodes.shape[:3])
    points = grid.low + grid.cell * nodes[~border]
    if len(points):
        with torch.no_grad():
            given = density(torch.from_numpy(points.astype(np.float32)))
        if tuple(given.shape) != (len(points),) or not bool(torch.isfinite(given).all()):
            raise ValueError(
                f"densities must be finite and ({len(points)},), one a point; "
                f"got {tuple(given.shape)}"
            )
        values[~border] = given.detach().cpu().double().numpy()
    return values


def _block_surface(
    values: Array, level: float, first: Index, grid: Grid
) -> tuple[Index, Array, Index] | None:
    """Keys and places of the vertices of a block, and its faces; None: it has no surface.

    A key is the number of the edge of the whole grid that a vertex lies on, -1 for the rare ones
    in the middle of a cell.
    """
    from skimage import measure

    share = 0.5 - np.exp2(-np.maximum(values, 0.0) / level)
    if not share.min() < 0 < share.max():
        return None
    share = np.where(share < 0, np.minimum(share, -_LEAST), np.maximum(share, _LEAST))
    march: Callable[..., Any] = measure.marching_cubes
    places, faces, _, _ = march(share.astype(np.float32), 0.0, gradient_direction="ascent")
    places = places.astype(np.float64)
    node = np.rint(places)
    off = np.abs(places - node) > 0.2 * _LEAST
    # On an edge two coordinates are whole; rounding must not blur that.
    places = np.where(off, places, node) + first
    lower = np.floor(places).astype(np.int64)
    number = np.ravel_multi_index(tuple(lower.T), grid.nodes)
    keys = np.where(off.sum(1) == 1, 3 * number + off.argmax(1), -1)
    return keys, places, faces.astype(np.int64)


def _joined(pieces: list[tuple[Index, Array, Index]], grid: Grid) -> tuple[Array, Index]:
    """One surface of those of the blocks: what lies on one edge of the grid is one vertex."""
    starts = np.cumsum([0, *(len(keys) for keys, _, _ in pieces)])
    keys = np.concatenate([keys for keys, _, _ in pieces])
    places = np.concatenate([places for _, places, _ in pieces])
    faces = np.concatenate(
        [faces + start for (_, _, faces), start in zip(pieces, starts, strict=False)]
    )
    inner = keys < 0
    # A negative number of its own for every vertex inside a cell.
    keys[inner] = -1 - np.arange(inner.sum())
    _, kept, number = np.unique(keys, return_index=True, return_inverse=True)
    return grid.low + grid.cell * places[kept], number[faces]
