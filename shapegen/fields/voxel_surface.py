"""The surface of full cells as a closed mesh, and their connected pieces."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from shapegen.scene import Mesh

INSET = 0.02
"""Where two cells touch along an edge alone, how far its middle moves into each, in cells."""

Index = NDArray[np.int64]


def voxel_surface(occupancy: NDArray[np.bool_], extent: float = 1.0) -> Mesh:
    """Build the faces between full and empty cells, counter-clockwise seen from outside.

    Every edge of the mesh has two triangles. Two full cells that touch along an edge alone would
    give it four: there the edge's middle becomes two vertices, one a cell, a little inside of it
    (:data:`INSET`), so that programs that merge equal vertices keep them apart.

    Args:
        occupancy: ``(d, h, w)``, along z, y, x.
        extent: Length of the grid's longest side; its middle is the origin.

    Returns:
        The mesh, empty where no cell is full.
    """
    full = np.asarray(occupancy, dtype=bool)
    quads, cells = _quads(full)
    size = np.array(full.shape[::-1])
    if not len(quads):
        return Mesh(np.empty((0, 3)), np.empty((0, 3), dtype=np.int64))
    names, corners = np.unique(_numbered(quads, size), return_inverse=True)
    corners = corners.reshape(-1, 4)
    points = np.stack(np.unravel_index(names, tuple(size + 1)), axis=1).astype(np.float64)
    points, faces = _triangles(points, corners, cells)
    return Mesh((points - size / 2) * (extent / size.max()), faces)


def largest_piece(occupancy: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Keep of a grid ``(d, h, w)`` the largest piece of cells that share faces."""
    labels, count = pieces(occupancy)
    if count < 2:
        return np.asarray(occupancy, dtype=bool)
    kept: NDArray[np.bool_] = labels == 1 + np.bincount(labels[labels > 0] - 1).argmax()
    return kept


def pieces(occupancy: NDArray[np.bool_]) -> tuple[Index, int]:
    """Number ``(d, h, w)`` of the piece of every full cell, from 1 (0: empty); how many."""
    from scipy import ndimage

    labels, count = ndimage.label(np.asarray(occupancy, dtype=bool))
    return labels.astype(np.int64), int(count)


def _quads(full: NDArray[np.bool_]) -> tuple[Index, Index]:
    """Lattice corners ``(m, 4, 3)`` of the faces in x, y, z, and the full cell of each."""
    padded = np.pad(full, 1)
    quads, cells = [], []
    for axis in range(3):
        along = np.eye(3, dtype=np.int64)
        normal, u, v = along[axis], along[(axis + 1) % 3], along[(axis + 2) % 3]
        for side in (0, 1):
            # The neighbour on this side: in the padded grid one cell back or forth.
            beside = np.roll(padded, 1 - 2 * side, axis=2 - axis)[1:-1, 1:-1, 1:-1]
            found = np.argwhere(full & ~beside)[:, ::-1]
            ring = np.array([0 * u, u, u + v, v]) if side else np.array([0 * u, v, u + v, u])
            quads.append(found[:, None] + side * normal + ring)
            cells.append(found)
    return np.concatenate(quads), np.concatenate(cells)


def _numbered(places: Index, size: Index) -> Index:
    """One number for every point of the lattice."""
    numbers: Index = np.ravel_multi_index(tuple(np.moveaxis(places, -1, 0)), tuple(size + 1))
    return numbers


def _triangles(
    points: NDArray[np.float64], corners: Index, cells: Index
) -> tuple[NDArray[np.float64], Index]:
    """Cut quads into two triangles, those with an edge of four faces into a fan."""
    following = np.roll(corners, -1, axis=1)
    edges = np.sort(np.stack([corners, following], axis=2).reshape(-1, 2), axis=1)
    _, edge, count = np.unique(edges, axis=0, return_inverse=True, return_counts=True)
    edge = edge.reshape(corners.shape)
    crossed: NDArray[np.bool_] = count[edge] > 2
    fan = np.flatnonzero(crossed.any(1))
    whole = np.flatnonzero(~crossed.any(1))
    plain = corners[whole]
    faces = [plain[:, [0, 1, 2]], plain[:, [0, 2, 3]]]
    centre = np.full(len(corners), -1)
    centre[fan] = len(points) + np.arange(len(fan))
    points = np.concatenate([points, points[corners[fan]].mean(1)])
    spokes = np.stack([np.repeat(centre[:, None], 4, 1), corners, following], axis=2)
    faces.append(spokes[fan][~crossed[fan]])
    quad, place = np.nonzero(crossed)
    # A full cell's two faces at such an edge share its middle.
    keys = np.column_stack([edge[quad, place], cells[quad]])
    _, first, middle = np.unique(keys, axis=0, return_index=True, return_inverse=True)
    middle = len(points) + middle.reshape(-1)
    halves = spokes[quad, place]
    at = points[halves[first, 1:]].mean(1)
    inside = cells[quad[first]] + 0.5 - at
    points = np.concatenate([points, at + INSET * inside])
    faces.append(np.column_stack([halves[:, 0], halves[:, 1], middle]))
    faces.append(np.column_stack([halves[:, 0], middle, halves[:, 2]]))
    return points, np.concatenate(faces)
