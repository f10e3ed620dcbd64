"""Generative models of 3D shapes: train, sample, interpolate, reconstruct, measure, export.

Everything public at the top stands below. Names are resolved when they are first used, so that
``import shapegen`` costs next to nothing and needs none of the heavy packages.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from shapegen import interop, metrics
    from shapegen.checkpoint import load, save
    from shapegen.data.files import read
    from shapegen.fields.voxels import VoxelGrid, Voxels
    from shapegen.graphs.graphs import Graphs
    from shapegen.points.point_clouds import PointCloud, PointClouds
    from shapegen.registry import build, models
    from shapegen.structures.part_tree import PartTree, PartTrees
    from shapegen.train import fit

__version__ = "0.1.0"

__all__ = [
    "Graphs",
    "PartTree",
    "PartTrees",
    "PointCloud",
    "PointClouds",
    "VoxelGrid",
    "Voxels",
    "__version__",
    "build",
    "fit",
    "interop",
    "load",
    "metrics",
    "models",
    "read",
    "save",
]

_HOMES = {
    "Graphs": "shapegen.graphs.graphs",
    "PartTree": "shapegen.structures.part_tree",
    "PartTrees": "shapegen.structures.part_tree",
    "PointCloud": "shapegen.points.point_clouds",
    "PointClouds": "shapegen.points.point_clouds",
    "VoxelGrid": "shapegen.fields.voxels",
    "Voxels": "shapegen.fields.voxels",
    "build": "shapegen.registry",
    "fit": "shapegen.train",
    "load": "shapegen.checkpoint",
    "models": "shapegen.registry",
    "read": "shapegen.data.files",
    "save": "shapegen.checkpoint",
}
"""Where a public name is defined; the other names in ``__all__`` are subpackages."""


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        value = getattr(import_module(_HOMES[name]), name)
    elif name in ("interop", "metrics"):
        value = import_module(f"shapegen.{name}")
    else:
        raise AttributeError(f"module 'shapegen' has no attribute {name!r}; it has {__all__}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
