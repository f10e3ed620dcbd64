"""Views of fields and of real shapes from all around, and whether they are views of one shape."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import avg_pool2d

from shapegen.config.render import RenderConfig
from shapegen.core import boxes as box_algebra
from shapegen.core.frames import TO_Z_UP
from shapegen.fields.radiance import RadianceFields
from shapegen.formats.views import SAMPLES
from shapegen.images.renders import Renders
from shapegen.metrics.draws import Figures
from shapegen.metrics.view_consistency import depth_consistency, hull_agreement
from shapegen.scene import Boxes, Node, Scene

VIEWS = 24
"""Views of a shape, in equal steps of the azimuth as far as the cameras go."""
TOLERANCE = 0.05
"""Of depths that are the same, as a share of the radius of the ball that is seen."""
SHADE = 0.01
"""Error of opacities that may buy speed."""
FIGURES = ("contradicted", "depth error", "seen", "hull")


@dataclass(frozen=True)
class ShapeViews:
    """What cameras see of one shape."""

    alpha: Float[Tensor, "n h w"]
    """Share of every pixel that is covered."""
    depth: Float[Tensor, "n h w"]
    """Along the axis of the camera, in the middles of pixels; infinite where nothing is seen."""
    poses: Float[Tensor, "n 4 4"]
    fov: float
    """Degrees."""
    reach: float
    """Radius of the ball that holds the shape."""

    @property
    def shown(self) -> bool:
        """Whether every view shows something."""
        return bool((self.alpha >= 0.5).flatten(1).any(1).all() & self.depth.isfinite().any())


def field_views(field: RadianceFields, views: int = VIEWS) -> ShapeViews:
    """Views of one field, of its own size; the axis of cameras goes through the middle of images.

    Pixels are covered by shares, as those of real shapes are: by rays through what is thinner than
    a pixel alone, a solid would deny its own legs.

    Raises:
        ValueError: Several fields.
    """
    cameras = field.cameras
    # A half pixel off is the original's way, and nobody else's, who looks at these poses.
    found = replace(field, corner=False).turntable(views, SAMPLES * field.size, tolerance=SHADE)
    alpha = avg_pool2d(found.opacity, SAMPLES)[:, 0]
    centre = slice(SAMPLES // 2, None, SAMPLES)
    opacity, depth = (each[:, 0, centre, centre] for each in (found.opacity, found.depth))
    mean = torch.where(opacity >= 0.5, depth / opacity.clamp_min(0.5), torch.inf)
    poses = cameras.viewpoints.turned(views, like=field.codes).cpu()
    return ShapeViews(alpha, mean, poses, cameras.fov, cameras.reach)


def box_renders(solids: Sequence[Any], like: RadianceFields, views: int = VIEWS) -> Renders:
    """Renders of unions of boxes ``(k, 12)``, in the frame of fields, by the same cameras."""
    from shapegen.data.rendering import render_shapes

    cameras = like.cameras
    poses = cameras.viewpoints.turned(views, like=like.codes).cpu()
    config = RenderConfig(size=like.size, views=views, fov=cameras.fov, normalise=False, maps=True)
    scenes = [
        Scene((Node("shape", primitive=Boxes(box_algebra.transformed(each, rotation=TO_Z_UP.T))),))
        for each in solids
    ]
    return render_shapes(scenes, config, poses=poses)


def box_views(solids: Sequence[Any], like: RadianceFields, views: int = VIEWS) -> list[ShapeViews]:
    """The same as views to be judged."""
    found, cameras = box_renders(solids, like, views), like.cameras
    assert found.alpha is not None
    assert found.depth is not None
    poses = found.poses[:views]
    return [
        ShapeViews(alpha, depth, poses, cameras.fov, cameras.reach)
        for alpha, depth in zip(found.alpha.split(views), found.depth.split(views), strict=True)
    ]


def view_figures(shapes: Sequence[ShapeViews]) -> Figures:
    """Whether the views of every shape are of one shape: means over those that views show.

    Returns:
        ``shown``: share of shapes that every view shows something of. ``contradicted``, ``depth
        error`` (in units of the world) and ``seen`` are those of
        :class:`~shapegen.metrics.view_consistency.DepthConsistency`; ``hull`` is
        :func:`~shapegen.metrics.view_consistency.hull_agreement`.
    """
    rows = []
    for one in shapes:
        if not one.shown:
            continue
        depth = depth_consistency(one.depth, one.poses, one.fov, tolerance=TOLERANCE * one.reach)
        hull = hull_agreement(one.alpha, one.poses, one.fov, radius=one.reach)
        rows.append((depth.contradicted, depth.error, depth.seen, hull))
    means = np.mean(rows, axis=0).tolist() if rows else [float("nan")] * len(FIGURES)
    return {"shown": len(rows) / len(shapes)} | dict(zip(FIGURES, means, strict=True))
