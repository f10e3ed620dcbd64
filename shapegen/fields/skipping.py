r"""Rendering without the points that cannot be seen: empty space, and what is behind the opaque.

Two things are left out. Samples whose densities :math:`\sigma_i` an occupancy grid bounds hold
back at most :math:`1 - e^{-\sum_i \sigma_i \delta_i}` of a ray between them; the thinnest samples
of a ray are left out as long as that is at most half of the tolerance. Samples behind which less
than half of the tolerance shines through are not asked for. Colours being in 0 to 1, a ray's
colour and its opacity are off by at most the tolerance.

The grid knows the field at its samples: a cell's bound is the largest density that was found in it
and its neighbours. It holds for fields that hide nothing between those, thinner than a large cell.
Most of the cube is empty, so small cells are looked into only where large ones are not.

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
from shapegen.fields.rendering import Field, Rendered, Sampling, composite, thickness
from shapegen.fields.sampling import even

RESOLUTION = 48
"""Large cells along a side of the grid."""
FINER = 2
"""Small cells along a side of a large one."""
_THIN = 1e-3
"""Share of the light along a side of the cube: what holds back less is not looked into."""
_PIECE = 4
"""Samples of a ray that are asked for before it is known whether those behind them are seen."""


@dataclass(frozen=True, eq=False)
class Occupancy:
    """Largest densities near the cells of a cube about the origin."""

    largest: Float[Tensor, "cells cells cells"]
    reach: float
    """Half the side of the cube."""

    @classmethod
    @torch.no_grad()
    def of(
        cls,
        densities: Callable[[Tensor], Tensor],
        reach: float,
        *,
        like: Tensor,
        sphere: float | None = None,
        resolution: int = RESOLUTION,
        chunk: int = 2**15,
    ) -> Occupancy:
        """Ask for the densities at the middles of large cells, and of small ones in what is dense.

        Args:
            densities: Of points ``(..., 3)``.
            reach: Half the side of the cube.
            like: Gives the device and the precision.
            sphere: Radius about the origin outside of which nothing is rendered.
            resolution: Large cells along a side.
            chunk: Points that are asked for at once.

        Raises:
            ValueError: Less than one cell.
        """
        if resolution < 1:
            raise ValueError(f"resolution must be at least 1 cell; got {resolution}")
        small = FINER * resolution

        def middles(cells: Tensor, count: int) -> Tensor:
            return reach * ((2 * cells.to(like) + 1) / count - 1)

        def asked(points: Tensor) -> Tensor:
            return torch.cat([densities(some) for some in points.split(chunk)])

        every = torch.ones((resolution,) * 3, dtype=torch.bool, device=like.device)
        large = _around(asked(middles(every.nonzero(), resolution)).view(every.shape))
        for dim in range(3):
            large = large.repeat_interleave(FINER, dim)
        dense = large > -math.log1p(-_THIN) / (2 * reach)
        points = middles(dense.nonzero(), small)
        if sphere is not None:
            # The neighbours of its border's cells are less than three cells away.
            seen = points.norm(dim=-1) < sphere + 3 * 2 * reach / small
            dense[dense.clone()] = seen
            points = points[seen]
        found = large.clone()
        if len(points):
            found[dense] = asked(points)
        return cls(_around(found), reach)

    def at(self, points: Float[Tensor, "*shape 3"]) -> Float[Tensor, "*shape"]:
        """Largest density near points; outside of the cube it is not known, and infinite."""
        count = len(self.largest)
        cells = ((points / self.reach + 1) * (count / 2)).floor().long()
        inside = ((cells >= 0) & (cells < count)).all(-1)
        x, y, z = cells.clamp(0, count - 1).unbind(-1)
        return self.largest[x, y, z].masked_fill(~inside, math.inf)


def _around(cells: Tensor) -> Tensor:
    """The largest of every cell ``(x, y, z)`` and its neighbours."""
    return max_pool3d(cells[None], 3, stride=1, padding=1)[0]


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
    points = rays.origins[:, None] + t[..., None] * rays.directions[:, None]
    far = None if sampling.open_end else rays.far
    # Where a ray has no length at all outside of the grid this is NaN, which sorts last, above
    # nothing, and is left out.
    thick = thickness(occupancy.at(points), t, lengths=lengths, far=far)
    thinnest, which = thick.sort(-1)
    held = thinnest.cumsum(-1) > -math.log1p(-tolerance / 2)
    asked = torch.empty_like(held).scatter_(-1, which, held)
    if sampling.open_end:
        # Behind the last sample there is no end, so nothing there is thin.
        asked[:, -1] = True
    density, rgb = torch.zeros_like(t), torch.zeros_like(points)
    directions = (rays.directions / lengths[:, None])[:, None].expand_as(points)
    limit, through = sampling.points(t.device), torch.ones_like(t[:, :1])
    for first in range(0, sampling.samples, _PIECE):
        last = min(first + _PIECE, sampling.samples)
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
            piece = (density[:, first:last], t[:, first:last])
            through *= (-thickness(*piece, lengths=lengths, far=t[:, last])).exp().prod(-1, True)
    return composite(density, rgb, t, lengths=lengths, far=far, white=sampling.white)
