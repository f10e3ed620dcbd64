"""The coloured mesh of a field: its surface at a level, with normals and colours of the field."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from shapegen.fields.density import DensityField, Sampled
from shapegen.fields.isosurface import auto_level, isosurface
from shapegen.scene import Mesh

Array = NDArray[np.float64]
Index = NDArray[np.int64]

_CHUNK = 2**16
"""Points that a field is asked for at once."""


@dataclass(frozen=True)
class SurfaceOptions:
    """How surfaces are found."""

    resolution: int = 128
    """Cells along the longest side of the bounds."""
    level: float | None = None
    """In units of the density; None: half of the light is held back on one 32nd of the longest
    side of the bounds, or from one of the samples to the next that the field was learnt from, if
    that is farther."""
    largest: bool = False
    """Keep the piece with the largest area alone."""
    faces: int | None = None
    """Simplify to about so many triangles, which needs Open3D; None: as they are."""

    def __post_init__(self) -> None:
        if self.resolution < 2:
            raise ValueError(f"resolution must be at least 2 cells; got {self.resolution}")
        if self.level is not None and not self.level > 0:
            raise ValueError(f"level must be above 0; got {self.level}")
        if self.faces is not None and self.faces < 4:
            raise ValueError(f"faces must be at least 4; got {self.faces}")


def field_surface(field: DensityField, options: SurfaceOptions | None = None) -> Mesh:
    """Find the surface of a field, in the field's own frame and unit.

    Normals point against the gradient of the density; they and the colours are those of the field
    at the vertices, after any simplification.

    Raises:
        ValueError: There is no density above the level; the message says what densities were met.
        ImportError: Simplification without Open3D.
    """
    options = options or SurfaceOptions()
    bounds = field.bounds.detach().cpu().double().numpy()
    level = surface_level(field) if options.level is None else options.level
    vertices, faces = isosurface(field.density, bounds, resolution=options.resolution, level=level)
    if options.largest:
        vertices, faces = largest_piece(vertices, faces)
    if options.faces is not None and options.faces < len(faces):
        vertices, faces = simplified(vertices, faces, options.faces)
    cell = float((bounds[1] - bounds[0]).max()) / options.resolution
    colors = _asked(field.color, vertices).clip(0.0, 1.0)
    return Mesh(
        vertices,
        faces,
        vertex_colors=colors,
        vertex_normals=_normals(field, vertices, faces, 0.5 * cell, level),
    )


def surface_level(field: DensityField) -> float:
    """The level of a field where none is given; see :class:`SurfaceOptions`."""
    spacing = field.spacing if isinstance(field, Sampled) else 0.0
    return auto_level(field.bounds.detach().cpu().double().numpy(), spacing)


def largest_piece(vertices: Array, faces: Index) -> tuple[Array, Index]:
    """The connected piece of a mesh with the largest area."""
    own, areas = _pieces(vertices, faces)
    kept = faces[own == areas.argmax()]
    used, numbers = np.unique(kept, return_inverse=True)
    return vertices[used], numbers.reshape(-1, 3)


def largest_share(vertices: Array, faces: Index) -> float:
    """Share of the area of a mesh that :func:`largest_piece` has; a cavity is a piece too."""
    areas = _pieces(vertices, faces)[1]
    return float(areas.max() / areas.sum())


def _pieces(vertices: Array, faces: Index) -> tuple[Index, Array]:
    """Number of the connected piece that every triangle belongs to, and the area of each."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    ends = faces[:, [0, 1, 1, 2]].reshape(-1, 2)
    links = coo_matrix((np.ones(len(ends)), tuple(ends.T)), shape=(len(vertices),) * 2)
    _, piece = connected_components(links, directed=False)
    own: Index = piece[faces[:, 0]]
    area = 0.5 * np.linalg.norm(_crosses(vertices, faces), axis=1)
    return own, np.bincount(own, weights=area).astype(np.float64)


def simplified(vertices: Array, faces: Index, count: int) -> tuple[Array, Index]:
    """About ``count`` triangles of nearly the same surface, by quadric errors.

    Reference: Garland and Heckbert, *Surface Simplification Using Quadric Error Metrics*, 1997.

    Raises:
        ImportError: Open3D is not installed.
    """
    try:
        import open3d as o3d
    except ImportError as error:
        raise ImportError(
            "simplifying a mesh needs Open3D; install it with: pip install 'shapegen[viewer]'"
        ) from error
    mesh = o3d.geometry.TriangleMesh(
        o3d.utility.Vector3dVector(vertices), o3d.utility.Vector3iVector(faces.astype(np.int32))
    )
    smaller = mesh.simplify_quadric_decimation(count)
    return np.asarray(smaller.vertices).copy(), np.asarray(smaller.triangles).astype(np.int64)


def _normals(
    field: DensityField, vertices: Array, faces: Index, step: float, level: float
) -> Array:
    """Unit normals by central differences; those of the triangles where the density is flat."""
    steps = step * np.eye(3)

    def share(points: Array) -> Array:
        # As far as light is concerned: steep densities would drown the side that is thin.
        return np.asarray(-np.exp2(-np.maximum(_asked(field.density, points), 0.0) / level))

    slopes = [share(vertices - each) - share(vertices + each) for each in steps]
    normals = np.stack(slopes, axis=1)
    around = np.zeros_like(vertices)
    np.add.at(around, faces.ravel(), np.repeat(_crosses(vertices, faces), 3, axis=0))
    length = np.linalg.norm(normals, axis=1, keepdims=True)
    normals = np.where(length > 1e-9, normals, around)
    length = np.linalg.norm(normals, axis=1, keepdims=True)
    return np.where(length > 0, normals / np.where(length > 0, length, 1.0), [0.0, 0.0, 1.0])


def _crosses(vertices: Array, faces: Index) -> Array:
    corners = vertices[faces]
    return np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])


@torch.no_grad()
def _asked(function: object, points: Array) -> Array:
    """What a field says of points, some at a time."""
    assert callable(function)
    rows: list[Tensor] = [
        function(part) for part in torch.from_numpy(points.astype(np.float32)).split(_CHUNK)
    ]
    return torch.cat(rows).detach().cpu().double().numpy()
