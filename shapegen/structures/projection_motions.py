"""Planes, axes and steps that fit several pairs of boxes best, with gradient."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from shapegen.structures.motion import BOX_AXES
from shapegen.structures.projection_trees import REF, TRANS

_NEWTON_STEPS = 8
_FLAT = 1e-9
"""Least curvature, of the largest, that a direction is fitted against."""


class Boxes(NamedTuple):
    """Oriented boxes."""

    centre: Float[Tensor, "n 3"]
    half: Float[Tensor, "n 3"]
    """Half lengths."""
    frame: Float[Tensor, "n 3 3"]
    """Unit axes, one a row."""

    def half_axes(self) -> Float[Tensor, "n 3 3"]:
        """Vectors from the centres to the middles of the faces."""
        return self.frame * self.half[:, :, None]

    def pick(self, rows: Int[Tensor, " k"]) -> Boxes:
        """Rows of all three."""
        return Boxes(self.centre[rows], self.half[rows], self.frame[rows])


class Links(NamedTuple):
    """Pairs of boxes that a motion is to carry into one another."""

    a: Int[Tensor, " l"]
    b: Int[Tensor, " l"]
    edge: Int[Tensor, " l"]
    """The relation that each pair belongs to."""
    order: Int[Tensor, "l 3"]
    """The axes of b that correspond to the axes of a."""
    sign: Float[Tensor, "l 3"]


@torch.no_grad()
def matched_axes(
    a: Float[Tensor, "k 3 3"], b: Float[Tensor, "k 3 3"]
) -> tuple[Int[Tensor, "k 3"], Float[Tensor, "k 3"]]:
    """The axes of boxes ``b``, and their signs, that are nearest to those of boxes ``a``.

    Args:
        a: Half axes.
        b: Half axes.
    """
    # A flat box's third axis has no length, but a direction.
    cosine = a @ b.transpose(1, 2)
    permutations = torch.from_numpy(BOX_AXES).to(a.device)
    score = cosine.abs()[:, torch.arange(3, device=a.device), permutations].sum(2)
    order = permutations[score.argmax(1)]
    along = cosine.gather(2, order[:, :, None])[:, :, 0]
    return order, torch.where(along < 0, -1.0, 1.0).to(a)


def stiff_axes(boxes: Boxes) -> Float[Tensor, "n 3 3"]:
    """Half axes with a little added to the lengths, so that flat boxes have three of them."""
    added = 0.05 * boxes.half.mean(1, keepdim=True) + 1e-12
    return boxes.frame * (boxes.half + added)[:, :, None]


def turned(axis: Float[Tensor, "n 3"], angle: Float[Tensor, " n"]) -> Float[Tensor, "n 3 3"]:
    """Matrices that turn by angles in radians about unit axes, right-handed."""
    zero = torch.zeros_like(angle)
    x, y, z = axis.unbind(1)
    cross = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], dim=1).view(-1, 3, 3)
    sine, versine = angle.sin()[:, None, None], (1 - angle.cos())[:, None, None]
    return torch.eye(3).to(axis) + sine * cross + versine * (cross @ cross)


def edge_motions(
    boxes: Boxes,
    links: Links,
    *,
    group: Int[Tensor, " edges"],
    kind: Int[Tensor, " groups"],
    guess: Float[Tensor, "groups 3"],
    angle: Float[Tensor, " edges"],
    weight: Float[Tensor, " n"],
) -> tuple[Tensor, Tensor, Tensor]:
    """Fit planes, axes and steps by weighted least squares over corners of boxes.

    Relations of one group share their plane or axis. With x and y corresponding vectors of two
    boxes (of the centre from the pivot, and the half axes), a turn by t about n leaves
    ``|R x - y|^2``, which is least where ``n' Q n + q' n`` is largest,
    ``Q = (1 - cos t) sym(x y')``, ``q = sin t (x cross y)``; for a mirror ``Q = -2 sym(x y')``.

    Returns:
        Directions ``(groups, 3)``, points ``(groups, 3)`` of planes and axes, and the steps
        ``(edges, 3)`` of translations.
    """
    count, edges = len(kind), len(group)
    own = group[links.edge]
    # A pair counts as much as the one of its parts that weighs less.
    pull = torch.minimum(weight[links.a], weight[links.b])
    a, b = boxes.centre[links.a], boxes.centre[links.b]
    per_edge = _sums(pull, links.edge, edges).clamp_min(1e-300)
    step = _sums(pull[:, None] * (b - a), links.edge, edges) / per_edge[:, None]
    mirror = (kind == REF)[own]
    middle = _sums(pull[:, None] * (a + b) / 2, own, count)
    middle = middle / _sums(pull, own, count).clamp_min(1e-300)[:, None]
    turn = angle[links.edge]
    base = torch.where(
        (kind == REF)[:, None], middle, _pivots(a, b, pull, own, guess, turn, middle)
    )
    frame_a, frame_b = boxes.half_axes()[links.a], boxes.half_axes()[links.b]
    frame_b = frame_b.gather(1, links.order[:, :, None].expand(-1, 3, 3)) * links.sign[:, :, None]
    x = torch.cat([(a - base[own])[:, None], frame_a], dim=1)  # (l, 4, 3)
    y = torch.cat([(b - base[own])[:, None], frame_b], dim=1)
    outer = x.transpose(1, 2) @ y
    outer = outer + outer.transpose(1, 2)
    bend = torch.where(mirror, torch.full_like(turn, -2.0), 1 - turn.cos())
    twist = torch.where(mirror, torch.zeros_like(turn), turn.sin())
    q2 = _sums((pull * bend)[:, None, None] * outer / 2, own, count)
    q1 = _sums((pull * twist)[:, None] * torch.linalg.cross(x, y).sum(1), own, count)
    direction = _best_direction(q2, q1, guess, kind == REF)
    direction = torch.where((kind == TRANS)[:, None], guess, direction)
    pivot = _pivots(a, b, pull, own, direction, turn, middle)
    point = torch.where((kind == REF)[:, None], middle, pivot)
    return direction, point, step


def perpendicular(
    direction: Float[Tensor, "groups 3"], upright: Int[Tensor, "groups 2"]
) -> Float[Tensor, "groups 3"]:
    """Make normals perpendicular to those of the groups that are listed for each, or -1."""
    for _ in range(2 if bool((upright[:, 1] >= 0).any()) else 1):
        for slot in range(2):
            other = direction[upright[:, slot].clamp_min(0)]
            along = (direction * other).sum(1, keepdim=True)
            bent = direction - along * other
            bent = bent / bent.norm(dim=1, keepdim=True).clamp_min(1e-12)
            direction = torch.where((upright[:, slot] >= 0)[:, None], bent, direction)
    return direction


def _pivots(
    a: Tensor, b: Tensor, pull: Tensor, own: Tensor, axis: Tensor, turn: Tensor, middle: Tensor
) -> Float[Tensor, "groups 3"]:
    """Points ``p`` of the axes that make ``R (a - p) + p - b`` least."""
    count = len(axis)
    rotation = turned(axis[own], turn)
    moved = torch.eye(3).to(a) - rotation  # (l, 3, 3)
    weighted = pull[:, None, None] * moved.transpose(1, 2)
    wanted = (b - (rotation @ a[:, :, None])[:, :, 0])[:, :, None]
    along = axis[:, :, None] * axis[:, None, :]
    matrix = _sums(weighted @ moved, own, count) + along
    right = _sums((weighted @ wanted)[:, :, 0], own, count)
    right = right + (along @ middle[:, :, None])[:, :, 0]
    # Without any turn every point is as good.
    still = _sums(pull * (1 - turn.cos()), own, count) <= 1e-12
    matrix = torch.where(still[:, None, None], torch.eye(3).to(a), matrix)
    return torch.linalg.solve(matrix, torch.where(still[:, None], middle, right))


def _best_direction(q2: Tensor, q1: Tensor, guess: Tensor, mirror: Tensor) -> Tensor:
    """Unit vectors at which ``n' q2 n + q1' n`` is largest, near the guess unless a mirror's.

    The maximum is found without gradient; one further Newton step, which does not move it, carries
    the gradient (implicit function theorem).
    """
    with torch.no_grad():
        top = torch.linalg.eigh(q2)[1][:, :, 2]
        top = top * torch.where((top * guess).sum(1, keepdim=True) < 0, -1.0, 1.0)
        n = torch.where(mirror[:, None], top, guess)
        for _ in range(_NEWTON_STEPS):
            n = n - _newton(q2, q1, n)
            n = n / n.norm(dim=1, keepdim=True).clamp_min(1e-12)
        better = _value(q2, q1, n) >= _value(q2, q1, guess)
        n = torch.where(better[:, None], n, guess)
        inverse = _inverse_curvature(q2, q1, n)
    step = (inverse @ _slope(q2, q1, n)[:, :, None])[:, :, 0]
    n = n - step
    return n / n.norm(dim=1, keepdim=True)


def _value(q2: Tensor, q1: Tensor, n: Tensor) -> Tensor:
    return ((n[:, None] @ q2)[:, 0] * n).sum(1) + (q1 * n).sum(1)


def _slope(q2: Tensor, q1: Tensor, n: Tensor) -> Tensor:
    rise = 2 * (q2 @ n[:, :, None])[:, :, 0] + q1
    return rise - (rise * n).sum(1, keepdim=True) * n


def _inverse_curvature(q2: Tensor, q1: Tensor, n: Tensor) -> Tensor:
    """Inverse of the curvature along the sphere; negative definite, as at a maximum."""
    flat = torch.eye(3).to(n) - n[:, :, None] * n[:, None, :]
    outward = ((2 * (q2 @ n[:, :, None])[:, :, 0] + q1) * n).sum(1)[:, None, None]
    bent = flat @ (2 * q2 - outward * torch.eye(3).to(n)) @ flat
    values, vectors = torch.linalg.eigh(bent)
    least = _FLAT * values.abs().amax(1, keepdim=True) + 1e-300
    inverse = torch.where(values < -least, 1 / values.clamp_max(-1e-300), torch.zeros_like(values))
    return vectors * inverse[:, None] @ vectors.transpose(1, 2)


def _newton(q2: Tensor, q1: Tensor, n: Tensor) -> Tensor:
    return (_inverse_curvature(q2, q1, n) @ _slope(q2, q1, n)[:, :, None])[:, :, 0]


def _sums(values: Tensor, index: Tensor, count: int) -> Tensor:
    """Sums of rows by number."""
    return values.new_zeros(count, *values.shape[1:]).index_add(0, index, values)
