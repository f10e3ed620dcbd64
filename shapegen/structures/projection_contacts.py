"""Least changes of boxes that close gaps, each a convex program, with gradient.

With fixed axes two boxes meet if none of fifteen directions separates them, and what a direction
leaves between them is linear in centres and lengths, so the boxes that meet are a convex set.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from shapegen.structures.projection_motions import Boxes

_ROUNDS = 6
_SWEEPS = 24
_PARALLEL = 1e-6
"""Sine below which two edges have no common normal."""
_OVERLAP = 1e-7
"""Of the shape's diagonal: how far parts go into one another, so that rounding opens no gap."""
_RIDGE = 1e-11
"""Of the mean curvature: dependent rows share their load."""
_NEAR = 0.01
"""Of the shape's diagonal: directions this near to separating two parts are looked at from the
start."""
_FACE_FLOOR = 0.1
"""Share of a box's mean face that is added to every face: thin ends do not run away."""
_AREA_FLOOR = 1e-4
"""Of the squared diagonal, for boxes without area."""


class Separations(NamedTuple):
    """Of pairs of boxes, for fifteen directions each: faces of a, faces of b, edge by edge."""

    gap: Float[Tensor, "k 15"]
    """What the direction leaves between the two; -inf where edges are parallel."""
    shift_a: Float[Tensor, "k 15 3"]
    """Derivatives by moves of a along its own axes."""
    shift_b: Float[Tensor, "k 15 3"]

    @property
    def distance(self) -> Float[Tensor, " k"]:
        """Distance of the boxes, a lower bound of it at corners; negative where they overlap."""
        beside = self.gap[:, :6].clamp_min(0).view(-1, 2, 3).norm(dim=2).amax(1)
        return torch.maximum(self.gap.amax(1), torch.where(beside > 0, beside, -torch.inf))


def separations(a: Boxes, b: Boxes) -> Separations:
    """Measure what fifteen directions leave between boxes, row by row (Gottschalk et al. 1996)."""
    cross = torch.linalg.cross(a.frame[:, :, None], b.frame[:, None, :], dim=3).flatten(1, 2)
    length = cross.norm(dim=2, keepdim=True)
    askew = length > _PARALLEL
    cross = cross / torch.where(askew, length, torch.ones_like(length))
    way = torch.cat([a.frame, b.frame, cross], dim=1)  # (k, 15, 3)
    along = (way @ (b.centre - a.centre)[:, :, None])[:, :, 0]
    side = torch.where(along < 0, -1.0, 1.0).to(along)
    way = way * side[:, :, None]
    on_a, on_b = way @ a.frame.transpose(1, 2), way @ b.frame.transpose(1, 2)
    reach = (on_a.abs() @ a.half[:, :, None] + on_b.abs() @ b.half[:, :, None])[:, :, 0]
    usable = torch.cat([torch.ones_like(askew[:, :6]), askew], dim=1)[:, :, 0]
    gap = torch.where(usable, along.abs() - reach, -torch.inf)
    return Separations(gap, -on_a, on_b)


class Contacts(NamedTuple):
    """Pairs of leaves that are to touch."""

    a: Int[Tensor, " k"]
    b: Int[Tensor, " k"]
    shape: Int[Tensor, " k"]


class _Program(NamedTuple):
    """One convex program a shape: least ``resist . change^2`` at which no direction separates."""

    coefficients: Float[Tensor, "k 15 12"]
    """Change of every gap by those of the generators of a (shift 3, growth 3) and b."""
    excess: Float[Tensor, "k 15"]
    """By how much every gap is to fall at least."""
    variables: Int[Tensor, "k 12"]
    """Position of those among the variables of the shape."""
    shape: Int[Tensor, " k"]
    resist: Float[Tensor, "shapes variables"]


class _Rows(NamedTuple):
    """Some of a program's rows, padded."""

    matrix: Float[Tensor, "shapes rows variables"]
    target: Float[Tensor, "shapes rows"]
    filled: Bool[Tensor, "shapes rows"]
    place: tuple[Tensor, Tensor]
    """Shape and row of every chosen ``(k, 15)`` entry, in order."""


