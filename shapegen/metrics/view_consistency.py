"""Whether views of a shape are views of one shape: by their depth, and by their silhouettes.

Poses are camera-to-world, z up, with the object at the origin; images are square, and pixels lie
as :class:`shapegen.images.renders.Renders` states. Depth is along the camera's axis, infinite
where nothing is seen. Any views can be judged: renders, or pictures of fields with their depth.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional

STEPS = 96
"""Places on a ray through the unit sphere at which a visual hull is asked for."""
CONTRAST = 0.2
"""Brightness in 0 to 1 by which a covered pixel is darker than white."""
INSIDE = 0.25
"""Share of a pixel, interpolated, from which a place is inside of a silhouette."""


@dataclass(frozen=True)
class DepthConsistency:
    """How depths of views agree, over all ordered pairs of them."""

    contradicted: float
    """Share of the points seen in one view that another one looks through: 0 for one solid shape,
    but for what is thinner than a pixel."""
    error: float
    """Mean difference in depth of the points that both see, in units of the world."""
    seen: float
    """Share of the points of one view that another one sees, not hidden: how much was compared."""


def depth_consistency(
    depth: Float[Tensor, "n h w"],
    poses: Float[Tensor, "views 4 4"],
    fov: float,
    *,
    tolerance: float = 0.05,
) -> DepthConsistency:
    """Move what every view of one shape sees into every other view, and compare the depths.

    A point is seen by the other view if its depth there is within ``tolerance`` of that of a pixel
    around it (3 x 3); it is hidden if something nearer is there, which contradicts nothing; and it
    is contradicted if all of these pixels look farther than it, or see nothing.

    Args:
        depth: Of at least two views of one shape.
        poses: One a view.
        fov: Field of view in degrees.
        tolerance: In units of the world: about the depth that changes from pixel to pixel.

    Raises:
        ValueError: Fewer than two views, poses of another number, or nothing is seen.
    """
    _check(depth, poses)
    places = [_points(each, pose, fov) for each, pose in zip(depth, poses, strict=True)]
    around_all = [_neighbourhoods(each) for each in depth]
    contradicted, seen, total, error = 0, 0, 0, 0.0
    for own, points in enumerate(places):
        for other in range(len(depth)):
            if own == other:
                continue
            where, away = _projected(points, poses[other], fov)
            inside = (where.abs() <= 1).all(1) & (away > 0)
            around = around_all[other][_pixels(where[inside], len(depth[other]))].to(away)
            away = away[inside, None]
            gap = (around - away).abs().amin(1)
            visible = gap <= tolerance
            contradicted += int((~visible & (around.amin(1) > away[:, 0])).sum())
            seen += int(visible.sum())
            error += float(gap[visible].double().sum())
            total += int(inside.sum())
    if not total:
        raise ValueError("depths are compared where something is seen; nothing is")
    return DepthConsistency(contradicted / total, error / max(seen, 1), seen / total)


def silhouettes(pixels: Float[Tensor, "n c h w"]) -> Float[Tensor, "n h w"]:
    """About the share of every pixel that something covers, in pictures on white without alpha.

    A pixel whose darkest colour is :data:`CONTRAST` below white is covered: pale things, and light
    that falls on them, are seen as less than they are, so compare with real pictures alone.

    Args:
        pixels: In [-1, 1].
    """
    return ((1 - pixels.amin(1)) / (2 * CONTRAST)).clamp(0, 1)


def hull_agreement(
    alpha: Float[Tensor, "n h w"],
    poses: Float[Tensor, "views 4 4"],
    fov: float,
    *,
    radius: float = 1.0,
) -> float:
    """Intersection over union of silhouettes and those of their visual hull.

    The hull is the largest shape in the sphere whose silhouettes are within the given ones. Views
    of one shape have its silhouettes back: 1. If a view shows a part that another one denies, the
    hull lacks it, and so does its silhouette.

    Args:
        alpha: Share of every pixel that is covered, 0 to 1, in views of one shape.
        poses: One a view.
        fov: Field of view in degrees.
        radius: Of the sphere about the origin that holds the shape.

    Returns:
        The mean over the views, 0 to 1.

    Raises:
        ValueError: Fewer than two views, poses of another number, or an empty silhouette.
    """
    _check(alpha, poses)
    full = alpha >= 0.5
    if not bool(full.flatten(1).any(1).all()):
        raise ValueError("every view must show something; one has an empty silhouette")
    shares = []
    for own in range(len(alpha)):
        kept = _in_hull(own, full[own], alpha, poses, fov, radius)
        # A hull is within the silhouettes: the intersection is the hull's, the union the view's.
        shares.append(float(kept.double().mean()))
    return sum(shares) / len(shares)


def _in_hull(
    own: int,
    full: Bool[Tensor, "h w"],
    alpha: Float[Tensor, "n h w"],
    poses: Float[Tensor, "n 4 4"],
    fov: float,
    radius: float,
) -> Bool[Tensor, " m"]:
    """Whether the rays through the full pixels of a view meet the hull of the others."""
    eye = poses[own, :3, 3]
    directions = _rays(alpha.shape[1], poses[own], fov)[full]
    squared = directions.square().sum(1)
    nearest = -(directions @ eye) / squared
    across = (eye + nearest[:, None] * directions).square().sum(1)
    half = ((radius**2 - across).clamp_min(0) / squared).sqrt()
    shares = torch.linspace(-1, 1, STEPS, dtype=poses.dtype, device=poses.device)
    t = nearest[:, None] + half[:, None] * shares
    points = (eye + t[..., None] * directions[:, None]).view(-1, 3)
    inside = torch.ones(len(points), dtype=torch.bool, device=points.device)
    for other in range(len(alpha)):
        if other != own:
            # Only what all so far contain is asked on.
            left = torch.nonzero(inside)[:, 0]
            inside[left] = _contains(alpha[other], poses[other], fov, points[left])
    return inside.view(-1, STEPS).any(1)


def _contains(
    alpha: Float[Tensor, "h w"],
    pose: Float[Tensor, "4 4"],
    fov: float,
    points: Float[Tensor, "n 3"],
) -> Bool[Tensor, " n"]:
    """Whether points are within a silhouette; what is outside of the image is not."""
    where, away = _projected(points, pose, fov)
    found = functional.grid_sample(
        alpha[None, None], where[None, None].to(alpha), align_corners=False
    )
    return (found[0, 0, 0] >= INSIDE) & (away > 0)


def _rays(size: int, pose: Float[Tensor, "4 4"], fov: float) -> Float[Tensor, "size size 3"]:
    """Directions with depth one through the middles of pixels."""
    line = (torch.arange(size, dtype=pose.dtype, device=pose.device) + 0.5) * (2 / size) - 1
    y, x = torch.meshgrid(line * _slope(fov), line * _slope(fov), indexing="ij")
    return torch.stack([x, -y, -torch.ones_like(x)], -1) @ pose[:3, :3].T


def _points(
    depth: Float[Tensor, "h w"], pose: Float[Tensor, "4 4"], fov: float
) -> Float[Tensor, "n 3"]:
    """Places of what is seen."""
    seen = depth.isfinite()
    return pose[:3, 3] + depth[seen].to(pose)[:, None] * _rays(len(depth), pose, fov)[seen]


def _projected(
    points: Float[Tensor, "n 3"], pose: Float[Tensor, "4 4"], fov: float
) -> tuple[Float[Tensor, "n 2"], Float[Tensor, " n"]]:
    """Image coordinates, from -1 at the left and upper border to 1, and depths."""
    local = (points - pose[:3, 3]) @ pose[:3, :3]
    away = -local[:, 2]
    scale = _slope(fov) * away.clamp_min(1e-9)
    return torch.stack([local[:, 0] / scale, -local[:, 1] / scale], -1), away


def _neighbourhoods(depth: Float[Tensor, "h w"]) -> Float[Tensor, "pixels 9"]:
    """Depths of every pixel, row by row, and of those around it; infinite outside of the image."""
    wide = functional.pad(depth[None, None], (1, 1, 1, 1), value=math.inf)
    return functional.unfold(wide, 3)[0].T


def _pixels(where: Float[Tensor, "n 2"], size: int) -> Int[Tensor, " n"]:
    """Numbers of the pixels that image coordinates are in, row by row."""
    column, row = ((where + 1) * (size / 2)).floor().long().clamp(0, size - 1).unbind(1)
    return row * size + column


def _slope(fov: float) -> float:
    if not 0 < fov < 180:
        raise ValueError(f"fov must be above 0 and below 180 degrees; got {fov}")
    return math.tan(math.radians(fov) / 2)


def _check(images: Tensor, poses: Tensor) -> None:
    if len(images) < 2 or len(poses) != len(images) or images.shape[1] != images.shape[2]:
        raise ValueError(
            "at least two square views are compared, with a pose each; "
            f"got {tuple(images.shape)} and {len(poses)} poses"
        )
