"""Chamfer distances between boxes, from a regular grid of points on their surfaces.

A box is ten numbers: centre 3, full lengths 3, unit quaternion 4 ``(w, x, y, z)``. Its surface is
150 points: a 5 x 5 grid on each of six faces, 98 of them distinct. The nearest grid point of
another box needs no search: in that box's frame every coordinate is rounded by itself, and a point
inside is pushed out along the cheapest axis.

Reference: Mo et al., *StructureNet: Hierarchical Graph Networks for 3D Shape Generation*, 2019,
https://arxiv.org/abs/1908.00575, section 4.2.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

HALF_STEPS = 2
"""Grid steps from the middle of a face to its edge."""
_NO_AREA = 1e-20
"""Far below the area of any face that matters, and far above the smallest number."""
_CHUNK = 512
"""Pairs of boxes at once: their distances stay in the processor's cache."""


class Frames(NamedTuple):
    """Boxes as affine maps of the unit cube: ``rotation @ (size * u) + centre``."""

    centre: Float[Tensor, "n 3"]
    size: Float[Tensor, "n 3"]
    rotation: Float[Tensor, "n 3 3"]
    """Columns are the axes; a reflected box has a left-handed frame."""

    def pick(self, index: Int[Tensor, "m"]) -> Frames:
        """Rows of the boxes."""
        return Frames(*(values.index_select(0, index) for values in self))

    def detach(self) -> Frames:
        """Without gradients."""
        return Frames(*(values.detach() for values in self))

    def moved(self, transform: Float[Tensor, "n 3 4"]) -> Frames:
        """Images under maps whose linear part is orthogonal."""
        linear, offset = transform[:, :, :3], transform[:, :, 3]
        centre = (linear @ self.centre[:, :, None])[:, :, 0] + offset
        return Frames(centre, self.size, linear @ self.rotation)


def frames(boxes: Float[Tensor, "n 10"]) -> Frames:
    """Take boxes apart; the quaternion is not normalised here."""
    return Frames(boxes[:, :3], boxes[:, 3:6], rotation_matrix(boxes[:, 6:]))


def rotation_matrix(quaternion: Float[Tensor, "n 4"]) -> Float[Tensor, "n 3 3"]:
    r"""Matrix of :math:`v \mapsto v + 2 (w\, u \times v + u \times (u \times v))`."""
    w, x, y, z = quaternion.unbind(-1)
    rows = (
        *(1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)),
        *(2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)),
        *(2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)),
    )
    return torch.stack(rows, dim=-1).view(*quaternion.shape[:-1], 3, 3)


def quaternion_boxes(boxes: Float[Tensor, "n 12"]) -> Float[Tensor, "n 10"]:
    """Boxes of 12 numbers (centre, full lengths, x and y direction) as ten.

    The sign of the quaternion is that of the case by case conversion that StructureNet's encoder
    was trained with; it is not made positive.
    """
    x = torch.nn.functional.normalize(boxes[:, 6:9], dim=1)
    y = torch.nn.functional.normalize(boxes[:, 9:12], dim=1)
    z = torch.nn.functional.normalize(torch.linalg.cross(x, y), dim=1)
    (r00, r10, r20), (r01, r11, r21), (r02, r12, r22) = (axis.unbind(1) for axis in (x, y, z))
    below, first, last = r22 < 0, r00 > r11, r00 < -r11
    cases = torch.stack(
        [
            torch.stack([r21 - r12, 1 + r00 - r11 - r22, r10 + r01, r02 + r20], 1),
            torch.stack([r02 - r20, r10 + r01, 1 - r00 + r11 - r22, r21 + r12], 1),
            torch.stack([r10 - r01, r02 + r20, r21 + r12, 1 - r00 - r11 + r22], 1),
            torch.stack([1 + r00 + r11 + r22, r21 - r12, r02 - r20, r10 - r01], 1),
        ],
        dim=1,
    )
    which = torch.where(below, torch.where(first, 0, 1), torch.where(last, 2, 3))
    quaternion = cases[torch.arange(len(boxes), device=boxes.device), which]
    return torch.cat([boxes[:, :6], torch.nn.functional.normalize(quaternion, dim=1)], dim=1)


def direction_boxes(boxes: Float[Tensor, "n 10"]) -> Float[Tensor, "n 12"]:
    """Boxes of ten numbers as 12, the inverse of :func:`quaternion_boxes`."""
    rotation = rotation_matrix(torch.nn.functional.normalize(boxes[:, 6:], dim=1))
    return torch.cat([boxes[:, :6], rotation[:, :, 0], rotation[:, :, 1]], dim=1)