def closing(
    leaves: Boxes,
    source: Int[Tensor, " n"],
    contacts: Contacts,
    *,
    diagonal: Float[Tensor, " shapes"],
    weight: Float[Tensor, " n"],
    stiffness: float,
) -> tuple[Float[Tensor, "n 3"], Float[Tensor, "n 3"]]:
    """Find the least changes of boxes after which all contacts touch.

    All images of a generator change as it does. A face resists in proportion to its area, and to
    the number and weight of its images: a leg is made longer rather than a seat thicker.

    Args:
        leaves: Boxes with axes named as in their generator's.
        source: Row of each box's generator.
        contacts: What is to touch.
        diagonal: Of every shape.
        weight: Of every generator, its images together.
        stiffness: How much harder it is to stretch a box than to move it by the same amount.

    Returns:
        Shifts of the generators in their own axes and growth of their half lengths; 0 in other
        rows.

    Raises:
        ValueError: No contacts.
    """
    if not len(contacts.a):
        raise ValueError("closing gaps needs contacts; got none")
    used, generator = torch.unique(
        source[torch.stack([contacts.a, contacts.b])], return_inverse=True
    )
    shape = torch.zeros_like(used).index_put((generator,), contacts.shape.expand(2, -1))
    slot, width = _slots(shape, len(diagonal))
    half, size = leaves.half[used], diagonal[shape, None]
    area = 4 * half[:, [1, 2, 0]] * half[:, [2, 0, 1]]
    area = area + _FACE_FLOOR * area.mean(1, keepdim=True) + _AREA_FLOOR * size**2
    # In diagonals, so that numbers do not depend on the unit.
    area = weight[used, None] * area / size**2
    variable = slot[:, None] * 6 + torch.arange(6, device=slot.device)
    resist = torch.ones(len(diagonal), width * 6).to(area)
    resist = resist.index_put(
        (shape[:, None].expand(-1, 6), variable), torch.cat([area, stiffness * area], dim=1)
    )
    apart = separations(leaves.pick(contacts.a), leaves.pick(contacts.b))
    program = _Program(
        coefficients=torch.cat(
            [
                *(apart.shift_a, -apart.shift_a.abs()),
                *(apart.shift_b, -apart.shift_b.abs()),
            ],
            dim=2,
        ),
        excess=apart.gap / diagonal[contacts.shape, None] + _OVERLAP,
        variables=variable[generator].transpose(0, 1).flatten(1),
        shape=contacts.shape,
        resist=resist,
    )
    with torch.no_grad():
        active = _active_rows(program)
    rows = _rows(program, active)
    change = -_least_change(program, rows, _multipliers(program, rows, rows.filled))
    change = change[shape[:, None], variable] * size
    result = leaves.centre.new_zeros(len(source), 6).index_copy(0, used, change)
    return result[:, :3], result[:, 3:]


def _slots(owner: Tensor, owners: int) -> tuple[Tensor, int]:
    """Position of each thing among those of one owner, and the most that one owns."""
    count = torch.bincount(owner, minlength=owners)
    order = torch.argsort(owner, stable=True)
    first = count.cumsum(0) - count
    place = torch.arange(len(owner), device=owner.device) - first[owner[order]]
    return torch.zeros_like(owner).index_copy(0, order, place), int(count.max())


def _active_rows(program: _Program) -> Bool[Tensor, "k 15"]:
    """The rows that hold the boxes back at the solution.

    Rows are taken in as they are violated; within them the active set is exchanged until no
    multiplier is negative and no row violated (primal-dual active set; Hintermueller et al. 2002).
    """
    chosen = program.excess > -_NEAR
    active = program.excess > 0
    for _ in range(_ROUNDS):
        rows = _rows(program, chosen)
        inside = torch.zeros_like(rows.filled)
        inside[rows.place] = active[chosen]
        hessian = _hessian(program, rows)
        for _ in range(_SWEEPS):
            load = _solved(hessian, rows.target, inside)
            left = rows.target - (hessian @ load[:, :, None])[:, :, 0]
            following = torch.where(inside, load > 0, left > 1e-12) & rows.filled
            if bool((following == inside).all()):
                break
            inside = following
        active = torch.zeros_like(chosen)
        active[chosen] = inside[rows.place]
        change = -_least_change(program, rows, load.clamp_min(0))
        own = change[program.shape[:, None], program.variables]
        left = program.excess + (program.coefficients @ own[:, :, None])[:, :, 0]
        missing = (left > 0.1 * _OVERLAP) & ~chosen
        if not bool(missing.any()):
            break
        chosen = chosen | missing
    return active


def _rows(program: _Program, chosen: Bool[Tensor, "k 15"]) -> _Rows:
    contact, way = chosen.nonzero().unbind(1)
    shape = program.shape[contact]
    shapes, variables = program.resist.shape
    slot, height = _slots(shape, shapes)
    matrix = program.resist.new_zeros(shapes, height, variables)
    index = (shape[:, None].expand(-1, 12), slot[:, None].expand(-1, 12))
    # A ring's neighbours are images of one generator: both ends add up.
    matrix = matrix.index_put(
        (*index, program.variables[contact]), program.coefficients[contact, way], accumulate=True
    )
    place = (shape, slot)
    target = program.resist.new_zeros(shapes, height)
    target = target.index_put(place, program.excess[contact, way])
    filled = torch.zeros(shapes, height, dtype=torch.bool, device=shape.device)
    return _Rows(matrix, target, filled.index_put(place, torch.ones_like(shape) > 0), place)


def _hessian(program: _Program, rows: _Rows) -> Tensor:
    eased = rows.matrix / program.resist[:, None]
    hessian = eased @ rows.matrix.transpose(1, 2)
    count = rows.filled.sum(1).clamp_min(1)
    mean = hessian.diagonal(dim1=1, dim2=2).sum(1) / count
    return hessian + torch.diag_embed((_RIDGE * mean)[:, None].expand(rows.filled.shape))


def _solved(hessian: Tensor, target: Tensor, inside: Tensor) -> Tensor:
    """Multipliers at which the inside rows hold with equality; 0 outside."""
    both = inside[:, :, None] & inside[:, None, :]
    matrix = torch.where(both, hessian, torch.zeros_like(hessian))
    matrix = matrix + torch.diag_embed((~inside).to(matrix))
    right = torch.where(inside, target, torch.zeros_like(target))
    solution: Tensor = torch.linalg.solve(matrix, right)
    return solution


def _multipliers(program: _Program, rows: _Rows, inside: Tensor) -> Tensor:
    return _solved(_hessian(program, rows), rows.target, inside)


def _least_change(program: _Program, rows: _Rows, load: Tensor) -> Tensor:
    return (load[:, None] @ rows.matrix)[:, 0] / program.resist
