r"""Rendering without the points that cannot be seen: empty space, and what is behind the opaque.

Two things are left out. Samples in cells of an occupancy grid whose density is at most
:math:`\sigma_0` hold back at most :math:`1 - e^{-\sigma_0 l}` of a ray of length l inside the
sampled part; :math:`\sigma_0` is chosen so that this is half of the tolerance. Samples behind
which less than half of the tolerance shines through are not asked for. Colours being in 0 to 1, a
ray's colour and its opacity are off by at most the tolerance.

The grid knows the field at its samples: a cell counts as empty where neither it nor any of its
neighbours was found denser. The bound holds for fields that hide nothing between those, thinner
than a cell.

Reference: Müller, Evans, Schied and Keller, *Instant Neural Graphics Primitives*, 2022, appendix C
(occupancy grids), https://arxiv.org/abs/2201.05989.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import max_pool3d

from shapegen.fields.rays import Rays
from shapegen.fields.rendering import Field, Rendered, Sampling, composite
from shapegen.fields.sampling import even

RESOLUTION = 48
"""Cells along a side of the grid."""
_PARTS = 4
"""Pieces of a ray that are rendered one after the other."""


@dataclass(frozen=True, eq=False)
class Occupancy:
    """Largest densities near the cells of a cube about the origin."""

    largest: Float[Tensor, "cells cells cells"]
    reach: float
    """Half the side of the cube."""

    @classmethod
    def of(
        cls,
        densities: Callable[[Tensor], Tensor],
        reach: float,
        *,
        like: Tensor,
        resolution: int = RESOLUTION,
        chunk: int = 2**15,
    ) -> Occupancy:
        """Ask for the densities at the middles of cells.

        Args:
            densities: Of points ``(..., 3)``.
            reach: Half the side of the cube.
            like: Gives the device and the precision.
            resolution: Cells along a side.
            chunk: Points that are asked for at once.

        Raises:
            ValueError: Less than one cell.
        """
        if resolution < 1:
            raise ValueError(f"resolution must be at least 1 cell; got {resolution}")
        steps = torch.arange(resolution, dtype=like.dtype, device=like.device)
        line = reach * ((2 * steps + 1) / resolution - 1)
        grid = torch.stack(torch.meshgrid(line, line, line, indexing="ij"), -1).view(-1, 3)
        found = torch.cat([densities(points) for points in grid.split(chunk)])
        cells = found.view(1, 1, resolution, resolution, resolution)
        return cls(max_pool3d(cells, 3, stride=1, padding=1)[0, 0], reach)

    def at(self, points: Float[Tensor, "*shape 3"]) -> Float[Tensor, "*shape"]:
        """Largest density near points; outside of the cube it is not known, and infinite."""
        count = len(self.largest)
        cells = ((points / self.reach + 1) * (count / 2)).floor().long()
        inside = ((cells >= 0) & (cells < count)).all(-1)
        x, y, z = cells.clamp(0, count - 1).unbind(-1)
        return self.largest[x, y, z].masked_fill(~inside, math.inf)


@torch.no_grad()
def render_quickly(
    field: Field,
    rays: Rays,
    sampling: Sampling,
    occupancy: Occupancy,
    *,
    tolerance: float,
) -> Rendered:
    """Render rays ``(rays)`` of one field with equally spaced samples, up to an error.

    Args:
        field: See :data:`~shapegen.fields.rendering.Field`.
        rays: Of one shape.
        sampling: Samples, background and chunks; further samples are not drawn.
        occupancy: Of the field.
        tolerance: Largest error of a colour in 0 to 1, as above.

    Raises:
        ValueError: A tolerance that is not between 0 and 1.
    """
    if not 0 < tolerance < 1:
        raise ValueError(f"tolerance must be above 0 and below 1; got {tolerance}")
    t, lengths = even(rays.near, rays.far, sampling.samples), rays.lengths
    longest = float(((rays.far - rays.near) * lengths).max())
    empty = -math.log1p(-tolerance / 2) / max(longest, 1e-9)
    points = rays.origins[:, None] + t[..., None] * rays.directions[:, None]
    asked = occupancy.at(points) > empty
    if sampling.open_end:
        # Behind the last sample there is no end, so nothing there is thin.
        asked[:, -1] = True
    density, rgb = torch.zeros_like(t), torch.zeros_like(points)
    directions = (rays.directions / lengths[:, None])[:, None].expand_as(points)
    far = None if sampling.open_end else rays.far
    limit, through = sampling.points(t.device), torch.ones_like(t[:, :1])
    for part in torch.arange(sampling.samples, device=t.device).tensor_split(_PARTS):
        first, last = int(part[0]), int(part[-1]) + 1
        asked[:, first:last] &= through > tolerance / 2
        ray, sample = asked[:, first:last].nonzero(as_tuple=True)
        sample = sample + first
        for some in torch.arange(len(ray), device=t.device).split(limit):
            if not len(some):  # one empty part of nothing
                continue
            at = (ray[some], sample[some])
            # Every point is a ray of one sample.
            found, color = field(points[at][:, None], directions[at])
            density[at], rgb[at] = found[:, 0].relu(), color[:, 0]
        if last < sampling.samples:
            so_far = composite(
                density[:, :last], rgb[:, :last], t[:, :last], lengths=lengths, far=t[:, last]
            )
            through = 1 - so_far.opacity[:, None]
    return composite(density, rgb, t, lengths=lengths, far=far, white=sampling.white)