@lru_cache(maxsize=8)
def surface_grid(
    device: torch.device, dtype: torch.dtype
) -> tuple[Float[Tensor, "98 3"], Float[Tensor, "98 3"]]:
    """Distinct grid points of the unit cube, and on how many faces across each axis they lie."""
    steps = np.stack(np.meshgrid(*[np.arange(-HALF_STEPS, HALF_STEPS + 1)] * 3, indexing="ij"))
    steps = steps.reshape(3, -1).T
    outer = np.abs(steps) == HALF_STEPS
    kept = outer.any(1)
    points = steps[kept] / (2 * HALF_STEPS)
    return (
        torch.tensor(points, device=device, dtype=dtype),
        torch.tensor(outer[kept], device=device, dtype=dtype),
    )


def surface_points(boxes: Float[Tensor, "n 10"]) -> Float[Tensor, "n 98 3"]:
    """The distinct grid points on every box."""
    grid, _ = surface_grid(boxes.device, boxes.dtype)
    centre, size, rotation = frames(boxes)
    return (grid * size[:, None]) @ rotation.transpose(1, 2) + centre[:, None]


def mean_weights(like: Tensor) -> Float[Tensor, "98"]:
    """Weights that make a sum over the distinct points the mean over the 150."""
    _, faces = surface_grid(like.device, like.dtype)
    return faces.sum(1) / faces.sum()


def area_weights(size: Float[Tensor, "n 3"]) -> Float[Tensor, "n 98"]:
    """Weights in proportion to the area of the face that a point stands for; they sum to 1.

    A box without any area, which a network may well predict for a part that does not exist, has
    equal weights on all faces.
    """
    _, faces = surface_grid(size.device, size.dtype)
    x, y, z = size.detach().unbind(1)
    areas = torch.stack([y * z, x * z, x * y], 1) + _NO_AREA
    total = areas.sum(1, keepdim=True) * faces[:, 0].sum()
    return (areas / total) @ faces.T


class Nearest(NamedTuple):
    """For pairs of boxes: what is nearest to every grid point of the first on the second."""

    distance: Float[Tensor, "pairs 98"]
    """Squared."""
    point: Float[Tensor, "pairs 98 3"]
    """Grid point of the second box, in coordinates of the unit cube."""


@torch.no_grad()
def nearest(a: Frames, b: Frames) -> Nearest:
    """Nearest grid points of ``b`` to those of ``a``, pair by pair."""
    coordinates, step = _in_steps_of(a, b)
    position = coordinates.abs()
    point = position.round().clamp_(max=HALF_STEPS)
    rest = ((position - point) * step).square_()
    outer = ((position - HALF_STEPS) * step).square_()
    extra, axis = (outer - rest).min(0)
    distance = rest.sum(0) + extra
    point.scatter_(0, axis[None], HALF_STEPS)
    point = torch.copysign(point, coordinates) / (2 * HALF_STEPS)
    return Nearest(distance, point.permute(1, 2, 0))


@torch.no_grad()
def nearest_distances(a: Frames, b: Frames) -> Float[Tensor, "pairs 98"]:
    """Squared distances of :func:`nearest`, without the points."""
    found = torch.empty(len(a.centre), len(surface_grid(a.centre.device, a.centre.dtype)[0])).to(
        a.centre
    )
    for start in range(0, len(found), _CHUNK):
        rows = slice(start, start + _CHUNK)
        position, step = _in_steps_of(Frames(*(v[rows] for v in a)), Frames(*(v[rows] for v in b)))
        position = position.abs_()
        outer = (position - HALF_STEPS).mul_(step).square_()
        rest = position.sub_(position.round().clamp_(max=HALF_STEPS)).mul_(step).square_()
        torch.sum(rest, 0, out=found[rows])
        found[rows] += outer.sub_(rest).amin(0)
    return found


def _in_steps_of(a: Frames, b: Frames) -> tuple[Tensor, Tensor]:
    """Grid points of ``a`` ``(3, pairs, 98)`` in grid steps of ``b``'s axes, and the steps."""
    grid, _ = surface_grid(a.centre.device, a.centre.dtype)
    into = b.rotation.transpose(1, 2)
    linear = (into @ a.rotation) * a.size[:, None, :]
    offset = into @ (a.centre - b.centre)[:, :, None]
    # A box without width has its points at 0, however many steps that is.
    step = b.size.abs().clamp_min(1e-12) / (2 * HALF_STEPS)
    affine = torch.cat([linear, offset], dim=2) / step[:, :, None]
    points = torch.cat([grid, torch.ones_like(grid[:, :1])], dim=1).T
    return affine.transpose(0, 1) @ points, step.T[:, :, None]


