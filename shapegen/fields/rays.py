"""Rays through the pixels of an image, or through the places of patches.

A ray is ``origin + t * direction``. Directions of a perspective image have depth one, so ``t`` is
the depth along the camera's axis; distances along the ray are ``t`` times the direction's length.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from shapegen.core.patch import pixel_coordinates
from shapegen.fields.cameras import Lens


@dataclass(frozen=True)
class Rays:
    """Rays, and the part of each that is looked at."""

    origins: Float[Tensor, "*shape 3"]
    directions: Float[Tensor, "*shape 3"]
    near: Float[Tensor, "*shape"]
    """Least ``t``."""
    far: Float[Tensor, "*shape"]
    """Largest ``t``; nothing is seen of a ray where it is not above ``near``."""

    @property
    def lengths(self) -> Float[Tensor, "*shape"]:
        """Lengths of the directions."""
        return self.directions.norm(dim=-1)

    def __getitem__(self, part: slice) -> Rays:
        """Some of the rays of the last dimension."""
        return Rays(
            self.origins[..., part, :],
            self.directions[..., part, :],
            self.near[..., part],
            self.far[..., part],
        )

    def of(self, number: int) -> Rays:
        """The rays of one shape of the first dimension."""
        return Rays(
            self.origins[number], self.directions[number], self.near[number], self.far[number]
        )


def rays_through(
    poses: Float[Tensor, "n 4 4"], lens: Lens, pixels: Float[Tensor, "n *shape 2"]
) -> tuple[Float[Tensor, "n *shape 3"], Float[Tensor, "n *shape 3"]]:
    """Origins and directions of the rays through pixels.

    Args:
        poses: Camera-to-world, one an image.
        lens: Of all cameras.
        pixels: Columns and rows, whole numbers in the middles of pixels.
    """
    offset = (pixels - lens.centre) / lens.focal
    x, y = offset[..., 0], -offset[..., 1]
    ones = torch.ones_like(x)
    local = torch.stack([x, y, 0 * ones if lens.parallel else -ones], -1)
    between = [1] * (pixels.ndim - 2)
    axes = poses[:, :3, :3].reshape(-1, *between, 3, 3)
    places = poses[:, :3, 3].reshape(-1, *between, 3)
    # By hand, not as a product of matrices, which some devices round to fewer digits.
    turned = (axes * local[..., None, :]).sum(-1)
    if lens.parallel:
        return places + turned, (-axes[..., 2]).expand_as(turned)
    return places.expand_as(turned), turned


def image_rays(
    poses: Float[Tensor, "n 4 4"], lens: Lens
) -> tuple[Float[Tensor, "n size size 3"], Float[Tensor, "n size size 3"]]:
    """Origins and directions of the rays through all pixels, rows first."""
    line = torch.arange(lens.size, dtype=poses.dtype, device=poses.device)
    y, x = torch.meshgrid(line, line, indexing="ij")
    return rays_through(poses, lens, torch.stack([x, y], -1).expand(len(poses), -1, -1, -1))


def patch_rays(
    poses: Float[Tensor, "n 4 4"], lens: Lens, places: Float[Tensor, "n rows columns 2"]
) -> tuple[Float[Tensor, "n rows columns 3"], Float[Tensor, "n rows columns 3"]]:
    """Origins and directions of the rays through places of :mod:`shapegen.core.patch`.

    Directions are linear in the pixel: between pixels these are the very rays that lie there.
    """
    return rays_through(poses, lens, pixel_coordinates(places, lens.size, lens.size))


def in_slab(
    origins: Float[Tensor, "*shape 3"],
    directions: Float[Tensor, "*shape 3"],
    near: float,
    far: float,
    *,
    farthest: float | None = None,
) -> Rays:
    """Rays from a least to a largest ``t``.

    Args:
        origins: Of the rays.
        directions: Of the rays.
        near: Of cameras that are farthest away.
        far: The same.
        farthest: Largest distance of a camera from the origin; nearer ones look at the same part
            of the world, ``t`` less by the difference. None: all cameras are as far.
    """
    nearer = torch.zeros_like(origins[..., 0])
    if farthest is not None:
        nearer = farthest - origins.norm(dim=-1)
    return Rays(origins, directions, near - nearer, far - nearer)


def in_sphere(
    origins: Float[Tensor, "*shape 3"], directions: Float[Tensor, "*shape 3"], radius: float
) -> Rays:
    r"""Rays from where they enter a sphere about the origin to where they leave it.

    .. math:: t = (-o \cdot d \mp \sqrt{(o \cdot d)^2 - |d|^2 (|o|^2 - r^2)}) / |d|^2

    Rays that miss it are nowhere, ``near`` equal to ``far``; ``t`` is never below 0.
    """
    squared = directions.square().sum(-1)
    along = -(origins * directions).sum(-1) / squared
    # Of the ray's nearest point: the difference of large squares would lose half the digits.
    nearest = origins + along[..., None] * directions
    half = ((radius**2 - nearest.square().sum(-1)).clamp_min(0) / squared).sqrt()
    return Rays(origins, directions, (along - half).clamp_min(0), (along + half).clamp_min(0))
