"""Point clouds of whatever has a surface: part trees, meshes, and files of either."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from shapegen.data.mesh_scenes import Up, is_mesh, read_corners, turn_of
from shapegen.points.files import point_cloud_files
from shapegen.points.normalisation import resample
from shapegen.points.point_clouds import PointCloud, PointClouds
from shapegen.points.validity import MIN_POINTS, checked_points
from shapegen.structures.glb_trees import is_own_glb
from shapegen.structures.part_tree import PartTree, PartTrees
from shapegen.structures.surface import sample_union

POINTS = 2048
"""Points of a shape where nothing else is asked for."""


def read_clouds(
    path: str | Path, points: int = POINTS, *, seed: int = 0, up: Up = "y"
) -> PointClouds:
    """Read any file or folder of shapes as clouds of ``points`` points.

    Clouds are thinned at random; part trees and meshes are sampled uniformly on their outer
    surface. A folder of meshes is searched with its subfolders.

    Args:
        path: Whatever :func:`shapegen.read` takes, or a folder of meshes.
        points: At least 8; at most what clouds have.
        seed: A shape's points depend on this and on its name alone.
        up: Up axis of meshes.

    Raises:
        FileNotFoundError: There is nothing at ``path``.
        ValueError: Nothing that has a surface or points, or an argument is out of its range.
    """
    from shapegen.data.files import read

    _check_count(points)
    meshes = mesh_files(Path(path))
    if not meshes:
        return as_clouds(read(path), points, seed=seed)
    root = meshes[0].parent if Path(path).is_file() else Path(path)
    return PointClouds.of([_of_mesh(file, root, points, seed, up) for file in meshes])


def as_clouds(shapes: Any, points: int = POINTS, *, seed: int = 0) -> PointClouds:
    """Clouds of ``points`` points from part trees or from clouds with as many or more.

    Raises:
        TypeError: Shapes of another kind.
        ValueError: ``points`` is out of its range.
    """
    _check_count(points)
    if isinstance(shapes, PartTrees):
        return sample_part_trees(shapes, points, seed=seed)
    clouds = PointClouds.of(shapes)
    if clouds.points.shape[1] == points:
        return clouds
    drawn = resample(clouds.points, points, replace=False, rng=_stream(seed, ""))
    return PointClouds(drawn, clouds.names)


def sample_part_trees(
    trees: Sequence[PartTree], points: int = POINTS, *, seed: int = 0
) -> PointClouds:
    """Draw points uniformly from the outer surface of the union of every tree's leaves.

    Args:
        trees: At least one; all are turned to front +z.
        points: Of a shape, at least 8.
        seed: A shape's points depend on this and on its name alone.

    Raises:
        ValueError: There are no trees, ``points`` is below 8 or a shape has no surface.
    """
    _check_count(points)
    if not len(trees):
        raise ValueError("at least one part tree is needed; got none")
    clouds = [
        sample_union(tree.facing("+z").boxes(), points, rng=_stream(seed, tree.name))
        for tree in trees
    ]
    return PointClouds(np.stack(clouds), [tree.name for tree in trees])


def sample_mesh(
    path: str | Path, points: int = POINTS, *, rng: torch.Generator | None = None, up: Up = "y"
) -> PointCloud:
    """Draw points uniformly from the triangles of a mesh file.

    Faces inside others count too.

    Args:
        path: ``.glb``, ``.gltf``, ``.obj``, ``.ply`` or ``.stl``.
        points: At least 8.
        rng: Source of the draws.
        up: Up axis of the file.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is damaged, holds no triangles, or these have no area.
    """
    import trimesh

    _check_count(points)
    corners = read_corners(path) @ turn_of(up).T
    surface = trimesh.Trimesh(
        corners, np.arange(len(corners)).reshape(-1, 3), process=False, validate=False
    )
    if not surface.area > 0:
        raise ValueError(f"{path}: its triangles have no area to draw points from")
    seed = int(torch.randint(2**62, (1,), generator=rng))
    drawn, _ = trimesh.sample.sample_surface(surface, points, seed=seed)
    return PointCloud(torch.from_numpy(checked_points(drawn, str(path))[0]), Path(path).stem)


def mesh_files(path: Path) -> list[Path]:
    """The mesh files at a path; none where it holds clouds, part trees or GLB files of ours."""
    if not path.exists():
        return []  # a folder named by its category, or nothing: the reader says
    if path.is_file():
        found = [path] if is_mesh(path) else []
    elif any(each.suffix in (".json", ".jsonl", ".gz", ".npz", ".mat") for each in path.iterdir()):
        found = []
    else:
        found = sorted(each for each in path.rglob("*") if is_mesh(each))
    if not found or (found[0].suffix.lower() == ".glb" and is_own_glb(found[0])):
        return []
    return [] if point_cloud_files(path if path.is_file() else found[0].parent) else found


def _of_mesh(file: Path, root: Path, points: int, seed: int, up: Up) -> PointCloud:
    name = file.relative_to(root).with_suffix("").as_posix()
    cloud = sample_mesh(file, points, rng=_stream(seed, name), up=up)
    return PointCloud(cloud.points, name)


def _check_count(points: int) -> None:
    if points < MIN_POINTS:
        raise ValueError(f"points must be at least {MIN_POINTS} a shape; got {points}")


def _stream(seed: int, name: str) -> torch.Generator:
    digest = hashlib.sha256(f"{seed}:{name}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:7], "big"))