def moments(
    weights: Float[Tensor, "pairs 98"], point: Float[Tensor, "pairs 98 3"]
) -> Float[Tensor, "pairs 7 7"]:
    """What :func:`spread` needs to know of which point is matched to which."""
    grid, _ = surface_grid(point.device, point.dtype)
    grid = grid.expand_as(point)
    features = torch.cat([grid, torch.ones_like(point[:, :, :1]), grid - point], dim=2)
    return (features * weights[:, :, None]).transpose(1, 2) @ features


def spread(a: Frames, b: Frames, moment: Float[Tensor, "pairs 7 7"]) -> Float[Tensor, "pairs"]:
    r"""Weighted sum of squared distances between matched grid points, differentiable in both.

    .. math:: \sum_i w_i |A u_i - B g_i|^2 = \mathrm{tr}(C\, S\, C^\top),\quad
        S = \sum_i w_i v_i v_i^\top,\; v_i = (u_i, 1, u_i - g_i)

    with the affine maps A and B of the two boxes and constant matches :math:`u_i, g_i`: the cost
    does not depend on the number of points.
    """
    map_a, map_b = (frame.rotation * frame.size[:, None, :] for frame in (a, b))
    difference = torch.cat([map_a - map_b, (a.centre - b.centre)[:, :, None], map_b], dim=2)
    return ((difference @ moment) * difference).sum((1, 2))


def box_loss(predicted: Float[Tensor, "n 10"], true: Float[Tensor, "n 10"]) -> Float[Tensor, "n"]:
    """Half the two area-weighted chamfer distances (squared), row by row.

    Reference: Mo et al., equation 6, with the weights of the authors' code.
    """
    p, t = frames(predicted), frames(true)
    there = nearest(t, p)
    back = nearest(p, t)
    forth = spread(t, p, moments(area_weights(t.size), there.point))
    return 0.5 * (forth + spread(p, t, moments(area_weights(p.size), back.point)))


@torch.no_grad()
def box_cost(
    predicted: Float[Tensor, "parents slots 10"],
    true: Float[Tensor, "children 10"],
    parent: Int[Tensor, "children"],
) -> Float[Tensor, "children slots"]:
    """:func:`box_loss` of every true child against all predicted boxes of its parent."""
    slots = predicted.shape[1]
    p = frames(predicted.reshape(-1, 10))
    t = frames(true)
    mine = (parent[:, None] * slots + torch.arange(slots, device=parent.device)).view(-1)
    theirs = torch.arange(len(true), device=parent.device).repeat_interleave(slots)
    return pair_costs(p, t, mine, theirs).view(len(true), slots)


@torch.no_grad()
def pair_costs(
    p: Frames, t: Frames, mine: Int[Tensor, "pairs"], theirs: Int[Tensor, "pairs"]
) -> Float[Tensor, "pairs"]:
    """:func:`box_loss` of the pairs ``p[mine]``, ``t[theirs]``."""
    found = [p.centre.new_empty(0)]
    weights_p, weights_t = area_weights(p.size), area_weights(t.size)
    for rows_p, rows_t in zip(mine.split(_CHUNK), theirs.split(_CHUNK), strict=True):
        a, b = p.pick(rows_p), t.pick(rows_t)
        forth = (weights_t[rows_t] * nearest_distances(b, a)).sum(1)
        found.append(0.5 * (forth + (weights_p[rows_p] * nearest_distances(a, b)).sum(1)))
    return torch.cat(found)


def anchor_loss(
    predicted: Float[Tensor, "n 10"], true: Float[Tensor, "n 10"]
) -> Float[Tensor, "n"]:
    """How far the axes are turned: mean squared distance of nearest axis ends, both ways.

    Reference: Mo et al., section 4.2 (the normal loss), and the authors' code.
    """
    a, b = rotation_matrix(predicted[:, 6:]), rotation_matrix(true[:, 6:])
    return 0.5 * (_axis_distance(a, b) + _axis_distance(b, a))


def _axis_distance(a: Float[Tensor, "n 3 3"], b: Float[Tensor, "n 3 3"]) -> Float[Tensor, "n"]:
    """Mean squared distance of the ends of the axes of ``a`` to the nearest of ``b``."""
    with torch.no_grad():
        cosines = a.transpose(1, 2) @ b
        best = cosines.abs().argmax(2, keepdim=True)
        sign = torch.where(cosines.gather(2, best) < 0, -1.0, 1.0)
    ends = b.transpose(1, 2).gather(1, best.expand(-1, -1, 3)) * sign
    return (a.transpose(1, 2) - ends).square().sum(2).mean(1)
