"""Images of shapes: part trees and meshes seen by cameras whose poses are kept."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from shapegen.base import Shapes
from shapegen.config.render import RenderConfig
from shapegen.data.furniture import CATEGORIES
from shapegen.data.mesh_scenes import Up, read_corners, turn_of
from shapegen.data.point_sets import mesh_files
from shapegen.fields.cameras import Viewpoints
from shapegen.fields.meshes import Meshes
from shapegen.formats.views import Stage, View
from shapegen.images.files import from_bytes
from shapegen.images.renders import Renders
from shapegen.scene import Mesh, Scene


def viewpoints(config: RenderConfig) -> Viewpoints:
    """Where the cameras of a configuration are."""
    azimuth, polar = (
        (math.radians(low), math.radians(high)) for low, high in (config.azimuth, config.polar)
    )
    return Viewpoints(azimuth, polar, config.radius)


def draw_poses(
    config: RenderConfig, numbers: Sequence[int], *, seed: int = 0
) -> Float[Tensor, "shapes views 4 4"]:
    """Draw poses for shapes: those of a shape depend on the seed and its number alone."""
    like = torch.zeros((), dtype=torch.float64)
    cameras, views = viewpoints(config), config.views
    drawn = [cameras.draw(views, like=like, rng=_stream(seed, number)) for number in numbers]
    return torch.stack(drawn)


def render_shapes(
    shapes: Any,
    config: RenderConfig | None = None,
    *,
    poses: Any = None,
    seed: int = 0,
    numbers: Sequence[int] | None = None,
) -> Renders:
    """Look at shapes.

    The class of a shape is its category where all are of the procedural furniture.

    Args:
        shapes: At least one: part trees, meshes or voxels, whatever lowers to boxes or triangles;
            also single shapes or scenes in a list.
        config: Default: one image of 32 x 32 a shape, from all around and a little above.
        poses: Camera-to-world ``(views, 4, 4)`` for every shape, or ``(shapes, views, 4, 4)``;
            default: drawn.
        seed: Of the drawn poses.
        numbers: That the poses of the shapes are drawn by; default: from 0.

    Raises:
        ValueError: There are no shapes, one has no surface, or poses of another number.
    """
    config = config or RenderConfig()
    scenes = _scenes(shapes)
    if not scenes:
        raise ValueError("at least one shape is needed; got none")
    if poses is None:
        drawn = range(len(scenes)) if numbers is None else numbers
        given = draw_poses(config, drawn, seed=seed).numpy()
    else:
        given = _checked(poses, len(scenes))
    views: list[View] = []
    solids: list[Any] = []
    for number, scene in enumerate(scenes):
        try:
            stage = Stage(scene, normalise=config.normalise, shadows=config.shadows)
            views += [
                stage.view(pose, config.size, math.radians(config.fov)) for pose in given[number]
            ]
            solids.append(stage.boxes())
        except ValueError as error:
            raise ValueError(f"shape {number} ({_name(scene) or 'no name'}): {error}") from None
    each = given.shape[1]
    owners = np.repeat(np.arange(len(scenes)), each)
    labels = _labels(scenes)
    images = from_bytes(
        np.stack([view.pixels for view in views]),
        None if labels is None else [labels[number] for number in owners],
        [_name(scenes[number]) for number in owners],
    )
    maps = {
        name: np.stack([getattr(view, name) for view in views])
        for name in ("alpha", "depth", "parts")
        if config.maps
    }
    known = None if any(each is None for each in solids) else solids
    poses = given.reshape(-1, 4, 4)
    return Renders(images, poses, config.fov, shapes=owners, boxes=known, **maps)


def turned_poses(config: RenderConfig) -> Float[Tensor, "views 4 4"]:
    """``config.views`` poses in equal steps all around, at the middle of the heights."""
    like = torch.zeros((), dtype=torch.float64)
    return viewpoints(replace(config, azimuth=(0.0, 360.0))).turned(config.views, like=like)


def read_surfaces(path: str | Path, *, up: Up = "y") -> Any:
    """Shapes of any file or folder that can be rendered.

    Triangles of mesh files stay what they are, a grey mesh a file; all else is read as by
    :func:`shapegen.read`.

    Args:
        path: Part trees, voxels, or meshes, also in subfolders.
        up: Up axis of mesh files.

    Raises:
        FileNotFoundError: There is nothing at ``path``.
        ValueError: It cannot be read, or holds what has no surface.
    """
    from shapegen.data.files import read

    files = mesh_files(Path(path))
    if files:
        meshes = [_mesh(file, up) for file in files]
        return Meshes(meshes, [file.stem for file in files])
    found = read(path)
    if not len(found[:1].to_scene().mesh().faces):
        raise ValueError(
            f"{path} holds {type(found).__name__}; what is rendered has boxes or triangles"
        )
    return found


def _mesh(file: Path, up: Up) -> Mesh:
    corners = read_corners(file) @ turn_of(up).T
    return Mesh(corners, np.arange(len(corners)).reshape(-1, 3))


def _scenes(shapes: Any) -> list[Scene]:
    """One scene a shape."""
    if isinstance(shapes, Shapes):
        return [shapes[number : number + 1].to_scene() for number in range(len(shapes))]
    return [each if isinstance(each, Scene) else each.to_scene() for each in shapes]


def _stream(seed: int, number: int) -> torch.Generator:
    digest = hashlib.sha256(f"{seed}:{number}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:7], "big"))


def _checked(poses: Any, shapes: int) -> np.ndarray:
    """Poses ``(shapes, views, 4, 4)``."""
    given = np.asarray(torch.as_tensor(poses).detach().cpu(), dtype=np.float64)
    wanted = given.shape if given.ndim == 4 else (shapes, *given.shape)
    if len(wanted) != 4 or wanted[0] != shapes or wanted[2:] != (4, 4) or not wanted[1]:
        raise ValueError(
            f"poses must be (views, 4, 4) or ({shapes}, views, 4, 4); got {given.shape}"
        )
    return np.broadcast_to(given, wanted).copy()


def _name(scene: Scene) -> str:
    root = scene.nodes[0] if len(scene) else None
    if root is None:
        return ""
    return str(root.extras.get("name", "" if "label" in root.extras else root.name))


def _labels(scenes: Sequence[Scene]) -> list[int] | None:
    """Number of every shape's category, by the first word of its root's label."""
    words = [
        str(scene.nodes[0].extras.get("label", "")).split("/")[0] if len(scene) else ""
        for scene in scenes
    ]
    if not set(words) <= set(CATEGORIES):
        return None
    return [CATEGORIES.index(word) for word in words]
